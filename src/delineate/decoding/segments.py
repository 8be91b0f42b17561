"""Strips and tiles of TIFF pages, decompressed to as many bytes as they should have, and no more.

For LZW tifffile needs another package, and of deflate it takes all that comes. libtiff, which
Pillow holds, decompresses LZW as if each were a grey picture of one row; what stands in it is
sorted out here. So any number of channels and any type of values is read.
"""

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from delineate.decoding.stored import MAX_GAIN

OF_FLOATS = 3  # predictor: differences of the bytes of floating-point numbers
_OF_VALUES = 2  # predictor: differences of neighbouring values

_NONE, _LZW, _JPEG, _PACKBITS = 1, 5, 7, 32773
DEFLATE = frozenset({8, 32946})
READ = DEFLATE | {_LZW}
"""Compressions of pages that are read here whole."""
PARTS = frozenset({*READ, _NONE, _JPEG, _PACKBITS})
"""Those of which single strips and tiles are."""

# Each byte with its bits in the other order, as the tag FillOrder may have them.
_TURNED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))

# TIFF's types of values.
_LONG, _UNDEFINED = 4, 7

# Bytes that any strip or tile may become; of more, each of its own stands for so many at the most.
_FREE = 1 << 20
# Values that are copied out of Pillow at a time.
_BAND = 1 << 22


def read(page: Any, file: BinaryIO) -> NDArray[Any]:
    """Return the values of a page of tifffile.

    Args:
        page: Of a compression in ``READ``, with 8, 16, 32 or 64 bits a value, or, of one in
            ``DEFLATE``, with one bit.
        file: Its file.

    Returns:
        (planes, height, width, samples), where planes or samples is 1.

    Raises:
        ValueError: A strip or tile is damaged, or the predictor is not known.
        OSError: libtiff found a strip damaged.
    """
    planes, _, height, width, samples = page.shaped
    rows, columns = side_of(page)
    down, across = -(-height // rows), -(-width // columns)
    result = np.empty((planes, down * rows, across * columns, samples), page.dtype)
    for number in range(planes * down * across):
        plane, place = divmod(number, down * across)
        row, column = place // across * rows, place % across * columns
        there = rows if page.is_tiled else min(rows, height - row)
        file.seek(page.dataoffsets[number])
        segment = decoded(file.read(page.databytecounts[number]), page, (there, columns, samples))
        result[plane, row : row + there, column : column + columns] = segment
    return result[:, :height, :width]


def side_of(page: Any) -> tuple[int, int]:
    """Return the rows and the columns of a whole strip or tile of a page of tifffile."""
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    return int(page.rowsperstrip), int(page.imagewidth)


def decoded(data: bytes, page: Any, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return the values of one strip or tile.

    Args:
        data: As it is stored.
        page: Of tifffile; of a compression in ``PARTS``, with 8, 16, 32 or 64 bits a value, or, of
            one in ``DEFLATE``, with one bit.
        shape: (rows, columns, samples) of the strip or tile.

    Raises:
        ValueError: It is damaged, or the predictor is not known.
        OSError: libtiff found it damaged.
    """
    if page.bitspersample == 1:
        return _bits(data, page, shape)
    wanted = int(np.prod(shape)) * page.dtype.itemsize
    plain = _decompressed(data, wanted, page, shape)
    if len(plain) < wanted:
        raise ValueError(f"{wanted - len(plain)} bytes of a strip or tile are missing")
    if page.predictor == OF_FLOATS:
        return _floats(plain[:wanted], page.dtype, shape)
    stored = page.dtype.newbyteorder(page.parent.byteorder)
    values = np.frombuffer(plain, stored, count=wanted // stored.itemsize).reshape(shape)
    values = values.astype(page.dtype, copy=False)
    if page.predictor == _OF_VALUES:
        whole = values.view(f"u{values.itemsize}")
        return np.cumsum(whole, axis=1, dtype=whole.dtype).view(values.dtype)
    if page.predictor != 1:
        raise ValueError(f"the predictor {page.predictor} is not known")
    return values


def _decompressed(
    data: bytes, wanted: int, page: Any, shape: tuple[int, int, int]
) -> bytes | bytearray:
    if page.compression == _NONE:
        return data
    if page.compression in READ and wanted > max(_FREE, MAX_GAIN * len(data)):
        raise ValueError(f"a strip or tile of {wanted} bytes is stored in {len(data)}")
    if page.compression in DEFLATE:
        return _inflated(data if page.fillorder == 1 else data.translate(_TURNED), wanted)
    if page.compression == _JPEG:
        return _by_libtiff(data, _tags_of_jpeg(page, shape))
    tags = {256: wanted, 257: 1, 258: 8, 259: page.compression, 262: 1, 266: page.fillorder, 277: 1}
    return _by_libtiff(data, tags | {278: 1})


def _inflated(data: bytes, wanted: int) -> bytes:
    """Return so many bytes, or fewer where there are no more; the checksum is verified."""
    inflater = zlib.decompressobj()
    found = inflater.decompress(data, wanted)
    # The checksum stands behind the last byte. Some writers fill the last strip up with more.
    more = inflater.decompress(inflater.unconsumed_tail, 1)
    if not more and not inflater.eof:
        raise ValueError("a strip or tile is cut off")
    return found


def _bits(data: bytes, page: Any, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return the values of a strip or tile of one bit each, whose rows begin with a byte."""
    rows, columns, samples = shape
    row = -(-columns * samples // 8)
    plain = _decompressed(data, rows * row, page, shape)
    if len(plain) < rows * row or page.predictor != 1:
        raise ValueError("bytes of a strip or tile are missing, or are differences")
    packed = np.frombuffer(plain, np.uint8, count=rows * row).reshape(rows, row)
    values = np.unpackbits(packed, axis=1, count=columns * samples)
    return values.reshape(shape).view(np.bool_)


def _tags_of_jpeg(page: Any, shape: tuple[int, int, int]) -> dict[int, int | bytes]:
    rows, columns, samples = shape
    tags = {256: columns, 257: rows, 258: 8, 259: _JPEG, 262: int(page.photometric), 277: samples}
    tables = page.jpegtables
    return tags | {278: rows} | ({} if tables is None else {347: bytes(tables)})


def _by_libtiff(data: bytes, tags: Mapping[int, int | bytes]) -> bytearray:
    """Return what libtiff makes of the only strip of a picture with such tags."""
    entries, after = [], 8 + 2 + 12 * (len(tags) + 2) + 4
    beside = b"".join(value for value in tags.values() if isinstance(value, bytes))
    whole = {**tags, 273: after + len(beside), 279: len(data)}
    for tag, value in sorted(whole.items()):
        if isinstance(value, bytes):
            entries.append(struct.pack("<HHII", tag, _UNDEFINED, len(value), after))
            after += len(value)
        else:
            entries.append(struct.pack("<HHII", tag, _LONG, 1, value))
    head = struct.pack("<2sHIH", b"II", 42, 8, len(whole))
    content = head + b"".join(entries) + bytes(4) + beside + data
    picture = TiffImageFile(io.BytesIO(content))
    width, height = picture.size
    found, place = bytearray(len(picture.getbands()) * width * height), 0
    # Of all at once Pillow would make two more copies.
    down, across = (max(1, _BAND // width), width) if height > 1 else (1, _BAND)
    for top in range(0, height, down):
        for left in range(0, width, across):
            box = (left, top, min(left + across, width), min(top + down, height))
            part = picture.crop(box).tobytes()
            found[place : place + len(part)] = part
            place += len(part)
    return found


def _floats(
    data: bytes | bytearray, kind: np.dtype[Any], shape: tuple[int, int, int]
) -> NDArray[Any]:
    """Return floating-point numbers from differences of their bytes, the highest bytes first.

    Adobe Photoshop TIFF Technical Note 3.
    """
    rows, columns, samples = shape
    steps = np.frombuffer(data, np.uint8).reshape(rows, columns * kind.itemsize, samples)
    parts = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, kind.itemsize, -1)
    whole = np.ascontiguousarray(np.moveaxis(parts, 1, 2))
    return whole.view(kind.newbyteorder(">"))[..., 0].reshape(shape).astype(kind)
