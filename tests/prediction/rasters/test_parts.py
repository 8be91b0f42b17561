"""Parts found in bands are those of the whole mask."""

import numpy as np
import pytest
from skimage.measure import label

from delineate.prediction.rasters.parts import find_parts


def some_mask(seed, size=(60, 41), classes=3, share=0.55):
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, classes, size)
    return np.where(rng.random(size) < share, ids, 0).astype(np.uint8)


def in_bands(mask, rows):
    return [mask[first : first + rows] for first in range(0, len(mask), rows)]


def same_partition(one, other):
    """Return whether two numberings part the pixels alike."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return len(pairs.T) == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("rows", [1, 7, 60])
@pytest.mark.parametrize("seed", range(4))
def test_the_parts_and_their_areas_are_those_of_the_whole_mask(connectivity, rows, seed):
    mask = some_mask(seed)
    parts = find_parts(in_bands(mask, rows), connectivity=connectivity)
    found = np.concatenate(list(parts.numbered(in_bands(mask, rows))))
    expected = label(mask, background=0, connectivity=connectivity)
    assert same_partition(found, expected)
    assert ((found == 0) == (mask == 0)).all()
    np.testing.assert_array_equal(parts.areas[1:], np.bincount(found.ravel())[1:])


def test_a_mask_without_parts_has_none():
    parts = find_parts(in_bands(np.zeros((5, 4), np.uint8), 2))
    assert parts.areas.tolist() == [0]
    assert not np.concatenate(list(parts.numbered(in_bands(np.zeros((5, 4), np.uint8), 2)))).any()


def test_a_spiral_through_all_bands_is_one_part():
    mask = np.zeros((31, 31), np.uint8)
    mask[::2] = 1
    for number, row in enumerate(range(1, 31, 2)):
        mask[row, -1 if number % 2 else 0] = 1
    assert find_parts(in_bands(mask, 3)).areas[1:].tolist() == [mask.sum()]
