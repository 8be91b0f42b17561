from fractions import Fraction

import numpy as np
import pytest

from delineate.data.windows import Turn, plain_window
from delineate.errors import DataError


def make_sample(height, width, channels=3, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, np.iinfo(dtype).max, (height, width, channels)).astype(dtype)
    mask = rng.integers(0, 5, (height, width)).astype(np.uint8)
    instances = rng.integers(0, 2**31 - 1, (height, width)).astype(np.int32)
    return image, mask, instances


def test_a_plain_crop_is_the_centre_of_the_sample():
    image, mask, instances = make_sample(20, 31)
    found = plain_window(image, mask, instances, size=(10, 8), fit="crop", classes=5)
    for array, whole in zip(found, (image, mask, instances), strict=True):
        np.testing.assert_array_equal(array, whole[5:15, 11:19])


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), [(17, 40), (40, 17), (9, 6), (1, 1), (2, 33)])
def test_a_smaller_image_lies_in_its_reflection_and_the_rest_is_ignored(
    height, width, channels, dtype
):
    image, mask, instances = make_sample(height, width, channels, dtype)
    found = plain_window(image, mask, instances, size=(32, 32), fit="crop", classes=5)
    pads, cuts = [], []
    for side in (height, width):
        before = -((side - 32) // 2) if side < 32 else 0
        pads.append((before, max(32 - side - before, 0)))
        start = max((side - 32) // 2, 0)
        cuts.append(slice(start, start + 32))
    cuts = tuple(cuts)
    np.testing.assert_array_equal(
        found[0], np.pad(image, [*pads, (0, 0)], mode="reflect")[cuts], strict=True
    )
    np.testing.assert_array_equal(
        found[1], np.pad(mask, pads, constant_values=255)[cuts], strict=True
    )
    np.testing.assert_array_equal(found[2], np.pad(instances, pads)[cuts], strict=True)


def test_a_16_bit_mask_is_filled_with_its_own_ignore_value():
    image, mask, _ = make_sample(4, 4)
    _, found, _ = plain_window(
        image, mask.astype(np.uint16), None, size=(6, 4), fit="crop", classes=5
    )
    assert found[0].tolist() == [65535] * 4
    assert found.dtype == np.uint16


def test_a_plain_resize_takes_area_means_and_the_largest_share():
    image, _, _ = make_sample(40, 60)
    mask = np.zeros((40, 60), np.uint8)
    # Three of every four pixels, but not the one that a nearest choice would take.
    mask[0::2, 1::2] = mask[1::2, 0::2] = mask[1::2, 1::2] = 1
    small, labels, none = plain_window(image, mask, None, size=(20, 30), fit="resize", classes=2)
    means = image.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 0.51
    assert (labels == 1).all()
    assert none is None


@pytest.mark.parametrize("size", [(7, 5), (50, 90), (40, 61), (1, 1), (13, 200)])
def test_instances_are_resized_to_the_pixel_under_each_centre(size):
    image, mask, instances = make_sample(40, 61)
    _, _, found = plain_window(image, mask, instances, size=size, fit="resize", classes=5)
    for row in range(size[0]):
        for column in range(size[1]):
            source_row = int((row + Fraction(1, 2)) * 40 / size[0])
            source_column = int((column + Fraction(1, 2)) * 61 / size[1])
            assert found[row, column] == instances[source_row, source_column]


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_windows_of_a_read_only_memory_map_are_arrays_of_their_own(tmp_path, fit):
    image, mask, instances = make_sample(16, 16)
    maps = []
    for name, array in (("image", image), ("mask", mask), ("instances", instances)):
        np.save(tmp_path / f"{name}.npy", array)
        maps.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    found = plain_window(*maps, size=(16, 16), fit=fit, classes=5)
    for array, whole in zip(found, (image, mask, instances), strict=True):
        assert type(array) is np.ndarray
        assert array.flags.c_contiguous
        array[:] = array
        np.testing.assert_array_equal(array, whole)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("columns", [False, True])
def test_the_matrix_of_a_turn_says_where_each_pixel_comes_from(rows, columns, quarters):
    turn = Turn(rows, columns, quarters)
    array = np.arange(15).reshape(3, 5)
    turned = turn.apply(array)
    assert turn.before(turned.shape) == array.shape
    for place in np.ndindex(turned.shape):
        about = np.array(place) - (np.array(turned.shape) - 1) / 2
        source = turn.matrix() @ about + (np.array(array.shape) - 1) / 2
        assert turned[place] == array[tuple(source.astype(int))]


@pytest.mark.parametrize(
    ("image", "mask", "instances"),
    [
        ((4, 4, 3), (4, 5), None),
        ((4, 4), (4, 4), None),
        ((0, 4, 3), (0, 4), None),
        ((4, 4, 3), (4, 4), (4, 5)),
    ],
)
def test_arrays_that_are_no_sample_are_refused_by_their_shapes(image, mask, instances):
    with pytest.raises(DataError) as refusal:
        plain_window(
            np.zeros(image, np.uint8),
            np.zeros(mask, np.uint8),
            None if instances is None else np.zeros(instances, np.int32),
            size=(2, 2),
            fit="crop",
            classes=2,
        )
    assert str(mask) in refusal.value.message
    assert "height" in refusal.value.hint
