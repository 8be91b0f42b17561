"""What a data set consists of: records on disk, samples in memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import ImageError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its mask.

    Attributes:
        name: Unique within its data set.
        image: (height, width, channels) uint8 or uint16.
        mask: (height, width) uint8 class ids, 255 = ignore.
        instances: (height, width) int32 object ids, 0 = none; None where the data has none.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.mask.shape[0], self.mask.shape[1]


@dataclass(frozen=True)
class Record:
    """Where one sample is stored; nothing is read.

    Attributes:
        name: Unique within its data set.
        image: The image's file; None for a sample in memory.
        masks: The mask's file, or one file per object.
        objects: Whether each mask file is one object (0 elsewhere).
        split: "train", "validation", "test", or None where the data says nothing.
        arrays: The sample itself, where it is in memory.
    """

    name: str
    image: Path | None
    masks: tuple[Path, ...]
    objects: bool = False
    split: str | None = None
    arrays: Sample | None = field(default=None, repr=False)

    def content_hash(self) -> str:
        """Return the SHA-256 of the image's and the masks' content, in hexadecimal.

        Raises:
            ImageError: A file cannot be read.
        """
        digest = hashlib.sha256()
        if self.arrays is not None:
            for array in (self.arrays.image, self.arrays.mask, self.arrays.instances):
                if array is not None:
                    digest.update(f"{array.dtype}{array.shape}".encode())
                    digest.update(np.ascontiguousarray(array).data)
            return digest.hexdigest()
        for path in (self.image, *self.masks):
            if path is not None:
                digest.update(hashlib.sha256(_content(path)).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class Unpaired:
    """A file that has no partner."""

    path: Path
    wanted: str
    near: str | None = None

    def message(self) -> str:
        """Return the sentence that names the file and what is missing."""
        near = f" The nearest name is {self.near}." if self.near else ""
        return f"{self.path} has no {self.wanted}.{near}"


@dataclass(frozen=True)
class Index:
    """What a layout found in a folder."""

    records: tuple[Record, ...]
    unpaired: tuple[Unpaired, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What reading a record once has shown.

    Attributes:
        size: (height, width) in pixels.
        channels: Channels of the image.
        dtype: "uint8" or "uint16", of the image.
        values: Pixels of the stored mask by value.
        objects: Number of objects, None where the data has none.
        overlap: Pixels that belong to more than one object.
    """

    size: tuple[int, int]
    channels: int
    dtype: str
    values: Mapping[int, int]
    objects: int | None = None
    overlap: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {str(key): count for key, count in self.values.items()}
        return {**self.__dict__, "size": list(self.size), "values": values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Facts":
        """Return the facts that :meth:`as_json` has written."""
        counts = {int(key): int(count) for key, count in values["values"].items()}
        height, width = values["size"]
        return cls(**{**values, "size": (height, width), "values": counts})


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"{path} cannot be read: {error.strerror or error}.",
            hint="Check that the file exists and that you may read it.",
        ) from error
