"""Scores a bundle on a dataset, and writes the report."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from delineate.data.dataset import Dataset
from delineate.errors import DataError
from delineate.evaluation.describe import Evaluated, describe
from delineate.evaluation.figures import confusion_matrix
from delineate.evaluation.tally import BINS, Scored, histogram_of, score_image, summarise_images
from delineate.files import write_whole
from delineate.page import render
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe
from delineate.report import Report
from delineate.runs import Run

Progress = Callable[[int, int], None]


def evaluate(
    run: Run | str | Path,
    dataset: Dataset,
    *,
    split: str | None = None,
    to: str | Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Return the report of a run's best bundle, or of any bundle, on a dataset.

    It is also written: ``report.json``, ``report.html`` and ``confusion_matrix.png``.

    Args:
        run: A run, or the folder of a run or of a bundle.
        dataset: The images and their truth.
        split: "train", "validation" or "test". Unset: for the data that the run was trained on,
            its test part, or else its validation part; for other data, its test part, or all.
        to: The folder to write to; unset: the run's own, and nothing for a bare bundle.
        progress: Called with (done, all) after each image.

    Raises:
        BundleError: There is no bundle.
        DataError: There is no such split, or the data does not fit the bundle.
    """
    folder = run.folder if isinstance(run, Run) else Path(run)
    predictor = Predictor.open(folder)
    dataset.require_pairs()
    whole = known_splits(dataset, folder, predictor.card.names)
    part, name = choose_split(whole, split)
    settings = _settings(folder)
    images, histogram = _score(predictor, part, progress, boundary=settings.evaluation.boundary)
    values = {
        "data": dataset.name,
        "split": name,
        **summarise_images(images, histogram, predictor.card.names),
    }
    evaluated = Evaluated(predictor, whole, part, name, images, histogram, values)
    report = describe(evaluated, Run(folder).rows, cases=settings.evaluation.cases)
    target = Path(to) if to is not None else (folder if Run(folder).recipe.is_file() else None)
    if target is not None:
        _write(target, report, sum(image.table for image in images), predictor)
    return report


def choose_split(dataset: Dataset, split: str | None) -> tuple[Dataset, str]:
    """Return the part to score and its name: what is asked for, or test, or validation, or all.

    Raises:
        DataError: There is no such split, or it is empty.
    """
    if split is not None:
        return dataset.split(split), split
    for name in ("test", "validation"):
        if name in dataset.splits:
            return dataset.split(name), name
    if not len(dataset):
        raise DataError(f"{dataset.name} holds no images.", hint="Name a folder with images.")
    return dataset, "all"


def known_splits(dataset: Dataset, folder: Path, classes: tuple[str, ...]) -> Dataset:
    """Return the data set with the run's splits, if the run knows its images, else its own.

    Args:
        dataset: The samples.
        folder: A run's folder, or a bundle's.
        classes: The bundle's class names.
    """
    dataset = replace(dataset, names=classes)
    stored = Run(folder).dataset
    if stored.is_file():
        splits = Run(folder).read_json(stored)["splits"]
        known = {item["sha256"]: name for name, items in splits.items() for item in items}
        if known.keys() & set(dataset.hashes):
            pairs = zip(dataset.records, dataset.hashes, strict=True)
            return dataset.with_splits(
                {record.name: known[content] for record, content in pairs if content in known}
            )
    return dataset


def _settings(folder: Path) -> Recipe:
    path = Run(folder).recipe
    return Recipe.load(path) if path.is_file() else Recipe()


def _score(
    predictor: Predictor, part: Dataset, progress: Progress | None, *, boundary: bool
) -> tuple[list[Scored], np.ndarray]:
    histogram = np.zeros((BINS, 3))
    images = []
    for sample in part:
        prediction = predictor.predict(sample.image)
        classes = len(predictor.card.classes)
        images.append(score_image(sample, prediction, classes=classes, boundary=boundary))
        histogram += histogram_of(sample, prediction)
        if progress:
            progress(len(images), len(part))
    return images, histogram


def _write(folder: Path, report: Report, table: Any, predictor: Predictor) -> None:
    write_whole(folder / "report.json", json.dumps(report.to_json(), indent=1) + "\n")
    write_whole(folder / "report.html", render(report))
    write_whole(
        folder / "confusion_matrix.png", confusion_matrix(np.asarray(table), predictor.card.names)
    )
