"""The scores of a bundle on a dataset, image by image and together."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from delineate.data.classes import IGNORE
from delineate.data.dataset import Dataset
from delineate.data.records import Record, Sample
from delineate.errors import DataError
from delineate.instance_scores import instance_scores, mean_instance_scores
from delineate.intervals import bootstrap_interval, bootstrap_tables
from delineate.prediction.predictor import Prediction, Predictor
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
# Scores of the table of all images together; the others are means over images.
POOLED = ("mean_iou", "mean_dice", "foreground_iou", "foreground_dice", "accuracy")

Progress = Callable[[int, int], None]
PerImage = dict[str, list[float | None]]


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


def predict_sample(predictor: Predictor, sample: Sample) -> Prediction:
    """Return the prediction of a sample's image; an error names the sample.

    Args:
        predictor: The bundle.
        sample: The image.

    Raises:
        DataError: The image does not fit the bundle.
    """
    try:
        return predictor.predict(sample.image)
    except DataError as error:
        raise type(error)(f"{sample.name}: {error.message}", hint=error.hint) from error


def score_part(
    predictor: Predictor, part: Dataset, *, boundary: bool, progress: Progress | None = None
) -> list[Scored]:
    """Return the scores of each image of a part.

    Args:
        predictor: The bundle.
        part: The images and their truth.
        boundary: Whether to score the boundaries, which is slower.
        progress: Called with (done, all) after each image.

    Raises:
        DataError: The data does not fit the bundle.
    """
    classes, images = len(predictor.card.classes), []
    for sample in part:
        prediction = predict_sample(predictor, sample)
        images.append(score_image(sample, prediction, classes=classes, boundary=boundary))
        if progress:
            progress(len(images), len(part))
    return images


def summarise_images(
    images: Sequence[Scored],
    histogram: np.ndarray,
    names: Sequence[str],
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return all scores of a split, by their names in ``evaluate --json``.

    Args:
        images: The scores of each image.
        histogram: Sum of the images' calibration histograms, float64 (bins, 3).
        names: The class names, background first.
        groups: What each image is resampled with, as from :func:`groups_of`.
        seed: Of the bootstrap.
    """
    per_image, objects = scores_per_image(images), object_scores(images)
    total = np.sum([image.table for image in images], axis=0)
    values: dict[str, Any] = dict(summarise(total))
    values |= {key: mean_of(each) for key, each in per_image.items()}
    values["calibration_error"] = calibration_error(histogram)
    values["intervals"] = intervals_of(images, (*POOLED, *per_image, *objects), groups, seed=seed)
    values["bootstrap"] = {
        "over": "images" if groups is None else "groups",
        "units": len(images if groups is None else set(groups)),
    }
    values["classes"] = class_scores(total, names)
    if objects:
        found = [image.instances for image in images if image.instances is not None]
        values["instances"] = mean_instance_scores(found)
    values["images"] = [
        {"name": image.name, "iou": image.iou, "dice": image.dice, **image.boundary}
        for image in images
    ]
    return values


def scores_per_image(images: Sequence[Scored]) -> PerImage:
    """Return the scores of masks that are means over images: of each image, by their names."""
    values = {
        "iou_per_image": [image.iou for image in images],
        "dice_per_image": [image.dice for image in images],
    }
    for key in images[0].boundary:
        values[key] = [image.boundary[key] for image in images]
    return values


def object_scores(images: Sequence[Scored]) -> PerImage:
    """Return the scores of objects of each image, by their names; nothing without any objects."""
    found = [image.instances for image in images if image.instances is not None]
    return {
        key: [None if image.instances is None else image.instances[key] for image in images]
        for key in (found[0] if found else ())
    }


def intervals_of(
    images: Sequence[Scored],
    keys: Sequence[str],
    groups: Sequence[Hashable] | None,
    *,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Return the 95 % interval of each score that has one.

    Args:
        images: The scores of each image.
        keys: The names of the scores: of the table of all images, or means over images.
        groups: What each image is resampled with, as from :func:`groups_of`.
        seed: Of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    tables = np.stack([image.table for image in images])
    values = scores_per_image(images) | object_scores(images)
    found: dict[str, tuple[float, float] | None] = {}
    for key in keys:
        if key in POOLED:
            found[key] = bootstrap_tables(tables, score_of(key), rng, groups=groups)
        else:
            found[key] = bootstrap_interval(values[key], rng=rng, groups=groups)
    return {key: list(interval) for key, interval in found.items() if interval}


def score_of(key: str) -> Callable[[np.ndarray], float | None]:
    """Return what makes a score of a table of all images, by its name."""
    return lambda table: summarise(table)[key]


def groups_of(records: Sequence[Record]) -> list[tuple[str, str]] | None:
    """Return what each image is resampled with: its group, or itself where it stands alone.

    Returns:
        A key per record; None where no record has a group.
    """
    if all(record.group is None for record in records):
        return None
    return [
        ("image", record.name) if record.group is None else ("group", record.group)
        for record in records
    ]


def histogram_of(sample: Sample, prediction: Prediction) -> np.ndarray:
    """Return the calibration histogram of one image, float64 (bins, 3)."""
    return calibration_histogram(prediction.probabilities, sample.mask, bins=BINS)


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are there, None where there are none."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def _score_objects(sample: Sample, prediction: Prediction) -> dict[str, float | None] | None:
    if sample.instances is None:
        return None
    ignored = sample.mask == IGNORE
    truth = np.where(ignored, 0, sample.instances)
    return instance_scores(truth, np.where(ignored, 0, prediction.instances))
