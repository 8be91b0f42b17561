"""What a data set consists of: records on disk, samples in memory."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from delineate.data.describing.description import NOTHING_SAID, Description

SPLITS = ("train", "validation", "test")
MaskParts = Literal["whole", "objects", "classes", "one-hot", "numbers", "run-lengths"]


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
class RunLengths:
    """The objects of one image, as the rows of a table have them; no number is read.

    Attributes:
        table: The table's file.
        lines: The line of each row.
        runs: The runs of each row, as :mod:`delineate.decoding.run_lengths` explains them; an
            empty text is a row without an object.
        size: (height, width) in pixels that the table gives the image; None where it says nothing.
    """

    table: Path
    lines: tuple[int, ...]
    runs: tuple[str, ...] = field(repr=False)
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Record:
    """Where one sample is stored; nothing is read.

    Attributes:
        name: Unique within its data set.
        images: The image's file, or one file for each of its channels; none for a sample in memory.
        masks: The mask's file or files.
        parts: What each mask file holds: "whole": the classes of all pixels; "objects": one object;
            "classes": one class; "one-hot": a channel for each class; "numbers": a number for each
            object. "run-lengths": there is no file, the objects are rows of a table.
        ids: The class id of each mask file where it holds one class.
        split: "train", "validation", "test", or None where the data says nothing.
        group: What it must not be separated from: its patient, slide or video; None: it stands
            alone.
        arrays: The sample itself, where it is in memory.
        run_lengths: The objects, where a table has them.
    """

    name: str
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    parts: MaskParts = "whole"
    ids: tuple[int, ...] = ()
    split: str | None = None
    group: str | None = None
    arrays: Sample | None = field(default=None, repr=False)
    run_lengths: RunLengths | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, images first."""
        return self.images + self.masks

    def content_hash(self, hash_of: Callable[[Path], str]) -> str:
        """Return the SHA-256 of the image's and the masks' content, in hexadecimal.

        Of a table of many images only the record's own rows count.

        Args:
            hash_of: Returns the SHA-256 of a file's content, in hexadecimal.

        Raises:
            ImageError: A file cannot be read.
        """
        digest = hashlib.sha256()
        if self.arrays is not None:
            for array in (self.arrays.image, self.arrays.mask, self.arrays.instances):
                if array is not None:
                    digest.update(f"{array.dtype}{array.shape}".encode())
                    digest.update(np.ascontiguousarray(array).data)
        for path in self.files:
            digest.update(bytes.fromhex(hash_of(path)))
        if self.run_lengths is not None:
            rows = "\n".join(self.run_lengths.runs)
            digest.update(f"{self.run_lengths.size}\n{rows}".encode())
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
    """What a layout found in a folder.

    Attributes:
        records: Where the samples are.
        unpaired: Files without a partner.
        description: What the layout's own files say about the data.
        notes: What else is to be known: what is left out, and how names were paired.
    """

    records: tuple[Record, ...]
    unpaired: tuple[Unpaired, ...] = ()
    description: Description = NOTHING_SAID
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What reading a record once has shown.

    Attributes:
        size: (height, width) in pixels.
        channels: Channels of the image.
        dtype: "uint8" or "uint16", of the image.
        values: Pixels of the stored mask by value: a number, or a colour as
            :func:`~delineate.data.describing.description.colour_value` writes it.
        lowest: The smallest value of the image.
        highest: The largest value of the image.
        objects: Number of objects, None where the data has none.
        overlap: Pixels that belong to more than one object or class.
        colours: The colour value behind each index of the labels, for a mask stored as a colour
            picture; None where it stores numbers.
        palette: The packed colour that each stored value is shown in, for a mask with a palette.
    """

    size: tuple[int, int]
    channels: int
    dtype: str
    values: Mapping[int, int]
    lowest: int = 0
    highest: int = 0
    objects: int | None = None
    overlap: int = 0
    colours: tuple[int, ...] | None = None
    palette: Mapping[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.__dict__,
            "size": list(self.size),
            "values": _text_keys(self.values),
            "palette": None if self.palette is None else _text_keys(self.palette),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Facts":
        """Return the facts that :meth:`as_json` has written."""
        height, width = values["size"]
        colours, palette = values["colours"], values["palette"]
        changed = {
            "size": (height, width),
            "values": _number_keys(values["values"]),
            "colours": None if colours is None else tuple(colours),
            "palette": None if palette is None else _number_keys(palette),
        }
        return cls(**{**values, **changed})


def _text_keys(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(key): count for key, count in counts.items()}


def _number_keys(counts: Mapping[str, int]) -> dict[int, int]:
    return {int(key): int(count) for key, count in counts.items()}
