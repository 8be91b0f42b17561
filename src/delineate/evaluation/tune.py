"""Settings of a bundle that are searched on validation images: averaging, thresholds, objects.

One setting after the other is tried, each with the others as they then are, and only what gains
more than chance is kept: a search over all combinations would fit the few validation images and not
the next ones.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle, Card, copy_bundle
from delineate.data.dataset import Dataset
from delineate.data.pipeline import adapt_channels
from delineate.evaluation.objective import (
    Measured,
    Truth,
    gain_of,
    measure,
    objective_of,
    truths_of,
)
from delineate.prediction.averaging import WAYS
from delineate.prediction.predictor import Predictor, finish
from delineate.prediction.separation import connected_parts
from delineate.recipe import Augment, Post

Progress = Callable[[int, int], None]
Outputs = Sequence[np.ndarray]

# Images that are looked at: more cost time and tell little, fewer are all chance.
MOST, FEWEST = 128, 5
# Bytes of what a network says of them, as it is kept.
ROOM = 2**30
# A smaller gain is not worth another setting; of averaging, which costs time in each prediction.
WORTH, WORTH_OF_AVERAGING = 5e-4, 3e-3
# Settings that are tried, at the most.
TRIALS = 60
# Averaging that takes half the time of another.
QUICKER = {"turns": "flips", "flips": "mirror"}
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
        tried: Each trial in order: the setting, its value, the score, and whether it was kept.
    """

    post: Post
    objective: str
    before: float
    after: float
    tried: tuple[dict[str, Any], ...]


def tune(
    run: Path,
    part: Dataset,
    augment: Augment,
    *,
    seconds: float | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Search the settings of a run's best bundle, write the best ones into its card, return them.

    Args:
        run: The folder of the run or bundle.
        part: The validation images; none of them may be used for a claim afterwards.
        augment: How training windows were laid down: what averaging may do, too.
        seconds: The time there is for this search and for one prediction of all images after it;
            averaging that does not fit it is not tried.
        progress: Called with (done, all) after each prediction.

    Raises:
        BundleError: There is no bundle.
    """
    bundle = Bundle.open(run)
    predictor = Predictor.open(run)
    some = some_of(part, predictor.card)
    ways = ways_of(bundle.card.post, augment)
    if seconds is None:
        seconds = math.inf
    outputs = _in_time(predictor, some, ways, seconds, after=len(part), progress=progress)
    found = search(bundle.card, some, outputs)
    if found.post != bundle.card.post:
        copy_bundle(bundle, bundle.folder, bundle.card.model_copy(update={"post": found.post}))
    return found


def search(card: Card, part: Dataset, outputs: Iterable[tuple[str, Outputs]]) -> Tuning:
    """Return the settings that are best for what networks have said of some images.

    The objective is the mean Dice per image of two classes, for more the mean IoU; for data with
    objects its mean with ``dsb_map``. A setting is kept where its gain is larger than ``WORTH`` and
    than its own standard error (by the jackknife over images; Efron and Stein, Annals of Statistics
    1981). On fewer than five images nothing is searched.

    Args:
        card: Of the bundle.
        part: The images and their truth.
        outputs: The kind of averaging, and what the network says of each image, (height, width,
            channels of the model); first that of the settings as they are.

    Example:
        >>> from delineate.bundle import Category, Member
        >>> masks = [np.eye(8, dtype=np.uint8)] * 5
        >>> part = Dataset.from_arrays([mask[..., None] for mask in masks], masks)
        >>> timid = [np.stack([1 - 0.4 * mask, 0.4 * mask], axis=-1) for mask in masks]
        >>> classes = [Category(name=name, colour=(0, 0, 0)) for name in "ab"]
        >>> card = Card(members=(Member(file="m"),), classes=classes, channels=1, dtype="uint8",
        ...     fit="crop", size=(8, 8), stride=1, output="softmax")
        >>> search(card, part, [("none", timid)]).post.threshold
        0.3
    """
    trials = _Trials(card, truths_of(part), objective_of(card, part))
    raw: Outputs = ()
    for way, found in outputs:
        post = card.post.model_copy(update={"averaging": way})
        if trials.take(post, found, "averaging", way, worth=WORTH_OF_AVERAGING):
            raw = found
        if len(part) < FEWEST:
            return trials.result()
    for key, values in _grid(card, trials.truths):
        for value in values:
            tried = trials.best.model_copy(update={key: value})
            if tried != trials.best:
                trials.take(tried, raw, key, value)
    return trials.result()


def some_of(part: Dataset, card: Card, most: int = MOST) -> Dataset:
    """Return the images that are looked at: all, or evenly spread ones of many or of large ones.

    Args:
        part: The images.
        card: Of the bundle, whose channels take room.
        most: Images at the most.
    """
    pixels = np.mean([fact.size[0] * fact.size[1] for fact in part.facts])
    each = 2 * pixels * (card.class_channels + len(card.objects))
    return part.evenly(min(most, max(FEWEST, int(ROOM / each))))


def _in_time(
    predictor: Predictor,
    part: Dataset,
    ways: Sequence[str],
    seconds: float,
    *,
    after: int,
    progress: Progress | None,
) -> Iterator[tuple[str, Outputs]]:
    """Yield what a network says of images in each way, or in a quicker one, while there is time.

    Args:
        predictor: Of the bundle.
        part: The images.
        ways: The kinds of averaging, the quickest first.
        seconds: The time there is.
        after: How many images will be predicted in the best of the ways when all is done.
        progress: As in :func:`tune`.
    """
    begun = time.perf_counter()
    once = trial = 0.0
    for way in ways:
        left = seconds - (time.perf_counter() - begun) - TRIALS / 2 * trial
        fitting: str | None = way
        while once and fitting and once * len(WAYS[fitting]) * (1 + after / len(part)) > left:
            fitting = QUICKER.get(fitting)
        if fitting is None:
            return
        first = time.perf_counter()
        outputs = outputs_of(predictor, part, fitting, progress=progress)
        predicted = time.perf_counter()
        once = (predicted - first) / len(WAYS[fitting])
        yield fitting, outputs
        # Meanwhile it has been tried.
        trial = time.perf_counter() - predicted


def outputs_of(
    predictor: Predictor, part: Dataset, way: str, *, progress: Progress | None = None
) -> list[np.ndarray]:
    """Return what a network says of images, float16, since all of it is kept.

    Args:
        predictor: Of the bundle.
        part: The images.
        way: The kind of averaging.
        progress: Called with (done, all) after each prediction.
    """
    post = predictor.card.post.model_copy(update={"averaging": way})
    settled = Predictor(predictor.card.model_copy(update={"post": post}), predictor.runtimes)
    found = []
    for sample in part:
        image = adapt_channels(sample.image, predictor.card.channels, sample.name)
        found.append(settled.raw(image).astype(np.float16))
        if progress:
            progress(len(found), len(part))
    return found


def ways_of(post: Post, augment: Augment) -> tuple[str, ...]:
    """Return the kinds of averaging to try: that of the settings, none, and as the training did.

    Args:
        post: The settings as they are.
        augment: How training windows were laid down.
    """
    named: Mapping[object, str] = {True: "flips", "left_right": "mirror"}
    also = named.get(augment.flip)
    if augment.quarter_turns and augment.flip is True:
        also = "turns"
    return tuple(dict.fromkeys([post.averaging, "none", *([also] if also else [])]))


class _Trials:
    """Settings tried, and the best of them.

    Args:
        card: The bundle's card.
        truths: The truth of each image.
        objective: The score that counts.
    """

    def __init__(self, card: Card, truths: Sequence[Truth], objective: str) -> None:
        self.card, self.truths, self.objective = card, truths, objective
        self.best = card.post
        self.tried: list[dict[str, Any]] = []
        self._kept: Measured | None = None
        self._before = 0.0

    def take(
        self, post: Post, raw: Outputs, key: str, value: object, *, worth: float = WORTH
    ) -> bool:
        """Measure some settings; return whether they are the best so far, as they then are."""
        card = self.card.model_copy(update={"post": post})
        found = (finish(output.astype(np.float32), card) for output in raw)
        measured = measure(self.truths, found, self.objective, classes=len(card.classes))
        first = self._kept is None
        better = True
        if self._kept is None:
            self._before = measured.value
        else:
            gain, error = gain_of(self._kept, measured)
            better = gain > max(worth, error)
        row = {"setting": key, "value": value, "score": round(measured.value, 5), "kept": better}
        self.tried.append(row)
        if better:
            self.best, self._kept = post, measured
        return better or first

    def result(self) -> Tuning:
        """Return what has been found."""
        after = 0.0 if self._kept is None else self._kept.value
        return Tuning(self.best, self.objective, self._before, after, tuple(self.tried))


def _grid(card: Card, truths: Sequence[Truth]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield each setting and the values to try, in the order in which they are settled."""
    two = len(card.classes) == 2
    if two:
        yield "threshold", THRESHOLDS
    if card.objects:
        ways = (*card.objects, "both") if len(card.objects) == 2 else card.objects
        yield "objects_by", (*ways, "connected")
        yield "seed", SEEDS
        yield "smoothing", SMOOTHINGS
        yield "seed", SEEDS
        yield "smallest_seed", SMALLEST_SEEDS
    areas, single = _parts_of(truths, len(card.classes))
    sizes = sorted({round(share * areas) for share in SHARES})
    yield "largest_hole", sizes
    yield "smallest_object", sizes
    yield "largest_only", [tuple(single[: count + 1]) for count in range(len(single))]
    if two:
        yield "threshold", THRESHOLDS


def _parts_of(truths: Sequence[Truth], classes: int) -> tuple[float, list[int]]:
    """Return the median area of a true object, and the classes that are one part in each image."""
    areas: list[int] = []
    counts: list[list[int]] = [[] for _ in range(classes)]
    for truth in truths:
        parts = truth.instances if truth.instances is not None else connected_parts(truth.known)
        areas += [area for area in np.bincount(parts.ravel())[1:].tolist() if area]
        for number in range(1, classes):
            inside = parts[truth.known == number]
            if inside.size:
                counts[number].append(len(np.unique(inside)))
    single = [number for number, found in enumerate(counts) if found and max(found) == 1]
    return (float(np.median(areas)) if areas else 0.0), single
