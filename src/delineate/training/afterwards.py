"""How long what comes after the last step will take, so that a budget can leave time for it."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from delineate.data.dataset import Dataset
from delineate.data.pipeline import adapt_channels
from delineate.evaluation.tally import score_image
from delineate.evaluation.tune import MOST, ways_of
from delineate.prediction.averaging import WAYS
from delineate.prediction.predictor import Predictor, finish
from delineate.recipe import Recipe

# Settings that a search tries, at the most, and seconds for drawings and the page.
TRIALS = 50
DRAWING = 10.0


def seconds_afterwards(predictor: Predictor, part: Dataset, recipe: Recipe) -> float:
    """Return about how many seconds search and report take for the validation images.

    One image of a middling size is predicted and scored, twice, since the first time compiles.

    Args:
        predictor: Of the present weights.
        part: The validation images.
        recipe: Whether settings are searched, and whether there is a report.
    """
    facts = part.facts
    middle = median([fact.size[0] * fact.size[1] for fact in facts])
    nearest = min(facts, key=lambda fact: abs(fact.size[0] * fact.size[1] - middle))
    sample = part[facts.index(nearest)]
    image = adapt_channels(sample.image, predictor.card.channels, sample.name)
    compiling = _timed(lambda: predictor.raw(image))
    running = _timed(lambda: predictor.raw(image))
    raw = predictor.raw(image).astype(np.float32)
    count = len(predictor.card.classes)
    deciding = _timed(lambda: finish(raw, predictor.card).instances)
    scoring = _timed(lambda: score_image(sample, finish(raw, predictor.card), classes=count))
    sizes = len({fact.size for fact in facts})
    ways = [len(WAYS[way]) for way in ways_of(recipe.augment)]
    total = sizes * max(0.0, compiling - running)
    if recipe.post.tune:
        looked_at = min(len(part), MOST)
        total += looked_at * (sum(ways) * running + TRIALS * (deciding + scoring) / 2)
    if recipe.evaluation.report:
        total += len(part) * ((max(ways) if recipe.post.tune else 1) * running + scoring) + DRAWING
    return total


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
