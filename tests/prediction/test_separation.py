"""Touching objects are told apart, and nothing of the mask is lost or mixed."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import disk
from skimage.segmentation import find_boundaries, watershed

from delineate.errors import DataError, UsageError
from delineate.prediction.separation import (
    NEEDED,
    Separation,
    connected_parts,
    grow_seeds,
    seed_map,
    separate,
)

numbers = st.integers(0, 2**32 - 1)
SIDES = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


@pytest.fixture
def discs():
    """Two touching discs in a picture wider than high: truth, foreground and the two maps."""
    truth = np.zeros((40, 70), np.int32)
    truth[disk((20, 22), 14, shape=truth.shape)] = 1
    truth[disk((20, 46), 14, shape=truth.shape)] = 2
    distance = sum(ndimage.distance_transform_edt(truth == one) / 14 for one in (1, 2))
    rim = find_boundaries(truth, mode="inner").astype(np.float32)
    maps = {
        "boundary": np.clip(ndimage.gaussian_filter(rim, 0.7) * 1.5, 0, 1).astype(np.float32),
        "distance": np.clip(distance, 0, 1).astype(np.float32),
    }
    return truth, (truth > 0).astype(np.float32), maps


def scene(seed, *, size=(48, 64), classes=2, smoothness=1.5):
    """A mask, its foreground and maps from smooth noise, in which no two values are equal."""
    rng = np.random.default_rng(seed)

    def smooth():
        field = ndimage.gaussian_filter(rng.normal(size=size), smoothness)
        return ((field - field.min()) / np.ptp(field)).astype(np.float32)

    foreground = smooth()
    kinds = np.digitize(smooth(), np.linspace(0.3, 0.7, classes)[1:-1]) + 1
    mask = np.where(foreground > 0.5, kinds, 0).astype(np.uint8)
    return mask, foreground, {"boundary": smooth() * np.float32(0.5), "distance": smooth()}


def same_partition(one, other):
    """Whether two label images differ in their numbers only."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return len(set(pairs[0])) == len(set(pairs[1])) == pairs.shape[1]


@pytest.mark.parametrize("by", ["distance", "boundary", "both"])
def test_two_touching_discs_are_separated_along_their_border(discs, by):
    truth, foreground, maps = discs
    mask = (truth > 0).astype(np.uint8)
    assert ndimage.label(mask)[1] == 1
    found = separate(mask, foreground, maps, Separation(by=by, seed=0.4))
    assert found.dtype == np.int32
    assert found.shape == truth.shape
    assert found.max() == 2
    assert np.mean(found != truth) < 0.01


def test_without_maps_two_touching_discs_are_one_object(discs):
    truth, foreground, _ = discs
    mask = (truth > 0).astype(np.uint8)
    assert separate(mask, foreground, {}, Separation()).max() == 1


def test_seeds_are_the_parts_above_the_level_and_each_object_grows_from_one():
    mask, foreground, maps = scene(1, size=(90, 60))
    found = separate(mask, foreground, maps, Separation(by="distance", seed=0.55))
    seeds, count = ndimage.label((maps["distance"] > 0.55) & (mask > 0), SIDES)
    assert count > 20
    for seed in range(1, count + 1):
        assert len(np.unique(found[seeds == seed])) == 1
    for number in range(1, found.max() + 1):
        assert len(set(np.unique(seeds[found == number])) - {0}) <= 1


@given(numbers, st.sampled_from(["boundary", "distance", "both"]), st.integers(1, 6))
@examples(max_examples=40, deadline=None)
def test_one_class_is_separated_as_by_a_watershed_of_the_whole_mask(seed, by, smallest):
    mask, foreground, maps = scene(seed)
    settings = Separation(by=by, seed=0.45, smallest_seed=smallest)
    found = seed_map(foreground, maps, settings)
    seeds, count = ndimage.label((found > 0.45) & (mask > 0), SIDES)
    for one in range(1, count + 1):
        if (seeds == one).sum() < smallest:
            seeds[seeds == one] = 0
    expected = watershed(-found, seeds, mask=mask > 0)
    missed = ndimage.label((mask > 0) & (expected == 0), SIDES)[0]
    expected[missed > 0] = missed[missed > 0] + expected.max()
    assert same_partition(separate(mask, foreground, maps, settings), expected)


@given(numbers, st.sampled_from(sorted(NEEDED)), st.integers(1, 5))
@examples(max_examples=40, deadline=None)
def test_objects_cover_the_mask_hold_one_class_and_part_and_are_numbered_in_scan_order(
    seed, by, classes
):
    mask, foreground, maps = scene(seed, classes=classes + 1)
    settings = Separation(by=by, seed=0.4, smoothing=0.5)
    found = separate(mask, foreground, maps, settings)
    np.testing.assert_array_equal(found > 0, mask > 0)
    for number in range(1, found.max() + 1):
        assert len(np.unique(mask[found == number])) == 1
        assert ndimage.label(found == number, SIDES)[1] == 1
    inside = found[found > 0]
    assert list(dict.fromkeys(inside.tolist())) == list(range(1, found.max() + 1))
    np.testing.assert_array_equal(separate(mask, foreground, maps, settings), found)


def test_a_part_without_a_seed_is_one_object():
    mask = np.uint8([[1, 1, 0, 1, 1, 1]])
    distance = np.float32([[0.3, 0.2, 0.9, 0.9, 0.1, 0.9]])
    found = separate(
        mask, mask.astype(np.float32), {"distance": distance}, Separation(by="distance")
    )
    assert np.unique(found).tolist() == [0, 1, 2, 3]
    assert found[0, :3].tolist() == [1, 1, 0]


def test_what_is_above_the_level_outside_of_the_mask_is_no_seed_and_joins_none():
    mask = np.uint8([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
    distance = np.float32([[0.9, 0.1, 0.1, 0.1, 0.9], [0.9, 0.9, 0.9, 0.9, 0.9]])
    found = separate(
        mask, mask.astype(np.float32), {"distance": distance}, Separation(by="distance")
    )
    assert found.max() == 2


@pytest.mark.parametrize("by", sorted(NEEDED))
def test_touching_objects_of_two_classes_are_never_one(by):
    """One seed reaches over the border between the classes, and one class has two seeds."""
    mask = np.uint8([[1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]])
    level = np.float32([[0.1, 0.2, 0.9, 0.9, 0.9, 0.9, 0.2, 0.1, 0.2, 0.9, 0.9]])
    maps = {"distance": level, "boundary": 1 - level}
    found = separate(mask, np.ones_like(level), maps, Separation(by=by))
    assert found.max() == (2 if by == "connected" else 3)
    assert found[0, :4].tolist() == [1] * 4
    assert 1 not in found[0, 4:]


def test_a_crowded_class_does_not_flow_into_its_neighbour():
    """Both parts hold two seeds each; the higher ones next door must not cross the border."""
    mask = np.uint8([[1] * 6, [2] * 6])
    level = np.float32([[0.6, 0.5, 0.1, 0.1, 0.5, 0.6], [0.9, 0.8, 0.7, 0.2, 0.8, 0.9]])
    found = separate(mask, np.ones_like(level), {"distance": level}, Separation(by="distance"))
    assert found.max() == 4
    assert set(found[0]) == {1, 2}
    assert set(found[1]) == {3, 4}


def test_pixels_that_meet_at_a_corner_only_are_two_objects():
    mask = np.uint8([[1, 0], [0, 1]])
    assert connected_parts(mask).tolist() == [[1, 0], [0, 2]]


@pytest.mark.parametrize(("smallest", "objects"), [(1, 2), (2, 2), (3, 1)])
def test_seeds_of_fewer_pixels_than_the_smallest_are_none(smallest, objects):
    mask = np.ones((1, 8), np.uint8)
    distance = np.float32([[0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9]])
    settings = Separation(by="distance", smallest_seed=smallest)
    assert separate(mask, mask.astype(float), {"distance": distance}, settings).max() == objects


def test_a_value_equal_to_the_level_is_no_seed():
    mask = np.ones((1, 3), np.uint8)
    distance = np.float32([[0.5, 0.25, 0.75]])
    settings = Separation(by="distance", seed=0.5)
    assert separate(mask, mask.astype(float), {"distance": distance}, settings).max() == 1
    lower = replace(settings, seed=0.49)
    assert separate(mask, mask.astype(float), {"distance": distance}, lower).max() == 2


def test_smoothing_joins_the_seeds_that_noise_has_split(discs):
    truth, foreground, maps = discs
    holes = np.random.default_rng(0).random(truth.shape) < 0.4
    noisy = {"distance": np.where(holes, 0, maps["distance"]).astype(np.float32)}
    mask = (truth > 0).astype(np.uint8)
    rough = separate(mask, foreground, noisy, Separation(by="distance", seed=0.3))
    calm = separate(mask, foreground, noisy, Separation(by="distance", seed=0.3, smoothing=2))
    assert rough.max() > 2
    assert calm.max() == 2


@pytest.mark.parametrize("smoothing", [0.0, 1.7])
def test_the_seed_map_is_the_smoothed_distance_or_foreground_less_boundary_or_their_mean(smoothing):
    _, foreground, maps = scene(3)
    rough = {"distance": maps["distance"], "boundary": foreground - maps["boundary"]}
    rough["both"] = (rough["distance"] + rough["boundary"]) / 2
    for by, unsmoothed in rough.items():
        expected = unsmoothed.astype(float)
        found = seed_map(foreground, maps, Separation(by=by, smoothing=smoothing))
        if smoothing:
            expected = ndimage.gaussian_filter(expected, smoothing, mode="nearest")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_seed_map_that_was_made_once_serves_all_levels():
    mask, foreground, maps = scene(4)
    first = Separation(by="both", smoothing=1)
    made = seed_map(foreground, maps, first)
    before = made.copy()
    for seed in (0.3, 0.4, 0.5):
        settings = replace(first, seed=seed, smallest_seed=3)
        np.testing.assert_array_equal(
            grow_seeds(mask, made, settings), separate(mask, foreground, maps, settings)
        )
    np.testing.assert_array_equal(made, before)


@pytest.mark.parametrize("by", sorted(NEEDED))
def test_an_empty_mask_has_no_objects(by):
    mask = np.zeros((5, 9), np.uint8)
    ones = np.ones((5, 9), np.float32)
    found = separate(mask, ones, {"boundary": ones * 0, "distance": ones}, Separation(by=by))
    assert found.dtype == np.int32
    assert found.shape == (5, 9)
    assert not found.any()


@pytest.mark.parametrize(
    ("by", "given_map", "missing"),
    [
        ("distance", "boundary", "distance"),
        ("boundary", "distance", "boundary"),
        ("both", "boundary", "distance"),
        ("both", "distance", "boundary"),
    ],
)
def test_a_missing_map_is_named(by, given_map, missing):
    mask = np.ones((2, 3), np.uint8)
    with pytest.raises(DataError, match=f"no {missing} map.*'{by}'") as caught:
        separate(mask, mask / 1, {given_map: mask / 1}, Separation(by=by))
    assert "connected" in caught.value.hint


def test_maps_of_another_size_are_refused():
    mask = np.ones((2, 3), np.uint8)
    settings = Separation(by="distance")
    with pytest.raises(DataError, match=r"distance map has the shape \(3, 2\), .* \(2, 3\)"):
        separate(mask, mask / 1, {"distance": np.ones((3, 2))}, settings)
    with pytest.raises(DataError, match=r"seed map has the shape \(3, 2\)"):
        grow_seeds(mask, np.ones((3, 2), np.float32), settings)


def test_a_seed_map_for_connected_parts_is_refused():
    with pytest.raises(UsageError, match="'connected'"):
        seed_map(np.ones((2, 3)), {}, Separation())


def test_many_objects_are_separated_without_a_look_at_the_whole_image_for_each():
    mask, foreground, maps = scene(0, size=(1024, 1024), smoothness=4)
    begin = time.process_time()
    found = separate(mask, foreground, maps, Separation(by="distance", smoothing=1))
    # 1 s at most on a quiet machine; a look for each of thousands takes minutes.
    assert time.process_time() - begin < 30
    assert found.max() > 500
