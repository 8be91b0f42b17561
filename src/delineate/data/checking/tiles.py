"""Single small pictures of records: with their masks, without, enlarged, turned."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.data.records import Facts
from delineate.data.sheet import Pixels, fit
from delineate.errors import DataError
from delineate.imaging import (
    PALETTE,
    Labels,
    colourise,
    overlay,
    read_image,
    read_labels,
)
from delineate.report import Colour, Tile

SIDE = 256
DETAIL = 32  # pixels on a side of the part that is enlarged
ZOOM = 8
_QUALITY = 85
_BLACK: Colour = (0, 0, 0)
_FEW = 20  # values that get a colour each; more are shown as greys


def overlay_tile(dataset: Dataset, index: int, remark: str = "") -> Tile:
    """Return a record's image with its mask tinted and outlined.

    A mask whose values have no classes is shown in colours of its own.

    Args:
        dataset: The data set.
        index: The index of the record.
        remark: What stands below its name; unset: its split.

    Raises:
        DataError: The record cannot be read.
    """
    record = dataset.records[index]
    decoded = dataset.decoded(index)
    small, (labels,) = fit(decoded.image, [decoded.labels], side=SIDE)
    ids, colours = shown_mask(dataset, labels, decoded.facts)
    picture = overlay(small, ids, colours)
    return Tile(jpeg(picture), record.name, remark or record.split or "")


def plain_tile(dataset: Dataset, index: int, remark: str = "") -> Tile:
    """Return the image of a record without its mask.

    Args:
        dataset: The data set.
        index: The index of the record.
        remark: What stands below its name; unset: its split.

    Raises:
        DataError: The record cannot be read.
    """
    record = dataset.records[index]
    return image_tile(dataset.decoded(index).image, record.name, remark or record.split or "")


def mask_over(
    image: NDArray[Any], ids: NDArray[Any], colours: Sequence[Colour], *, name: str, remark: str
) -> Tile:
    """Return an image with a mask tinted and outlined.

    Args:
        image: (height, width, channels), any type.
        ids: (height, width) class ids.
        colours: The colour of each class.
        name: What is shown.
        remark: What stands below the name.

    Raises:
        DataError: The mask has not the size of the image.
    """
    small, (shown,) = fit(image, [ids], side=SIDE)
    return Tile(jpeg(overlay(small, shown, colours)), name, remark)


def image_tile(image: NDArray[Any], name: str, remark: str = "") -> Tile:
    """Return an image, (height, width, channels) of any type, without a mask."""
    small, _ = fit(image, [], side=SIDE)
    return Tile(jpeg(small), name, remark)


def labels_tile(labels: Labels, name: str, remark: str = "") -> Tile:
    """Return what a mask file stores, in its own colours, or its numbers in colours."""
    ids, colours = _as_colours(_shrunk(labels.values), labels.colours, labels.palette)
    return Tile(png(colourise(ids, colours)), name, remark)


def file_tile(path: Path, remark: str = "") -> Tile | None:
    """Return what a file shows, as an image or else as a mask; None where it is neither."""
    try:
        return image_tile(read_image(path), path.name, remark)
    except DataError:
        pass
    try:
        return labels_tile(read_labels(path), path.name, remark)
    except DataError:
        return None


def detail_tile(dataset: Dataset, index: int, remark: str = "") -> Tile:
    """Return the part of a record's mask that has most rare values, eight times as large.

    The mask is shown as it is stored: numbers as greys, colours and palettes as they are.

    Raises:
        DataError: The record cannot be read.
    """
    decoded = dataset.decoded(index)
    part = _busiest(np.asarray(decoded.labels))
    if decoded.facts.colours is None and decoded.facts.palette is None:
        top = max(int(decoded.labels.max()), 1)
        picture = np.repeat((part * (255.0 / top)).round().astype(np.uint8)[..., None], 3, axis=2)
    else:
        picture = colourise(*_as_colours(part, decoded.facts.colours, decoded.facts.palette))
    large = picture.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    return Tile(png(large), dataset.records[index].name, remark or f"the mask, ×{ZOOM}")


def shown_mask(
    dataset: Dataset, labels: NDArray[Any], facts: Facts
) -> tuple[NDArray[Any], Sequence[Colour]]:
    """Return class ids and their colours; for values without a class, ids and colours of its own.

    Args:
        dataset: The data set, whose encoding counts where it has one.
        labels: (height, width), the stored values, or a part of them.
        facts: Of the record.
    """
    try:
        return dataset.encoding.encode(labels, facts.colours), dataset.colours
    except DataError:
        return _as_colours(labels, facts.colours, facts.palette)


def jpeg(picture: Pixels) -> bytes:
    """Return the content of a JPEG file, (height, width, 3) uint8, without thinned-out colours."""
    content = io.BytesIO()
    whole = Image.fromarray(np.ascontiguousarray(picture))
    whole.save(content, "JPEG", quality=_QUALITY, subsampling=0)
    return content.getvalue()


def png(picture: Pixels) -> bytes:
    """Return the content of a PNG file, (height, width, 3) uint8: for hard edges."""
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(content, "PNG", compress_level=6)
    return content.getvalue()


def _shrunk(labels: NDArray[Any]) -> NDArray[Any]:
    image = np.zeros((*labels.shape, 1), np.uint8)
    return fit(image, [labels], side=SIDE)[1][0]


def _as_colours(
    labels: NDArray[Any], colours: Sequence[int] | None, palette: Any
) -> tuple[NDArray[np.uint16], list[Colour]]:
    """Return ids, 0 where the mask is 0 or black, and the colour of each id.

    Of 16 bits, so that no id is taken for ignore.
    """
    values, ranks = np.unique(labels, return_inverse=True)
    table = [_colour(int(value), values, colours, palette) for value in values]
    ids = ranks.reshape(labels.shape).astype(np.uint16)
    if table[0] == _BLACK:
        return ids, table
    return ids + np.uint16(1), [_BLACK, *table]


def _colour(
    value: int, values: NDArray[Any], colours: Sequence[int] | None, palette: Any
) -> Colour:
    if colours is not None:
        return _unpacked(colours[value])
    if palette and value in palette:
        return _unpacked(palette[value])
    if len(values) <= _FEW:
        return PALETTE[int(np.searchsorted(values, value)) if values[0] == 0 else value % 255]
    return (round(value * 255 / max(int(values[-1]), 1)),) * 3


def _unpacked(packed: int) -> Colour:
    return packed >> 16 & 255, packed >> 8 & 255, packed & 255


def _busiest(labels: NDArray[Any]) -> NDArray[Any]:
    """Return the part of DETAIL pixels on a side that holds most pixels of rare values."""
    _, ranks, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rare = (counts < labels.size / 50)[ranks].reshape(labels.shape)
    if not rare.any():
        rare = _borders(labels)
    height, width = (min(DETAIL, side) for side in labels.shape)
    weights = cv2.boxFilter(
        rare.astype(np.float32), -1, (width, height), normalize=False, anchor=(0, 0),
        borderType=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    inside = weights[: labels.shape[0] - height + 1, : labels.shape[1] - width + 1]
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    return labels[row : row + height, column : column + width]


def _borders(labels: NDArray[Any]) -> NDArray[np.bool_]:
    found = np.zeros(labels.shape, bool)
    found[1:] |= labels[1:] != labels[:-1]
    found[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    return found
