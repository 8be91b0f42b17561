"""The splits of a data set: its own, or made from a seed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from delineate.data.dataset import Dataset
from delineate.data.similarity import fingerprint
from delineate.data.splits import assign_splits
from delineate.errors import DataError, RunError
from delineate.recipe import Data


def partition(dataset: Dataset, settings: Data, *, seed: int) -> Dataset:
    """Return the data set with a split for each record.

    The data's own splits stay. Where there are none, all three are made; where there is no
    validation part, it is taken from the training images.

    Raises:
        DataError: There are too few images, or no training images.
    """
    own = dataset.splits
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


def partition_as(dataset: Dataset, stored: Mapping[str, Any]) -> Dataset:
    """Return the data set with the splits of a run's ``dataset.json``.

    Raises:
        RunError: The data has changed since.
    """
    split_of = {
        item["sha256"]: split for split, items in stored["splits"].items() for item in items
    }
    known = [split_of.get(content) for content in dataset.hashes]
    if None in known or len(known) != sum(len(items) for items in stored["splits"].values()):
        raise RunError(
            f"The data {dataset.name} is not what the run was begun with.",
            hint="Resume with the unchanged data, or begin another run.",
        )
    names = [record.name for record in dataset.records]
    return dataset.with_splits(
        {name: split for name, split in zip(names, known, strict=True) if split}
    )


def describe_splits(dataset: Dataset) -> dict[str, Any]:
    """Return what ``dataset.json`` holds: classes, and name and content hash by split."""
    splits: dict[str, list[dict[str, str]]] = {}
    for record, content in zip(dataset.records, dataset.hashes, strict=True):
        splits.setdefault(str(record.split), []).append({"name": record.name, "sha256": content})
    return {
        "name": dataset.name,
        "layout": dataset.layout,
        "classes": list(dataset.classes),
        "splits": splits,
    }


def _assign(whole: Dataset, part: Dataset, settings: Data, test: float, seed: int) -> Dataset:
    prints = [fingerprint(part.decoded(index).image) for index in range(len(part))]
    assigned = assign_splits(
        prints,
        validation=settings.validation,
        test=test,
        seed=seed,
        near_duplicates=settings.near_duplicates,
        kinds=settings.kinds,
    )
    splits = {record.name: record.split for record in whole.records}
    for record, split in zip(part.records, assigned, strict=True):
        splits[record.name] = split
    records = tuple(replace(record, split=splits[record.name]) for record in whole.records)
    return whole.with_splits({record.name: str(record.split) for record in records})
