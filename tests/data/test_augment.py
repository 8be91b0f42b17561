import itertools

import cv2
import numpy as np
import pytest
from scipy import ndimage

from delineate.data.augment import augment_window
from delineate.data.source import Source
from delineate.recipe import Augment

STILL = Augment(flip=False, quarter_turns=False)
WILD = Augment(scale=0.5, rotation=180, shear=20, elastic=12)


def places(height, width):
    """A sample whose pixels say where they come from, in the image, the mask and the instances."""
    rows, columns = np.indices((height, width))
    image = np.stack([rows, columns, 7 * rows + columns], axis=2).astype(np.uint16)
    return image, rows.astype(np.uint16), columns.astype(np.int32)


def discs(height, width, channels=3, dtype=np.uint8, spacing=40):
    """Discs, as bright as deep inside them, and the mask that is exactly where it is bright."""
    rows, columns = np.indices((height, width)) / spacing
    depth = 0.3 - np.hypot(rows % 1 - 0.5, columns % 1 - 0.5)
    grey = (0.5 + depth) * np.iinfo(dtype).max
    mask = (depth > 0).astype(np.uint8)
    image = np.repeat(np.rint(np.clip(grey, 0, None))[..., None], channels, axis=2).astype(dtype)
    return image, mask, ndimage.label(mask)[0].astype(np.int32)


def augmented(parts, size, settings, seed, fit="crop", classes=2):
    rng = np.random.default_rng(seed)
    source = Source(*parts)
    return augment_window(source, size=size, fit=fit, classes=classes, settings=settings, rng=rng)


def dihedral(array):
    """The eight ways to lay down a picture."""
    return [np.rot90(side, turns) for side in (array, array[::-1]) for turns in range(4)]


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_flips_and_quarter_turns_are_the_eight_symmetries_equally_often(fit):
    parts = places(16, 16)
    ways = [dihedral(part) for part in parts]
    counts = np.zeros(8, int)
    for seed in range(800):
        found = augmented(parts, (16, 16), Augment(), seed, fit=fit, classes=16)
        matches = [
            way
            for way in range(8)
            if all(np.array_equal(found[part], ways[part][way]) for part in range(3))
        ]
        assert len(matches) == 1
        counts[matches[0]] += 1
    # 800 draws of 1/8: mean 100, standard deviation 9.4.
    assert counts.min() > 55
    assert counts.max() < 145


def test_flips_alone_never_turn_and_turns_alone_never_flip():
    parts = places(9, 9)
    flips = {
        augmented(parts, (9, 9), Augment(quarter_turns=False), seed)[1].tobytes()
        for seed in range(60)
    }
    turns = {augmented(parts, (9, 9), Augment(flip=False), seed)[1].tobytes() for seed in range(60)}
    rows = parts[1]
    assert flips == {rows.tobytes(), np.ascontiguousarray(rows[::-1]).tobytes()}
    assert turns == {np.rot90(rows, k).tobytes() for k in range(4)}


@pytest.mark.parametrize("size", [(20, 12), (12, 20), (1, 33), (30, 40)])
def test_a_crop_without_a_warp_is_a_turned_slice(size):
    parts = places(45, 41)
    sample = [np.concatenate([parts[0]] * 2, axis=2)[..., :5], parts[1], parts[2] + 2**30]
    for seed in range(40):
        image, mask, instances = augmented(sample, size, Augment(), seed)
        rows, columns = image[..., 0].astype(int), image[..., 1].astype(int)
        source = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        way = next(
            k
            for k in range(8)
            if np.array_equal(dihedral(parts[1][source])[k], mask)
            and np.array_equal(dihedral(sample[2][source])[k], instances)
        )
        np.testing.assert_array_equal(image, dihedral(sample[0][source])[way], strict=True)
        assert image.shape == (*size, 5)
        assert image.flags.c_contiguous
        assert not np.shares_memory(image, sample[0])


def test_each_place_is_as_likely_as_any_other():
    parts = places(11, 9)
    counts = np.zeros((5, 3), int)
    for seed in range(3000):
        mask, instances = augmented(parts, (7, 7), STILL, seed)[1:]
        counts[mask[0, 0], instances[0, 0]] += 1
    # 3000 draws of 1/15: mean 200, standard deviation 13.7.
    assert counts.min() > 140
    assert counts.max() < 260


def test_a_smaller_image_lies_anywhere_in_the_window():
    parts = places(5, 6)
    counts = np.zeros((4, 3), int)
    for seed in range(1200):
        image, mask, instances = augmented(parts, (8, 8), STILL, seed)
        row, column = np.argwhere(mask != 65535)[0]
        counts[row, column] += 1
        pads = ((row, 3 - row), (column, 2 - column))
        np.testing.assert_array_equal(mask, np.pad(parts[1], pads, constant_values=65535))
        np.testing.assert_array_equal(instances, np.pad(parts[2], pads))
        np.testing.assert_array_equal(image, np.pad(parts[0], (*pads, (0, 0)), mode="reflect"))
    assert counts.min() > 55
    assert counts.max() < 145


@pytest.mark.parametrize("settings", [Augment(scale=0.5), WILD])
def test_warped_windows_cover_the_image_up_to_its_border(settings):
    parts = places(60, 50)
    seen = np.zeros((60, 50), int)
    for seed in range(300):
        _, rows, columns = augmented(parts, (24, 24), settings, seed, classes=60)
        inside = rows != 65535
        seen[rows[inside], columns[inside]] += 1
    down, right = seen.sum(axis=1), seen.sum(axis=0)
    # A pixel of the border lies in one of 37 (27) windows, one of the middle in 24.
    assert down.min() > 0.01 * down.max()
    assert right.min() > 0.01 * right.max()
    for counts in (down, right):
        assert 0.5 < counts[: len(counts) // 2].sum() / counts[len(counts) // 2 :].sum() < 2


@pytest.mark.parametrize(
    ("fit", "source", "size"),
    [
        ("crop", (64, 64), (64, 64)),
        ("resize", (64, 64), (64, 64)),
        ("resize", (40, 56), (40, 56)),
        ("resize", (50, 33), (70, 45)),
    ],
)
def test_a_warp_that_does_nothing_equals_the_exact_way(fit, source, size):
    parts = discs(*source, dtype=np.uint16)
    for seed in range(16):
        exact = augmented(parts, size, Augment(warp_probability=0, scale=0.5), seed, fit=fit)
        other = augmented(parts, size, Augment(scale=1e-9), seed, fit=fit)
        assert np.abs(exact[0].astype(int) - other[0]).mean() < 65535 * 0.004
        if source == size == size[::-1]:
            np.testing.assert_array_equal(exact[1], other[1])
            np.testing.assert_array_equal(exact[2], other[2])
        else:
            assert np.mean(exact[1] == other[1]) > 0.97


def share_of_misplaced(image, mask, top):
    """Share of counted pixels more than one pixel from where the image says that they belong."""
    bright = image[..., 0] > top / 2
    square = np.ones((3, 3), bool)
    inner = ndimage.binary_erosion(bright, square, border_value=1)
    outer = ndimage.binary_dilation(bright, square)
    wrong = ((mask == 1) & ~outer) | ((mask == 0) & inner)
    # At the rim of the window an object may show in one of the two only.
    return wrong[2:-2, 2:-2].mean()


@pytest.mark.parametrize("fit", ["crop", "resize"])
@pytest.mark.parametrize(
    "settings",
    [
        Augment(scale=0.45),
        Augment(rotation=180),
        Augment(shear=30),
        Augment(elastic=15),
        WILD,
    ],
)
@pytest.mark.parametrize(
    ("source", "channels", "dtype"),
    [((200, 260), 3, np.uint8), ((90, 70), 1, np.uint16), ((400, 150), 5, np.uint8)],
)
def test_mask_and_image_stay_aligned_within_a_pixel(fit, settings, source, channels, dtype):
    parts = discs(*source, channels, dtype, spacing=max(30, max(source) / 4))
    for seed in range(12):
        image, mask, _ = augmented(parts, (96, 80), settings, seed, fit=fit)
        assert image.shape == (96, 80, channels)
        assert image.dtype == dtype
        # Where a warp magnifies, a pixel of the mask is several; a tip may be lost where it shrinks.
        assert share_of_misplaced(image, mask, np.iinfo(dtype).max) < 0.001


@pytest.mark.parametrize("fit", ["crop", "resize"])
@pytest.mark.parametrize("scale", [0.0, 0.6])
def test_mask_and_image_are_not_shifted_by_a_part_of_a_pixel(fit, scale):
    parts = discs(210, 170, spacing=60)
    settings = Augment(flip=False, quarter_turns=False, scale=scale, shear=2, elastic=3)
    shifts = []
    for seed in range(60):
        image, mask, _ = augmented(parts, (96, 80), settings, seed, fit=fit)
        bright = image[..., 0] > 127
        shifts.append(
            np.subtract(
                ndimage.center_of_mass(bright & (mask != 255)), ndimage.center_of_mass(mask == 1)
            )
        )
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.15


def test_the_alignment_measure_notices_a_mask_that_is_two_pixels_off():
    image, mask, _ = discs(200, 200)
    assert share_of_misplaced(image, mask, 255) == 0
    assert share_of_misplaced(image, np.roll(mask, 2, axis=1), 255) > 0.005


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_class_ids_are_never_blended(fit):
    rng = np.random.default_rng(1)
    mask = rng.choice(np.array([0, 3, 200, 255], np.uint8), (70, 90))
    image = rng.integers(0, 255, (70, 90, 3)).astype(np.uint8)
    for seed in range(20):
        found = augmented((image, mask, None), (40, 64), WILD, seed, fit=fit, classes=201)
        assert set(np.unique(found[1])) <= {0, 3, 200, 255}
        assert found[1].dtype == np.uint8
        assert found[2] is None


def test_instances_lie_where_their_mask_is():
    image, mask, instances = discs(150, 150)
    instances = np.where(instances > 0, instances + 2**30, 0).astype(np.int32)
    settings = Augment(scale=0.3, rotation=180, shear=10, elastic=10)
    for seed in range(20):
        found = augmented((image, mask, instances), (96, 96), settings, seed)
        np.testing.assert_array_equal(found[2] > 0, found[1] == 1)
        assert set(np.unique(found[2])) <= set(np.unique(instances))


def test_what_lies_outside_is_ignored_and_bears_the_picture_s_reflection():
    image = np.full((20, 20, 3), 90, np.uint8)
    mask, instances = np.ones((20, 20), np.uint8), np.full((20, 20), 4, np.int32)
    for seed in range(10):
        found = augmented((image, mask, instances), (64, 64), WILD, seed)
        assert (found[0] == 90).all()
        assert set(np.unique(found[1])) == {1, 255}
        np.testing.assert_array_equal(found[2], np.where(found[1] == 1, 4, 0))


def test_the_share_of_warped_samples_is_the_one_asked_for():
    parts = places(30, 30)
    settings = Augment(flip=False, quarter_turns=False, rotation=30, warp_probability=0.3)
    still = sum(
        np.array_equal(augmented(parts, (30, 30), settings, seed, classes=30)[0], parts[0])
        for seed in range(400)
    )
    assert 0.6 < still / 400 < 0.8


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_the_same_generator_state_gives_the_same_window(fit):
    parts = discs(130, 90)
    first, again, other = (augmented(parts, (64, 48), WILD, seed, fit=fit) for seed in (5, 5, 6))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two, strict=True)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_the_number_of_threads_changes_nothing(fit):
    parts = discs(700, 700)
    before = cv2.getNumThreads()
    found = []
    try:
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            found.append(augmented(parts, (300, 320), WILD, 3, fit=fit))
    finally:
        cv2.setNumThreads(before)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("settings", [Augment(), WILD])
def test_only_the_part_that_is_needed_is_read(settings):
    """The image would take 120 GB."""
    image = np.broadcast_to(np.uint8([1, 2, 3]), (200_000, 200_000, 3))
    mask = np.broadcast_to(np.uint8(1), (200_000, 200_000))
    instances = np.broadcast_to(np.int32(9), (200_000, 200_000))
    for seed in range(5):
        found = augmented((image, mask, instances), (32, 48), settings, seed)
        assert (found[0] == [1, 2, 3]).all()
        assert (found[1] == 1).all()
        assert (found[2] == 9).all()


def test_the_inputs_are_not_changed():
    parts = discs(50, 60)
    copies = [part.copy() for part in parts]
    for part in parts:
        part.flags.writeable = False
    for settings, fit in itertools.product((Augment(), WILD), ("crop", "resize")):
        augmented(parts, (40, 40), settings, 0, fit=fit)[0][:] = 0
    for part, copy in zip(parts, copies, strict=True):
        np.testing.assert_array_equal(part, copy)
