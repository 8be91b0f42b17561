import io

import numpy as np
import pytest
from PIL import Image

from delineate.data.checking.class_map import class_map, measure_places
from delineate.data.dataset import Dataset


def dataset_of(masks, **options):
    images = [np.zeros((*mask.shape, 1), np.uint8) for mask in masks]
    return Dataset.from_arrays(images, masks, **options)


def halves(count=4, size=(40, 60)):
    """Above a class, below another, and in the last image ignored pixels below."""
    masks = np.zeros((count, *size), np.uint8)
    masks[:, size[0] // 2 :] = 1
    masks[:, : size[0] // 4] = 2
    masks[-1, size[0] // 2 :] = 255
    return masks


def test_each_class_is_measured_where_it_lies_whatever_the_sizes():
    small = halves(3)
    large = halves(1).repeat(3, axis=1).repeat(3, axis=2)
    shares, count = measure_places(dataset_of([*small[:2], *large]))
    assert count == 3
    assert shares.shape == (32, 48, 4)
    np.testing.assert_allclose(shares.sum(axis=2), 1)
    np.testing.assert_allclose(shares[20:, :, 1], 2 / 3)
    np.testing.assert_allclose(shares[20:, :, 3], 1 / 3)
    np.testing.assert_allclose(shares[:7, :, 2], 1)
    assert set(np.unique(shares[:16, :, 1])) == {0}
    np.testing.assert_allclose(shares[16:, :, 1], 2 / 3)


def test_each_class_and_what_is_ignored_has_a_panel_that_is_bright_where_it_lies():
    gallery = class_map(dataset_of(halves(), classes=["sky", "road", "tree"]))
    assert [tile.name for tile in gallery.tiles] == ["sky", "road", "tree", "ignored"]
    assert gallery.tiles[1].remark == "in up to 75 % of images"
    panel = np.asarray(Image.open(io.BytesIO(gallery.tiles[1].picture)).convert("L"), float)
    assert panel[-20:].mean() > panel[:20].mean() + 80


def test_of_two_classes_one_panel_is_enough():
    gallery = class_map(dataset_of((halves() == 1).astype(np.uint8), classes=["none", "cell"]))
    assert [tile.name for tile in gallery.tiles] == ["cell"]


def test_without_classes_there_is_no_map():
    masks = np.random.default_rng(0).integers(0, 60000, (2, 8, 8), np.uint16)
    assert class_map(dataset_of(masks)) is None


@pytest.mark.parametrize("size", [(1, 500), (500, 1)])
def test_extreme_frames_do_no_harm(size):
    assert class_map(dataset_of(np.ones((2, *size), np.uint8))) is not None
