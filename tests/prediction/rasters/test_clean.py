"""Masks cleaned in bands are those that are cleaned whole."""

import numpy as np
import pytest

from delineate.prediction.cleaning import clean
from delineate.prediction.rasters.clean import steps


def some_mask(seed, share):
    rng = np.random.default_rng(seed)
    ids = np.kron(rng.integers(1, 3, (8, 6)), np.ones((8, 7), int))
    return np.where(rng.random(ids.shape) < share, ids, 0).astype(np.uint8)


def cleaned_in_bands(mask, rows, **settings):
    for step in steps(**settings):
        mask = np.concatenate(list(step(lambda now=mask: in_bands(now, rows))))
    return mask


def in_bands(mask, rows):
    return [mask[first : first + rows] for first in range(0, len(mask), rows)]


@pytest.mark.parametrize("rows", [1, 5, 64])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"largest_hole": 3},
        {"largest_hole": 40},
        {"smallest_object": 6},
        {"largest_only": (1,)},
        {"largest_hole": 9, "smallest_object": 30, "largest_only": (2,)},
    ],
)
@pytest.mark.parametrize("share", [0.6, 0.93])
def test_the_mask_is_that_which_is_cleaned_whole(settings, rows, share):
    for seed in range(3):
        mask = some_mask(seed, share)
        found = cleaned_in_bands(mask, rows, **settings)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, clean(mask, **settings))


def test_a_hole_that_lies_across_bands_is_filled_by_the_one_class_around_it():
    mask = np.ones((9, 5), np.uint8)
    mask[3:6, 2] = 0
    assert cleaned_in_bands(mask, 2, largest_hole=3).all()
    mask[2, 2] = 2
    assert not cleaned_in_bands(mask, 2, largest_hole=3)[3:6, 2].any()
