"""With the refiner and without: the same images, the same scores."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from delineate.bundle import Bundle, Refinement
from delineate.data.dataset import Dataset
from delineate.evaluation.tally import Scored, mean_of, score_part
from delineate.prediction.predictor import Predictor
from delineate.runs import Run
from delineate.scores import summarise

# The score that has to gain, or else the refiner is not kept.
DECIDES = "mean_iou"
BOUNDARIES = ("boundary_iou", "boundary_f1")

Values = dict[str, float | None]


def refinement_scores(
    run: Run,
    part: Dataset,
    *,
    boundary: bool = True,
    scored: Sequence[Scored] = (),
    by: Bundle | None = None,
) -> dict[str, Values]:
    """Return the scores of a run's network "without" its refiner and "with" it.

    Args:
        run: The run; its refiner's training has ended.
        part: The images and their truth.
        boundary: Whether to score the boundaries too, which is slower.
        scored: The scores of these images by one of the two, if they are known already.
        by: The bundle that they are of. Both are scored with its settings of prediction, which may
            have been searched since.

    Returns:
        ``mean_iou`` and ``mean_dice``, and where asked for ``boundary_iou`` and ``boundary_f1``.

    Raises:
        BundleError: A bundle is missing or damaged.
    """
    found = {}
    for name, folder in (("without", run.refiner.first), ("with", run.refiner.best)):
        same = by is not None and Bundle.open(folder).card.files == by.card.files
        images = scored if same else score_part(_opened(folder, by), part, boundary=boundary)
        found[name] = _summary(images, boundary=boundary)
    return found


def refinement_of(run: Run) -> Refinement | None:
    """Return what was decided about a run's refiner; None where there is none to compare."""
    there = run.refiner.first.is_dir() and run.refiner.best.is_dir() and run.best.is_dir()
    return Bundle.open(run.best).card.refiner if there else None


def _opened(folder: Path, by: Bundle | None) -> Predictor:
    predictor = Predictor.open(folder, runtime="keras")
    if by is None:
        return predictor
    return replace(predictor, card=predictor.card.model_copy(update={"post": by.card.post}))


def _summary(images: Sequence[Scored], *, boundary: bool) -> Values:
    scores = summarise(np.sum([image.table for image in images], axis=0))
    values: Values = {name: scores[name] for name in (DECIDES, "mean_dice")}
    for name in BOUNDARIES if boundary else ():
        values[name] = mean_of([image.boundary[name] for image in images])
    return values
