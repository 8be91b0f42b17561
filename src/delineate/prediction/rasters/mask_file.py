"""Masks of large images as files: tiled TIFF with the colours of the classes, or OME-Zarr."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tifffile

from delineate.data.proposing.pixel_size import PixelSize
from delineate.files import whole_file
from delineate.overlays import PALETTE
from delineate.prediction.rasters.raster import Size, Tags
from delineate.share import cores

TILE = 512
# Above so many bytes of pixels a file might not fit 32-bit offsets, although it is compressed.
_BIG = 1 << 31
_WAITING = 1 << 24
_MICROMETRES = 10_000  # of a centimetre


def write_tiff(
    path: Path,
    size: Size,
    bands: Iterator[np.ndarray],
    *,
    colours: Sequence[tuple[int, int, int]],
    tags: Tags = (),
    pixel_size: PixelSize | None = None,
) -> None:
    """Write a mask as a tiled, compressed TIFF, whole or not at all.

    Args:
        path: The file; BigTIFF where that is needed.
        size: (height, width).
        bands: The mask from top to bottom, each (rows, width) uint8 class ids, of ``TILE`` rows but
            the last.
        colours: Of the ids 0, 1, 2, ...; the ids after them get the colours of ``PALETTE``.
        tags: Others to be written, such as those of GeoTIFF: (tag, type, number of values, values).
        pixel_size: How large a pixel is, where that is known.

    Raises:
        OSError: It cannot be written; what stood there before is untouched.
    """
    table = np.array([*colours, *PALETTE[len(colours) :]], np.uint16).T * 257
    fineness = {}
    if pixel_size is not None:
        across, down = (_MICROMETRES / side for side in (pixel_size.width, pixel_size.height))
        fineness = {"resolution": (across, down), "resolutionunit": "CENTIMETER"}
    with whole_file(path) as temporary:
        tifffile.imwrite(
            temporary,
            _tiles(bands, size[1]),
            shape=size,
            dtype=np.uint8,
            tile=(TILE, TILE),
            photometric="palette",
            colormap=table,
            compression="zlib",
            # Much faster than the usual level, for somewhat larger files.
            compressionargs={"level": 3},
            # tifffile's own are half the cores, as if something else went on.
            maxworkers=cores(),
            # Of tiles that wait for a thread: tifffile's own takes half a GiB.
            buffersize=_WAITING,
            bigtiff=size[0] * size[1] > _BIG,
            extratags=[(*tag, True) for tag in tags],
            metadata=None,
            **fineness,
        )


def _tiles(bands: Iterator[np.ndarray], width: int) -> Iterator[np.ndarray]:
    """Yield tiles from left to right, from top to bottom, each whole."""
    for band in bands:
        for column in range(0, width, TILE):
            part = band[:, column : column + TILE]
            below, beside = TILE - part.shape[0], TILE - part.shape[1]
            yield np.pad(part, ((0, below), (0, beside)))
