"""What is learnt of objects: a rim between any two, and a middle in each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from delineate.data.object_targets import object_targets
from tests.properties.strategies import label_images, masks, sizes


@given(label_images())
def test_there_is_a_rim_on_both_sides_wherever_two_objects_meet(instances):
    rim = object_targets(instances, (instances > 0).astype(np.uint8), ["boundary"])[..., 0] > 0
    for one, other, near, far in (
        (instances[1:], instances[:-1], rim[1:], rim[:-1]),
        (instances[:, 1:], instances[:, :-1], rim[:, 1:], rim[:, :-1]),
    ):
        meeting = (one > 0) & (other > 0) & (one != other)
        assert (near & far)[meeting].all()
    assert not rim[instances == 0].any()


@given(label_images())
def test_each_part_of_an_object_has_a_middle_and_the_rest_has_none(instances):
    distance = object_targets(instances, (instances > 0).astype(np.uint8), ["distance"])[..., 0]
    assert not distance[instances == 0].any()
    for number in np.unique(instances[instances > 0]):
        parts, count = ndimage.label(instances == number)
        for part in range(1, count + 1):
            assert distance[parts == part].max() == 254
            assert distance[parts == part].min() > 0


@given(sizes(), st.data())
def test_nothing_is_learnt_where_the_mask_is_ignored_and_something_elsewhere(size, data):
    mask = data.draw(masks(size=size, ignored=True))
    found = object_targets(data.draw(label_images(size=size)), mask)
    assert (found.shape, found.dtype) == ((*size, 2), np.uint8)
    np.testing.assert_array_equal((found == 255).all(axis=-1), mask == 255)
    np.testing.assert_array_equal((found == 255).any(axis=-1), mask == 255)
