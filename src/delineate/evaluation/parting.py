"""Objects that the truth joins and the network holds apart, and the other way round.

The class of every pixel may be right, and two nuclei be one in the truth all the same. How surely
the network contradicts is seen on the line where the two meet. It holds them apart as well as at
its weakest place, the pass: so contours are weighed since Grimaud, "A new measure of contrast: the
dynamics", Image Algebra and Morphological Image Processing 1992, and Najman and Schmitt, "Geodesic
saliency of watershed contours and hierarchical segmentation", IEEE Transactions on Pattern Analysis
and Machine Intelligence 1996.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import expand_labels

from delineate.data.classes import IGNORE
from delineate.evaluation.contradiction import (
    Box,
    Contradiction,
    Dispute,
    Floats,
    Kind,
    Labels,
    Place,
    highest,
    strongest,
    widened,
)
from delineate.instance_scores import Overlaps, measure_overlaps
from delineate.prediction.predictor import Prediction, separation_of
from delineate.prediction.separation import seed_map
from delineate.recipe import Post

Pairs = NDArray[np.int64]

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_UNKNOWN = 0.5  # speaks neither for one object nor for two


def find_partings(found: Contradiction) -> list[Dispute]:
    """Return the objects of one side that are several to the other, a dispute for each.

    Partners are objects of the two sides with an IoU above 0.5. The parts of an object are those of
    the other side that have half of the smaller in common with it; of one that has no partner, all
    that have any. An object with two parts or more is in dispute: it, or one of these, has then no
    partner; so where all have partners there is none.

    A part scores as a region of another class would, each pixel of which is contradicted as surely
    as the line between the part and the others: by 2 p - 1 where the network joins them, by 1 - 2 p
    where it holds them apart. p is the highest value on that line of the map that objects grow
    from, which is high inside of them and low between
    (:func:`~delineate.prediction.separation.seed_map`, as it is made by default). The score of the
    dispute is the highest of all parts but the largest.

    A network that has learnt nothing of objects has nothing to say of objects that touch. Of gaps
    between them it has, by its foreground.

    Args:
        found: What is known of each pixel.

    Returns:
        Disputes of the kinds "joined" and "split", in no order; none where the data has no objects.

    Example:
        >>> from delineate.data.records import Sample
        >>> truth = np.zeros((12, 30), np.uint8)
        >>> truth[:, 2:28] = 1
        >>> sure = np.stack([1 - truth, truth], axis=-1).astype(np.float32)
        >>> halves = np.where(np.arange(30) < 15, 1, 2) * truth
        >>> line = np.where(abs(np.arange(30) - 14.5) < 4, 0.9, 0) * truth
        >>> prediction = Prediction(truth, sure, {"boundary": line}, halves)
        >>> sample = Sample("a", truth[..., None], truth, truth.astype(np.int32))
        >>> (one,) = find_partings(Contradiction.of(sample, prediction))
        >>> one.kind, round(one.score, 2)
        ('joined', 0.8)
    """
    if "joined" not in found.labels:
        return []
    overlaps = measure_overlaps(found.labels["joined"], found.labels["split"])
    inside = _inside(found.prediction)
    true, predicted = _parts_of(overlaps)
    wholes = [*_wholes(found, "joined", true, inside), *_wholes(found, "split", predicted, inside)]
    return [_judged(whole) for whole in wholes]


def _parts_of(overlaps: Overlaps) -> tuple[Pairs, Pairs]:
    """Return the true objects with their parts, and the predicted ones, (2, pairs) numbers each."""
    true, predicted = overlaps.truth_index, overlaps.prediction_index
    smaller = np.minimum(overlaps.truth_areas[true], overlaps.prediction_areas[predicted])
    much, partners = 2 * overlaps.shared >= smaller, overlaps.iou > 0.5
    of_true = much | ~np.isin(true, true[partners])
    of_predicted = much | ~np.isin(predicted, predicted[partners])
    both = np.stack([true, predicted]) + 1
    return both[:, of_true], both[::-1, of_predicted]


@dataclass(frozen=True)
class _Whole:
    """An object that is several to the other side.

    What is of pixels is of those in its box and of what is around it that counts.

    Attributes:
        kind: "joined" if it is a true object, "split" if it is a predicted one.
        number: Its number.
        box: Where it lies.
        parts: Its parts, by their numbers, 0 = none.
        grounds: The same, but each of its pixels is of the nearest part.
        inside: The map that objects grow from, 0 to 1.
        learnt: Whether the network has learnt of objects.
        ignored: Whether any pixel in its box is ignored.
    """

    kind: Kind
    number: int
    box: Box
    parts: Labels
    grounds: Labels
    inside: Floats
    learnt: bool
    ignored: bool


def _wholes(found: Contradiction, kind: Kind, pairs: Pairs, inside: Floats) -> Iterator[_Whole]:
    """Yield the objects of a kind that have several parts."""
    labels, others = found.labels[kind], found.labels["split" if kind == "joined" else "joined"]
    boxes = ndimage.find_objects(labels)
    ignored = found.sample.mask == IGNORE
    for number in np.flatnonzero(np.bincount(pairs[0]) > 1).tolist():
        box = boxes[number - 1]
        near = widened(box)
        whole, other = labels[near] == number, others[near]
        parts = np.where(whole & np.isin(other, pairs[1, pairs[0] == number]), other, 0)
        grounds = np.where(whole, expand_labels(parts, sum(parts.shape)), 0)
        learnt = bool(found.prediction.maps)
        yield _Whole(
            kind, number, box, parts, grounds, inside[near], learnt, bool(ignored[box].any())
        )


def _judged(whole: _Whole) -> Dispute:
    """Return the dispute about an object, by the part that speaks most against its being one."""
    numbers, areas = np.unique(whole.parts[whole.parts > 0], return_counts=True)
    lesser = np.delete(numbers, areas.argmax()).tolist()
    grounds = ndimage.find_objects(whole.grounds)
    score, *places = max(_contradicted(whole, part, widened(grounds[part - 1])) for part in lesser)
    place, inner = (_moved(each, widened(whole.box)) for each in places)
    return Dispute(whole.kind, whole.number, whole.box, score, place, inner)


def _contradicted(whole: _Whole, part: int, near: Box) -> tuple[float, Place, Place]:
    """Return how surely a part is contradicted, where on its line most, and a pixel in it."""
    own = whole.parts[near] == part
    weight, inner = strongest(own.astype(np.float32), own)
    value, place = _pass(whole, part, near) or (_UNKNOWN, inner)
    margin = 2 * value - 1 if whole.kind == "split" else 1 - 2 * value
    return max(margin, 0.0) * weight, _moved(place, near), _moved(inner, near)


def _pass(whole: _Whole, part: int, near: Box) -> tuple[float, Place] | None:
    """Return the highest value on the line between a part and the others, and where it is.

    None where nothing can be known of it.
    """
    if not whole.learnt and _line(whole.parts[near], part).any():
        return None
    grounds, inside = whole.grounds[near], whole.inside[near]
    line = _line(grounds, part)
    if not line.any():
        # Nothing joins what lies in several places, unless it is what is ignored.
        return None if whole.ignored else (0.0, highest(grounds == part))
    beyond = cv2.dilate(np.where(grounds == part, 0, inside * (grounds > 0)), _CROSS)
    values = np.where(line, np.minimum(inside, beyond), -1)
    place = highest(values)
    return float(values[place]), place


def _line(labels: Labels, part: int) -> NDArray[np.bool_]:
    """Return the pixels of a part that touch another one by a side."""
    others = ((labels > 0) & (labels != part)).astype(np.uint8)
    return np.asarray((labels == part) & (cv2.dilate(others, _CROSS) > 0))


def _moved(place: Place, box: Box) -> Place:
    """Return a place in a box as one of what the box was cut from."""
    return place[0] + box[0].start, place[1] + box[1].start


def _inside(prediction: Prediction) -> Floats:
    """Return the map that objects grow from; without one, where there is foreground."""
    foreground: Floats = 1 - prediction.probabilities[..., 0]
    if not prediction.maps:
        return foreground
    settings = separation_of(Post(), tuple(prediction.maps))
    return np.asarray(seed_map(foreground, prediction.maps, settings).clip(0, 1), np.float32)
