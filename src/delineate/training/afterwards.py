"""How long what comes after the last step will take, so that a budget can leave time for it."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from delineate.data.dataset import Dataset
from delineate.data.pipeline import adapt_channels
from delineate.data.records import Sample
from delineate.evaluation.tally import score_image
from delineate.evaluation.tune import MOST, TRIALS, ways_of
from delineate.prediction.averaging import WAYS
from delineate.prediction.predictor import finish
from delineate.recipe import Recipe
from delineate.training.parts import Parts
from delineate.training.steppers import Stepper

# Seconds for drawings and the page.
DRAWING = 10.0


def seconds_afterwards(parts: Parts, stepper: Stepper, recipe: Recipe) -> float:
    """Return about how many seconds the last validation, the search and the report will take.

    One batch is validated and one image of a middling size is predicted and scored, each twice,
    since the first time compiles.

    Args:
        parts: What is trained with what.
        stepper: What moves the weights.
        recipe: Whether settings are searched, and whether there is a report.
    """
    total = _validating(parts, stepper)
    part = parts.dataset.split(parts.reported)
    predictor, sample = parts.predictor(), _middling(part)
    image = adapt_channels(sample.image, predictor.card.channels, sample.name)
    compiling, running = (_timed(lambda: predictor.raw(image)) for _ in range(2))
    raw = predictor.raw(image).astype(np.float32)
    count = len(predictor.card.classes)
    scoring = _timed(lambda: score_image(sample, finish(raw, predictor.card), classes=count))
    ways = [len(WAYS[way]) for way in ways_of(predictor.card.post, recipe.augment)]
    searched = recipe.post.tune and parts.validation is not None
    if searched:
        looked_at = min(len(part), MOST)
        total += looked_at * (sum(ways) * running + TRIALS * scoring / 2)
    if recipe.evaluation.report:
        total += len(part) * ((max(ways) if searched else 1) * running + scoring) + DRAWING
    sizes = len({fact.size for fact in part.facts})
    return total + sizes * max(0.0, compiling - running)


def _validating(parts: Parts, stepper: Stepper) -> float:
    if parts.validation is None:
        return 0.0
    images, masks = parts.validation.batch(0, 0)
    _, running = (_timed(lambda: stepper.test(images, masks)) for _ in range(2))
    return running * parts.validation.steps


def _middling(part: Dataset) -> Sample:
    """Return the image whose area is nearest to the median."""
    areas = [fact.size[0] * fact.size[1] for fact in part.facts]
    middle = median(areas)
    return part[min(range(len(areas)), key=lambda index: abs(areas[index] - middle))]


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
