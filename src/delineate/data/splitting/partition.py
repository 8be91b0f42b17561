"""The splits of a data set: its own, or made from a seed."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from delineate.data.dataset import Dataset
from delineate.data.records import Record
from delineate.data.splitting.prints import fingerprints_of
from delineate.data.splitting.splits import assign_folds, assign_splits
from delineate.errors import DataError, RunError
from delineate.recipe import Data

# Where dataset.json says how masks were read.
MEANING = "meaning"


def partition(dataset: Dataset, settings: Data, *, seed: int) -> Dataset:
    """Return the data set with a split for each record.

    The data's own splits stay. Where there are none, all three are made; where there is no
    validation part, it is taken from the training images.

    Raises:
        DataError: There are too few images, no training images, or images that are in no split
            beside some that are.
    """
    own = dataset.splits
    _refuse_left_over(dataset, own)
    if not own:
        return _assign(dataset, dataset, settings, settings.test, seed)
    if "train" not in own:
        raise DataError(
            f"{dataset.name} has the splits {', '.join(own)} but no training images.",
            hint="Add a folder train/, or give the images without split folders.",
        )
    if "validation" in own or settings.validation == 0:
        return dataset
    return _assign(dataset, own["train"], settings, 0.0, seed)


def partition_folds(dataset: Dataset, settings: Data, *, folds: int, seed: int) -> list[Dataset]:
    """Return the data set once for each fold, with that fold as its validation part.

    A test part is in no fold. Neither is a validation part that the data brings with it: it is the
    test part where there is no other, and else left out.

    Args:
        dataset: The images.
        settings: The recipe's section `[data]`; the share for validation is not looked at.
        folds: How many; 2 or more.
        seed: Of the shuffling.

    Raises:
        DataError: As :func:`partition`; or there are too few images for so many folds.
    """
    whole = partition(dataset, settings.model_copy(update={"validation": 0.0}), seed=seed)
    splits = {record.name: str(record.split) for record in whole.records}
    if "test" not in splits.values():
        splits = {name: "test" if split != "train" else split for name, split in splits.items()}
    part = whole.split("train")
    numbers = assign_folds(
        fingerprints_of(part),
        folds=folds,
        seed=seed,
        near_duplicates=settings.near_duplicates,
        kinds=settings.kinds,
        groups=[record.group for record in part.records],
    )
    names = [record.name for record in part.records]
    held = [
        {name: "validation" for name, own in zip(names, numbers, strict=True) if own == number}
        for number in range(folds)
    ]
    kept = [index for index, name in enumerate(splits) if splits[name] != "validation"]
    whole = whole.subset(kept)
    return [whole.with_splits({**splits, **one}) for one in held]


def partition_as(
    dataset: Dataset, stored: Mapping[str, Any], *, without: Collection[Record] = ()
) -> Dataset:
    """Return the data set with the splits of a run's ``dataset.json``.

    Args:
        dataset: The images.
        stored: The content of that file.
        without: Images that it holds and the data set does not, rightly.

    Raises:
        RunError: The data has changed since, or its masks mean something else.
    """
    left_out = {record.name for record in without}
    split_of = {
        (item["name"], item["sha256"]): split
        for split, items in _splits_in(stored).items()
        for item in items
        if item["name"] not in left_out
    }
    names = [record.name for record in dataset.records]
    found = list(zip(names, dataset.hashes, strict=True))
    if set(found) != split_of.keys():
        raise RunError(
            f"The data {dataset.name} is not what the run was begun with.",
            hint="Resume with the unchanged data, or begin another run.",
        )
    # Runs that were begun before there was one have none.
    meaning = meaning_of(dataset, without)
    if stored.get(MEANING, meaning) != meaning:
        raise RunError(
            f"The masks of {dataset.name} do not mean what they did when the run was begun: its "
            "classes, their values or colours, or which file is of which class, have changed.",
            hint="Undo what was changed, such as in dataset.toml, or begin another run.",
        )
    return dataset.with_splits({name: split_of[name, content] for name, content in found})


def stored_hashes(stored: Mapping[str, Any]) -> dict[str, str]:
    """Return the content hash of each image in a run's ``dataset.json``, by name.

    Raises:
        RunError: It is damaged.
    """
    return {item["name"]: item["sha256"] for items in _splits_in(stored).values() for item in items}


def meaning_of(dataset: Dataset, without: Iterable[Record] = ()) -> str:
    """Return the SHA-256 of how masks become class ids, in hexadecimal, whatever the order.

    Args:
        dataset: The images and masks.
        without: Images that it was read with, and that it does not hold any longer.
    """
    encoding = dataset.encoding
    records = [*dataset.records, *without]
    parts = sorted((record.name, record.parts, record.ids) for record in records)
    values = sorted((int(value), int(number)) for value, number in encoding.values.items())
    said = [encoding.classes, values, parts]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _splits_in(stored: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Return the splits of a ``dataset.json``, of which each has what it has to have."""
    try:
        return {
            str(split): [{key: str(item[key]) for key in ("name", "sha256")} for item in items]
            for split, items in stored["splits"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(
            "The run's dataset.json is damaged.",
            hint="Copy the whole run folder, or train again.",
        ) from error


def describe_splits(dataset: Dataset) -> dict[str, Any]:
    """Return what ``dataset.json`` holds: classes, and name and content hash by split.

    It also holds a hash of how masks are read, which a file's content does not tell.
    """
    splits: dict[str, list[dict[str, str]]] = {}
    for record, content in zip(dataset.records, dataset.hashes, strict=True):
        splits.setdefault(str(record.split), []).append({"name": record.name, "sha256": content})
    return {
        "name": dataset.name,
        "layout": dataset.layout,
        "classes": list(dataset.classes),
        MEANING: meaning_of(dataset),
        "splits": splits,
    }


def _assign(whole: Dataset, part: Dataset, settings: Data, test: float, seed: int) -> Dataset:
    assigned = assign_splits(
        fingerprints_of(part),
        validation=settings.validation,
        test=test,
        seed=seed,
        near_duplicates=settings.near_duplicates,
        kinds=settings.kinds,
        groups=[record.group for record in part.records],
    )
    splits = {record.name: record.split for record in whole.records if record.split}
    names = [record.name for record in part.records]
    return whole.with_splits(splits | dict(zip(names, assigned, strict=True)))


def _refuse_left_over(dataset: Dataset, own: Mapping[str, Dataset]) -> None:
    left = [record.name for record in dataset.records if record.split is None]
    if own and left:
        raise DataError(
            f"{len(left)} images of {dataset.name}, such as {left[0]}, are in none of its splits: "
            f"{', '.join(own)}.",
            hint="Move them into a split, or all images out of them.",
        )
