"""From a record to its pixels."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from delineate.data.describing.description import COLOUR
from delineate.data.records import Facts, MaskParts, Record
from delineate.decoding import run_lengths
from delineate.errors import DataError
from delineate.imaging import Labels, read_image, read_labels, read_one_hot

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Decoded:
    """A record's pixels as stored.

    Attributes:
        image: (height, width, channels) uint8 or uint16.
        labels: (height, width) uint8 or uint16, the mask's stored values; indices into
            ``facts.colours`` for a mask stored as a colour picture; 0 and 1 where each mask file,
            or each row of run lengths, is one object; class ids where each is one class, or has a
            channel for each.
        instances: (height, width) int32, or None.
        facts: What these pixels are.
    """

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray | None
    facts: Facts


def decode(record: Record) -> Decoded:
    """Return a record's pixels.

    Raises:
        ImageError: A file is no image, truncated or of a kind that is not read; or run lengths are
            no such numbers, or lie outside the image.
        DataError: The sizes of the image and a mask, or of the files of its channels, differ.
    """
    if record.arrays is not None:
        return _with_facts(record.arrays.image, record.arrays.mask, record.arrays.instances)
    image = read_channels(record)
    return _READERS[record.parts](record, image)


def read_channels(record: Record) -> np.ndarray:
    """Return a record's image; channels in files of their own are joined in their order.

    Returns:
        (height, width, channels) uint8 or uint16.

    Raises:
        ImageError: A file is no image, truncated or of a kind that is not read.
        DataError: The record has no image, or the files of its channels differ in size or type.
    """
    if not record.images:
        raise DataError(f"{record.name} has no image.", hint="Give the record a file or arrays.")
    planes = [read_image(path) for path in record.images]
    if len(planes) == 1:
        return planes[0]
    for path, plane in zip(record.images, planes, strict=True):
        if plane.shape != (*planes[0].shape[:2], 1) or plane.dtype != planes[0].dtype:
            raise DataError(
                f"{path} is {plane.dtype} of shape {plane.shape}, which cannot be a channel beside "
                f"{record.images[0]}, {planes[0].dtype} of shape {planes[0].shape}.",
                hint="Store each channel as a grey image, all of one size and depth.",
            )
    return np.concatenate(planes, axis=2)


def _read_whole(record: Record, image: np.ndarray) -> Decoded:
    found = read_labels(record.masks[0])
    _same_size(record, 0, found.values, _size(image))
    decoded = _with_facts(image, found.values, None)
    return replace(decoded, facts=_in_colours(decoded.facts, found))


def _in_colours(facts: Facts, found: Labels) -> Facts:
    """Return facts whose values are colours, where the labels are indices of colours."""
    if found.colours is None:
        return replace(facts, palette=found.palette)
    colours = tuple(COLOUR | colour for colour in found.colours)
    values = {colours[index]: count for index, count in facts.values.items()}
    return replace(facts, colours=colours, values=values)


def _read_one_hot(record: Record, image: np.ndarray) -> Decoded:
    labels = read_one_hot(record.masks[0])
    _same_size(record, 0, labels, _size(image))
    return _with_facts(image, labels, None)


def _read_numbers(record: Record, image: np.ndarray) -> Decoded:
    found = read_labels(record.masks[0])
    if found.colours is not None:
        raise DataError(
            f"The mask {record.masks[0]} is a colour picture, not a number for each object.",
            hint='Store numbers, or say another encoding than "objects" in dataset.toml.',
        )
    _same_size(record, 0, found.values, _size(image))
    return _with_facts(image, (found.values > 0).astype(np.uint8), found.values.astype(np.int32))


def _read_objects(record: Record, image: np.ndarray) -> Decoded:
    instances, overlap = merge_objects(record, _size(image))
    return _with_facts(image, (instances > 0).astype(np.uint8), instances, overlap)


def _read_classes(record: Record, image: np.ndarray) -> Decoded:
    merged, overlap = merge_objects(record, _size(image))
    table = np.array([0, *record.ids], np.uint8)
    return _with_facts(image, table[merged], None, overlap)


def _read_run_lengths(record: Record, image: np.ndarray) -> Decoded:
    instances, overlap = merge_run_lengths(record, _size(image))
    return _with_facts(image, (instances > 0).astype(np.uint8), instances, overlap)


_READERS: dict[MaskParts, Callable[[Record, np.ndarray], Decoded]] = {
    "whole": _read_whole,
    "objects": _read_objects,
    "classes": _read_classes,
    "one-hot": _read_one_hot,
    "numbers": _read_numbers,
    "run-lengths": _read_run_lengths,
}


def merge_objects(record: Record, size: Size) -> tuple[np.ndarray, int]:
    """Return one label image of all mask files, and how many pixels belong to several of them.

    They are numbered from 1 in their order; where two overlap, the later one has the pixel.

    Args:
        record: A record whose mask files are one object, or one class, each.
        size: (height, width) in pixels that each mask must have.

    Returns:
        (height, width) int32, 0 = none, and the number of overlapping pixels.

    Raises:
        ImageError: A mask cannot be read.
        DataError: A mask has another size.
    """
    instances = np.zeros(size, np.int32)
    overlap = 0
    for number in range(len(record.masks)):
        inside = _inside(read_labels(record.masks[number]))
        _same_size(record, number, inside, size)
        box = _box(inside)
        inside = inside[box]
        overlap += int(np.count_nonzero(instances[box][inside]))
        instances[box][inside] = number + 1
    return instances, overlap


def merge_run_lengths(record: Record, size: Size) -> tuple[np.ndarray, int]:
    """Return one label image of all rows of a table, and how many pixels belong to several of them.

    They are numbered and merged as :func:`merge_objects` does with files.

    Args:
        record: A record whose objects are rows of a table.
        size: (height, width) of its image in pixels.

    Returns:
        (height, width) int32, 0 = none, and the number of overlapping pixels.

    Raises:
        ImageError: A row is damaged, or lies outside the image.
        DataError: The record has no rows, or they are of an image of another size.
    """
    rows = record.run_lengths
    if rows is None:
        raise DataError(
            f"{record.name} has no run lengths.", hint="Give the record rows of a table."
        )
    if rows.size is not None and rows.size != size:
        raise DataError(
            f"{rows.table}, line {rows.lines[0]}: the image should be {_spell(rows.size)} pixels "
            f"(height×width), and {record.images[0]} is {_spell(size)}."
            f"{_turned(rows.size, size)}",
            hint="Give the image in the size that the table says, or correct the table.",
        )
    origins = [f"{rows.table}, line {line}" for line in rows.lines]
    return run_lengths.decode(rows.runs, size, origins=origins)


def _inside(found: Labels) -> np.ndarray:
    """Return (height, width) bool: all that is neither 0 nor black."""
    black = 0 if found.colours is None or 0 in found.colours[:1] else -1
    inside: np.ndarray = found.values != black
    return inside


def _box(inside: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns that hold an object: a fraction of most masks of objects."""
    column, row, width, height = cv2.boundingRect(inside.view(np.uint8))
    return slice(row, row + height), slice(column, column + width)


def _with_facts(
    image: np.ndarray, labels: np.ndarray, instances: np.ndarray | None, overlap: int = 0
) -> Decoded:
    counts = np.bincount(labels.ravel())
    objects = None if instances is None else int(np.count_nonzero(np.unique(instances)))
    facts = Facts(
        size=_size(labels),
        channels=image.shape[2],
        dtype=str(image.dtype),
        values={int(value): int(counts[value]) for value in np.flatnonzero(counts)},
        lowest=int(image.min()),
        highest=int(image.max()),
        objects=objects,
        overlap=overlap,
    )
    return Decoded(image, labels, instances, facts)


def _size(array: np.ndarray) -> Size:
    return array.shape[0], array.shape[1]


def _same_size(record: Record, number: int, labels: np.ndarray, size: Size) -> None:
    found = _size(labels)
    if found != size:
        raise DataError(
            f"The mask {record.masks[number]} is {_spell(found)} pixels (height×width), its image "
            f"{record.images[0]} is {_spell(size)}.{_turned(found, size)}",
            hint="Store each mask at its image's size.",
        )


def _spell(size: Size) -> str:
    return f"{size[0]}×{size[1]}"


def _turned(found: Size, size: Size) -> str:
    return " It looks turned or transposed." if found == size[::-1] else ""
