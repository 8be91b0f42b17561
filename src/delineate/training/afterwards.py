"""How long what comes after the last step will take, so that a budget can leave time for it."""

import math
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from delineate.data.dataset import Dataset
from delineate.data.pipeline import adapt_channels
from delineate.data.records import Facts, Sample
from delineate.evaluation.said import cost_of
from delineate.evaluation.tally import score_image
from delineate.evaluation.tune import some_of, trials_of, wishes_of
from delineate.prediction.predictor import Predictor, finish
from delineate.recipe import Augment, Post, Recipe
from delineate.training.parts import Parts
from delineate.training.steppers import Stepper

# Seconds for drawings and the page.
DRAWING = 10.0
# Share of a budget that the search may take beyond what has to be done in any case.
SHARE = 0.1


def seconds_afterwards(
    parts: Parts, stepper: Stepper, recipe: Recipe, *, budget: float = math.inf
) -> float:
    """Return about how many seconds the last validation, the search and the report will take.

    One batch is validated and one image of a middling size is predicted and scored, each twice,
    since the first time compiles.

    Args:
        parts: What is trained with what.
        stepper: What moves the weights.
        recipe: Whether settings are searched, and whether there is a report.
        budget: Seconds of the whole training, of which the search gets a share at the most.
    """
    part, predictor = parts.dataset.split(parts.reported), parts.predictor()
    searched = some_of(part, predictor.card) if recipe.post.tune and parts.validation else None
    found = seconds_of_search_and_report(
        predictor,
        reported=part if recipe.evaluation.report else None,
        searched=searched,
        augment=recipe.augment,
        budget=budget,
    )
    return found + _validating(parts, stepper)


def seconds_of_report(predictor: Predictor, part: Dataset) -> float:
    """Return about how many seconds a report takes beside the predictions: scores and drawings.

    Args:
        predictor: Of the bundle.
        part: The images.
    """
    sample = _middling(part)
    return _images_of(part, sample) * _scoring(predictor, sample) + DRAWING


def seconds_of_search_and_report(
    predictor: Predictor,
    *,
    reported: Dataset | None,
    searched: Dataset | None,
    augment: Augment,
    budget: float,
    members: int = 1,
) -> float:
    """Return about how many seconds the search and the report will take.

    Args:
        predictor: Of the bundle; of folds that of one, which stands for all.
        reported: The images of the report, which all networks predict; None: there is none.
        searched: The images of the search, each predicted by one network; None: there is none.
        augment: How training windows were laid down.
        budget: Seconds of the whole training, of which the search gets a share at the most.
        members: How many networks there are.
    """
    whole = reported or searched
    if whole is None:
        return 0.0
    sample = _middling(whole)
    image = adapt_channels(sample.image, predictor.card.channels, sample.name)
    compiling, running = (_timed(lambda: predictor.raw(image)) for _ in range(2))
    scoring = _scoring(predictor, sample)
    sizes = {fact.size for part in (reported, searched) if part for fact in part.facts}
    needed = members * len(sizes) * max(0.0, compiling - running)
    if reported:
        needed += _images_of(reported, sample) * (members * running + scoring) + DRAWING
    if not searched:
        return needed
    costs = _costs(predictor.card.post, augment)
    # A trial does not take all scores: about half of them.
    trying = trials_of(predictor.card, searched) * scoring / 2
    trials = _images_of(searched, sample) * (sum(costs) * running + trying)
    if reported:
        trials += _images_of(reported, sample) * (max(costs) - 1) * members * running
    return needed + min(trials, SHARE * budget)


def _scoring(predictor: Predictor, sample: Sample) -> float:
    """Return how many seconds it takes to decide and score an image that is predicted."""
    image = adapt_channels(sample.image, predictor.card.channels, sample.name)
    raw = predictor.raw(image).astype(np.float32)
    count = len(predictor.card.classes)
    return _timed(lambda: score_image(sample, finish(raw, predictor.card), classes=count))


def _images_of(part: Dataset, sample: Sample) -> float:
    """Return how many images of the size of a sample make as many pixels."""
    return sum(map(_area, part.facts)) / (sample.size[0] * sample.size[1])


def _costs(post: Post, augment: Augment) -> list[float]:
    """Return what predictions cost with each kind of averaging that will be tried."""
    costs = [cost_of(post)]
    for key, value in wishes_of(post, augment):
        post = post.model_copy(update={key: value})
        costs.append(cost_of(post))
    return costs


def _validating(parts: Parts, stepper: Stepper) -> float:
    if parts.validation is None:
        return 0.0
    images, masks = parts.validation.batch(0, 0)
    _, running = (_timed(lambda: stepper.test(images, masks)) for _ in range(2))
    return running * parts.validation.steps


def _middling(part: Dataset) -> Sample:
    """Return the image whose area is nearest to the median."""
    areas = [_area(fact) for fact in part.facts]
    middle = median(areas)
    return part[min(range(len(areas)), key=lambda index: abs(areas[index] - middle))]


def _area(fact: Facts) -> int:
    return fact.size[0] * fact.size[1]


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
