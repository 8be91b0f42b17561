import json

import numpy as np
import pytest

from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.planning.fingerprint import fingerprint_of, uprightness


def cells(count=6, size=(64, 80), seed=0):
    """Discs of 10 pixels across, two of them touching in each image, above or below the third."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    images, masks, instances = [], [], []
    for index in range(count):
        objects = np.zeros(size, np.int32)
        row, column = 15 + 4 * (index // 2), 12 + 11 * (index % 5)
        middles = np.array([(row, column), (row, column + 10), (row + 30, 70 - column)])
        if index % 2:
            middles[:, 0] = size[0] - 1 - middles[:, 0]
        for number, (row, column) in enumerate(middles, 1):
            objects[(rows - row) ** 2 + (columns - column) ** 2 <= 25] = number
        noise = rng.normal(0, 10, size)
        image = np.where(objects > 0, 180, 50) + noise
        images.append(np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))
        masks.append((objects > 0).astype(np.uint8))
        instances.append(objects)
    return Dataset.from_arrays(images, masks, instances=instances, name="cells")


def streets(count=5, size=(48, 64), seed=1):
    """Sky above, road below, a car or two on it."""
    rng = np.random.default_rng(seed)
    images, masks = [], []
    for _ in range(count):
        mask = np.zeros(size, np.uint8)
        mask[20:] = 1
        left = rng.integers(5, 50)
        mask[25:30, left : left + 8] = 2
        colours = np.array([[120, 160, 230], [90, 90, 90], [200, 30, 30]])
        image = colours[mask] + rng.normal(0, 8, (*size, 3))
        images.append(image.clip(0, 255).astype(np.uint8))
        masks.append(mask)
    return Dataset.from_arrays(images, masks, classes=["sky", "road", "car"], name="streets")


def test_cells_are_told_by_their_numbers():
    found = fingerprint_of(inspect(cells()))
    assert (found.images, found.height, found.width, found.channels) == (6, 64, 80, 3)
    assert found.objects
    assert found.objects_per_image == 3
    # A disc of radius 5 has 81 pixels: as many as one of 10.2 pixels across.
    assert found.smallest_diameter == pytest.approx(10.2, abs=0.5)
    assert found.diameter == pytest.approx(10.2, abs=0.5)
    assert found.touching == pytest.approx(2 / 3)
    assert sum(found.shares) == pytest.approx(1, abs=1e-5)


def test_streets_have_an_above_and_cells_have_not():
    assert uprightness(streets()) > 0.9
    assert uprightness(cells()) < 0.1


def test_uprightness_is_the_distance_of_the_shares_in_the_two_thirds():
    mask = np.array([[0, 0, 1, 1], [2, 2, 2, 2], [1, 1, 1, 0]], np.uint8)
    images = np.full((3, 3, 4, 1), 7, np.uint8)
    found = uprightness(Dataset.from_arrays(images, [mask] * 3, classes=["a", "b", "c"]))
    assert found == pytest.approx((abs(0.5 - 0.25) + abs(0.5 - 0.75)) / 2)


def test_images_that_do_not_agree_are_not_upright():
    rng = np.random.default_rng(0)
    masks = np.zeros((12, 30, 30), np.uint8)
    for mask in masks:
        row = rng.integers(0, 20)
        mask[row : row + 10] = 1
    images = np.full((12, 30, 30, 1), 7, np.uint8)
    assert uprightness(Dataset.from_arrays(images, masks)) < 0.15


def test_photographs_are_upright_by_their_light():
    masks = np.zeros((6, 30, 30), np.uint8)
    masks[:, 14, 14] = 1
    images = np.repeat(np.linspace(230, 40, 30).astype(np.uint8)[:, None, None], 30, axis=1)
    found = uprightness(Dataset.from_arrays(np.stack([images] * 6), masks, classes=["a", "b"]))
    assert found > 0.5


def test_the_diameter_is_that_of_the_object_in_which_half_of_the_foreground_lies():
    masks = np.zeros((3, 100, 100), np.uint8)
    masks[:, 10:50, 10:50] = 1
    masks[:, 60:90:6, 10:90:6] = 1
    images = np.random.default_rng(0).integers(0, 255, (3, 100, 100, 1)).astype(np.uint8)
    found = fingerprint_of(inspect(Dataset.from_arrays(images, masks)))
    assert found.diameter == pytest.approx(2 * np.sqrt(1600 / np.pi))
    assert found.smallest_diameter == pytest.approx(2 * np.sqrt(1 / np.pi))


def test_fewer_than_three_images_do_not_say_whether_they_stand_upright():
    assert uprightness(streets(count=2)) is None
    assert fingerprint_of(inspect(streets(count=2))).upright is None


def test_only_training_images_count_for_the_length_of_an_epoch():
    images, masks = np.zeros((4, 8, 8, 1), np.uint8), np.zeros((4, 8, 8), np.uint8)
    images[:, 2] = np.arange(4)[:, None, None].astype(np.uint8)
    masks[:, 2:4] = 1
    splits = ["train", "train", "validation", "test"]
    dataset = Dataset.from_arrays(images, masks, classes=["a", "b"], splits=splits)
    found = fingerprint_of(inspect(dataset))
    assert (found.images, found.training) == (4, 2)


def test_it_is_plain_values():
    found = json.loads(json.dumps(fingerprint_of(inspect(streets())).to_json()))
    assert found["classes"] == ["sky", "road", "car"]
    assert found["objects"] is False
