"""An image that is read in parts: which files can be, and what is told of them."""

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile

from delineate.data.proposing.pixel_size import PixelSize
from delineate.decoding.stored import DECODER_ERRORS, MAX_PIXELS, MAX_VALUES, ORIENTATION, quiet
from delineate.errors import ImageError

Size = tuple[int, int]
Tags = tuple[tuple[int, int, int, Any], ...]

TIFF = (".tif", ".tiff")
# GeoTIFF's tags: the scale of pixels, tie points, a transformation, keys and their values.
GEOGRAPHIC = (33550, 33922, 34264, 34735, 34736, 34737)
ZARR = ".zarr"
# Images of which a network says more values are read in parts where their format allows it: 67
# million pixels of two classes, 12 million of eleven.
LARGE = 1 << 27
# Values of a band of rows that is worked on at a time; and at the most, where rows are stored
# together, so that they are decoded once.
BAND, LONGEST_BAND = 1 << 23, 1 << 27
# Rows of the parts that are read, where nobody says.
PART = 1536
# Where the two versions of OME-Zarr say that a folder is an image, and the longest such file.
_SAID, _LONGEST = (".zattrs", "zarr.json"), 1 << 24


class Raster(Protocol):
    """An opened image whose parts can be read, by several threads at a time.

    Attributes:
        size: (height, width) in pixels.
        channels: 1 (grey), 3 (red, green, blue), or as many as there are.
        dtype: uint8 or uint16.
        pixel_size: How large a pixel is, where the image says it.
        tags: Those that tell where on Earth it lies: (TIFF tag, type, number of values, values).
    """

    size: Size
    channels: int
    dtype: np.dtype[Any]
    pixel_size: PixelSize | None
    tags: Tags

    @property
    def rows(self) -> int:
        """How many are stored together, so that reading one alone costs as much."""
        ...

    @property
    def has_alpha(self) -> bool:
        """Whether there is a channel that may hide pixels, which reading refuses."""
        ...

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return (height, width, channels) of a part; both slices lie within the image."""
        ...

    def close(self) -> None:
        """Close its files."""
        ...


def is_read_in_parts(path: Path, *, values: int = 1, whole: bool = False) -> bool:
    """Return whether an image is to be read in parts.

    A TIFF file that says where on Earth it lies is, whatever its size: so its mask says it too.

    Args:
        path: A file, or the folder of an OME-Zarr image.
        values: How many a network says of each pixel.
        whole: Whether it is asked for what needs it whole: then as long as it can be read so.
    """
    if path.suffix.lower() not in TIFF:
        return is_zarr(path)
    pixels, stored = _claimed_by_tiff(path)
    too_large = pixels > MAX_PIXELS or stored > MAX_VALUES
    if whole or too_large or not (pixels * values > LARGE or geographic_tags(path)):
        return too_large
    try:
        open_raster(path).close()
    except ImageError:
        # Stored in a way of which parts are not read: in memory it may be.
        return False
    return True


def is_zarr(path: Path) -> bool:
    """Return whether a path is the folder of an OME-Zarr image, by what its metadata say."""
    if not path.is_dir():
        return False
    for name in _SAID:
        try:
            if (path / name).stat().st_size > _LONGEST:
                continue
            said = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        found = said.get("attributes", said) if isinstance(said, dict) else {}
        found = found.get("ome", found) if isinstance(found, dict) else {}
        if isinstance(found, dict) and found.get("multiscales"):
            return True
    return False


def identity_of(path: Path) -> list[Any]:
    """Return what tells an image from what it was before it was changed: plain values."""
    # One after the other: an OME-Zarr image may have millions of files.
    count = size = newest = 0
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            stat = file.stat()
            count, size, newest = count + 1, size + stat.st_size, max(newest, stat.st_mtime_ns)
    return [str(path.resolve()), count, size, newest]


def bands_of(size: Size, channels: int, *, whole: int = 1) -> list[tuple[int, int]]:
    """Return the (first, last) rows of bands of a bounded number of values.

    Args:
        size: (height, width).
        channels: How many values a pixel has.
        whole: Rows that are stored together: a band has a multiple of them, unless that would be
            more than ``LONGEST_BAND`` values.
    """
    height, width = size
    step = max(1, BAND // (width * channels))
    if whole > 1 and whole * width * channels <= LONGEST_BAND:
        step = max(whole, step // whole * whole)
    return [(first, min(first + step, height)) for first in range(0, height, step)]


def _claimed_by_tiff(path: Path) -> tuple[int, int]:
    """Return how many pixels and values the header claims; 0 where a reader will find it damaged.

    Args:
        path: The file.
    """
    try:
        with quiet(), tifffile.TiffFile(path, is_ome=False) as tiff:
            page = tiff.pages[0]
            pixels = int(page.imagelength * page.imagewidth)
            return pixels, pixels * int(page.samplesperpixel)
    except DECODER_ERRORS:
        return 0, 0


def geographic_tags(path: Path) -> Tags:
    """Return what a TIFF file says of where on Earth it lies; nothing where it says nothing.

    Args:
        path: Any file.
    """
    if path.suffix.lower() not in TIFF:
        return ()
    try:
        with quiet(), tifffile.TiffFile(path, is_ome=False) as tiff:
            page = tiff.pages[0]
            # They speak of the pixels as they are stored, and a reader turns these upright.
            upright = page.tags.valueof(ORIENTATION, 1) == 1
            return geographic_tags_of(page) if upright else ()
    except DECODER_ERRORS:
        return ()


def geographic_tags_of(page: Any) -> Tags:
    """Return what tifffile's page says of where on Earth it lies."""
    found = [page.tags.get(number) for number in GEOGRAPHIC]
    return tuple(
        (int(tag.code), int(tag.dtype), int(tag.count), _as_stored(tag.value))
        for tag in found
        if tag is not None
    )


def _as_stored(value: Any) -> Any:
    # tifffile reads other letters than those of ASCII, and writes none.
    return value.encode("ascii", "replace").decode() if isinstance(value, str) else value


def open_raster(path: Path, *, part: int = PART) -> Raster:
    """Return an image that is read in parts.

    Args:
        path: A TIFF or BigTIFF file, or the folder of an OME-Zarr image.
        part: Rows of the parts that will be read.

    Raises:
        ImageError: It holds several pictures, other values than whole numbers of 8 or 16 bits, or
            is compressed in a way that is not read.
        MissingExtraError: It is an OME-Zarr image, and zarr is not installed.
    """
    if path.suffix.lower() not in TIFF:
        from delineate.prediction.rasters.ome_zarr import ZarrRaster

        return ZarrRaster.open(path)
    from delineate.prediction.rasters.tiff import TiffRaster

    return TiffRaster.open(path, part=part)


def overlap(
    shape: Size, corner: tuple[int, int], rows: slice, columns: slice
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where something that is stored together and a part of the image meet.

    Args:
        shape: (height, width) of what is stored together.
        corner: Its first row and column.
        rows: Of the part.
        columns: Likewise.

    Returns:
        The rows and columns that they share, within the one and within the other.
    """
    inside, outside = [], []
    for length, first, part in zip(shape, corner, (rows, columns), strict=True):
        start, stop = max(first, part.start), min(first + length, part.stop)
        inside.append(slice(start - first, stop - first))
        outside.append(slice(start - part.start, stop - part.start))
    return (inside[0], inside[1]), (outside[0], outside[1])


def refuse(path: Path, why: str, hint: str) -> ImageError:
    """Return the error about an image that cannot be read in parts."""
    return ImageError(f"Image '{path}' {why}.", hint=hint)
