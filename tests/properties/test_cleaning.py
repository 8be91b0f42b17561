"""Holes, specks and small objects."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.prediction.cleaning import clean, drop_small
from tests.properties.strategies import label_images, masks, samples, turns

pixels = st.integers(1, 20)
classes = st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True)
one_way = st.one_of(
    st.fixed_dictionaries({"largest_hole": pixels}),
    st.fixed_dictionaries({"smallest_object": pixels}),
    st.fixed_dictionaries({"largest_only": classes}),
)
ways = st.fixed_dictionaries({"largest_hole": pixels, "smallest_object": pixels})


@given(masks(side=14), one_way)
def test_what_is_clean_stays_as_it_is(mask, way):
    found = clean(mask, **way)
    np.testing.assert_array_equal(clean(found, **way), found)


@given(masks(side=14), ways, classes)
def test_a_pixel_keeps_its_class_or_becomes_background_or_was_background(mask, way, kept):
    before = mask.copy()
    found = clean(mask, **way, largest_only=kept)
    np.testing.assert_array_equal(mask, before)
    assert ((found == mask) | (found == 0) | (mask == 0)).all()
    assert set(np.unique(found)) <= {0, *np.unique(mask)}


@given(masks(side=14), pixels, pixels)
def test_a_larger_limit_fills_and_drops_whatever_a_smaller_one_does(mask, one, other):
    less, more = sorted((one, other))
    filled = (clean(mask, largest_hole=limit) for limit in (less, more))
    assert np.less_equal(*(each > 0 for each in filled)).all()
    kept = (clean(mask, smallest_object=limit) for limit in (less, more))
    assert np.greater_equal(*(each > 0 for each in kept)).all()


@given(masks(side=14), ways, turns)
def test_a_turned_mask_is_cleaned_as_the_mask_is(mask, way, turn):
    np.testing.assert_array_equal(clean(turn.apply(mask), **way), turn.apply(clean(mask, **way)))


@given(samples(), pixels)
def test_large_objects_stay_in_their_order_and_small_ones_leave_no_trace(parts, smallest):
    _, mask, instances = parts
    found, cleaned = drop_small(instances, mask, smallest)
    ids = [number for number in np.unique(instances) if number]
    large = [number for number in ids if np.count_nonzero(instances == number) >= smallest]
    small = np.isin(instances, list(set(ids) - set(large)))
    if smallest > 1:
        expected = np.searchsorted([0, *large], np.where(small, 0, instances))
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(cleaned, np.where(small, 0, mask))


@given(label_images(), pixels)
def test_dropping_small_objects_twice_is_dropping_them_once(instances, smallest):
    once = drop_small(instances, np.minimum(instances, 1).astype(np.uint8), smallest)
    for one, other in zip(once, drop_small(*once, smallest), strict=True):
        np.testing.assert_array_equal(one, other)
