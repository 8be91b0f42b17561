"""Settings of a bundle that are searched on validation images: averaging, thresholds, objects.

One setting after the other is tried, each with the others as they then are, and only what gains
more than chance is kept: a search over all combinations would fit the few validation images and not
the next ones.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle, Card, copy_bundle
from delineate.data.dataset import Dataset
from delineate.evaluation.objective import (
    Measured,
    Truth,
    gain_of,
    measure,
    objective_of,
    truths_of,
)
from delineate.evaluation.said import Outputs, Progress, Said
from delineate.prediction.predictor import Predictor, finish
from delineate.prediction.separation import connected_parts
from delineate.recipe import Augment, Post

Predict = Callable[[Post], Outputs | None]
# The key of a setting, and a value to try.
Wish = tuple[str, Any]

# Images that are looked at: more cost time and tell little, fewer are all chance.
MOST, FEWEST = 128, 5
# Bytes of what a network says of them, as it is kept.
ROOM = 2**30
# A smaller gain is not worth another setting; of averaging, which costs time in each prediction.
WORTH, WORTH_OF_AVERAGING = 5e-4, 3e-3
LARGEST = "largest_only"
# Averaging that takes half the time of another.
QUICKER = {"turns": "flips", "flips": "mirror"}
# Factors of the image's size that are averaged, where that gains.
SCALES = (0.75, 1.25)
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
    """Return the settings that are best for a run's best bundle; :func:`settle` puts them there.

    Args:
        run: The folder of the run or bundle.
        part: The validation images; none of them may be used for a claim afterwards.
        augment: How training windows were laid down: what averaging may do, too.
        seconds: The time there is for this search and for one prediction of all images after it;
            averaging that does not fit it is not tried, and the search ends where it is over.
        progress: Called with (done, all) after each prediction.

    Raises:
        BundleError: There is no bundle.
    """
    bundle = Bundle.open(run)
    predictor = Predictor.open(run, runtime="keras")
    some = some_of(part, predictor.card)
    said = Said(
        [(predictor, some)],
        seconds=math.inf if seconds is None else seconds,
        again=len(part) / len(some),
        between=trials_of(predictor.card, some) // 2,
        progress=progress,
    )
    wishes = wishes_of(bundle.card.post, augment)
    return search(bundle.card, some, said, wishes, is_over=said.is_over)


def settle(run: Path, *, post: Post | None = None, tile: int | None = None) -> None:
    """Write settings into the card of a run's best bundle.

    Args:
        run: The folder of the run or bundle.
        post: What :func:`tune` has found; unset: as it is.
        tile: The side of tiles in pixels; unset: as it is.

    Raises:
        BundleError: There is no bundle.
        OSError: It cannot be written; what stood there before is untouched.
    """
    bundle = Bundle.open(run)
    said = {"post": post, "tile": tile}
    update = {key: value for key, value in said.items() if value is not None}
    card = bundle.card.model_copy(update=update)
    if card != bundle.card:
        copy_bundle(bundle, bundle.folder, card)


def search(
    card: Card,
    part: Dataset,
    predict: Predict,
    wishes: Sequence[Wish] = (),
    *,
    is_over: Callable[[Post], bool] = lambda best: False,
) -> Tuning:
    """Return the settings that are best for what networks have said of some images.

    The objective is the mean Dice per image of two classes, for more the mean IoU; for data with
    objects its mean with ``dsb_map``. A setting is kept where its gain is larger than ``WORTH`` and
    than its own standard error (by the jackknife over images; Efron and Stein, Annals of Statistics
    1981). On fewer than five images nothing is searched.

    Args:
        card: Of the bundle.
        part: The images and their truth.
        predict: Returns what networks say of each image, (height, width, channels of the model),
            with the averaging of some settings; None where there is no time for that.
        wishes: Settings of averaging that are tried, each with its value.
        is_over: Returns whether there is no time for another trial, the best settings being these.

    Example:
        >>> from delineate.bundle import Category, Member
        >>> masks = [np.eye(8, dtype=np.uint8)] * 5
        >>> part = Dataset.from_arrays([mask[..., None] for mask in masks], masks)
        >>> timid = [np.stack([1 - 0.4 * mask, 0.4 * mask], axis=-1) for mask in masks]
        >>> classes = [Category(name=name, colour=(0, 0, 0)) for name in "ab"]
        >>> card = Card(members=(Member(file="m"),), classes=classes, channels=1, dtype="uint8",
        ...     fit="crop", size=(8, 8), stride=1, output="softmax")
        >>> search(card, part, lambda post: timid).post.threshold
        0.3
    """
    trials = _Trials(card, truths_of(part), objective_of(card, part))
    raw = predict(card.post) or ()
    trials.take(card.post, raw, "averaging", card.post.averaging)
    if len(part) < FEWEST:
        return trials.result()
    for wish in wishes:
        found = _take_averaging(trials, predict, wish)
        raw = raw if found is None else found
    for key, value in _grid(card, trials.truths):
        if is_over(trials.best):
            break
        tried = _changed(trials.best, key, value)
        if tried != trials.best:
            trials.take(tried, raw, key, getattr(tried, key))
    return trials.result()


def _changed(post: Post, key: str, value: Any) -> Post:
    """Return settings with one changed; ids of classes are joined by one more."""
    if key == LARGEST:
        value = (*dict.fromkeys([*post.largest_only, value]),)
    return post.model_copy(update={key: value})


def _take_averaging(trials: "_Trials", predict: Predict, wish: Wish) -> Outputs | None:
    """Try some averaging, or a quicker one where there is no time for it; return what is kept."""
    key, value = wish
    while getattr(trials.best, key) != value:
        tried = trials.best.model_copy(update={key: value})
        found = predict(tried)
        if found is not None:
            kept = trials.take(tried, found, key, value, worth=WORTH_OF_AVERAGING)
            return found if kept else None
        if value not in QUICKER:
            return None
        value = QUICKER[value]
    return None


def some_of(part: Dataset, card: Card, *, share: float = 1.0) -> Dataset:
    """Return the images that are looked at: all, or evenly spread ones of many or of large ones.

    Args:
        part: The images.
        card: Of the bundle, whose channels take room.
        share: Of the room and of the number of images that all of the search has.
    """
    pixels = float(np.mean([fact.size[0] * fact.size[1] for fact in part.facts]))
    each = 2 * pixels * (card.class_channels + len(card.objects))
    return part.evenly(max(1, int(share * min(MOST, max(FEWEST, ROOM / each)))))


def wishes_of(post: Post, augment: Augment) -> tuple[Wish, ...]:
    """Return the averaging to try: none, as the training laid windows down, and of other sizes.

    Args:
        post: The settings as they are.
        augment: How training windows were laid down, and whether they were enlarged.
    """
    named: Mapping[object, str] = {True: "flips", "left_right": "mirror"}
    also = named.get(augment.flip)
    if augment.quarter_turns and augment.flip is True:
        also = "turns"
    ways = dict.fromkeys(["none", *([also] if also else [])])
    wishes: list[Wish] = [("averaging", way) for way in ways if way != post.averaging]
    if augment.scale and not post.scales:
        wishes.append(("scales", SCALES))
    return tuple(wishes)


def trials_of(card: Card, part: Dataset) -> int:
    """Return how many settings are tried, beside averaging: what time is planned for.

    Args:
        card: Of the bundle.
        part: The images that are looked at.
    """
    if len(part) < FEWEST:
        return 0
    grid = _grid(card, truths_of(part))
    return sum(_changed(card.post, key, value) != card.post for key, value in grid)


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
        return better

    def result(self) -> Tuning:
        """Return what has been found."""
        after = 0.0 if self._kept is None else self._kept.value
        return Tuning(self.best, self.objective, self._before, after, tuple(self.tried))


def _grid(card: Card, truths: Sequence[Truth]) -> Iterator[Wish]:
    """Yield each setting with each value to try, in the order in which they are settled."""
    for key, values in _values(card, truths):
        yield from ((key, value) for value in values)


def _values(card: Card, truths: Sequence[Truth]) -> Iterator[tuple[str, Sequence[Any]]]:
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
    yield LARGEST, single
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
