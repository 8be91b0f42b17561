"""What is learnt of objects, against distances that a loop over pixels finds."""

import numpy as np
import pytest
from skimage.draw import disk

from delineate.data.classes import IGNORE
from delineate.data.object_targets import OBJECT_TARGETS, mask_of, object_targets, with_objects


def two_discs(size=(60, 80)):
    """Two discs that touch, and a single pixel."""
    instances = np.zeros(size, np.int32)
    instances[disk((30, 25), 14, shape=size)] = 3
    instances[disk((30, 50), 12, shape=size)] = 8
    instances[2, 2] = 9
    return instances


def slow_depths(instances):
    """For each pixel of an object: 1 + how far the nearest pixel is at which its object ends."""
    padded = np.pad(instances, 1, mode="edge")
    beside = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
    ends = np.any([side != instances for side in beside], axis=0) | (instances == 0)
    rows, columns = np.nonzero(ends)
    depths = np.zeros(instances.shape)
    for row, column in np.argwhere(instances > 0):
        depths[row, column] = 1 + np.hypot(rows - row, columns - column).min()
    return depths


def test_distances_are_those_of_a_loop_over_all_pixels():
    instances = two_discs()
    targets = object_targets(instances, (instances > 0).astype(np.uint8))
    depths = slow_depths(instances)
    for number in (3, 8, 9):
        inside = instances == number
        wanted = depths[inside] / depths[inside].max()
        assert np.abs(targets[..., 1][inside] / 254 - wanted).max() < 1 / 250
    assert not targets[..., 1][instances == 0].any()


def test_between_touching_objects_there_is_a_rim_on_both_sides():
    targets = object_targets(two_discs(), (two_discs() > 0).astype(np.uint8))
    instances = two_discs()
    touching = (instances[:, :-1] == 3) & (instances[:, 1:] == 8)
    assert touching.any()
    assert (targets[:, :-1, 0][touching] == 254).all()
    assert (targets[:, 1:, 0][touching] == 254).all()


def test_a_rim_is_two_pixels_wide_and_leaves_the_middle_of_small_objects():
    instances = np.zeros((30, 30), np.int32)
    instances[5:25, 5:25] = 1
    instances[1:4, 1:4] = 2
    rim = object_targets(instances, (instances > 0).astype(np.uint8), ("boundary",))[..., 0] == 254
    assert rim[5:25, 5:25].sum() == 400 - 16 * 16
    assert rim[1:4, 1:4].sum() == 8
    assert not rim[2, 2]


def test_an_object_that_the_border_cuts_goes_on_beyond_it():
    instances = np.zeros((9, 9), np.int32)
    instances[:, :5] = 1
    distance = object_targets(instances, (instances > 0).astype(np.uint8))[..., 1]
    assert (distance[:, 0] == 254).all()
    assert (np.diff(distance[:, :5].astype(int), axis=1) < 0).all()


def test_one_object_all_over_has_no_end():
    targets = object_targets(np.ones((4, 4), np.int32), np.ones((4, 4), np.uint8))
    assert (targets[..., 0] == 0).all(), "no rim of it is seen"
    assert (targets[..., 1] == 254).all()


@pytest.mark.parametrize("names", [("boundary",), ("distance",), OBJECT_TARGETS])
def test_what_is_ignored_is_ignored_in_each_target(names):
    instances = two_discs()
    mask = (instances > 0).astype(np.uint8)
    mask[:, 40:] = IGNORE
    targets = with_objects(mask, instances, names)
    assert targets.shape == (*mask.shape, 1 + len(names))
    assert (targets[:, 40:] == IGNORE).all()
    assert (targets[:, :40, 1:] < IGNORE).all()
    assert (mask_of(targets) == mask).all()


def test_without_names_only_the_mask_is_learnt():
    mask = np.ones((3, 3), np.uint8)
    assert with_objects(mask, None, ()) is mask
    assert mask_of(mask) is mask
