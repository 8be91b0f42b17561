"""OME-Zarr images (versions 0.4 and 0.5) read in parts, and masks written as such.

Moore et al., "OME-Zarr: a cloud-optimized bioimaging file format with international community
support", Histochemistry and Cell Biology 2023; https://ngff.openmicroscopy.org.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from delineate.data.proposing.pixel_size import PixelSize
from delineate.errors import ImageError, MissingExtraError, reason_of
from delineate.prediction.rasters.kept import Kept
from delineate.prediction.rasters.raster import Size, Tags, overlap, refuse

# Side of the chunks that are written, and of the smallest copy, in pixels.
CHUNK, SMALLEST = 512, 512
# Side of what is decoded at a time, at the least, and bytes of it that are kept.
_BLOCK, _KEPT = 512, 192 << 20
# Bytes of the largest chunk that is read.
_LARGEST = 256 << 20
# What chunks may be decoded by: what only turns numbers into others. Some that zarr knows do more.
_DECODERS = frozenset(
    {
        *("blosc", "bz2", "bytes", "crc32c", "delta", "gzip", "lz4", "sharding_indexed"),
        *("shuffle", "transpose", "zlib", "zstd"),
    }
)
# What damaged metadata and chunks make zarr raise.
_ERRORS = (LookupError, ValueError, TypeError, AttributeError, OSError, RuntimeError)
# Where it stands that a mask is one of delineate's.
_OWN = "delineate"
_UNITS = {"micrometer": 1.0, "nanometer": 0.001, "millimeter": 1000.0}


@dataclass
class ZarrRaster:
    """An opened OME-Zarr image, at its full resolution; see :class:`Raster`."""

    path: Path
    size: Size
    channels: int
    dtype: np.dtype[Any]
    pixel_size: PixelSize | None
    rows: int
    _array: Any
    _axes: str
    _block: Size
    _kept: Kept = field(default_factory=lambda: Kept(_KEPT))
    tags: Tags = ()
    has_alpha: bool = False

    @classmethod
    def open(cls, path: Path) -> "ZarrRaster":
        """Return the image in a folder.

        Raises:
            ImageError: It holds several depths or times, other values than whole numbers of 8 or
                16 bits, or is no OME-Zarr image.
            MissingExtraError: zarr is not installed.
        """
        image = _described(path)
        try:
            axes = "".join(axis["name"] for axis in image["axes"])
            array = _open(path)[image["datasets"][0]["path"]]
            sides = dict(zip(axes, array.shape, strict=True))
            dtype = np.dtype(array.dtype).newbyteorder("=")
            chunk = tuple(map(int, array.chunks))
            pixel_size, decoders = _pixel_size(image), _decoders(array.metadata.to_dict())
        except _ERRORS as error:
            raise _damaged(path, error) from error
        others = {name: side for name, side in sides.items() if name not in "cyx" and side > 1}
        if others:
            told = ", ".join(f"{side} along {name}" for name, side in others.items())
            raise refuse(path, f"holds several pictures ({told})", "Save each as an image.")
        if str(dtype) not in ("uint8", "uint16") or not {"y", "x"} <= set(axes):
            raise refuse(
                path,
                f"holds values of type {dtype} along the axes {axes}",
                "Save whole numbers of 8 or 16 bits (uint8, uint16), as the training images have.",
            )
        if decoders - _DECODERS:
            named = ", ".join(sorted(decoders - _DECODERS))
            raise refuse(path, f"has chunks that only '{named}' decodes", "Save it with blosc.")
        if math.prod(chunk) * dtype.itemsize > _LARGEST:
            stored = "×".join(map(str, chunk))
            raise refuse(path, f"has chunks of {stored}", "Save it in chunks of 1024×1024.")
        size, (rows, columns) = (sides["y"], sides["x"]), (chunk[axes.index(name)] for name in "yx")
        # Chunks that are small are read several at a time.
        block = (-(-_BLOCK // rows) * rows, -(-_BLOCK // columns) * columns)
        return cls(path, size, sides.get("c", 1), dtype, pixel_size, rows, array, axes, block)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a part: (height, width, channels).

        Raises:
            ImageError: A chunk is damaged.
        """
        shape = (rows.stop - rows.start, columns.stop - columns.start, self.channels)
        found = np.empty(shape, self.dtype)
        high, wide = self._block
        for row in range(rows.start // high * high, rows.stop, high):
            for column in range(columns.start // wide * wide, columns.stop, wide):
                block = self._block_at(row, column)
                inside, outside = overlap(block.shape[:2], (row, column), rows, columns)
                found[outside] = block[inside]
        return found

    def _block_at(self, row: int, column: int) -> np.ndarray:
        """Return some chunks, (height, width, channels)."""
        kept = self._kept.get((row, column))
        if kept is not None:
            return kept
        last = (min(row + self._block[0], self.size[0]), min(column + self._block[1], self.size[1]))
        found = self._decoded(slice(row, last[0]), slice(column, last[1]))
        self._kept.put((row, column), found)
        return found

    def _decoded(self, rows: slice, columns: slice) -> np.ndarray:
        wanted = {"y": rows, "x": columns, "c": slice(None)}
        try:
            found = np.asarray(self._array[tuple(wanted.get(name, 0) for name in self._axes)])
        except _ERRORS as error:
            raise _damaged(self.path, error) from error
        kept = [name for name in self._axes if name in wanted]
        if "c" not in kept:
            found, kept = found[..., np.newaxis], [*kept, "c"]
        turned = found.transpose([kept.index(name) for name in "yxc"])
        return np.ascontiguousarray(turned, self.dtype)

    def close(self) -> None:
        """Do nothing: parts are opened as they are read."""


def is_mask(path: Path) -> bool:
    """Return whether a folder is a mask that :func:`write_zarr` has written."""
    try:
        return _OWN in dict(_zarr().open_group(path, mode="r").attrs)
    except _ERRORS:
        return False


def write_zarr(
    path: Path, name: str, size: Size, bands: Iterator[np.ndarray], pixel_size: PixelSize | None
) -> None:
    """Write a mask as an OME-Zarr 0.4 image with smaller copies.

    Args:
        path: The folder; it must not exist.
        name: What the image is called.
        size: (height, width).
        bands: The mask from top to bottom, each (rows, width) uint8, of ``CHUNK`` rows but the
            last.
        pixel_size: How large a pixel is, where that is known.

    Raises:
        MissingExtraError: zarr is not installed.
        OSError: It cannot be written.
    """
    zarr = _zarr()
    group = zarr.create_group(path, zarr_format=2)
    sizes = _sizes(size)
    arrays = [
        group.create_array(
            str(number),
            shape=each,
            chunks=(CHUNK, CHUNK),
            dtype="uint8",
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        for number, each in enumerate(sizes)
    ]
    row = 0
    for band in bands:
        for number, array in enumerate(arrays):
            # Every second class id, and never one in between.
            step = 2**number
            part = band[(-row) % step :: step, ::step][:, : array.shape[1]]
            first = -(-row // step)
            last = min(first + part.shape[0], array.shape[0])
            array[first:last] = part[: last - first]
        row += band.shape[0]
    group.attrs[_OWN] = "mask"
    group.attrs["multiscales"] = [_metadata(name, len(sizes), pixel_size)]


def _sizes(size: Size) -> list[Size]:
    """Return the size of each copy, each half as large as the one before."""
    found = [size]
    while max(found[-1]) > SMALLEST:
        height, width = found[-1]
        found.append((-(-height // 2), -(-width // 2)))
    return found


def _metadata(name: str, copies: int, pixel_size: PixelSize | None) -> dict[str, Any]:
    unit = {} if pixel_size is None else {"unit": "micrometer"}
    height, width = (1.0, 1.0) if pixel_size is None else (pixel_size.height, pixel_size.width)
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": [
                {"type": "scale", "scale": [height * 2**number, width * 2**number]}
            ],
        }
        for number in range(copies)
    ]
    axes = [{"name": axis, "type": "space", **unit} for axis in "yx"]
    return {"version": "0.4", "name": name, "axes": axes, "datasets": datasets}


def _described(path: Path) -> Mapping[str, Any]:
    """Return the first of the metadata's multiscale images."""
    try:
        attributes = dict(_open(path).attrs)
        found = attributes.get("ome", attributes)["multiscales"][0]
        if not found["datasets"] or not all("name" in axis for axis in found["axes"]):
            raise ValueError("it has no axes, or no arrays")
        return dict(found)
    except _ERRORS as error:
        raise refuse(
            path,
            "is no OME-Zarr image of version 0.4 or 0.5",
            "Name the folder of an image, which may lie in this one: x.zarr/0.",
        ) from error


def _decoders(described: Any) -> set[str]:
    """Return the names of all that is needed to decode the chunks of an array.

    Args:
        described: Its metadata, or a part of it.
    """
    if isinstance(described, list | tuple):
        return set().union(*map(_decoders, described)) if described else set()
    if not isinstance(described, dict):
        return set()
    said = (str(described[key]) for key in ("id", "name") if key in described)
    named = {name.removeprefix("numcodecs.") for name in said}
    nested = [described.get(key) for key in ("compressor", "filters", "codecs", "index_codecs")]
    return named | _decoders(nested) | _decoders(described.get("configuration"))


def _damaged(path: Path, error: Exception) -> ImageError:
    return refuse(path, f"is damaged: {reason_of(error)}", "Copy or export it again.")


def _pixel_size(image: Mapping[str, Any]) -> PixelSize | None:
    """Return how large a pixel is, in µm, as the metadata say it."""
    names = [axis["name"] for axis in image["axes"]]
    units = {axis["name"]: _UNITS.get(axis.get("unit", "")) for axis in image["axes"]}
    changes = image["datasets"][0].get("coordinateTransformations", [])
    scales = [change["scale"] for change in changes if change.get("type") == "scale"]
    down, across = units.get("y"), units.get("x")
    if not scales or not down or not across:
        return None
    scale = dict(zip(names, scales[0], strict=True))
    return PixelSize(scale["y"] * down, scale["x"] * across)


def _open(path: Path) -> Any:
    zarr = _zarr()
    return zarr.open_group(path, mode="r")


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            "OME-Zarr images need the package zarr.", hint="pip install 'delineate[zarr]'"
        ) from error
    return zarr
