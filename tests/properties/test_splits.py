"""Splits and folds; those of groups and kinds are in tests/data/splitting/test_splits.py, too."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.data.dataset import Dataset
from delineate.data.looks.fingerprints import Fingerprint
from delineate.data.splitting.partition import (
    describe_splits,
    partition,
    partition_as,
    partition_folds,
)
from delineate.data.splitting.splits import assign_folds
from delineate.errors import DataError
from delineate.recipe import Data
from tests.properties.strategies import seeds

BY_CHANCE = {"near_duplicates": "ignore", "kinds": "ignore"}


def fingerprints(count):
    """Those of as many pictures; by chance, only that they differ is looked at."""
    return [
        Fingerprint(f"{number:03}", bytes(32), bytes(4096), 1.0, 0.0, (0.0,) * 7)
        for number in range(count)
    ]


def dataset(count, splits=None):
    images = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3), np.uint8)
    masks = np.zeros((count, 16, 16), np.uint8)
    return Dataset.from_arrays(images, masks, classes=["background", "cell"], splits=splits)


def splits_of(found):
    return {record.name: record.split for record in found.records}


@given(st.integers(2, 60), st.integers(2, 8), seeds)
def test_folds_of_single_pictures_are_equally_large_but_for_one_picture(count, folds, seed):
    if count < folds:
        with pytest.raises(DataError, match=f"form {count} units"):
            assign_folds(fingerprints(count), folds=folds, seed=seed, **BY_CHANCE)
        return
    found = assign_folds(fingerprints(count), folds=folds, seed=seed, **BY_CHANCE)
    sizes = [found.count(number) for number in range(folds)]
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1


@given(
    st.lists(st.sampled_from([None, *"abcdef"]), min_size=8, max_size=40),
    st.integers(2, 5),
    seeds,
)
def test_each_fold_has_pictures_and_no_group_is_in_two(groups, folds, seed):
    units = len(set(groups) - {None}) + groups.count(None)
    if units < folds:
        return
    pictures = fingerprints(len(groups))
    found = assign_folds(pictures, folds=folds, seed=seed, groups=groups, **BY_CHANCE)
    assert set(found) == set(range(folds))
    for group in set(groups) - {None}:
        assert len({fold for fold, own in zip(found, groups, strict=True) if own == group}) == 1


@given(st.integers(6, 9), st.integers(2, 3), st.sampled_from([0.0, 0.2]), seeds)
def test_each_image_is_held_out_in_one_fold_and_no_test_image_in_any(count, folds, share, seed):
    whole = dataset(count)
    settings = Data(test=share, **BY_CHANCE)
    found = [splits_of(each) for each in partition_folds(whole, settings, folds=folds, seed=seed)]
    names = {record.name for record in whole.records}
    assert all(set(each) == names for each in found)
    kept = {name for name in names if found[0][name] == "test"}
    assert bool(kept) == (share > 0)
    for name in names:
        expected = ["test"] * folds if name in kept else ["train"] * (folds - 1) + ["validation"]
        assert sorted(each[name] for each in found) == expected


@given(
    st.lists(st.sampled_from(["train", "validation", "test"]), max_size=4),
    st.sampled_from([0.0, 0.25]),
    seeds,
)
def test_splits_that_the_data_brings_stay_and_validation_comes_from_training(more, share, seed):
    own = ["train"] * 4 + more
    whole = dataset(len(own), own)
    found = splits_of(partition(whole, Data(validation=share, **BY_CHANCE), seed=seed))
    before = splits_of(whole)
    if "validation" in own or share == 0:
        assert found == before
        return
    assert set(found.values()) == {*own, "validation"}
    assert all(before[name] in (split, "train") for name, split in found.items())
    assert all(found[name] == "test" for name, split in before.items() if split == "test")


@given(st.integers(4, 9), seeds)
def test_splits_that_a_run_has_written_are_found_again(count, seed):
    whole = dataset(count)
    found = partition(whole, Data(validation=0.25, test=0.25, **BY_CHANCE), seed=seed)
    assert set(splits_of(found).values()) == {"train", "validation", "test"}
    stored = json.loads(json.dumps(describe_splits(found)))
    assert splits_of(partition_as(whole, stored)) == splits_of(found)
