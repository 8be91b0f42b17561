"""Scores of semantic masks: from a confusion table to IoU, Dice, boundary scores and intervals.

Everything is counted in pixels at an image's own size, and a pixel whose truth is ignored never
counts. A score that is undefined, because there is nothing to score, is None and never NaN.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import DataError

Ids = NDArray[np.integer[Any]]
Table = NDArray[np.int64]

# What lies outside the image, or is ignored, has this label: it belongs to no class.
_OUTSIDE = -1

# Softmax in half precision may end this much above 1.
_ROUNDING = 1e-3


def confusion_table(truth: Ids, prediction: Ids, *, classes: int, ignore: int = 255) -> Table:
    """Count how often each true class was predicted as each class.

    The tables of many images add up to the table of the data set.

    Args:
        truth: (height, width), unsigned or signed integers: class ids, or ``ignore``.
        prediction: The same shape: class ids. Where the truth is ignored any value is allowed.
        classes: The number of classes, background included.
        ignore: The value in ``truth`` that never counts; not itself a class id.

    Returns:
        (classes, classes) int64, in pixels: a row for each true class, a column for each predicted.

    Raises:
        DataError: If the shapes differ, or a value that counts is no class id.

    >>> confusion_table(np.array([[0, 1, 255]]), np.array([[1, 1, 0]]), classes=2)
    array([[0, 1],
           [0, 1]])
    """
    counted = _counted(truth, prediction, classes=classes, ignore=ignore)
    return _pair_table(truth[counted], prediction[counted], classes)


def summarise(table: Table) -> dict[str, float | None]:
    """Return the scores of a confusion table as plain numbers.

    Means are over the classes present in truth or prediction: a class that is in neither says
    nothing, a class that was only predicted scores 0.

    Args:
        table: (classes, classes) integers, as from :func:`confusion_table`.

    Returns:
        ``mean_iou`` and ``mean_dice`` with the background (class 0), ``foreground_iou`` and
        ``foreground_dice`` without it, and ``accuracy``, the share of pixels that are right. All
        are in 0 to 1, or None where no class or no pixel is present.

    Raises:
        DataError: If the table is not square.

    >>> summarise(np.array([[6, 2], [0, 2]]))["mean_iou"]
    0.625
    """
    iou, dice = _overlap(table)
    pixels = int(table.sum())
    return {
        "mean_iou": _mean(iou),
        "mean_dice": _mean(dice),
        "foreground_iou": _mean(iou[1:]),
        "foreground_dice": _mean(dice[1:]),
        "accuracy": int(np.trace(table)) / pixels if pixels else None,
    }


def class_scores(table: Table, names: Sequence[str]) -> list[dict[str, str | float | int | None]]:
    """Return name, IoU, Dice and number of true pixels of every class.

    Args:
        table: (classes, classes) integers, as from :func:`confusion_table`.
        names: The names of the classes in the order of their ids.

    Returns:
        One dict per class with ``name``, ``iou``, ``dice`` (None for a class that is neither in
        truth nor in prediction) and ``pixels`` (of the truth).

    Raises:
        DataError: If the table is not square, or there is not one name for each class.

    >>> class_scores(np.array([[6, 2], [0, 2]]), ["background", "cell"])[1]
    {'name': 'cell', 'iou': 0.5, 'dice': 0.6666666666666666, 'pixels': 2}
    """
    iou, dice = _overlap(table)
    if len(names) != len(iou):
        raise DataError(
            f"There are {len(names)} class names for a table of {len(iou)} classes.",
            hint="Give one name for each class, background included.",
        )
    pixels = table.sum(axis=1)
    return [
        {"name": name, "iou": _number(i), "dice": _number(d), "pixels": int(count)}
        for name, i, d, count in zip(names, iou, dice, pixels, strict=True)
    ]


def image_scores(table: Table) -> tuple[float | None, float | None]:
    """Return the IoU and the Dice of the foreground of one image from its own table.

    With several foreground classes it is the mean over those present in this image's truth or
    prediction. An image with neither has no score; a false positive on an empty image scores 0.

    Args:
        table: (classes, classes) integers: the confusion table of one image.

    Returns:
        IoU and Dice in 0 to 1, or (None, None) without any foreground.

    Raises:
        DataError: If the table is not square.

    >>> image_scores(np.array([[9, 1], [0, 0]])), image_scores(np.array([[9, 0], [0, 0]]))
    ((0.0, 0.0), (None, None))
    """
    iou, dice = _overlap(table)
    return _mean(iou[1:]), _mean(dice[1:])


def boundary_iou(
    truth: Ids, prediction: Ids, *, classes: int, ignore: int = 255, dilation: float = 0.02
) -> float | None:
    """Return the Boundary IoU of one image, the mean over its foreground classes.

    The IoU of only those pixels of a class that lie near its own contour: the mask less its
    erosion by ``round(dilation * diagonal)``, at least 1, steps of a 3x3 square. What lies outside
    the image, and what is ignored, counts as outside the mask, in truth and prediction alike.

    From Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation",
    CVPR 2021.

    Args:
        truth: (height, width) integers: class ids, or ``ignore``.
        prediction: The same shape: class ids.
        classes: The number of classes, background included.
        ignore: The value in ``truth`` that never counts.
        dilation: Width of the band as a share of the image's diagonal.

    Returns:
        A value in 0 to 1, or None if no foreground class is in truth or prediction.

    Raises:
        DataError: If the shapes differ, or a value that counts is no class id.

    >>> cell = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    >>> boundary_iou(cell, cell, classes=2)
    1.0
    """
    labels = _labels(truth, prediction, classes=classes, ignore=ignore)
    width = max(1, round(dilation * math.hypot(*truth.shape)))
    true, predicted = (np.where(_band(each, width), each, classes) for each in labels)
    # Pixels of no band go to one more class, which is then left out.
    counted = labels[0] != _OUTSIDE
    table = _pair_table(true[counted], predicted[counted], classes + 1)
    iou, _ = _overlap(table)
    return _mean(iou[1:classes])


def boundary_f1(
    truth: Ids, prediction: Ids, *, classes: int, ignore: int = 255, tolerance: float = 2
) -> float | None:
    """Return the boundary F1 of one image, the mean over its foreground classes.

    Precision is the share of a class's predicted contour pixels that have a true contour pixel of
    the same class within ``tolerance``; recall the reverse; F1 their harmonic mean. Contour pixels
    are those of a mask with a pixel outside it among their eight neighbours. What lies outside the
    image, and what is ignored, counts as outside the mask.

    From Csurka et al., "What is a good evaluation measure for semantic segmentation?", BMVC 2013.

    Args:
        truth: (height, width) integers: class ids, or ``ignore``.
        prediction: The same shape: class ids.
        classes: The number of classes, background included.
        ignore: The value in ``truth`` that never counts.
        tolerance: The greatest distance of a match, in pixels, Euclidean.

    Returns:
        A value in 0 to 1, or None if no foreground class is in truth or prediction.

    Raises:
        DataError: If the shapes differ, or a value that counts is no class id.

    >>> left, right = np.eye(9, dtype=int)[[3] * 9], np.eye(9, dtype=int)[[5] * 9]
    >>> boundary_f1(left, right, classes=2), boundary_f1(left, right, classes=2, tolerance=1)
    (1.0, 0.0)
    """
    labels = _labels(truth, prediction, classes=classes, ignore=ignore)
    true, predicted = (np.where(_contour(each), each, _OUTSIDE) for each in labels)
    found, truths = _near(true, predicted, classes=classes, tolerance=tolerance)
    right, predictions = _near(predicted, true, classes=classes, tolerance=tolerance)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = right / predictions, found / truths
        score = 2 * precision * recall / (precision + recall)
    # A class in only one of the two, or without any match, is present and wholly wrong.
    score = np.where((found == 0) & (truths + predictions > 0), 0.0, score)
    return _mean(score[1:])


def calibration_histogram(
    probabilities: NDArray[np.floating[Any]], truth: Ids, bins: int = 15, ignore: int = 255
) -> NDArray[np.float64]:
    """Sort pixels by the confidence of the winning class and sum what each bin holds.

    The histograms of many images add up; :func:`calibration_error` reads the sum.

    Args:
        probabilities: (height, width, classes) floats in 0 to 1.
        truth: (height, width) integers: class ids, or ``ignore``.
        bins: The number of equally wide bins over 0 to 1, each closed on its right.
        ignore: The value in ``truth`` that never counts.

    Returns:
        (bins, 3) float64: pixels, sum of their confidences, number of right ones.

    Raises:
        DataError: If the shapes do not fit, a true value is no class id, or a probability is
            outside 0 to 1.

    >>> calibration_histogram(np.array([[[0.2, 0.8]]]), np.array([[1]]), bins=2)
    array([[0. , 0. , 0. ],
           [1. , 0.8, 1. ]])
    """
    winner = probabilities.argmax(axis=-1)
    classes = probabilities.shape[-1]
    counted = _counted(truth, winner, classes=classes, ignore=ignore)
    confidence = probabilities.max(axis=-1)[counted].astype(np.float64)
    _check_probabilities(confidence)
    correct = winner[counted] == truth[counted]
    inner_edges = np.linspace(0, 1, bins + 1)[1:-1]
    index = np.searchsorted(inner_edges, confidence, side="left")
    weights = (None, confidence, correct)
    return np.stack([np.bincount(index, each, bins) for each in weights], axis=1).astype(np.float64)


def calibration_error(histogram: NDArray[np.float64]) -> float | None:
    """Return the expected calibration error of the winning class.

    The gap between confidence and share of right pixels, averaged over bins by their pixels.
    From Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        histogram: (bins, 3) float64, as from :func:`calibration_histogram`, or a sum of such.

    Returns:
        A value in 0 (calibrated) to 1, or None if no pixel was counted.

    >>> calibration_error(np.array([[0.0, 0.0, 0.0], [10.0, 9.0, 7.0]]))
    0.2
    """
    pixels, confidence, correct = histogram.T
    total = pixels.sum()
    return float(np.abs(confidence - correct).sum() / total) if total else None


def _counted(truth: Ids, prediction: Ids, *, classes: int, ignore: int) -> NDArray[np.bool_]:
    """Return where the truth is not ignored, having checked all values there."""
    if truth.shape != prediction.shape:
        raise DataError(
            f"The truth has the shape {truth.shape}, but the prediction {prediction.shape}.",
            hint="Score a prediction at the image's own size.",
        )
    if 0 <= ignore < classes:
        raise DataError(
            f"The ignore value {ignore} is one of the {classes} class ids.",
            hint="Choose a value that is no class id; masks of 16 bits use 65535.",
        )
    counted: NDArray[np.bool_] = truth != ignore
    _check_ids(truth[counted], classes, "truth")
    _check_ids(prediction[counted], classes, "prediction")
    return counted


def _check_ids(ids: Ids, classes: int, what: str) -> None:
    if ids.dtype.kind not in "biu":
        raise DataError(
            f"The {what} holds numbers of the type {ids.dtype}, not integer class ids.",
            hint="Give class ids; take the argmax of probabilities first.",
        )
    for value in (int(ids.min()), int(ids.max())) if ids.size else ():
        if not 0 <= value < classes:
            raise DataError(
                f"The {what} holds the value {value}, but the {classes} class ids end at "
                f"{classes - 1}.",
                hint="Map the values to class ids, or name the value that is to be ignored.",
            )


def _check_probabilities(confidence: NDArray[np.float64]) -> None:
    # A NaN fails every comparison, so this asks whether the values are right, not wrong.
    for value in (confidence.min(), confidence.max()) if confidence.size else ():
        if not 0 <= value <= 1 + _ROUNDING:
            raise DataError(
                f"The probabilities hold the value {value}, which is not in 0 to 1.",
                hint="Give probabilities, not logits.",
            )


def _labels(
    truth: Ids, prediction: Ids, *, classes: int, ignore: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return truth and prediction with everything ignored marked as outside, in both."""
    counted = _counted(truth, prediction, classes=classes, ignore=ignore)
    if truth.ndim != 2:
        raise DataError(
            f"The truth has the shape {truth.shape}, not (height, width).",
            hint="Give the masks one image at a time.",
        )
    true, predicted = (
        np.where(counted, each.astype(np.int32), _OUTSIDE) for each in (truth, prediction)
    )
    return true, predicted


def _pair_table(rows: Ids, columns: Ids, size: int) -> Table:
    cells = rows.astype(np.int64) * size + columns.astype(np.int64)
    return np.bincount(cells, minlength=size**2).reshape(size, size).astype(np.int64)


def _overlap(table: Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the IoU and Dice of each class, NaN where it is in neither truth nor prediction."""
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise DataError(
            f"A confusion table has the shape {table.shape}, not (classes, classes).",
            hint="Give one square table; add the tables of several images first.",
        )
    both = np.diagonal(table)
    areas = table.sum(axis=0) + table.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return both / (areas - both), 2 * both / areas


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _mean(values: NDArray[np.float64]) -> float | None:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else None


def _contour(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return the pixels with another label, or the image's end, among their eight neighbours."""
    height, width = labels.shape
    padded = np.pad(labels, 1, constant_values=_OUTSIDE)
    contour = np.zeros(labels.shape, dtype=np.bool_)
    for row, column in _offsets(1.5):
        contour |= padded[1 + row :, 1 + column :][:height, :width] != labels
    return contour


def _band(labels: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Return the pixels that ``width`` erosions by a 3x3 square take from the mask of their label.

    Those are the pixels less than ``width`` king's moves from a contour pixel of any label: the
    shortest way to another label passes a contour pixel one move before its end. So one distance
    transform does for all classes and any width.
    """
    from scipy import ndimage

    distance = ndimage.distance_transform_cdt(~_contour(labels), metric="chessboard")
    return np.asarray(distance < width)


def _near(
    contours: NDArray[np.int32], others: NDArray[np.int32], *, classes: int, tolerance: float
) -> tuple[Table, Table]:
    """Count, for each class, contour pixels with another's within the tolerance, and all of them.

    Looking at every offset from the few contour pixels needs no distance transform per class.
    """
    margin = int(tolerance)
    rows, columns = np.nonzero(contours != _OUTSIDE)
    own = contours[rows, columns]
    padded = np.pad(others, margin, constant_values=_OUTSIDE)
    near = np.zeros(own.shape, dtype=np.bool_)
    for row, column in _offsets(tolerance):
        near |= padded[rows + margin + row, columns + margin + column] == own
    return np.bincount(own[near], minlength=classes), np.bincount(own, minlength=classes)


def _offsets(radius: float) -> list[tuple[int, int]]:
    """Return all (row, column) steps of whole pixels that are no longer than the radius."""
    steps = range(-int(radius), int(radius) + 1)
    return [(row, column) for row in steps for column in steps if math.hypot(row, column) <= radius]
