"""Whole images with comparable values."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.normalisation import correction, correction_of_bands, normalise
from tests.properties.strategies import images

stretched = st.sampled_from(["range", "percentile", "channel"])


@given(images(), stretched, st.sets(st.integers(1, 11)))
def test_an_image_in_bands_is_measured_as_the_whole_is(image, kind, cuts):
    borders = [0, *sorted(cut for cut in cuts if cut < len(image)), len(image)]
    bands = [image[first:last] for first, last in pairwise(borders)]
    size, channels = image.shape[:2], image.shape[2]
    found = correction_of_bands(bands, kind, size=size, channels=channels, dtype=image.dtype)
    np.testing.assert_array_equal(found(image), normalise(image, kind))


@given(images(channels=(3,), kinds=(np.uint8,)), st.integers(0, 11))
def test_stains_are_measured_in_bands_as_in_the_whole(image, cut):
    cut = min(cut, len(image) - 1)
    bands = [image[:cut], image[cut:]] if cut else [image]
    found = correction_of_bands(bands, "stain", size=image.shape[:2], channels=3, dtype=np.uint8)
    np.testing.assert_array_equal(found(image), normalise(image, "stain"))


@given(images(), stretched, st.data())
def test_a_part_of_a_normalised_image_is_the_normalised_part(image, kind, data):
    row, column = (data.draw(st.integers(0, side - 1)) for side in image.shape[:2])
    change = correction(image, kind)
    part = np.s_[row:, : column + 1]
    np.testing.assert_array_equal(change(image[part]), change(image)[part])


@given(images(), stretched)
def test_a_stretched_channel_keeps_the_order_of_its_values(image, kind):
    found = normalise(image, kind)
    assert (found.shape, found.dtype) == (image.shape, image.dtype)
    for channel in range(image.shape[2]):
        order = np.argsort(image[..., channel], axis=None, kind="stable")
        steps = np.diff(found[..., channel].ravel()[order].astype(int))
        assert (steps >= 0).all()


@given(images())
def test_a_stretched_range_reaches_both_ends_and_is_not_stretched_again(image):
    found = normalise(image, "range")
    if image.min() == image.max():
        np.testing.assert_array_equal(found, image)
    else:
        assert (found.min(), found.max()) == (0, np.iinfo(image.dtype).max)
    np.testing.assert_array_equal(normalise(found, "range"), found)


@given(images(), st.integers(0, 127))
def test_a_brighter_exposure_has_the_same_stretched_range(image, more):
    darker = image // 2
    if darker.min() < darker.max():
        brighter = darker + image.dtype.type(more)
        np.testing.assert_array_equal(normalise(brighter, "range"), normalise(darker, "range"))
