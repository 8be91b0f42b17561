"""An image that is read in parts: which files can be, and what is told of them."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile

from delineate.data.proposing.pixel_size import PixelSize
from delineate.decoding.stored import DECODER_ERRORS, MAX_PIXELS, quiet
from delineate.errors import ImageError

Size = tuple[int, int]
Tags = tuple[tuple[int, int, int, Any], ...]

TIFF = (".tif", ".tiff")
ZARR = ".zarr"
# Images of more pixels are read in parts where their format allows it: 192 MiB of RGB.
LARGE = 1 << 26


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

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return (height, width, channels) of a part; both slices lie within the image."""
        ...

    def close(self) -> None:
        """Close its files."""
        ...


def is_large(path: Path, *, whole: bool = False) -> bool:
    """Return whether an image is to be read in parts.

    Args:
        path: A file, or the folder of an OME-Zarr image.
        whole: Whether it is asked for what needs it whole: then as long as it can be read so.
    """
    if path.suffix.lower() == ZARR:
        return True
    return path.suffix.lower() in TIFF and _pixels_of_tiff(path) > (MAX_PIXELS if whole else LARGE)


def _pixels_of_tiff(path: Path) -> int:
    """Return how many pixels the header claims; 0 where it is damaged, which a reader will tell."""
    try:
        with quiet(), tifffile.TiffFile(path, is_ome=False) as tiff:
            page = tiff.pages[0]
            return int(page.imagelength * page.imagewidth)
    except DECODER_ERRORS:
        return 0


def open_raster(path: Path) -> Raster:
    """Return an image that is read in parts.

    Args:
        path: A TIFF or BigTIFF file, or the folder of an OME-Zarr image.

    Raises:
        ImageError: It holds several pictures, other values than whole numbers of 8 or 16 bits, or
            is compressed in a way that is not read.
        MissingExtraError: It is an OME-Zarr image, and zarr is not installed.
    """
    if path.suffix.lower() == ZARR:
        from delineate.prediction.rasters.ome_zarr import ZarrRaster

        return ZarrRaster.open(path)
    from delineate.prediction.rasters.tiff import TiffRaster

    return TiffRaster.open(path)


def refuse(path: Path, why: str, hint: str) -> ImageError:
    """Return the error about an image that cannot be read in parts."""
    return ImageError(f"Image '{path}' {why}.", hint=hint)
