from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from delineate.data import pipeline as module
from delineate.data.dataset import Dataset
from delineate.data.pipeline import TrainingWindows, ValidationWindows, adapt_channels, stack
from delineate.errors import DataError
from delineate.normalisation import KINDS, normalise
from delineate.recipe import Augment
from tests.stains import section

STILL = Augment(flip=False, quarter_turns=False)
STRONG = Augment(
    scale=0.3, rotation=30, shear=5, elastic=3, brightness=0.2, contrast=0.3, hue=0.1, noise=0.05
)


def numbered(*sizes, channels=3):
    """A data set in which each pixel differs from every other: its place is its colour."""
    images, masks = [], []
    for number, (height, width) in enumerate(sizes):
        rows, columns = np.mgrid[:height, :width]
        planes = [rows, columns, np.full_like(rows, number)][:channels]
        images.append(np.stack(planes, axis=2).astype(np.uint8))
        masks.append(((rows + columns) % 3).astype(np.uint8))
    return Dataset.from_arrays(images, masks)


def training(dataset, **changes):
    values = {"size": (16, 24), "fit": "crop", "channels": 3, "augment": STRONG, "seed": 5}
    return TrainingWindows(dataset, **{**values, **changes})


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def dataset():
    return numbered((40, 50), (30, 60), (64, 33))


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_a_window_follows_from_seed_epoch_and_index(dataset, fit):
    windows, again = training(dataset, fit=fit), training(dataset, fit=fit)
    for epoch, index in [(0, 0), (3, 2), (0, 1)]:
        assert same(windows.window(epoch, index), again.window(epoch, index))


def test_windows_are_the_same_in_any_order_and_from_any_thread(dataset):
    windows = training(dataset, per_image=4)
    places = [(epoch, index) for epoch in range(2) for index in range(12)]
    expected = {place: windows.window(*place) for place in places}
    with ThreadPoolExecutor(6) as pool:
        found = dict(pool.map(lambda place: (place, windows.window(*place)), places[::-1]))
    assert all(same(found[place], expected[place]) for place in places)


def test_other_seeds_epochs_and_indices_give_other_windows(dataset):
    windows, other = training(dataset, per_image=2), training(dataset, seed=6)
    first = windows.window(0, 0)
    assert not same(first, windows.window(1, 0))
    assert not same(first, windows.window(0, 3))  # the same image again
    assert not same(first, other.window(0, 0))


def test_each_image_gives_as_many_windows_as_asked(dataset):
    windows = training(dataset, augment=STILL, per_image=4)
    assert len(windows) == 12
    drawn = [int(windows.window(0, index)[0][0, 0, 2]) for index in range(12)]
    assert sorted(drawn) == [0] * 4 + [1] * 4 + [2] * 4


def test_image_and_mask_of_a_window_lie_on_each_other(dataset):
    windows = training(dataset, augment=Augment())  # flips and turns
    for index in range(3):
        image, mask = windows.window(2, index)
        assert image.shape == (16, 24, 3)
        np.testing.assert_array_equal(mask, image[..., :2].astype(int).sum(axis=2) % 3)


def test_a_resized_window_shows_the_whole_image(dataset):
    image, mask = training(dataset, fit="resize", augment=STILL).window(0, 0)
    assert (image.shape, mask.shape) == ((16, 24, 3), (16, 24))
    assert image[0, 0, 0] < 3
    assert image[-1, -1, 0] > 36
    assert image[-1, -1, 1] > 46


@pytest.mark.parametrize("size", [(16, 24), (10, 10), (64, 64), (41, 7)])
def test_validation_windows_cover_every_pixel_exactly_once(dataset, size):
    windows = ValidationWindows(dataset, size, "crop", 3)
    seen = [np.zeros(sample.size, int) for sample in dataset]
    for index in range(len(windows)):
        image, mask = windows.window(0, index)
        assert (image.shape, mask.shape) == ((*size, 3), size)
        inside = mask != 255
        rows, columns, number = image[inside].T
        np.add.at(seen[number[0]], (rows, columns), 1)
        assert len(set(number)) == 1
        np.testing.assert_array_equal(mask[inside], (rows.astype(int) + columns) % 3)
    assert all((count == 1).all() for count in seen)


def test_outside_the_image_validation_windows_are_ignored_and_the_same_in_each_epoch():
    windows = ValidationWindows(numbered((5, 6)), (8, 8), "crop", 3)
    image, mask = windows.window(0, 0)
    assert (mask[5:] == 255).all()
    assert (mask[:, 6:] == 255).all()
    assert (mask[:5, :6] != 255).all()
    assert (image[7, 7] == image[4, 5]).all()
    assert same((image, mask), windows.window(9, 0))


def test_resized_validation_has_one_window_per_image(dataset):
    windows = ValidationWindows(dataset, (16, 24), "resize", 3)
    assert len(windows) == 3
    image, mask = windows.window(0, 1)
    assert (image.shape, mask.shape) == ((16, 24, 3), (16, 24))
    assert (image[..., 2] == 1).all()
    assert set(np.unique(mask)) <= {0, 1, 2}


def test_grey_is_repeated_and_other_channels_are_refused():
    grey = np.arange(6, dtype=np.uint16).reshape(2, 3, 1)
    np.testing.assert_array_equal(adapt_channels(grey, 3, "x"), np.dstack([grey] * 3))
    colour = np.zeros((2, 3, 3), np.uint8)
    assert adapt_channels(colour, 3, "x") is colour
    with pytest.raises(DataError, match="x has 3 channels, the network takes 1"):
        adapt_channels(colour, 1, "x")


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_grey_is_no_image_of_dyes_or_bands(channels):
    grey = np.zeros((2, 3, 1), np.uint8)
    with pytest.raises(DataError, match=f"x has 1 channel, the network takes {channels}") as caught:
        adapt_channels(grey, channels, "x")
    assert "one file" in caught.value.hint


def test_grey_images_become_windows_of_the_channels_that_are_asked_for():
    grey = numbered((20, 30), channels=1)
    assert training(grey, augment=STILL).window(0, 0)[0].shape == (16, 24, 3)
    assert ValidationWindows(grey, (16, 24), "crop", 3).window(0, 0)[0].shape == (16, 24, 3)


def test_a_batch_keeps_the_values_as_float32_and_int32():
    windows = [
        (np.full((2, 3, 1), n, np.uint16), np.full((2, 3), n % 256, "B")) for n in (1, 60_000)
    ]
    images, masks = stack(windows)
    assert (images.dtype, masks.dtype) == (np.float32, np.int32)
    assert (images.shape, masks.shape) == ((2, 2, 3, 1), (2, 2, 3))
    assert images[1, 0, 0, 0] == 60_000
    assert masks[1, 0, 0] == 60_000 % 256


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_of_a_normalised_image_are_those_of_the_whole(kind):
    image = section()
    dataset = Dataset.from_arrays([image], [np.zeros((60, 80), np.uint8)])
    windows = ValidationWindows(dataset, (20, 40), "crop", 3, normalise=kind)
    whole = normalise(image, kind)
    for index, (row, column) in enumerate(
        (row, column) for row in (0, 20, 40) for column in (0, 40)
    ):
        expected = whole[row : row + 20, column : column + 40]
        np.testing.assert_array_equal(windows.window(0, index)[0], expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("augment", [Augment(), STRONG])
@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_windows_are_those_of_images_that_were_normalised_whole(dataset, fit, augment, kind):
    images = [*(sample.image for sample in dataset), section(), section()[:9, 3:]]
    masks = [(image[..., 1] % 3).astype(np.uint8) for image in images]
    stored = Dataset.from_arrays(images, masks)
    ready = Dataset.from_arrays([normalise(image, kind) for image in images], masks)
    found = training(stored, fit=fit, augment=augment, normalise=kind, per_image=4)
    plain = training(ready, fit=fit, augment=augment, per_image=4)
    assert all(same(found.window(1, n), plain.window(1, n)) for n in range(len(found)))


@pytest.mark.parametrize("augment", [Augment(), STRONG])
def test_no_more_of_an_image_is_made_ready_than_its_window_needs(augment, monkeypatch):
    changed = []
    monkeypatch.setattr(
        module, "correction", lambda image, kind: lambda pixels: changed.append(pixels) or pixels
    )
    wide = Dataset.from_arrays(np.zeros((1, 500, 700), np.uint8), np.zeros((1, 500, 700), np.uint8))
    monkeypatch.setattr(
        type(wide.encoding),
        "encode",
        lambda self, part, colours: changed.append(part) or part,
    )
    windows = training(wide, augment=augment, per_image=20)
    validation = ValidationWindows(wide, (16, 24), "crop", 3)
    for index in range(20):
        windows.window(0, index)
        validation.window(0, index)
    assert len(changed) == 80
    # The diagonal of the window at the smallest zoom, what shear and bending add, and a margin.
    assert max(max(part.shape[:2]) for part in changed) < 70


def test_an_image_is_measured_once_and_not_for_each_of_its_windows(dataset, monkeypatch):
    measured = []
    real = module.correction
    monkeypatch.setattr(
        module, "correction", lambda image, kind: measured.append(kind) or real(image, kind)
    )
    windows = training(dataset, per_image=4, normalise="range")
    for index in range(12):
        windows.window(0, index)
    validation = ValidationWindows(dataset, (16, 24), "crop", 3, normalise="percentile")
    for index in range(len(validation)):
        validation.window(0, index)
    assert measured == ["range"] * 3 + ["percentile"] * 3


def test_a_window_is_known_by_the_name_of_its_sample(dataset):
    assert [training(dataset, per_image=2).name(0, index) for index in (0, 2, 3, 5)] == list("0202")
    validation = ValidationWindows(dataset, (40, 60), "crop", 3)
    assert [validation.name(0, index) for index in range(len(validation))] == list("0122")
    resized = ValidationWindows(dataset, (40, 60), "resize", 3)
    assert [resized.name(0, index) for index in range(3)] == list("012")


def one_speck(count=6, size=(60, 80)):
    """Images of which each second one has a speck of class 2 somewhere, and all have class 1."""
    rng = np.random.default_rng(0)
    images, masks = [], []
    for number in range(count):
        mask = np.zeros(size, np.uint8)
        mask[:20] = 1
        if number % 2:
            row, column = rng.integers(25, 55), rng.integers(5, 75)
            mask[row : row + 2, column : column + 2] = 2
        images.append(np.full((*size, 3), number, np.uint8))
        masks.append(mask)
    return Dataset.from_arrays(images, masks, classes=["ground", "band", "speck"])


@pytest.mark.parametrize("augment", [STILL, Augment(scale=0.3)])
def test_oversampled_windows_hold_each_class_equally_often(augment):
    windows = training(one_speck(), oversample=1.0, augment=augment, per_image=50)
    masks = [windows.window(0, index)[1] for index in range(len(windows))]
    with_speck = np.mean([(mask == 2).any() for mask in masks])
    by_chance = training(one_speck(), augment=augment, per_image=50)
    chance = np.mean([(by_chance.window(0, i)[1] == 2).any() for i in range(len(by_chance))])
    assert with_speck == pytest.approx(0.5, abs=0.1)
    assert chance < 0.2


def test_only_the_share_of_windows_that_is_asked_for_is_laid_around_a_class():
    windows = training(one_speck(), oversample=0.5, augment=STILL, per_image=50)
    share = np.mean([(windows.window(0, i)[1] == 2).any() for i in range(len(windows))])
    assert 0.2 < share < 0.42


def test_the_pixel_lies_anywhere_in_the_window():
    windows = training(one_speck(), oversample=1.0, augment=STILL, per_image=200)
    places = []
    for index in range(len(windows)):
        rows, columns = np.nonzero(windows.window(0, index)[1] == 2)
        if len(rows):
            places.append((rows[0], columns[0]))
    rows, columns = np.array(places).T
    assert rows.min() <= 1
    assert rows.max() >= 13
    assert columns.min() <= 1
    assert columns.max() >= 21


def test_a_data_set_without_foreground_is_drawn_by_chance():
    images, masks = np.zeros((2, 30, 40, 3), np.uint8), np.zeros((2, 30, 40), np.uint8)
    dataset = Dataset.from_arrays(images, masks, classes=["a", "b"])
    assert training(dataset, oversample=1.0).window(0, 0)[1].shape == (16, 24)


def test_rare_kinds_of_picture_are_drawn_by_the_root_of_their_number():
    images = np.zeros((10, 20, 24, 1), np.uint8)
    dataset = Dataset.from_arrays(images, images[..., 0])
    kinds = (0,) * 9 + (1,)
    windows = training(dataset, oversample_kinds=1.0, kinds=kinds, per_image=100)
    rare = np.mean([windows.name(0, index) == "9" for index in range(1000)])
    assert rare == pytest.approx(1 / (3 + 1), abs=0.04)
    half = training(dataset, oversample_kinds=0.5, kinds=kinds, per_image=100)
    rare = np.mean([half.name(0, index) == "9" for index in range(1000)])
    assert rare == pytest.approx((0.1 + 0.25) / 2, abs=0.04)


def test_without_oversampling_the_windows_are_what_they_were(dataset):
    assert same(training(dataset).window(2, 1), training(dataset, oversample=0.0).window(2, 1))


def with_objects(count=4, size=(40, 40)):
    images, masks, instances = [], [], []
    for number in range(count):
        objects = np.zeros(size, np.int32)
        objects[5:15, 5:15] = 1
        objects[20:30, 8 + number : 20 + number] = 2
        images.append(
            np.repeat((40 * number + 60 * (objects > 0))[..., None], 3, axis=2).astype(np.uint8)
        )
        masks.append((objects > 0).astype(np.uint8))
        instances.append(objects)
    return Dataset.from_arrays(images, masks, instances=instances)


def test_what_is_learnt_of_objects_lies_where_their_mask_is():
    windows = training(
        with_objects(), targets=("boundary", "distance"), augment=Augment(rotation=20)
    )
    for index in range(4):
        image, target = windows.window(1, index)
        assert image.shape == (16, 24, 3)
        assert target.shape == (16, 24, 3)
        mask, distance = target[..., 0], target[..., 2]
        assert ((distance > 0) == (mask == 1))[mask != 255].all()
        assert (distance[mask == 255] == 255).all()


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_validation_windows_say_the_same_of_objects(fit):
    windows = ValidationWindows(with_objects(), (32, 32), fit, 3, targets=("distance",))
    for index in range(len(windows)):
        target = windows.window(0, index)[1]
        assert target.shape == (32, 32, 2)
        mask = target[..., 0]
        assert (target[mask == 255] == 255).all()
        if fit == "crop":
            assert ((target[..., 1] > 0) == (mask == 1))[mask != 255].all()


def test_objects_are_pasted_from_images_of_the_same_kind_only():
    dataset = with_objects()
    windows = training(
        dataset,
        size=(40, 40),
        augment=Augment(flip=False, quarter_turns=False, copy_paste=1.0),
        kinds=(0, 0, 1, 1),
        per_image=30,
    )
    partners = {0: set(), 2: set()}
    for index in range(len(windows)):
        number = index % 4
        if number in partners:
            image, mask = windows.window(0, index)
            found = {int(value) for value in np.unique(image[mask == 1])}
            partners[number] |= {(value - 60) // 40 for value in found}
    assert partners == {0: {0, 1}, 2: {2, 3}}
