"""Scores of instances: how well predicted objects match true ones, one image at a time.

All functions take two label images: (height, width) int32, 0 = no object, any other positive
number one object, which need not be connected nor numbered without gaps. Set pixels whose truth is
ignored to 0 in both first. A score of an image without any object, true or predicted, is None and
is left out of means; an object predicted where none is, or the reverse, scores 0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import DataError, UsageError

Instances = NDArray[np.integer[Any]]
Counts = NDArray[np.int64]

# Quotients of whole numbers, so that an IoU of exactly 0.6 equals the threshold 0.6.
DSB_THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))


@dataclass(frozen=True)
class Overlaps:
    """Areas of all objects of one image, and of those pairs of objects that overlap.

    Attributes:
        truth_areas: (true objects,) int64, pixels.
        prediction_areas: (predicted objects,) int64, pixels.
        truth_index: (pairs,) int64: position of each pair's true object, ascending.
        prediction_index: (pairs,) int64: position of each pair's predicted object.
        shared: (pairs,) int64: pixels that the two have in common, at least 1.
    """

    truth_areas: Counts
    prediction_areas: Counts
    truth_index: Counts
    prediction_index: Counts
    shared: Counts

    @property
    def union(self) -> Counts:
        """Pixels in either object of each pair, (pairs,) int64."""
        areas = self.truth_areas[self.truth_index] + self.prediction_areas[self.prediction_index]
        return areas - self.shared

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each pair, (pairs,) float64 in 0 to 1."""
        return self.shared / self.union


def measure_overlaps(truth: Instances, prediction: Instances) -> Overlaps:
    """Measure the objects of two label images and their overlaps in one pass over the pixels.

    Args:
        truth: (height, width) integers, 0 = no object.
        prediction: The same shape.

    Returns:
        The areas, and the overlapping pairs; memory grows with the pairs, not with their square.

    Raises:
        DataError: If the shapes differ, or the labels are no integers or are negative.

    >>> measure_overlaps(np.array([[7, 7, 0]]), np.array([[0, 3, 3]])).iou
    array([0.33333333])
    """
    _check_labels(truth, prediction)
    truth_ids, truth_areas = np.unique(truth[truth > 0], return_counts=True)
    prediction_ids, prediction_areas = np.unique(prediction[prediction > 0], return_counts=True)
    both = (truth > 0) & (prediction > 0)
    rows = np.searchsorted(truth_ids, truth[both])
    columns = np.searchsorted(prediction_ids, prediction[both])
    width = max(1, len(prediction_ids))
    pairs, shared = np.unique(rows * width + columns, return_counts=True)
    return Overlaps(truth_areas, prediction_areas, pairs // width, pairs % width, shared)


def match_counts(
    truth: Instances, prediction: Instances, thresholds: Sequence[float] = DSB_THRESHOLDS
) -> Counts:
    """Count matched, false and missed objects of one image at each threshold.

    Two objects match if their IoU is greater than the threshold. From 0.5 on, an object can then
    have only one match.

    Args:
        truth: (height, width) integers, 0 = no object.
        prediction: The same shape.
        thresholds: IoU thresholds, at least 0.5 and below 1.

    Returns:
        (thresholds, 3) int64: true positives, false positives, false negatives.

    Raises:
        DataError: If the shapes differ, or the labels are no integers or are negative.
        UsageError: If a threshold is below 0.5, or 1 or more.

    >>> match_counts(np.array([[1, 1, 1, 0]]), np.array([[1, 1, 0, 2]]), [0.5, 0.75])
    array([[1, 1, 0],
           [0, 2, 1]])
    """
    return _match_counts(measure_overlaps(truth, prediction), thresholds)


def ap50(truth: Instances, prediction: Instances) -> float | None:
    """Return TP / (TP + FP + FN) of one image, where objects match at an IoU above 0.5.

    Args:
        truth: (height, width) integers, 0 = no object.
        prediction: The same shape.

    Returns:
        A value in 0 to 1, or None without any object.

    Raises:
        DataError: If the shapes differ, or the labels are no integers or are negative.

    >>> ap50(np.array([[1, 1, 1, 0]]), np.array([[1, 1, 0, 2]]))
    0.5
    """
    return _average_precision(measure_overlaps(truth, prediction), (0.5,))


def dsb_map(truth: Instances, prediction: Instances) -> float | None:
    """Return the score of the 2018 Data Science Bowl of one image.

    The mean over the IoU thresholds 0.50, 0.55, ... 0.95 of TP / (TP + FP + FN), with a match
    where the IoU is greater than the threshold. From Caicedo et al., "Nucleus segmentation across
    imaging experiments: the 2018 Data Science Bowl", Nature Methods 2019.

    Args:
        truth: (height, width) integers, 0 = no object.
        prediction: The same shape.

    Returns:
        A value in 0 to 1, or None without any object; the score of a data set is the mean over
        its images.

    Raises:
        DataError: If the shapes differ, or the labels are no integers or are negative.

    >>> dsb_map(np.array([[1, 1, 1, 1, 0]]), np.array([[1, 1, 1, 0, 0]]))
    0.5
    """
    return _average_precision(measure_overlaps(truth, prediction), DSB_THRESHOLDS)


def pq(truth: Instances, prediction: Instances) -> float | None:
    """Return the panoptic quality of one image with a single class of objects.

    The sum of the IoU of matches (IoU above 0.5) over TP + FP / 2 + FN / 2. From Kirillov et al.,
    "Panoptic Segmentation", CVPR 2019.

    Args:
        truth: (height, width) integers, 0 = no object.
        prediction: The same shape.

    Returns:
        A value in 0 to 1, or None without any object.

    Raises:
        DataError: If the shapes differ, or the labels are no integers or are negative.

    >>> pq(np.array([[1, 1, 1, 1, 0]]), np.array([[1, 1, 1, 0, 2]]))
    0.5
    """
    return _panoptic_quality(measure_overlaps(truth, prediction))


def aji(truth: Instances, prediction: Instances) -> float | None:
    """Return the aggregated Jaccard index of one image.

    Each true object is paired with the prediction of greatest IoU (of equal ones, the lowest
    number; one prediction may serve several true objects). Shared pixels of all pairs are divided
    by the union of all pairs and the areas of objects without a pair. From Kumar et al., "A Dataset
    and a Technique for Generalized Nuclear Segmentation for Computational Pathology", IEEE
    Transactions on Medical Imaging 2017, algorithm 1.

    Args:
        truth: (height, width) integers, 0 = no object.
        prediction: The same shape.

    Returns:
        A value in 0 to 1, or None without any object.

    Raises:
        DataError: If the shapes differ, or the labels are no integers or are negative.

    >>> aji(np.array([[1, 1, 1, 0, 2]]), np.array([[1, 1, 0, 3, 0]]))
    0.4
    """
    return _aggregated_jaccard(measure_overlaps(truth, prediction))


def count_error(truth: Instances, prediction: Instances) -> float:
    """Return by how many objects the predicted number differs from the true one in one image.

    Args:
        truth: (height, width) integers, 0 = no object.
        prediction: The same shape.

    Returns:
        The absolute difference, in objects: 0 or more, and 0 for an image rightly left empty.

    Raises:
        DataError: If the shapes differ, or the labels are no integers or are negative.

    >>> count_error(np.array([[1, 0, 2]]), np.array([[1, 1, 1]]))
    1.0
    """
    return _count_difference(measure_overlaps(truth, prediction))


def instance_scores(truth: Instances, prediction: Instances) -> dict[str, float | None]:
    """Return every instance score of one image, measuring its overlaps only once.

    Args:
        truth: (height, width) integers, 0 = no object.
        prediction: The same shape.

    Returns:
        ``ap50``, ``dsb_map``, ``pq``, ``aji`` and ``count_error``, as the functions of these names.

    Raises:
        DataError: If the shapes differ, or the labels are no integers or are negative.

    >>> instance_scores(np.array([[1, 0]]), np.array([[1, 0]]))["pq"]
    1.0
    """
    overlaps = measure_overlaps(truth, prediction)
    return {name: score(overlaps) for name, score in _SCORES.items()}


def mean_instance_scores(images: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Return the mean of each score over images, leaving out those where it is None.

    Args:
        images: The scores of each image, as from :func:`instance_scores`.

    Returns:
        The same keys; None for a score that no image has.

    >>> mean_instance_scores([{"pq": 0.5}, {"pq": None}, {"pq": 1.0}])["pq"]
    0.75
    """
    rows = list(images)
    known = {name: [row[name] for row in rows if row.get(name) is not None] for name in _SCORES}
    return {
        name: float(np.mean(np.array(values, dtype=np.float64))) if values else None
        for name, values in known.items()
    }


def _check_labels(truth: Instances, prediction: Instances) -> None:
    if truth.shape != prediction.shape:
        raise DataError(
            f"The true instances have the shape {truth.shape}, the predicted {prediction.shape}.",
            hint="Score a prediction at the image's own size.",
        )
    for what, labels in (("true", truth), ("predicted", prediction)):
        if labels.dtype.kind not in "biu" or labels.min(initial=0) < 0:
            raise DataError(
                f"The {what} instances are {labels.dtype} with the least value "
                f"{labels.min(initial=0)}, not numbers of objects.",
                hint="Give int32 label images in which 0 is no object.",
            )


def _match_counts(overlaps: Overlaps, thresholds: Sequence[float]) -> Counts:
    for threshold in thresholds:
        if not 0.5 <= threshold < 1:
            raise UsageError(
                f"The IoU threshold {threshold} is not in 0.5 to below 1.",
                hint="Use thresholds from 0.5 on: below, an object may match twice.",
            )
    iou = overlaps.iou
    matches = np.array([np.count_nonzero(iou > each) for each in thresholds], dtype=np.int64)
    false = len(overlaps.prediction_areas) - matches
    missed = len(overlaps.truth_areas) - matches
    return np.stack([matches, false, missed], axis=1)


def _average_precision(overlaps: Overlaps, thresholds: Sequence[float]) -> float | None:
    counts = _match_counts(overlaps, thresholds)
    if not counts.any():
        return None
    return float((counts[:, 0] / counts.sum(axis=1)).mean())


def _panoptic_quality(overlaps: Overlaps) -> float | None:
    objects = len(overlaps.truth_areas) + len(overlaps.prediction_areas)
    if objects == 0:
        return None
    iou = overlaps.iou
    # TP + FP / 2 + FN / 2 is half of all objects, each match being two of them.
    return float(iou[iou > 0.5].sum() / (objects / 2))


def _aggregated_jaccard(overlaps: Overlaps) -> float | None:
    pixels = overlaps.truth_areas.sum() + overlaps.prediction_areas.sum()
    if pixels == 0:
        return None
    # A stable sort: within a true object the greatest IoU first, of equal ones the lowest number.
    order = np.lexsort((-overlaps.iou, overlaps.truth_index))
    paired, first = np.unique(overlaps.truth_index[order], return_index=True)
    best = order[first]
    alone = np.delete(overlaps.truth_areas, paired).sum()
    unused = np.delete(overlaps.prediction_areas, overlaps.prediction_index[best]).sum()
    return float(overlaps.shared[best].sum() / (overlaps.union[best].sum() + alone + unused))


def _count_difference(overlaps: Overlaps) -> float:
    return float(abs(len(overlaps.truth_areas) - len(overlaps.prediction_areas)))


_SCORES: dict[str, Callable[[Overlaps], float | None]] = {
    "ap50": lambda overlaps: _average_precision(overlaps, (0.5,)),
    "dsb_map": lambda overlaps: _average_precision(overlaps, DSB_THRESHOLDS),
    "pq": _panoptic_quality,
    "aji": _aggregated_jaccard,
    "count_error": _count_difference,
}
