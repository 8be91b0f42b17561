"""Why a record cannot be read: which of several faults it is, found from the files' headers.

Only the files of records that failed are opened again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from delineate.data.reading import read_channels
from delineate.data.records import Record
from delineate.decoding.stored import orientation_of
from delineate.errors import BlendedError, DataError, ImageError
from delineate.imaging import read_image, read_size

Kind = Literal["unreadable", "blended", "copied", "channels", "size", "turned", "exif"]
Size = tuple[int, int]


@dataclass(frozen=True)
class Fault:
    """What is wrong with a record that cannot be read.

    Attributes:
        kind: "unreadable": no image, or broken; "blended": a mask of more colours than classes can
            have; "copied": such a mask, which is its image once more; "channels": the files of the
            image's channels are missing or differ; "size": image and mask differ in size;
            "turned": height and width are swapped; "exif": likewise, by an EXIF orientation that
            one of the two has.
        record: The record.
        error: What reading it raised.
        mask: The mask file that does not fit.
    """

    kind: Kind
    record: Record
    error: DataError
    mask: Path | None = None


def find_fault(record: Record, error: DataError) -> Fault:
    """Return which fault made the reading of a record fail.

    Args:
        record: The record.
        error: What reading it raised.
    """
    if len(record.images) > 1 and _channels_fail(record):
        return Fault("channels", record, error)
    if isinstance(error, BlendedError):
        kind: Kind = "copied" if _is_copy(record) else "blended"
        return Fault(kind, record, error, record.masks[0])
    if isinstance(error, ImageError):
        return Fault("unreadable", record, error)
    return _size_fault(record, error)


def _channels_fail(record: Record) -> bool:
    if not all(path.is_file() for path in record.images):
        return True
    try:
        read_channels(record)
    except ImageError:
        return False
    except DataError:
        return True
    return False


def _is_copy(record: Record) -> bool:
    """Return whether a mask that holds a picture holds that of its image."""
    try:
        image, mask = read_image(record.images[0]), read_image(record.masks[0])
    except ImageError:
        return False
    near = image.shape == mask.shape and float(np.abs(image.astype(np.float32) - mask).mean()) <= 6
    return len(record.images) == 1 and near


def _size_fault(record: Record, error: DataError) -> Fault:
    try:
        size = read_size(record.images[0])
        sizes = {path: read_size(path) for path in record.masks}
    except (ImageError, IndexError):
        return Fault("size", record, error)
    misfits = [path for path, found in sizes.items() if found != size]
    if not misfits:
        return Fault("size", record, error)
    mask = misfits[0]
    if sizes[mask] != size[::-1]:
        return Fault("size", record, error, mask)
    by_exif = _has_turn(record.images[0]) != _has_turn(mask)
    return Fault("exif" if by_exif else "turned", record, error, mask)


def _has_turn(path: Path) -> bool:
    """Return whether an EXIF orientation swaps a picture's height and width."""
    return orientation_of(path) >= 5
