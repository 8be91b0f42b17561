"""Settings of a bundle that are searched on validation images: averaging, thresholds, objects.

One setting after the other is tried, each with the others as they then are, and only what gains is
kept: a search over all combinations would fit the few validation images and not the next ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle, Card, copy_bundle
from delineate.data.classes import IGNORE
from delineate.data.dataset import Dataset
from delineate.data.pipeline import adapt_channels
from delineate.data.records import Sample
from delineate.evaluation.tally import mean_of
from delineate.instance_scores import dsb_map
from delineate.prediction.predictor import Prediction, Predictor, finish
from delineate.recipe import Augment, Post
from delineate.scores import confusion_table, image_scores, summarise

Progress = Callable[[int, int], None]

# Images that are looked at, evenly spread: more cost time and tell little.
MOST = 128
# A smaller gain is chance.
WORTH = 5e-4
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
SEEDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SMOOTHINGS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
SMALLEST_SEEDS = (1, 3, 6, 12, 25)
# Shares of the area of a typical true object.
SHARES = (0.0, 0.03, 0.06, 0.12, 0.25)


@dataclass(frozen=True)
class Tuning:
    """What a search has found.

    Attributes:
        post: The settings that are best.
        objective: The score by which they were chosen.
        before: That score with the settings as they were.
        after: With the settings found.
        tried: Each trial in order: the setting, its value and the score.
    """

    post: Post
    objective: str
    before: float
    after: float
    tried: tuple[dict[str, Any], ...]


def tune(run: Path, part: Dataset, augment: Augment, *, progress: Progress | None = None) -> Tuning:
    """Search the settings of a run's best bundle, write the best ones into its card, return them.

    The objective is the mean Dice per image of two classes; for data with objects its mean with
    ``dsb_map``; for more classes the mean IoU.

    Args:
        run: The folder of the run or bundle.
        part: The validation images; none of them may be used for a claim afterwards.
        augment: How training windows were laid down: what averaging may do, too.
        progress: Called with (done, all) after each prediction.

    Raises:
        BundleError: There is no bundle.
    """
    bundle = Bundle.open(run)
    predictor = Predictor.open(run)
    part = some_of(part)
    outputs = outputs_of(predictor, part, ways_of(augment), progress=progress)
    found = search(bundle.card, part, outputs)
    if found.post != bundle.card.post:
        copy_bundle(bundle, bundle.folder, bundle.card.model_copy(update={"post": found.post}))
    return found


def some_of(part: Dataset) -> Dataset:
    """Return the images that are looked at: all, or evenly spread ones of many."""
    chosen = np.unique(np.linspace(0, len(part) - 1, min(MOST, len(part))).round().astype(int))
    return part.subset(chosen.tolist())


def search(card: Card, part: Dataset, outputs: Mapping[str, Sequence[np.ndarray]]) -> Tuning:
    """Return the settings that are best for what networks have said of some images.

    Args:
        card: Of the bundle.
        part: The images and their truth.
        outputs: By the kind of averaging: what the network says of each image, (height, width,
            channels of the model). The first one is that of the settings as they are.
    """
    trials = _Trials(card, part)
    raw: Sequence[np.ndarray] = ()
    for way, found in outputs.items():
        post = card.post.model_copy(update={"averaging": way})
        if trials.take(post, found, "averaging", way):
            raw = found
    for key, values in _grid(card, trials):
        for value in values:
            tried = trials.best.model_copy(update={key: value})
            if tried != trials.best:
                trials.take(tried, raw, key, value)
    return trials.result()


def outputs_of(
    predictor: Predictor,
    part: Dataset,
    ways: Sequence[str],
    *,
    progress: Progress | None = None,
) -> dict[str, list[np.ndarray]]:
    """Return what a network says of images, by the kind of averaging; in halves, since all is kept.

    Args:
        predictor: Of the bundle.
        part: The images.
        ways: The kinds of averaging.
        progress: Called with (done, all) after each prediction.
    """
    found: dict[str, list[np.ndarray]] = {}
    for way in ways:
        post = predictor.card.post.model_copy(update={"averaging": way})
        settled = Predictor(predictor.card.model_copy(update={"post": post}), predictor.runtimes)
        found[way] = []
        for sample in part:
            image = adapt_channels(sample.image, predictor.card.channels, sample.name)
            found[way].append(settled.raw(image).astype(np.float16))
            if progress:
                progress(sum(map(len, found.values())), len(ways) * len(part))
    return found


def ways_of(augment: Augment) -> tuple[str, ...]:
    """Return the kinds of averaging to try: none, and what lays images down as the training did."""
    if augment.quarter_turns and augment.flip is True:
        return ("none", "turns")
    named: Mapping[object, str] = {True: "flips", "left_right": "mirror"}
    return ("none", named[augment.flip]) if augment.flip in named else ("none",)


class _Trials:
    """Settings tried, and the best of them.

    Args:
        card: The bundle's card.
        part: The images and their truth.
    """

    def __init__(self, card: Card, part: Dataset) -> None:
        self.card, self.part = card, part
        self.best = card.post
        self.objective = _objective(card, part)
        self.tried: list[dict[str, Any]] = []
        self.score, self.before = -np.inf, 0.0

    def take(self, post: Post, raw: Sequence[np.ndarray], key: str, value: object) -> bool:
        """Score some settings; return whether they are the best so far, which they then become."""
        score = self._score(post, raw)
        self.tried.append({"setting": key, "value": value, "score": round(score, 5)})
        if len(self.tried) == 1:
            self.before = score
        elif score <= self.score + WORTH:
            return False
        self.best, self.score = post, score
        return True

    def result(self) -> Tuning:
        """Return what has been found."""
        return Tuning(self.best, self.objective, self.before, self.score, tuple(self.tried))

    def _score(self, post: Post, raw: Sequence[np.ndarray]) -> float:
        card = self.card.model_copy(update={"post": post})
        pairs = zip(self.part, raw, strict=True)
        found = ((sample, finish(output.astype(np.float32), card)) for sample, output in pairs)
        return _SCORES[self.objective](found, len(card.classes))


def _grid(card: Card, trials: _Trials) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield each setting and the values to try, in the order in which they are settled."""
    if len(card.classes) == 2:
        yield "threshold", THRESHOLDS
    if card.objects:
        if len(card.objects) == 2:
            yield "objects_by", ("boundary", "distance", "both")
        yield "seed", SEEDS
        yield "smoothing", SMOOTHINGS
        yield "seed", SEEDS
        yield "smallest_seed", SMALLEST_SEEDS
    if len(card.classes) == 2:
        area = _typical_area(trials.part)
        sizes = sorted({round(share * area) for share in SHARES})
        yield "largest_hole", sizes
        yield "smallest_object", sizes
        yield "threshold", THRESHOLDS


def _typical_area(part: Dataset) -> float:
    """Return the median area of an object in pixels, or of the foreground where there are none."""
    areas: list[float] = []
    for sample in part:
        if sample.instances is None:
            areas.append(float((sample.mask == 1).sum()))
        else:
            areas += np.bincount(sample.instances.ravel())[1:].tolist()
    present = [area for area in areas if area]
    return float(np.median(present)) if present else 0.0


def _objective(card: Card, part: Dataset) -> str:
    if len(card.classes) > 2:
        return "mean_iou"
    objects = all(fact.objects is not None for fact in part.facts)
    return "dice_per_image and dsb_map" if objects else "dice_per_image"


Pairs = Iterator[tuple[Sample, Prediction]]


def _mean_iou(pairs: Pairs, classes: int) -> float:
    tables = [confusion_table(sample.mask, found.mask, classes=classes) for sample, found in pairs]
    return summarise(np.sum(tables, axis=0))["mean_iou"] or 0.0


def _dice(pairs: Pairs, classes: int) -> float:
    return mean_of([_dice_of(sample, found, classes) for sample, found in pairs]) or 0.0


def _dice_and_objects(pairs: Pairs, classes: int) -> float:
    rows = []
    for sample, found in pairs:
        ignored = sample.mask == IGNORE
        truth = np.where(ignored, 0, np.zeros(1) if sample.instances is None else sample.instances)
        objects = dsb_map(truth, np.where(ignored, 0, found.instances))
        rows.append((_dice_of(sample, found, classes), objects))
    return (
        (mean_of([row[0] for row in rows]) or 0.0) + (mean_of([row[1] for row in rows]) or 0.0)
    ) / 2


def _dice_of(sample: Sample, found: Prediction, classes: int) -> float | None:
    return image_scores(confusion_table(sample.mask, found.mask, classes=classes))[1]


_SCORES: Mapping[str, Callable[[Pairs, int], float]] = {
    "mean_iou": _mean_iou,
    "dice_per_image": _dice,
    "dice_per_image and dsb_map": _dice_and_objects,
}
