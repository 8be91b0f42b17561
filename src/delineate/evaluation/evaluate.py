"""Scores a bundle on a dataset, and writes the report."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle, Card
from delineate.data.dataset import Dataset
from delineate.errors import DataError
from delineate.evaluation.describe import HEADLINE, Evaluated, describe
from delineate.evaluation.figures import confusion_matrix
from delineate.evaluation.refinement import refinement_of, refinement_scores
from delineate.evaluation.resize_limit import limit_table, resize_limit
from delineate.evaluation.tally import BINS, Scored, histogram_of, score_image, summarise_images
from delineate.files import write_whole
from delineate.page import render
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe
from delineate.report import Report
from delineate.runs import Run

Progress = Callable[[int, int], None]
UNSEEN = ("test", "validation")


def evaluate(
    run: Run | str | Path,
    dataset: Dataset,
    *,
    split: str | None = None,
    to: str | Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Return the report of a run's best bundle, or of any bundle, on a dataset.

    It is also written: ``report.json``, ``report.html`` and ``confusion_matrix.png``. Where the run
    has trained a refiner, the network is scored with it and without, whether it was kept or not.

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
    own = run_of(folder)
    chosen = choose_part(dataset, folder, predictor.card.names, split=split)
    settings = Recipe.load(own.recipe) if own.recipe.is_file() else Recipe()
    boundary = settings.evaluation.boundary
    tally = _score(predictor, chosen.part, progress, boundary=boundary)
    values = _values(dataset.name, chosen, tally, predictor.card)
    values |= _compared(own, folder, chosen.part, tally.images, boundary=boundary)
    evaluated = Evaluated(
        predictor,
        chosen.whole,
        chosen.part,
        chosen.split,
        tally.images,
        tally.histogram,
        values,
        known=chosen.known,
        first_batch=own.batch.read_bytes() if own.batch.is_file() else None,
        refiner_rows=own.refiner.rows if "refiner" in values else (),
    )
    report = describe(evaluated, own.rows, cases=settings.evaluation.cases)
    target = Path(to) if to is not None else (folder if Run(folder).recipe.is_file() else None)
    if target is not None:
        _write(Run(target), report, sum(image.table for image in tally.images), predictor)
    return report


@dataclass
class Tally:
    """What is summed up over the images.

    Attributes:
        images: The scores of each.
        histogram: Sum of their calibration histograms, float64 (bins, 3).
        limits: Where the bundle resizes: the table of each that resizing alone gives.
    """

    images: list[Scored] = field(default_factory=list)
    histogram: np.ndarray = field(default_factory=lambda: np.zeros((BINS, 3)))
    limits: list[np.ndarray] = field(default_factory=list)


@dataclass(frozen=True)
class Choice:
    """Which images are scored.

    Attributes:
        whole: The data set, with the bundle's classes and all splits.
        part: The images.
        split: The name of that part.
        known: Whether the run has used images of this data set, so that the splits are the run's.
    """

    whole: Dataset
    part: Dataset
    split: str
    known: bool


def choose_part(
    dataset: Dataset, folder: Path, classes: tuple[str, ...], *, split: str | None
) -> Choice:
    """Return the part that is asked for, or the one that the training has seen least of.

    Args:
        dataset: The samples.
        folder: A run's folder, or a bundle's.
        classes: The bundle's class names.
        split: "train", "validation" or "test"; unset: for images that the run knows its test
            part, or else its validation part; for others the data's own test part, or all.

    Raises:
        DataError: There is no such split, it is empty, or the data has other classes.
    """
    said = dataset.description
    if said.names and len(said.names) != len(classes):
        raise DataError(
            f"{dataset.name} has {len(said.names)} classes, the network {len(classes)}.",
            hint="Score it on data with the classes that it was trained on.",
        )
    _refuse_another_order(dataset.name, said.names or (), classes)
    dataset = replace(dataset, description=replace(said, names=classes))
    if not len(dataset):
        raise DataError(f"{dataset.name} holds no images.", hint="Name a folder with images.")
    splits = _known_splits(dataset, run_of(folder))
    whole = dataset.with_splits(splits) if splits else dataset
    if split is None:
        unseen = [name for name in UNSEEN[: 2 if splits else 1] if name in whole.splits]
        split = unseen[0] if unseen else "all"
    part = whole if split == "all" else whole.split(split)
    return Choice(whole, part, split, bool(splits))


def _refuse_another_order(data: str, names: Sequence[str], classes: Sequence[str]) -> None:
    """Refuse data in which a class of the network bears the number of another one."""
    for number, name in enumerate(names):
        if name != classes[number] and name in classes:
            raise DataError(
                f"{data} has '{name}' as class {number}, the network as class "
                f"{classes.index(name)}.",
                hint="List the classes, and their colours, in the order of the network: "
                f"{', '.join(classes)}; [masks] values in dataset.toml renumbers stored ids.",
            )


def run_of(folder: Path) -> Run:
    """Return the run that a bundle belongs to, such as the one whose ``best/`` it is.

    Args:
        folder: A run's folder, or a bundle's; one without a run is returned as it is.
    """
    places = [folder, *folder.resolve().parents[:2]]
    return next((Run(place) for place in places if Run(place).dataset.is_file()), Run(folder))


def _compared(
    own: Run, folder: Path, part: Dataset, scored: Sequence[Scored], *, boundary: bool
) -> dict[str, Any]:
    """Return what a run's refiner does to the scores, as ``refiner``, where it has one."""
    # Of the run itself: an export of it, say, is not what was compared.
    if folder.resolve() not in (own.folder.resolve(), own.best.resolve()):
        return {}
    decided = refinement_of(own)
    if decided is None:
        return {}
    by = Bundle.open(folder)
    scores = refinement_scores(own, part, boundary=boundary, scored=scored, by=by)
    return {"refiner": {"kept": decided.kept, "decided_by": decided.decided_by, **scores}}


def _known_splits(dataset: Dataset, run: Run) -> dict[str, str]:
    """Return the run's split of each image that it knows, by the name of the record."""
    if not run.dataset.is_file():
        return {}
    splits = run.read_json(run.dataset)["splits"]
    known = {item["sha256"]: name for name, items in splits.items() for item in items}
    pairs = zip(dataset.records, dataset.hashes, strict=True)
    return {record.name: known[content] for record, content in pairs if content in known}


def _score(
    predictor: Predictor, part: Dataset, progress: Progress | None, *, boundary: bool
) -> Tally:
    tally = Tally()
    card, classes = predictor.card, len(predictor.card.classes)
    for sample in part:
        prediction = predictor.predict(sample.image)
        tally.images.append(score_image(sample, prediction, classes=classes, boundary=boundary))
        tally.histogram += histogram_of(sample, prediction)
        if card.fit == "resize":
            tally.limits.append(limit_table(sample.mask, card.size, classes=classes))
        if progress:
            progress(len(tally.images), len(part))
    return tally


def _values(name: str, chosen: Choice, tally: Tally, card: Card) -> dict[str, Any]:
    """Return all values of the report, by their names in the JSON, the headlines first."""
    scores = summarise_images(tally.images, tally.histogram, card.names)
    scores["input"] = _input(chosen.whole, card)
    if tally.limits:
        scores["resize_limit"] = resize_limit(tally.limits, card.names)
    first = {key: scores[key] for key in HEADLINE if key in scores}
    return {"data": name, "split": chosen.split, **first} | scores


def _input(whole: Dataset, card: Card) -> dict[str, Any]:
    """Return how images are stored and normalised, by names in the JSON."""
    facts = whole.facts
    return {
        "normalise": card.normalisation,
        "dtype": " and ".join(sorted({fact.dtype for fact in facts})),
        "lowest": min(fact.lowest for fact in facts),
        "highest": max(fact.highest for fact in facts),
    }


def _write(run: Run, report: Report, table: Any, predictor: Predictor) -> None:
    write_whole(run.report_json, json.dumps(report.to_json(), indent=1) + "\n")
    write_whole(run.report, render(report))
    picture = confusion_matrix(np.asarray(table), predictor.card.names)
    write_whole(run.confusion_matrix, picture)
