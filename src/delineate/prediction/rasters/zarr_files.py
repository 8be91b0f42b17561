"""The files of an OME-Zarr image, looked at before zarr reads them.

zarr follows links, reads metadata of any length, and unpacks whatever a chunk claims to be. Here
each file has to lie in the image's folder, and to become as many bytes as a chunk has, and no more.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from delineate.decoding.stored import check_file
from delineate.prediction.rasters.raster import LONGEST, refuse
from delineate.prediction.rasters.unpacking import HEADS, fits

Shape = tuple[int, ...]

_METADATA = (".zgroup", ".zattrs", ".zmetadata", ".zarray", "zarr.json")
_SHARDS, _CHECKSUM, _DELTA = "sharding_indexed", "crc32c", "delta"
# Bytes of the widest number, which differences may be stored in.
_WIDEST = 8
# Bytes that checksums and the blocks of a compressor may add.
_SLACK = 1 << 20
# Chunks that are stored in one file at the most.
_MOST_IN_SHARD = 1 << 20
# What a shard says of a chunk that it does not hold.
_MISSING = 2**64 - 1


@dataclass(frozen=True)
class _Coding:
    """How numbers become the bytes of a chunk.

    Attributes:
        compressor: A key of ``HEADS``; empty: none.
        most: Bytes of a chunk, unpacked.
    """

    compressor: str
    most: int

    @property
    def longest(self) -> int:
        """Bytes of a chunk as it is stored: what cannot be compressed becomes longer."""
        return 2 * self.most

    def fits(self, file: BinaryIO, place: int, length: int) -> bool:
        """Return whether a chunk in a file becomes no more bytes than it should."""
        if length > self.longest or not self.compressor:
            return length <= self.longest
        head = HEADS[self.compressor]
        file.seek(place)
        data = file.read(length if head is None else min(length, head))
        return fits(self.compressor, data, self.most)


@dataclass(frozen=True)
class _Shards:
    """How a file holds many chunks.

    Attributes:
        count: Of the chunks.
        first: Whether the table of their places comes first, else last.
        kind: The type of its numbers.
        checksum: Bytes behind it.
    """

    count: int
    first: bool
    kind: str
    checksum: int

    def places(self, file: BinaryIO, size: int) -> list[list[int]]:
        """Return the place and the length of each chunk that there is."""
        length = 16 * self.count
        file.seek(0 if self.first else max(size - length - self.checksum, 0))
        table = np.frombuffer(file.read(length).ljust(length, b"\xff"), self.kind).reshape(-1, 2)
        places: list[list[int]] = table[table[:, 0] != _MISSING].tolist()
        return places


@dataclass(frozen=True)
class ZarrFiles:
    """Where the chunks of an array are stored, and how.

    Attributes:
        image: The folder of the image.
        folder: That of the array.
        stored: The shape of what one file holds.
    """

    image: Path
    folder: Path
    stored: Shape
    _coding: _Coding
    _shards: _Shards | None
    _metadata: Any
    _seen: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def of(cls, image: Path, place: str, array: Any) -> "ZarrFiles":
        """Return where the chunks of an array of zarr are.

        Args:
            image: The folder of the image.
            place: The array's path in it, from :func:`plain_path`.
            array: The array.

        Raises:
            ImageError: Its chunks are compressed in a way that does not tell how large they become.
            Exception: Its metadata are of another form.
        """
        stored = tuple(map(int, array.metadata.chunk_grid.chunk_shape))
        chain = _chain(array.metadata.to_dict())
        shards, inner = None, stored
        if _SHARDS in [name for name, _ in chain]:
            said = dict(chain)[_SHARDS]
            if len(chain) > 1:
                raise refuse(image, "has shards that are changed as a whole", "Save it without.")
            inner = tuple(map(int, said["chunk_shape"]))
            shards = _shards_of(image, said, math.prod(stored) // math.prod(inner))
            chain = _named(said["codecs"])
        itemsize = int(np.dtype(array.dtype).itemsize)
        coding = _coding_of(image, chain, math.prod(inner), itemsize)
        return cls(image, image / place, stored, coding, shards, array.metadata)

    def check(self, parts: Sequence[slice]) -> None:
        """Look at the files of the chunks that a part meets, each once.

        Args:
            parts: Along each axis of the array, with a start and a stop.

        Raises:
            ImageError: One leads out of the image, is no file, or becomes too large.
        """
        ranges = [
            range(part.start // side, -(-part.stop // side))
            for part, side in zip(parts, self.stored, strict=True)
        ]
        for place in product(*ranges):
            key = str(self._metadata.encode_chunk_key(place))
            if key not in self._seen:
                self._check(self.folder / key, key)
                self._seen.add(key)

    def _check(self, path: Path, key: str) -> None:
        if not os.path.lexists(path):  # all of it has the value that fills
            return
        require_inside(self.image, path)
        count = 1 if self._shards is None else self._shards.count
        most = count * (self._coding.longest + 16) + _SLACK
        size = check_file(path, what="Chunk", most=most).st_size
        with path.open("rb") as file:
            places = [[0, size]] if self._shards is None else self._shards.places(file, size)
            if sum(length for _, length in places) > size:  # the same bytes for many chunks
                raise refuse(
                    self.image, f"has chunks ({key}) that overlap", "Copy or export it again."
                )
            if not all(self._coding.fits(file, place, length) for place, length in places):
                why = f"has a chunk ({key}) that would become larger than its {self.stored}"
                raise refuse(self.image, why, "Copy or export it again.")


def plain_path(place: str) -> str:
    """Return the path of an array in an image, with nothing in it that leads elsewhere.

    Raises:
        ValueError: It goes up.
    """
    parts = [part for part in place.replace("\\", "/").split("/") if part]
    if {".", ".."} & set(parts):
        raise ValueError(f"it names an array at {place}")
    return "/".join(parts)


def require_metadata(image: Path, place: str = "") -> None:
    """Refuse metadata that are too long, or lie elsewhere.

    Args:
        image: The folder of an image.
        place: The path of an array in it, from :func:`plain_path`; its folder and those above are
            looked at.

    Raises:
        ImageError: Some are.
        OSError: Some cannot be looked at.
    """
    folder = image
    for part in ("", *place.split("/")):
        folder = folder / part
        for path in (folder / name for name in _METADATA):
            if os.path.lexists(path):
                require_inside(image, path)
                check_file(path, what="Metadata", most=LONGEST)


def require_inside(image: Path, path: Path) -> None:
    """Refuse a file that a link leads to from the folder of an image, but that lies elsewhere.

    Raises:
        ImageError: It does.
    """
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(image)):
        raise refuse(
            image, f"leads by a link, {path.name}, to {target}", "Copy the file to its place."
        )


def _chain(described: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the names and settings of what is done to numbers, in order, until they are stored."""
    if "codecs" in described:
        return _named(described["codecs"])
    compressor = described.get("compressor")
    return _named([*(described.get("filters") or ()), *([compressor] if compressor else [])])


def _named(codecs: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (
            str(codec["name" if "name" in codec else "id"]).removeprefix("numcodecs."),
            codec.get("configuration") or codec,
        )
        for codec in codecs
    ]


def _shards_of(image: Path, said: Mapping[str, Any], count: int) -> _Shards:
    table = _named(said["index_codecs"])
    names = [name for name, _ in table]
    if set(names) - {"bytes", _CHECKSUM} or not 0 < count <= _MOST_IN_SHARD:
        raise refuse(image, f"has shards of {count} chunks, or packs their places", "Save it anew.")
    big = any("big" in str(settings) for name, settings in table if name == "bytes")
    first = said.get("index_location") == "start"
    return _Shards(count, first, ">u8" if big else "<u8", 4 * names.count(_CHECKSUM))


def _coding_of(
    image: Path, chain: Sequence[tuple[str, Mapping[str, Any]]], count: int, itemsize: int
) -> _Coding:
    names = [name for name, _ in chain]
    compressors = [name for name in names if name in HEADS]
    behind = names[names.index(compressors[0]) + 1 :] if compressors else []
    if set(behind) - {_CHECKSUM} or _SHARDS in names:
        told = ", ".join(names)
        raise refuse(image, f"packs its chunks more than once ({told})", "Save it with blosc.")
    widest = _WIDEST if _DELTA in names else itemsize
    return _Coding(compressors[0] if compressors else "", count * widest + _SLACK)
