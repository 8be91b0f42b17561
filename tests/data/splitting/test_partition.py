from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from delineate.data.dataset import Dataset
from delineate.data.file_hashes import FileHashes
from delineate.data.splitting.partition import (
    MEANING,
    describe_splits,
    meaning_of,
    partition,
    partition_as,
)
from delineate.errors import DataError, RunError
from delineate.recipe import Data

RNG = np.random.default_rng(0)
IMAGES = [
    np.kron(RNG.integers(0, 255, (8, 8, 1), np.uint8), np.ones((8, 8, 3), "B")) for _ in range(24)
]
MASKS = [image[..., 0] // 128 for image in IMAGES]


def of(images=IMAGES, splits=None):
    return Dataset.from_arrays(images, MASKS[: len(images)], splits=splits)


def splits_of(dataset):
    return [record.split for record in dataset.records]


def counts(dataset):
    return Counter(splits_of(dataset))


def test_splits_are_made_where_there_are_none():
    made = partition(of(), Data(validation=0.25, test=0.25), seed=0)
    assert counts(made) == {"train": 12, "validation": 6, "test": 6}
    assert made.classes == of().classes


def test_the_same_seed_makes_the_same_splits_and_another_one_others():
    def made(seed):
        return splits_of(partition(of(), Data(), seed=seed))

    assert made(1) == made(1)
    assert len({tuple(made(seed)) for seed in range(5)}) > 1


def test_the_splits_of_the_data_are_kept():
    own = ["train"] * 10 + ["validation"] * 2 + ["test"] * 12
    for seed in (0, 1):
        assert splits_of(partition(of(splits=own), Data(validation=0.5), seed=seed)) == own


def test_a_missing_validation_part_is_taken_from_the_training_images_alone():
    own = ["train"] * 16 + ["test"] * 8
    made = partition(of(splits=own), Data(validation=0.25, test=0.5), seed=0)
    assert counts(made) == {"train": 12, "validation": 4, "test": 8}
    assert splits_of(made)[16:] == ["test"] * 8


def test_no_validation_part_is_taken_where_none_is_wanted():
    own = ["train"] * 16 + ["test"] * 8
    assert splits_of(partition(of(splits=own), Data(validation=0), seed=0)) == own


def test_data_without_training_images_is_refused():
    with pytest.raises(DataError, match="splits validation, test but no training images"):
        partition(of(splits=["test"] * 12 + ["validation"] * 12), Data(), seed=0)


def test_images_in_no_split_beside_some_that_are_in_one_are_refused():
    dataset = of().with_splits({"0": "train", "1": "test"})
    with pytest.raises(DataError, match="22 images of arrays, such as 2, are in none"):
        partition(dataset, Data(), seed=0)


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match=r"2 units .* 3 splits"):
        partition(of(IMAGES[:2]), Data(), seed=0)


@pytest.mark.parametrize("seed", range(6))
def test_near_duplicates_stay_on_one_side(seed):
    images = [*IMAGES[:10], *(255 - (255 - image) // 2 for image in IMAGES[:10])]
    made = splits_of(partition(of(images), Data(validation=0.25, test=0.25), seed=seed))
    assert made[:10] == made[10:]
    assert set(made) == {"train", "validation", "test"}


def test_near_duplicates_may_be_separated_on_request():
    images = [*IMAGES[:10], *(image.copy() for image in IMAGES[:10])]
    settings = Data(validation=0.25, test=0.25, near_duplicates="ignore")
    made = splits_of(partition(of(images), settings, seed=0))
    assert made[:10] != made[10:]


@pytest.fixture
def begun():
    made = partition(of(), Data(validation=0.25, test=0.25), seed=3)
    return made, describe_splits(made)


def test_the_stored_splits_name_each_image_with_its_content(begun):
    made, stored = begun
    assert stored["classes"] == list(made.classes)
    assert (stored["name"], stored["layout"]) == ("arrays", "arrays")
    named = {
        (item["name"], item["sha256"], split)
        for split, items in stored["splits"].items()
        for item in items
    }
    assert named == {(r.name, r.content_hash(FileHashes().of), r.split) for r in made.records}


def test_a_resumed_training_has_the_stored_splits(begun):
    made, stored = begun
    assert splits_of(partition_as(of(), stored)) == splits_of(made)
    assert splits_of(partition_as(of(splits=["test"] * 24), stored)) == splits_of(made)


def test_copies_of_an_image_keep_the_split_that_each_had():
    images = [IMAGES[0]] * 12 + IMAGES[12:]
    dataset = Dataset.from_arrays(images, [MASKS[0]] * 12 + MASKS[12:])
    splits = {str(n): ("train", "test", "validation")[n % 3] for n in range(24)}
    stored = describe_splits(dataset.with_splits(splits))
    assert splits_of(partition_as(dataset, stored)) == list(splits.values())


def changed_pixel():
    images = [image.copy() for image in IMAGES]
    images[5][0, 0, 0] ^= 1
    return of(images)


def one_less():
    return of(IMAGES[:-1])


def one_more():
    return Dataset.from_arrays([*IMAGES, IMAGES[0] // 2], [*MASKS, MASKS[0]])


def renamed():
    dataset = of()
    return replace(dataset, records=(replace(dataset.records[0], name="x"), *dataset.records[1:]))


@pytest.mark.parametrize("changed", [changed_pixel, one_less, one_more, renamed])
def test_changed_data_is_refused_when_a_training_is_resumed(begun, changed):
    with pytest.raises(RunError, match="not what the run was begun with") as caught:
        partition_as(changed(), begun[1])
    assert "unchanged data" in caught.value.hint


def test_masks_that_mean_something_else_are_refused_when_a_training_is_resumed(begun):
    made, stored = begun
    others = Dataset.from_arrays(IMAGES, MASKS, classes=["sky", "ground"])
    with pytest.raises(RunError, match="do not mean what they did") as caught:
        partition_as(others, stored)
    assert "dataset.toml" in caught.value.hint
    before = {key: value for key, value in stored.items() if key != MEANING}
    assert splits_of(partition_as(others, before)) == splits_of(made)


def test_the_order_of_the_images_has_no_meaning():
    assert meaning_of(of().subset(range(23, -1, -1))) == meaning_of(of())


def test_images_that_are_left_out_are_not_asked_for(begun):
    made, stored = begun
    part = partition_as(of().subset(range(1, 24)), stored, without=["0"])
    assert splits_of(part) == splits_of(made)[1:]
    with pytest.raises(RunError, match="not what the run was begun with"):
        partition_as(of().subset(range(1, 24)), stored, without=["1"])


def test_a_group_is_never_in_two_splits():
    records = [replace(record, group=f"slide {int(record.name) // 4}") for record in of().records]
    for seed in range(5):
        made = partition(replace(of(), records=tuple(records)), Data(), seed=seed)
        assert len({(record.group, record.split) for record in made.records}) == 6
        assert len(counts(made)) == 3
