"""The scores of a bundle on a dataset, image by image and together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from delineate.data.classes import IGNORE
from delineate.data.records import Sample
from delineate.instance_scores import instance_scores, mean_instance_scores
from delineate.intervals import bootstrap_interval, bootstrap_tables
from delineate.prediction.predictor import Prediction
from delineate.scores import (
    boundary_f1,
    boundary_iou,
    calibration_error,
    calibration_histogram,
    class_scores,
    confusion_table,
    image_scores,
    summarise,
)

BINS = 15


@dataclass(frozen=True)
class Scored:
    """The scores of one image.

    Attributes:
        name: The image's name.
        table: int64 (classes, classes), rows truth, columns prediction.
        iou: Of the foreground; None where it is neither there nor predicted.
        dice: Likewise.
        boundary: ``boundary_iou`` and ``boundary_f1``, where asked for.
        instances: Scores of the objects, where the data has them.
    """

    name: str
    table: np.ndarray
    iou: float | None
    dice: float | None
    boundary: Mapping[str, float | None] = field(default_factory=dict)
    instances: Mapping[str, float | None] | None = None


def score_image(
    sample: Sample, prediction: Prediction, *, classes: int, boundary: bool = True
) -> Scored:
    """Return the scores of one prediction.

    Args:
        sample: The truth.
        prediction: Of the same size.
        classes: Number of classes.
        boundary: Whether to score the boundaries, which is slower.
    """
    table = confusion_table(sample.mask, prediction.mask, classes=classes)
    iou, dice = image_scores(table)
    edges = {}
    if boundary:
        edges = {
            "boundary_iou": boundary_iou(sample.mask, prediction.mask, classes=classes),
            "boundary_f1": boundary_f1(sample.mask, prediction.mask, classes=classes),
        }
    return Scored(sample.name, table, iou, dice, edges, _score_objects(sample, prediction))


def summarise_images(
    images: Sequence[Scored], histogram: np.ndarray, names: Sequence[str], *, seed: int = 0
) -> dict[str, Any]:
    """Return all scores of a split, by their names in ``evaluate --json``.

    Args:
        images: The scores of each image.
        histogram: Sum of the images' calibration histograms, float64 (bins, 3).
        names: The class names, background first.
        seed: Of the bootstrap.
    """
    tables = np.stack([image.table for image in images])
    per_image = {
        "iou_per_image": [image.iou for image in images],
        "dice_per_image": [image.dice for image in images],
    }
    for key in ("boundary_iou", "boundary_f1"):
        if images[0].boundary:
            per_image[key] = [image.boundary[key] for image in images]
    total = tables.sum(axis=0)
    values: dict[str, Any] = dict(summarise(total))
    values |= {key: mean_of(found) for key, found in per_image.items()}
    values["calibration_error"] = calibration_error(histogram)
    values["intervals"] = _intervals(tables, per_image, np.random.default_rng(seed))
    values["classes"] = class_scores(total, names)
    if any(image.instances is not None for image in images):
        values["instances"] = mean_instance_scores(
            [image.instances for image in images if image.instances is not None]
        )
    values["images"] = [
        {"name": image.name, "iou": image.iou, "dice": image.dice, **image.boundary}
        for image in images
    ]
    return values


def histogram_of(sample: Sample, prediction: Prediction) -> np.ndarray:
    """Return the calibration histogram of one image, float64 (bins, 3)."""
    return calibration_histogram(prediction.probabilities, sample.mask, bins=BINS)


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are there, None where there are none."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def _intervals(
    tables: np.ndarray, per_image: Mapping[str, list[float | None]], rng: np.random.Generator
) -> dict[str, list[float]]:
    found: dict[str, tuple[float, float] | None] = {}
    for key in ("mean_iou", "mean_dice", "foreground_iou", "foreground_dice", "accuracy"):
        found[key] = bootstrap_tables(tables, _score_of(key), rng)
    for key, values in per_image.items():
        found[key] = bootstrap_interval(values, rng=rng)
    return {key: list(interval) for key, interval in found.items() if interval}


def _score_of(key: str) -> Callable[[np.ndarray], float | None]:
    return lambda table: summarise(table)[key]


def _score_objects(sample: Sample, prediction: Prediction) -> dict[str, float | None] | None:
    if sample.instances is None:
        return None
    ignored = sample.mask == IGNORE
    truth = np.where(ignored, 0, sample.instances)
    return instance_scores(truth, np.where(ignored, 0, prediction.instances))
