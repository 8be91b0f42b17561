import numpy as np
import pytest

from delineate.data.classes import IGNORE
from delineate.data.copy_paste import paste_objects


def window(value, ids):
    instances = np.array(ids, np.int32)
    mask = np.where(instances > 0, value, 0).astype(np.uint8)
    image = np.where(instances > 0, 10 * value, value).astype(np.uint8)
    return np.repeat(image[..., None], 3, axis=2), mask, instances


BASE = window(1, [[1, 1, 0, 0], [1, 1, 0, 2]])
DONOR = window(2, [[0, 5, 5, 0], [0, 0, 9, 9]])


def results(donor=DONOR, base=BASE, count=200):
    return [paste_objects(base, donor, np.random.default_rng(seed)) for seed in range(count)]


def test_each_object_comes_half_of_the_time_with_all_its_pixels():
    counts = {5: 0, 9: 0}
    for _, _, instances in results():
        for number in counts:
            there = instances[DONOR[2] == number]
            moved = there > 2
            assert (moved.all() and len(np.unique(there)) == 1) or not moved.any()
            counts[number] += bool(moved.any())
    assert all(70 < count < 130 for count in counts.values())


def test_image_mask_and_instances_come_from_the_same_window():
    for image, mask, instances in results():
        pasted = instances > 2
        for part, source, old in zip((image, mask), DONOR, BASE, strict=False):
            assert (part[pasted] == source[pasted]).all()
            assert (part[~pasted] == old[~pasted]).all()
        assert (instances[~pasted] == BASE[2][~pasted]).all()


def test_nothing_is_changed_in_place():
    copies = [part.copy() for part in (*BASE, *DONOR)]
    results(count=20)
    assert all((old == new).all() for old, new in zip(copies, (*BASE, *DONOR), strict=True))


def test_a_donor_without_objects_changes_nothing():
    empty = window(2, [[0, 0, 0, 0], [0, 0, 0, 0]])
    assert all(found is BASE for found in results(empty, count=5))


def test_what_is_ignored_in_the_donor_is_not_pasted():
    mask = DONOR[1].copy()
    mask[0, 2] = IGNORE
    assert all(found[1][0, 2] != IGNORE for found in results((DONOR[0], mask, DONOR[2])))


@pytest.mark.parametrize("donor_too", [False, True])
def test_ids_stay_whole_numbers_from_1_on_however_large_they_were(donor_too):
    most = np.iinfo(np.int32).max
    base = window(1, [[most, most, 0, 0], [most, most, 0, 7]])
    donor = window(2, [[0, most - 1, most - 1, 0], [0, 0, most, most]]) if donor_too else DONOR
    for (_, _, instances), (_, _, usual) in zip(results(donor, base), results(), strict=True):
        pasted = usual > 2
        assert (instances >= 0).all()
        assert ((instances > 0) == (usual > 0)).all()
        # No object of the base has the id of a pasted one.
        assert not set(instances[pasted]) & set(instances[~pasted] if pasted.any() else [])
