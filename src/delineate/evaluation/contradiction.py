"""Where a prediction contradicts the truth of an image, and how surely, pixel by pixel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import label
from skimage.segmentation import relabel_sequential

from delineate.data.classes import IGNORE
from delineate.data.records import Sample
from delineate.prediction.predictor import Prediction

RADIUS = 2.0  # standard deviation, in pixels, of the surroundings that count
REACH = 8  # pixels beyond which they count for nothing

Kind = Literal["class", "joined", "split"]
Box = tuple[slice, slice]
Place = tuple[int, int]
Floats = NDArray[np.float32]
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Dispute:
    """Something about which network and truth disagree.

    Attributes:
        kind: "class": a region has another class to the network; "joined": the truth joins what the
            network holds apart; "split": the truth holds apart what the network joins.
        number: Of the region, the true object or the predicted object, by kind.
        box: The rows and columns that it lies in.
        score: How surely the network contradicts the truth, 0 to 1.
        place: (row, column) of the pixel where the contradiction is greatest.
        inner: (row, column) of a pixel of the objects in dispute, which ``place`` may lie between.
    """

    kind: Kind
    number: int
    box: Box
    score: float
    place: Place
    inner: Place


@dataclass(frozen=True)
class Contradiction:
    """What is known of each pixel of an image, made once for all that is asked of it.

    Attributes:
        sample: The image and its truth.
        prediction: The prediction.
        true: (height, width) probability of the true class; where it is ignored, of class 0.
        predicted: (height, width) probability of the predicted class.
        against: (height, width) float32: how surely each pixel is contradicted, 0 to 1.
        around: (height, width) float32: the same of its surroundings.
        labels: What each kind of dispute is about, (height, width) integers, 0 = none: "class":
            the regions, as from :func:`regions_of`. Where the data has objects, "joined": the true
            ones, and "split": the predicted ones; numbered from 1 without gaps, and without what
            is ignored.
    """

    sample: Sample
    prediction: Prediction
    true: Floats
    predicted: Floats
    against: Floats
    around: Floats
    labels: Mapping[Kind, Labels]

    @classmethod
    def of(cls, sample: Sample, prediction: Prediction) -> "Contradiction":
        """Return what a prediction says against the truth.

        Args:
            sample: The image and its truth. What is ignored is not contradicted.
            prediction: Of the same size.
        """
        known = np.where(sample.mask == IGNORE, 0, sample.mask)
        true = _probability(prediction.probabilities, known)
        predicted = _probability(prediction.probabilities, prediction.mask)
        regions = regions_of(sample, prediction)
        # A threshold, or what is done to a mask afterwards, may choose what is less probable.
        against = np.where(regions > 0, predicted - true, 0).clip(0).astype(np.float32)
        labels: dict[Kind, Labels] = {"class": regions}
        if sample.instances is not None:
            labels["joined"] = _counted(sample.instances, sample.mask)
            labels["split"] = _counted(prediction.instances, sample.mask)
        around = surroundings(against)
        return cls(sample, prediction, true, predicted, against, around, labels)


def regions_of(sample: Sample, prediction: Prediction) -> NDArray[np.int64]:
    """Return the regions in which prediction and truth disagree: numbers from 1 on, 0 = none.

    A region is connected, also by corners, and has one true and one predicted class. Where the data
    has objects, a region is in one true and in one predicted object at most.

    Args:
        sample: The image and its truth; what is ignored is in no region.
        prediction: Of the same size.

    Returns:
        (height, width) int64.
    """
    wrong = (sample.mask != prediction.mask) & (sample.mask != IGNORE)
    parts = [sample.mask, prediction.mask]
    if sample.instances is not None:
        parts += [sample.instances, prediction.instances]
    together = np.zeros(sample.mask.shape, np.int64)
    for part in parts:
        together = together * (int(part.max(initial=0)) + 1) + part
    found: NDArray[np.int64] = label(np.where(wrong, together + 1, 0), connectivity=2)
    return found.astype(np.int64)


def surroundings(against: Floats) -> Floats:
    """Return the mean around each pixel, weighted by a Gaussian; beyond the border it goes on."""
    return np.asarray(cv2.GaussianBlur(against, (0, 0), RADIUS), np.float32)


def strongest(against: Floats, inside: NDArray[np.bool_]) -> tuple[float, Place]:
    """Return the highest mean around a pixel of a region, and the (row, column) of that pixel.

    Args:
        against: (height, width) float32, 0 to 1; it counts in the region only.
        inside: (height, width): the region.
    """
    around = surroundings(np.where(inside, against, np.float32(0)))
    place = highest(np.where(inside, around, -1))
    return float(around[place]), place


def highest(values: NDArray[Any]) -> Place:
    """Return the (row, column) of the highest value, of equal ones of the first."""
    row, column = np.unravel_index(values.argmax(), values.shape)
    return int(row), int(column)


def widened(box: Box) -> Box:
    """Return a box with all around it that counts, as far as an image may go."""
    rows, columns = (slice(max(side.start - REACH, 0), side.stop + REACH) for side in box)
    return rows, columns


def _probability(probabilities: np.ndarray, ids: np.ndarray) -> Floats:
    chosen = np.take_along_axis(probabilities, ids[..., np.newaxis].astype(np.intp), axis=-1)
    return chosen[..., 0]


def _counted(instances: np.ndarray, mask: np.ndarray) -> Labels:
    """Return objects numbered from 1 without gaps, and without what is ignored."""
    numbered = relabel_sequential(np.where(mask == IGNORE, 0, instances))[0]
    return np.asarray(numbered, np.int32)
