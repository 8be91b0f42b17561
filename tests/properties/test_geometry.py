"""What is done to the shape of a picture, and undone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.data.source import Source
from delineate.data.warp import Warp, warp_parts
from delineate.data.windows import Turn, plain_window
from delineate.imaging import (
    pad_to_multiple,
    reorient,
    resize_image,
    resize_mask,
    resize_probabilities,
)
from delineate.prediction.averaging import WAYS, averaged
from tests.properties.strategies import images, masks, noise, samples, sizes, turns

orientations = st.integers(0, 7)


@given(images(channels=(1, 3, 5)), st.integers(1, 40))
def test_padding_is_undone_to_the_very_image(image, stride):
    padding = pad_to_multiple(image.shape[:2], stride)
    padded = padding.apply(image)
    assert padded.shape[:2] == padding.padded_size
    assert all(side % stride == 0 for side in padding.padded_size)
    assert max(padding.bottom, padding.right) < stride
    np.testing.assert_array_equal(padding.undo(padded), image)


@given(images(), st.integers(1, 40))
def test_padding_mirrors_the_image_or_repeats_its_end_where_it_is_too_small(image, stride):
    size = image.shape[:2]
    padding = pad_to_multiple(size, stride)
    fits = padding.bottom < size[0] and padding.right < size[1]
    rows, columns = (
        [min(place, 2 * (side - 1) - place if fits else side - 1) for place in range(whole)]
        for side, whole in zip(size, padding.padded_size, strict=True)
    )
    np.testing.assert_array_equal(padding.apply(image), image[np.ix_(rows, columns)])


@given(images(channels=range(1, 10)))
def test_an_image_at_its_own_size_is_itself(image):
    found = resize_image(image, image.shape[:2])
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, image)


@given(sizes(), sizes(30), st.integers(1, 6), st.integers(0, 65535), st.booleans())
def test_an_image_of_one_value_keeps_it_at_every_size(size, new, channels, value, deep):
    value, kind = (value, np.uint16) if deep else (value % 256, np.uint8)
    found = resize_image(np.full((*size, channels), value, kind), new)
    assert found.shape == (*new, channels)
    assert (found == value).all()


@given(images(), sizes(30))
def test_resized_values_stay_between_the_least_and_the_greatest(image, size):
    found = resize_image(image, size)
    assert image.min() <= found.min() <= found.max() <= image.max()


@given(sizes(), sizes(30), st.integers(1, 7), st.data())
def test_resized_probabilities_still_add_up_to_one(size, new, classes, data):
    raw = data.draw(noise((*size, classes))).astype(np.float32) + 1
    found = resize_probabilities(raw / raw.sum(axis=-1, keepdims=True), new)
    assert found.shape == (*new, classes)
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)


@given(masks(5, ignored=True), sizes(20))
def test_a_resized_mask_holds_no_id_that_the_mask_has_not(mask, size):
    found = resize_mask(mask, size, 5)
    assert (found.shape, found.dtype) == (size, np.uint8)
    assert set(np.unique(found)) <= set(np.unique(mask))


@given(sizes(6), st.integers(1, 4), st.integers(1, 4), st.data())
def test_a_mask_shrunk_by_whole_factors_takes_the_lowest_of_the_most_frequent_ids(
    size, down, right, data
):
    whole = size[0] * down, size[1] * right
    mask = data.draw(masks(3, size=whole, ignored=True))
    blocks = mask.reshape(size[0], down, size[1], right)
    ids = np.array([0, 1, 2, 255])
    counts = np.stack([(blocks == one).sum(axis=(1, 3)) for one in ids])
    np.testing.assert_array_equal(resize_mask(mask, size, 3), ids[counts.argmax(axis=0)])


@given(images(), orientations)
def test_every_orientation_is_undone_by_one_of_the_eight(image, orientation):
    back = orientation
    if orientation & 4:  # what was a row is a column by then
        back = 4 | (orientation & 1) << 1 | (orientation & 2) >> 1
    np.testing.assert_array_equal(reorient(reorient(image, orientation), back), image)


@given(images(), orientations, orientations)
def test_two_orientations_one_after_the_other_are_one_of_the_eight(image, first, second):
    found = reorient(reorient(image, first), second)
    assert any(np.array_equal(found, reorient(image, one)) for one in range(8))


@given(turns, images())
def test_a_turn_is_undone_by_as_many_quarters_back_and_the_same_flips(turn, image):
    turned = turn.apply(image)
    assert turn.before(turned.shape[:2]) == image.shape[:2]
    back = Turn(quarters=-turn.quarters % 4).apply(turned)
    np.testing.assert_array_equal(Turn(turn.flip_rows, turn.flip_columns).apply(back), image)


@given(samples(), st.integers(0, 9), st.integers(0, 9))
def test_the_middle_of_a_window_with_equal_margins_is_the_sample(parts, above, beside):
    size = parts[1].shape
    window = size[0] + 2 * above, size[1] + 2 * beside
    larger = plain_window(*parts, size=window, fit="crop", classes=4)
    assert np.count_nonzero(larger[1] != 255) == parts[1].size
    found = plain_window(*larger, size=size, fit="crop", classes=4)
    for one, other in zip(found, parts, strict=True):
        np.testing.assert_array_equal(one, other)


@given(samples(10), st.integers(-9, 9), st.integers(-9, 9))
def test_a_warp_by_whole_pixels_and_the_opposite_one_give_the_inside_back(parts, down, right):
    there = warp_parts(Source(*parts), _moved(parts[1].shape, down, right), 4)
    back = warp_parts(Source(*there), _moved(parts[1].shape, -down, -right), 4)
    rows, columns = np.indices(parts[1].shape)
    inside = (rows >= down) & (rows < down + len(rows))
    inside &= (columns >= right) & (columns < right + columns.shape[1])
    for one, other in zip(back, parts, strict=True):
        np.testing.assert_array_equal(one[inside], other[inside])
    assert (back[1][~inside] == 255).all()
    assert not back[2][~inside].any()


def _moved(size, down, right):
    rows, columns = np.indices(size, np.float32)
    return Warp(rows + np.float32(down), columns + np.float32(right), (1.0, 1.0))


@given(images(), st.sampled_from(sorted(WAYS)), st.integers(1, 8))
def test_what_looks_the_same_in_every_way_is_not_changed_by_averaging(image, ways, multiple):
    def as_it_is(part):
        assert ways == "none" or all(side % multiple == 0 for side in part.shape[:2])
        return part.astype(np.float32)

    found = averaged(image, as_it_is, ways=ways, multiple=multiple)
    np.testing.assert_array_equal(found, image)


@given(images(channels=(1,), kinds=(np.uint8,)), turns)
def test_the_mean_over_all_turns_turns_with_the_image(image, turn):
    one = averaged(turn.apply(image), _slope, ways="turns")
    other = turn.apply(averaged(image, _slope, ways="turns"))
    np.testing.assert_allclose(one, other, rtol=1e-5)


def _slope(part):
    rows, columns = np.indices(part.shape[:2])
    return (part + (3 * rows + 10 * columns)[..., np.newaxis]).astype(np.float32)
