import numpy as np
import pytest

from delineate.data.source import Source
from delineate.errors import DataError


def stored(height=11, width=7):
    """An image, labels and objects in which each pixel differs from every other."""
    places = np.arange(height * width).reshape(height, width)
    return places.astype(np.uint8)[..., None], places.astype(np.uint16), places.astype(np.int32)


def recorded(change, seen):
    def changed(pixels):
        seen.append(pixels.shape[:2])
        return change(pixels)

    return changed


def test_a_part_that_is_made_ready_is_that_part_of_the_whole():
    def invert(pixels):
        return 255 - pixels

    def to_classes(labels):
        return (labels % 3).astype(np.uint8)

    image, labels, instances = stored()
    source = Source(image, labels, instances, invert, to_classes)
    part = source.part(slice(2, 9), slice(3, 5))
    expected = invert(image)[2:9, 3:5], to_classes(labels)[2:9, 3:5], instances[2:9, 3:5]
    for found, wanted, whole in zip(part, expected, source.whole(), strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)
        np.testing.assert_array_equal(whole[2:9, 3:5], wanted, strict=True)
    np.testing.assert_array_equal(source.mask, to_classes(labels), strict=True)
    assert source.size == (11, 7)


def test_nothing_but_the_part_is_changed():
    seen = []
    image, labels, _ = stored()
    source = Source(image, labels, None, recorded(np.negative, seen), recorded(np.negative, seen))
    assert source.part(slice(4, 6), slice(5, 99))[2] is None
    assert seen == [(2, 2), (2, 2)]


def test_what_is_not_changed_is_handed_on_as_it_is_stored(tmp_path):
    arrays = stored()
    for number, array in enumerate(arrays):
        np.save(tmp_path / f"{number}.npy", array)
    mapped = [np.load(tmp_path / f"{number}.npy", mmap_mode="r") for number in range(3)]
    for found, array in zip(Source(*mapped).whole(), arrays, strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, array, strict=True)


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_arrays_of_different_sizes_are_refused(wrong):
    arrays = list(stored())
    arrays[wrong] = arrays[wrong][:-1]
    with pytest.raises(DataError, match="are no sample"):
        Source(*arrays)
