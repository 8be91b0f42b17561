"""Scores a bundle on a dataset, and writes the report."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle, Card
from delineate.data.dataset import Dataset
from delineate.evaluation.choose import Choice, choose_part, run_of
from delineate.evaluation.compare import Rival, compare_with
from delineate.evaluation.describe import Evaluated, describe
from delineate.evaluation.figures import confusion_matrix
from delineate.evaluation.kinds import kind_of_each, kind_scores
from delineate.evaluation.refinement import refinement_of, refinement_scores
from delineate.evaluation.resize_limit import limit_table, resize_limit
from delineate.evaluation.review import Review, write_review
from delineate.evaluation.tally import (
    BINS,
    Progress,
    Scored,
    groups_of,
    histogram_of,
    predict_sample,
    score_image,
    summarise_images,
)
from delineate.evaluation.wording import HEADLINE
from delineate.files import write_whole
from delineate.page import render
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe
from delineate.report import Report
from delineate.runs import Run, left_out_of, resumptions_of


def evaluate(
    run: Run | str | Path,
    dataset: Dataset,
    *,
    split: str | None = None,
    compare: Run | str | Path | None = None,
    to: str | Path | None = None,
    runtime: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Return the report of a run's best bundle, or of any bundle, on a dataset.

    It is also written: ``report.json``, ``report.html``, ``confusion_matrix.png``, and what to look
    at next: ``review.csv`` and ``review.png``. Where the run has trained a refiner, the network is
    scored with it and without, whether it was kept or not.

    Args:
        run: A run, or the folder of a run or of a bundle.
        dataset: The images and their truth.
        split: "train", "validation" or "test". Unset: for the data that the run was trained on,
            its test part, or else its validation part; for other data, its test part, or all.
        compare: A run, or the folder of a run or of a bundle, that is scored on the same images.
        to: The folder to write to; unset: the run's own, and nothing for a bare bundle.
        runtime: A name in the table of runtimes, for ``run``; unset: that of its fastest export.
        progress: Called with (done, all) after each image; once more for what is compared.

    Raises:
        BundleError: There is no bundle.
        DataError: There is no such split, the data does not fit the bundle or what it is compared
            with, or these two have other classes than each other.
    """
    folder = run.folder if isinstance(run, Run) else Path(run)
    predictor = Predictor.open(folder, runtime=runtime)
    rival = None if compare is None else Rival.open(compare, predictor)
    dataset.require_pairs()
    own = run_of(folder)
    chosen = choose_part(dataset, folder, predictor.card.names, split=split)
    settings = Recipe.load(own.recipe) if own.recipe.is_file() else Recipe()
    boundary = settings.evaluation.boundary
    if rival is not None:
        rival.require_fit(chosen.part)
    tally = _score(predictor, chosen.part, progress, boundary=boundary)
    values = _values(dataset.name, chosen, tally, predictor.card)
    values["engine"] = predictor.engine
    if values["engine"]["runtime"] == "keras":
        # An export's scores would be compared with those of another engine.
        values |= _refined(own, folder, chosen.part, tally.images, boundary=boundary)
    resumed = resumptions_of(own.events())
    if resumed is not None:
        values["resumed"] = resumed
    left_out = left_out_of(own.events())
    if left_out:
        values["left_out"] = left_out
    if rival is not None:
        found = compare_with(rival, chosen.part, tally.images, boundary=boundary, progress=progress)
        values["compare"] = found
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
        review=tally.review,
    )
    report = describe(evaluated, own.rows, cases=settings.evaluation.cases)
    target = Path(to) if to is not None else (folder if Run(folder).recipe.is_file() else None)
    if target is not None:
        _write(Run(target), report, tally, predictor.card)
    return report


@dataclass
class Tally:
    """What is summed up over the images.

    Attributes:
        review: The places to look at.
        images: The scores of each.
        histogram: Sum of their calibration histograms, float64 (bins, 3).
        limits: Where the bundle resizes: the table of each that resizing alone gives.
    """

    review: Review
    images: list[Scored] = field(default_factory=list)
    histogram: np.ndarray = field(default_factory=lambda: np.zeros((BINS, 3)))
    limits: list[np.ndarray] = field(default_factory=list)


def _refined(
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


def _score(
    predictor: Predictor, part: Dataset, progress: Progress | None, *, boundary: bool
) -> Tally:
    card, classes = predictor.card, len(predictor.card.classes)
    tally = Tally(Review(card.names, card.colours))
    for sample in part:
        prediction = predict_sample(predictor, sample)
        tally.images.append(score_image(sample, prediction, classes=classes, boundary=boundary))
        tally.histogram += histogram_of(sample, prediction)
        tally.review.add(sample, prediction)
        if card.fit == "resize":
            tally.limits.append(limit_table(sample.mask, card.size, classes=classes))
        if progress:
            progress(len(tally.images), len(part))
    return tally


def _values(name: str, chosen: Choice, tally: Tally, card: Card) -> dict[str, Any]:
    """Return all values of the report, by their names in the JSON, the headlines first."""
    groups = groups_of(chosen.part.records)
    scores = summarise_images(tally.images, tally.histogram, card.names, groups=groups)
    kinds = kind_of_each(chosen.whole, chosen.part)
    if kinds:
        scores["kinds"] = kind_scores(kinds, tally.images, groups)
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


def _write(run: Run, report: Report, tally: Tally, card: Card) -> None:
    write_whole(run.report_json, json.dumps(report.to_json(), indent=1) + "\n")
    table = np.sum([image.table for image in tally.images], axis=0)
    write_whole(run.confusion_matrix, confusion_matrix(table, card.names))
    write_review(run, tally.review)
    # Last: where it stands, all of it does.
    write_whole(run.report, render(report))
