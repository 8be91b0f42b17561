import numpy as np
import pytest
from scipy import ndimage

from delineate.prediction.cleaning import clean, drop_small

CROSS = ndimage.generate_binary_structure(2, 1)


def specks(seed=0, size=(60, 70), classes=3):
    """Blobs of all sizes in several classes."""
    rng = np.random.default_rng(seed)
    smooth = [ndimage.gaussian_filter(rng.random(size), 1.5) for _ in range(classes)]
    return np.argmax(smooth, axis=0).astype(np.uint8)


def parts_of(mask, category):
    labels, count = ndimage.label(mask == category, CROSS)
    return [labels == number for number in range(1, count + 1)]


@pytest.mark.parametrize("smallest", [2, 10, 40])
def test_small_parts_become_background_and_nothing_else_changes(smallest):
    mask = specks()
    wanted = mask.copy()
    for category in (1, 2):
        for part in parts_of(mask, category):
            if part.sum() < smallest:
                wanted[part] = 0
    assert (wanted != mask).any()
    assert (clean(mask, smallest_object=smallest) == wanted).all()


@pytest.mark.parametrize("largest", [1, 9, 50])
def test_holes_are_filled_by_the_class_around_them(largest):
    mask = specks(1)
    wanted = mask.copy()
    holes, count = ndimage.label(mask == 0, np.ones((3, 3)))
    for number in range(1, count + 1):
        hole = holes == number
        rows, columns = np.nonzero(hole)
        at_border = rows.min() == 0 or columns.min() == 0
        at_border |= rows.max() == mask.shape[0] - 1 or columns.max() == mask.shape[1] - 1
        around = np.unique(mask[ndimage.binary_dilation(hole, CROSS) & ~hole])
        if hole.sum() <= largest and len(around) == 1 and not at_border:
            wanted[hole] = around[0]
    assert (wanted != mask).any()
    assert (clean(mask, largest_hole=largest) == wanted).all()


def test_only_the_largest_part_of_a_class_is_kept():
    mask = specks(2)
    found = clean(mask, largest_only=(1,))
    parts = sorted(parts_of(mask, 1), key=np.sum)
    assert (found == 1).sum() == parts[-1].sum()
    assert ((found == 2) == (mask == 2)).all()


def test_a_class_that_is_not_there_stays_away():
    mask = np.zeros((4, 4), np.uint8)
    assert (clean(mask, largest_only=(1, 2), smallest_object=5, largest_hole=5) == 0).all()


def test_nothing_asked_for_returns_the_mask_itself():
    mask = specks()
    assert clean(mask) is mask


def test_small_objects_leave_mask_and_numbers():
    instances = np.array([[1, 1, 4, 0], [1, 7, 7, 0]], np.int32)
    mask = np.array([[2, 2, 1, 0], [2, 1, 1, 3]], np.uint8)
    objects, cleaned = drop_small(instances, mask, 2)
    assert objects.tolist() == [[1, 1, 0, 0], [1, 2, 2, 0]]
    # What belongs to no object stays as it is.
    assert cleaned.tolist() == [[2, 2, 0, 0], [2, 1, 1, 3]]


def test_all_objects_stay_where_none_is_too_small():
    instances = np.array([[1, 0]], np.int32)
    mask = np.array([[1, 0]], np.uint8)
    assert drop_small(instances, mask, 1) == (instances, mask)
