from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.data.looks.fingerprints import fingerprint
from delineate.data.splitting.similarity import near_duplicates
from delineate.data.splitting.splits import assign_splits
from delineate.errors import DataError

SPLITS = ("train", "validation", "test")


def pictures(count, seed=0):
    """Fingerprints of ``count`` unlike pictures: coarse noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (count, 16, 16, 3), np.uint8)
    return [fingerprint(cv2.resize(c, (64, 64), interpolation=cv2.INTER_CUBIC)) for c in coarse]


POOL = pictures(60)
ALIKE = [replace(POOL[0], digest=str(number)) for number in range(9)]


def of_kinds(kinds):
    """Fingerprints of unlike pictures whose features put them far apart for each kind."""
    return [
        replace(POOL[i], features=(20.0 * 10 * kind, 0, 0, 0, 0, 0, 4.0))
        for i, kind in enumerate(kinds)
    ]


def split(fingerprints, **changes):
    how = {
        "validation": 0.2,
        "test": 0.2,
        "seed": 0,
        "near_duplicates": "ignore",
        "kinds": "ignore",
    }
    return assign_splits(fingerprints, **(how | changes))


def test_the_pool_of_pictures_holds_no_near_duplicates():
    assert near_duplicates(POOL) == []


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(3, 60),
    validation=st.floats(0, 0.45),
    test=st.floats(0, 0.45),
    seed=st.integers(0, 2**32),
)
def test_separate_pictures_meet_the_shares_within_one_picture(count, validation, test, seed):
    names = split(POOL[:count], validation=validation, test=test, seed=seed)
    for name, share in zip(SPLITS, (1 - validation - test, validation, test), strict=True):
        assert names.count(name) == pytest.approx(share * count, abs=1.0001 + 1)
        assert (names.count(name) > 0) == (share > 0)


@settings(deadline=None, max_examples=60)
@given(
    groups=st.lists(st.sampled_from([None, "a", "b", "c", "d", "e", "f"]), min_size=8, max_size=40),
    seed=st.integers(0, 99),
    shares=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
    kinds=st.lists(st.integers(0, 3), min_size=40, max_size=40),
)
def test_groups_are_never_split_and_wanted_splits_never_empty(groups, seed, shares, kinds):
    fingerprints = of_kinds(kinds[: len(groups)])
    units = len(set(groups) - {None}) + groups.count(None)
    how = {"validation": shares[0], "test": shares[1], "seed": seed, "kinds": "balance"}
    if units < 3:
        with pytest.raises(DataError, match=f"form {units} units"):
            split(fingerprints, groups=groups, **how)
        return
    names = split(fingerprints, groups=groups, **how)
    assert set(names) == set(SPLITS)
    for group in set(groups) - {None}:
        assert len({n for n, g in zip(names, groups, strict=True) if g == group}) == 1


@settings(deadline=None, max_examples=40)
@given(
    order=st.permutations(range(20)),
    seed=st.integers(0, 99),
    groups=st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=20, max_size=20),
    kinds=st.sampled_from(["balance", "ignore"]),
)
def test_a_picture_keeps_its_split_whatever_the_order(order, seed, groups, kinds):
    fingerprints = of_kinds([i % 3 for i in range(20)])
    how = {"seed": seed, "kinds": kinds, "near_duplicates": "together"}
    names = split(fingerprints, groups=groups, **how)
    moved = split([fingerprints[i] for i in order], groups=[groups[i] for i in order], **how)
    assert moved == [names[i] for i in order]


@settings(deadline=None, max_examples=40)
@given(
    kinds=st.lists(st.integers(0, 4), min_size=10, max_size=60),
    seed=st.integers(0, 99),
    validation=st.floats(0.1, 0.4),
)
def test_balanced_kinds_meet_the_shares_within_each_kind(kinds, seed, validation):
    names = split(of_kinds(kinds), kinds="balance", seed=seed, validation=validation, test=0.1)
    for kind, count in Counter(kinds).items():
        inside = Counter(n for n, k in zip(names, kinds, strict=True) if k == kind)
        for name, share in zip(SPLITS, (0.9 - validation, validation, 0.1), strict=True):
            assert abs(inside[name] - share * count) < 2.5
    assert set(names) == set(SPLITS)


def test_a_rare_kind_reaches_every_split_when_balanced():
    kinds = [0] * 40 + [1] * 10
    for seed in range(10):
        names = split(of_kinds(kinds), kinds="balance", seed=seed)
        assert Counter(names[:40]) == {"train": 24, "validation": 8, "test": 8}
        assert Counter(names[40:]) == {"train": 6, "validation": 2, "test": 2}


def test_kinds_stay_whole_when_kept_together():
    kinds = [i % 5 for i in range(50)]
    for seed in range(5):
        names = split(of_kinds(kinds), kinds="together", seed=seed)
        sides = [{n for n, k in zip(names, kinds, strict=True) if k == kind} for kind in range(5)]
        assert all(len(side) == 1 for side in sides)
        assert Counter(names) == {"train": 30, "validation": 10, "test": 10}


def test_near_duplicates_stay_on_one_side_and_connect_groups():
    # Picture 0 and its copy 30 are one unit; through them the groups "a" and "b" are too.
    fingerprints = [*POOL[:30], replace(POOL[0], digest="copy")]
    groups = ["a", "a", *[None] * 27, "b", "b"]
    for seed in range(20):
        names = split(fingerprints, groups=groups, near_duplicates="together", seed=seed)
        assert len({names[i] for i in (0, 1, 29, 30)}) == 1
    apart = [split(fingerprints, groups=groups, seed=seed) for seed in range(20)]
    assert any(names[0] != names[30] for names in apart)


def test_another_seed_gives_another_split_and_the_same_seed_the_same():
    assert split(POOL, seed=1) == split(POOL, seed=1)
    assert split(POOL, seed=1) != split(POOL, seed=2)


def test_every_picture_is_drawn_for_the_test_about_as_often():
    counts = Counter()
    for seed in range(300):
        counts.update(i for i, n in enumerate(split(POOL[:10], seed=seed)) if n == "test")
    expected, deviation = 60, np.sqrt(300 * 0.2 * 0.8)
    assert all(abs(counts[i] - expected) < 4 * deviation for i in range(10))


def test_one_huge_group_leaves_no_wanted_split_empty():
    groups = ["slide"] * 50 + [None] * 2
    names = split(POOL[:52], groups=groups, validation=0.1, test=0.1)
    assert set(names[:50]) == {"train"}
    assert sorted(names[50:]) == ["test", "validation"]


def test_an_unwanted_split_is_empty():
    assert set(split(POOL, validation=0.3, test=0)) == {"train", "validation"}
    assert set(split(POOL, validation=0, test=0)) == {"train"}


@pytest.mark.parametrize(
    ("fingerprints", "changes", "units"),
    [
        ([], {}, "0 units"),
        (POOL[:2], {}, "2 units"),
        (POOL[:9], {"groups": ["a"] * 8 + ["b"]}, "2 units"),
        (ALIKE, {"near_duplicates": "together"}, "1 unit"),
        (of_kinds([0, 1] * 5), {"kinds": "together"}, "2 units"),
    ],
    ids=["none", "two", "groups", "duplicates", "kinds"],
)
def test_fewer_units_than_splits_are_refused_with_their_number(fingerprints, changes, units):
    with pytest.raises(DataError, match=f"form {units} that .* 3 splits") as caught:
        split(fingerprints, **changes)
    assert "share of validation or test" in caught.value.hint


@pytest.mark.parametrize(
    ("fingerprints", "changes", "told"),
    [
        (POOL[:2], {}, {"give more images"}),
        (POOL[:9], {"groups": ["a"] * 8 + ["b"]}, {"groups"}),
        (ALIKE, {"near_duplicates": "together"}, {"near_duplicates"}),
        (of_kinds([0, 1] * 5), {"kinds": "together"}, {"kinds"}),
    ],
    ids=["few", "groups", "duplicates", "kinds"],
)
def test_the_hint_names_only_what_keeps_the_images_together(fingerprints, changes, told):
    with pytest.raises(DataError) as caught:
        split(fingerprints, **changes)
    words = {"give more images", "groups", "near_duplicates", "kinds"}
    assert {word for word in words if word in caught.value.hint} == told


@pytest.mark.parametrize(
    "shares",
    [(0.5, 0.5), (-0.1, 0.2), (0.2, -0.1), (1.0, 0.0), (float("nan"), 0.1)],
)
def test_shares_that_leave_nothing_to_train_on_are_refused(shares):
    with pytest.raises(DataError, match="shares validation"):
        split(POOL, validation=shares[0], test=shares[1])


def test_a_wrong_number_of_groups_is_refused():
    with pytest.raises(DataError, match="2 groups were given for 60 images"):
        split(POOL, groups=["a", None])


def test_a_unit_belongs_to_the_kind_of_most_of_its_pictures():
    # Ten units of three pictures; in each two of one kind. Both kinds of unit reach each split.
    kinds = [0, 0, 1] * 5 + [1, 1, 0] * 5
    groups = [f"g{i // 3}" for i in range(30)]
    for seed in range(10):
        names = split(of_kinds(kinds), kinds="balance", groups=groups, seed=seed)
        assert Counter(names[:15]) == {"train": 9, "validation": 3, "test": 3}
        assert Counter(names[15:]) == {"train": 9, "validation": 3, "test": 3}
