"""What is written of one prediction."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Card
from delineate.data.proposing.pixel_size import PixelSize, read_pixel_size
from delineate.files import whole_file, write_whole
from delineate.imaging import write_png
from delineate.overlays import colourise
from delineate.overlays import overlay as draw_overlay
from delineate.prediction.geojson import write_geojson
from delineate.prediction.inputs import file_beside, target_of
from delineate.prediction.label_image import write_labels
from delineate.prediction.object_table import object_rows, write_csv
from delineate.prediction.predictor import Prediction
from delineate.prediction.rasters.mask_file import TILE, write_tiff
from delineate.prediction.rasters.raster import Tags, geographic_tags


@dataclass(frozen=True)
class Wanted:
    """What is written beside the mask, its picture in colours and its summary.

    Attributes:
        overlay: The mask on the image, as ``_overlay.png``.
        probabilities: ``_probabilities.npy``, float32 (height, width, classes).
        instances: The objects: a label image ``_objects.png`` (``.tif`` from 65,536 objects on), a
            table ``_objects.csv``, and outlines ``_objects.geojson``.
        run_lengths: One table of all images and objects, as the 2018 Data Science Bowl has it.
        pixel_size: Side of a pixel in µm, instead of what files and the bundle's card say.
    """

    overlay: bool = False
    probabilities: bool = False
    instances: bool = False
    run_lengths: Path | None = None
    pixel_size: float | None = None

    @property
    def whole(self) -> bool:
        """Whether it needs the whole image in memory."""
        return self.instances or self.probabilities or self.run_lengths is not None


def write_prediction(
    stem: Path, path: Path, image: np.ndarray, prediction: Prediction, card: Card, wanted: Wanted
) -> dict[str, Any]:
    """Write the files of one prediction, and return its summary.

    Of an image that says where on Earth it lies there is a second mask which says it too: a TIFF.

    Args:
        stem: Where they go: a path without suffix.
        path: The image's file.
        image: (height, width, channels).
        prediction: Of the same size.
        card: That of the bundle.
        wanted: What is written beside the mask.

    Raises:
        OSError: A file cannot be written.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    write_png(file_beside(stem, ".png"), prediction.mask, palette=card.colours)
    write_png(file_beside(stem, "_colour.png"), colourise(prediction.mask, card.colours))
    if wanted.overlay:
        picture = draw_overlay(image, prediction.mask, card.colours)
        write_png(file_beside(stem, "_overlay.png"), picture)
    if wanted.probabilities:
        _write_probabilities(file_beside(stem, "_probabilities.npy"), prediction)
    summary = _summary(stem, path, prediction, card)
    tags = geographic_tags(path)
    if tags:
        summary["mask"] = str(target_of(path, stem))
        _write_placed(Path(summary["mask"]), prediction.mask, card, tags)
    if wanted.instances:
        summary["objects"] = _write_objects(stem, path, image, prediction, card, wanted)
    write_whole(file_beside(stem, ".json"), json.dumps(summary, indent=1) + "\n")
    return summary


def _write_placed(path: Path, mask: np.ndarray, card: Card, tags: Tags) -> None:
    """Write a mask that says where on Earth it lies, as its image does."""
    bands = (mask[first : first + TILE] for first in range(0, len(mask), TILE))
    height, width = mask.shape
    write_tiff(path, (height, width), bands, colours=card.colours, tags=tags)


def _write_objects(
    stem: Path, path: Path, image: np.ndarray, prediction: Prediction, card: Card, wanted: Wanted
) -> dict[str, Any]:
    instances = prediction.instances
    rows = object_rows(
        instances,
        prediction.mask,
        prediction.probabilities,
        image,
        names=card.names,
        pixel_size=pixel_size_of(path, card, wanted.pixel_size),
    )
    labels = write_labels(file_beside(stem, "_objects.png"), instances)
    table, outlines = (file_beside(stem, f"_objects.{suffix}") for suffix in ("csv", "geojson"))
    write_csv(table, rows)
    colours = dict(zip(card.names, card.colours, strict=True))
    write_geojson(outlines, instances, rows, colours=colours)
    files = {"labels": str(labels), "table": str(table), "outlines": str(outlines)}
    return {"count": len(rows), **files}


def pixel_size_of(path: Path, card: Card, said: float | None) -> PixelSize | None:
    """Return what is said, or else what the file says, or else the bundle's training data.

    Args:
        path: The image's file.
        card: That of the bundle.
        said: Side of a pixel in µm.
    """
    if said is not None:
        return PixelSize(said, said)
    found = read_pixel_size(path)
    if found is None and card.pixel_size is not None:
        return PixelSize(*card.pixel_size, card.pixel_unit)
    return found


def _write_probabilities(path: Path, prediction: Prediction) -> None:
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, prediction.probabilities, allow_pickle=False)


def _summary(stem: Path, path: Path, prediction: Prediction, card: Card) -> dict[str, Any]:
    counts = np.bincount(prediction.mask.ravel(), minlength=len(card.classes))
    return {
        "image": str(path),
        "mask": str(file_beside(stem, ".png")),
        "size": list(prediction.mask.shape),
        "classes": shares_of(counts, card),
    }


def shares_of(counts: np.ndarray, card: Card) -> list[dict[str, Any]]:
    """Return how many pixels each class has, and which share of all.

    Args:
        counts: Pixels of each class, background first.
        card: That of the bundle.
    """
    return [
        {"name": name, "pixels": int(count), "share": round(int(count) / int(counts.sum()), 6)}
        for name, count in zip(card.names, counts, strict=True)
    ]
