"""The table of an image's objects: where each is, how large, how bright and how sure."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import find_objects

from delineate.data.proposing.pixel_size import PixelSize
from delineate.errors import DataError
from delineate.files import write_whole


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """What is known of one object.

    Attributes:
        number: Its number in the label image.
        class_name: The class that most of its pixels have.
        area: In pixels.
        centroid: (row, column), mean over its pixels; the centre of the top left pixel is (0, 0).
        box: (top, left, bottom, right) in pixels; bottom and right are the first row and column
            behind the object.
        intensity: Mean of each channel of the image over its pixels.
        confidence: Mean probability of its class over its pixels, 0 to 1.
        unit: In which physical sizes are given, such as "µm"; None where they are not known.
        physical_area: In square units.
        physical_centroid: (row, column) in units from the centre of the top left pixel.
    """

    number: int
    class_name: str
    area: int
    centroid: tuple[float, float]
    box: tuple[int, int, int, int]
    intensity: tuple[float, ...]
    confidence: float
    unit: str | None = None
    physical_area: float | None = None
    physical_centroid: tuple[float, float] | None = None


def object_rows(
    instances: np.ndarray,
    mask: np.ndarray,
    probabilities: np.ndarray,
    image: np.ndarray,
    *,
    names: Sequence[str],
    pixel_size: PixelSize | None = None,
) -> list[ObjectRow]:
    """Return a row for each object, in the order of their numbers.

    Args:
        instances: (height, width) int32 object numbers, 0 = none; they may have gaps, and an
            object several parts.
        mask: (height, width) uint8 class ids.
        probabilities: (height, width, classes) float32, 0 to 1.
        image: (height, width, channels) uint8, uint16 or float32.
        names: The class names, background first.
        pixel_size: How large a pixel is, where that is known.

    Raises:
        DataError: The sizes differ, or there are not as many names as classes.

    Example:
        >>> instances = np.int32([[1, 1, 0]])
        >>> probabilities = np.float32([[[0, 1], [0.5, 0.5], [1, 0]]])
        >>> mask, image = np.uint8([[1, 1, 0]]), np.uint8([[[10], [20], [90]]])
        >>> names = ("background", "cell")
        >>> (row,) = object_rows(instances, mask, probabilities, image, names=names)
        >>> row.class_name, row.area, row.centroid, row.intensity, row.confidence
        ('cell', 2, (0.0, 0.5), (15.0,), 0.75)
    """
    _check(instances, mask, probabilities, image, names=names)
    where = np.nonzero(instances)
    numbers, index = np.unique(instances[where], return_inverse=True)
    measured = _measure(index, where, mask, probabilities, image)
    boxes = find_objects(_renumbered(instances, where, index))
    rows = []
    for number, box, (area, category, confidence, row, column, *intensity) in zip(
        numbers.tolist(), boxes, measured.tolist(), strict=True
    ):
        known = ObjectRow(
            number=number,
            class_name=names[int(category)],
            area=int(area),
            centroid=(row, column),
            box=(box[0].start, box[1].start, box[0].stop, box[1].stop),
            intensity=tuple(intensity),
            confidence=confidence,
        )
        rows.append(known if pixel_size is None else _in_units(known, pixel_size))
    return rows


def write_csv(path: Path, rows: Sequence[ObjectRow]) -> None:
    """Write the rows as a table, UTF-8 with a line of titles, whole or not at all.

    Rows and columns are counted in pixels from the top left pixel, 0. Physical columns, such as
    ``area_µm²``, are there where the rows have them.

    Args:
        path: The file.
        rows: From :func:`object_rows`, of one image; without any, only the titles that all tables
            have are written.

    Raises:
        OSError: The file cannot be written; what stood there before is untouched.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> row = ObjectRow(1, "cell", 2, (0, 0.5), (0, 0, 1, 2), (15.0,), 0.75)
        >>> with TemporaryDirectory() as folder:
        ...     write_csv(Path(folder) / "objects.csv", [row])
        ...     print((Path(folder) / "objects.csv").read_text()[:40])
        object,class,area_pixels,centroid_row_pi
    """
    # Seven digits are what float32 has.
    cells = [
        {title: f"{cell:.7g}" if isinstance(cell, float) else cell for title, cell in _cells(row)}
        for row in rows
    ]
    nothing = ObjectRow(0, "", 0, (0, 0), (0, 0, 0, 0), (), 0)
    titles = [title for title, _ in _cells(rows[0] if rows else nothing)]
    text = io.StringIO()
    writer = csv.DictWriter(text, titles, lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    write_whole(path, text.getvalue())


def _cells(row: ObjectRow) -> Iterator[tuple[str, str | int | float]]:
    yield from (("object", row.number), ("class", row.class_name), ("area_pixels", row.area))
    yield from zip(("centroid_row_pixels", "centroid_column_pixels"), row.centroid, strict=True)
    sides = ("box_top", "box_left", "box_bottom", "box_right")
    yield from zip((f"{side}_pixels" for side in sides), row.box, strict=True)
    yield "confidence", row.confidence
    one = len(row.intensity) == 1
    for channel, value in enumerate(row.intensity, 1):
        yield "mean_intensity" if one else f"mean_intensity_channel_{channel}", value
    if row.physical_area is not None and row.physical_centroid is not None:
        yield f"area_{row.unit}²", row.physical_area
        yield f"centroid_row_{row.unit}", row.physical_centroid[0]
        yield f"centroid_column_{row.unit}", row.physical_centroid[1]


def _measure(
    index: np.ndarray,
    where: tuple[np.ndarray, ...],
    mask: np.ndarray,
    probabilities: np.ndarray,
    image: np.ndarray,
) -> np.ndarray:
    """Return (objects, 5 + channels): area, class, confidence, centroid and mean of each channel.

    Args:
        index: (pixels,) position of the object of each pixel, 0 to objects - 1.
        where: Rows and columns of those pixels.
        mask: (height, width) class ids.
        probabilities: (height, width, classes).
        image: (height, width, channels).
    """
    areas = np.bincount(index)
    classes = probabilities.shape[2]
    votes = np.bincount(index * classes + mask[where], minlength=areas.size * classes)
    category = votes.reshape(areas.size, classes).argmax(axis=1)
    averaged = [probabilities[*where, category[index]], *where, *image[where].T]
    means = [np.bincount(index, values, areas.size) / areas for values in averaged]
    return np.stack([areas, category, *means], axis=1)


def _renumbered(
    instances: np.ndarray, where: tuple[np.ndarray, ...], index: np.ndarray
) -> np.ndarray:
    """Return the objects as 1, 2, ... without gaps."""
    dense = np.zeros(instances.shape, np.int32)
    dense[where] = index + 1
    return dense


def _in_units(row: ObjectRow, pixel_size: PixelSize) -> ObjectRow:
    height, width = pixel_size.height, pixel_size.width
    return replace(
        row,
        unit=pixel_size.unit,
        physical_area=row.area * height * width,
        physical_centroid=(row.centroid[0] * height, row.centroid[1] * width),
    )


def _check(
    instances: np.ndarray,
    mask: np.ndarray,
    probabilities: np.ndarray,
    image: np.ndarray,
    names: Sequence[str],
) -> None:
    others = {"mask": mask, "probabilities": probabilities, "image": image}
    for name, array in others.items():
        if array.shape[:2] != instances.shape:
            raise DataError(
                f"The {name} has the size {array.shape[:2]}, the objects {instances.shape}.",
                hint="Give all of them at the image's own size.",
            )
    if not mask.max(initial=0) < len(names) == probabilities.shape[2]:
        raise DataError(
            f"There are {len(names)} class names, {probabilities.shape[2]} probabilities of each "
            f"pixel, and a mask with the id {mask.max(initial=0)}.",
            hint="Give the name of each class, background first.",
        )
