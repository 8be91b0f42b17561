"""Strips and tiles of TIFF pages that tifffile decodes only with another package: LZW, for one.

libtiff, which Pillow holds, decompresses each as if it were a grey picture of one row; what stands
in it is sorted out here. So any number of channels and any type of values is read.
"""

import io
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from delineate.decoding.stored import MAX_PIXELS

OF_FLOATS = 3  # predictor: differences of the bytes of floating-point numbers
_OF_VALUES = 2  # predictor: differences of neighbouring values

_LZW = 5
_DEFLATE = (8, 32946)
READ = frozenset({_LZW, *_DEFLATE})


def read(page: Any, file: BinaryIO) -> NDArray[Any]:
    """Return the values of a page of tifffile.

    Args:
        page: Of a compression in ``READ``, with 8, 16, 32 or 64 bits a value.
        file: Its file.

    Returns:
        (planes, height, width, samples), where planes or samples is 1.

    Raises:
        ValueError: A strip or tile is damaged, or the predictor is not known.
        OSError: libtiff found a strip damaged.
    """
    planes, _, height, width, samples = page.shaped
    rows, columns = page.rowsperstrip, width
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
    down, across = -(-height // rows), -(-width // columns)
    if down * rows * across * columns > 2 * MAX_PIXELS:
        raise ValueError(f"it has tiles of {columns} x {rows} pixels")
    result = np.empty((planes, down * rows, across * columns, samples), page.dtype)
    for number in range(planes * down * across):
        plane, place = divmod(number, down * across)
        row, column = place // across * rows, place % across * columns
        there = rows if page.is_tiled else min(rows, height - row)
        segment = _segment(page, file, number, (there, columns, samples))
        result[plane, row : row + there, column : column + columns] = segment
    return result[:, :height, :width]


def _segment(page: Any, file: BinaryIO, number: int, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return (rows, columns, samples) of one strip or tile."""
    file.seek(page.dataoffsets[number])
    data = file.read(page.databytecounts[number])
    wanted = int(np.prod(shape)) * page.dtype.itemsize
    data = _decompressed(data, wanted, page)
    if len(data) < wanted:
        raise ValueError(f"{wanted - len(data)} bytes of a strip or tile are missing")
    if page.predictor == OF_FLOATS:
        return _floats(data[:wanted], page.dtype, shape)
    stored = page.dtype.newbyteorder(page.parent.byteorder)
    values = np.frombuffer(data, stored, count=wanted // stored.itemsize).reshape(shape)
    values = values.astype(page.dtype)
    if page.predictor == _OF_VALUES:
        whole = values.view(f"u{values.itemsize}")
        return np.cumsum(whole, axis=1, dtype=whole.dtype).view(values.dtype)
    if page.predictor != 1:
        raise ValueError(f"the predictor {page.predictor} is not known")
    return values


def _decompressed(data: bytes, wanted: int, page: Any) -> bytes:
    if page.compression == _LZW:
        return _unlzw(data, wanted, page.fillorder)
    return zlib.decompressobj().decompress(data, wanted)


def _unlzw(data: bytes, wanted: int, fillorder: int) -> bytes:
    tags = {256: wanted, 257: 1, 258: 8, 259: _LZW, 262: 1, 266: fillorder, 277: 1, 278: 1}
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags |= {273: start, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    picture = TiffImageFile(io.BytesIO(head + entries + bytes(4) + data))
    return bytes(picture.tobytes())


def _floats(data: bytes, kind: np.dtype[Any], shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return floating-point numbers from differences of their bytes, the highest bytes first.

    Adobe Photoshop TIFF Technical Note 3.
    """
    rows, columns, samples = shape
    steps = np.frombuffer(data, np.uint8).reshape(rows, columns * kind.itemsize, samples)
    parts = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, kind.itemsize, -1)
    whole = np.ascontiguousarray(np.moveaxis(parts, 1, 2))
    return whole.view(kind.newbyteorder(">"))[..., 0].reshape(shape).astype(kind)
