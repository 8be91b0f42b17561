"""PNG files (W3C Portable Network Graphics, third edition), strictly and without Python's lock.

Every checksum is verified here. OpenCV, which inflates fastest and lets other threads run the
while, is then given the picture alone: a header and the compressed pixels. Whatever else a file
holds (gamma, colour profiles, text) can neither change nor break a picture.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from delineate.decoding.stored import (
    STEPS,
    Stored,
    bytes_of,
    check_size,
    exif_orientation,
    several,
    turned_size,
    upright,
    with_alpha,
)
from delineate.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_MAX_SIDE = 1_000_000  # of the library within OpenCV
_MAX_CHUNKS = 1_000_000  # a picture of 4 GiB has half as many of the usual 8 KiB
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
# What is read besides the pixels.
_SAID = frozenset({b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"acTL"})
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _RGB_ALPHA: (8, 16),
}
# Channels that OpenCV makes of each.
_DECODED = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 4, _RGB_ALPHA: 4}
_PIXELS_BROKEN = "its compressed pixels are incomplete or damaged"


def load(file: BinaryIO, path: Path) -> Stored:
    """Return the pixels of an open PNG file.

    Raises:
        ImageError: It is animated or too large.
        ValueError: It is truncated or damaged.
    """
    content = file.read()
    said, compressed = _chunks(io.BytesIO(content), pixels=True)
    _check(said, path, len(content))
    stored = _stored(said, _inflated(said[b"IHDR"], compressed))
    return upright(stored, _orientation(said))


def size(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Return (height, width) of the upright picture, without reading its pixels.

    Raises:
        ImageError: It is animated or too large.
        ValueError: Its header is damaged, or a chunk is cut off.
    """
    said, _ = _chunks(file, pixels=False)
    _check(said, path, bytes_of(file))
    width, height = struct.unpack(">II", said[b"IHDR"][:8])
    return turned_size(height, width, _orientation(said))


def _heads(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and the length of each chunk, with the file where its data begin."""
    end = file.seek(0, os.SEEK_END)
    place, kind, count = len(SIGNATURE), b"", 0
    while kind != b"IEND":
        count += 1
        if count > _MAX_CHUNKS:
            raise ValueError(f"it has more than {_MAX_CHUNKS} chunks")
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("it ends before its last chunk")
        length, kind = struct.unpack(">I4s", head)
        place += length + 12
        if place > end:
            raise ValueError("a chunk is cut off")
        yield kind, length


def _chunks(file: BinaryIO, *, pixels: bool) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Return the chunks that say how to read the pixels, and, with ``pixels``, theirs as they are.

    Without, all that is not needed is passed over, checksums included.
    """
    said: dict[bytes, bytes] = {}
    compressed: list[bytes] = []
    before = b""
    for kind, length in _heads(file):
        if (kind == b"IHDR") == bool(said):
            raise ValueError("its header does not come first, or twice")
        if not pixels and kind not in _SAID:
            continue
        body = file.read(length + 4)
        if zlib.crc32(memoryview(body)[:-4], zlib.crc32(kind)) != int.from_bytes(body[-4:]):
            raise ValueError(f"wrong checksum in chunk {_name(kind)}")
        if kind in _SAID:
            said.setdefault(kind, body[:-4])
        elif kind == b"IDAT":
            if compressed and before != kind:
                raise ValueError("other chunks stand among those of its pixels")
            compressed += [struct.pack(">I4s", length, kind), body]
        elif kind != b"IEND" and not kind[0] & 0x20:
            raise ValueError(f"the critical chunk {_name(kind)} is not known")
        before = kind
    if pixels and not compressed:
        raise ValueError("it has no pixels")
    return said, compressed


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))


def _check(said: dict[bytes, bytes], path: Path, held: int) -> None:
    header = said[b"IHDR"]
    if len(header) != 13:
        raise ValueError(f"its header has {len(header)} bytes instead of 13")
    width, height, bits, colour, compression, filters, interlace = struct.unpack(">II5B", header)
    if min(width, height) == 0:
        raise ValueError(f"it claims {width} x {height} pixels")
    if bits not in _DEPTHS.get(colour, ()) or compression or filters or interlace > 1:
        raise ValueError(f"its header makes no sense: {bits} bits of colour type {colour}")
    check_size(path, height, width, _DECODED[colour], depth=2 if bits == 16 else 1, held=held)
    if max(width, height) > _MAX_SIDE:
        raise ImageError(
            f"Image '{path}' claims {width} x {height} pixels; the limit is {_MAX_SIDE} on a side.",
            hint="Cut it into tiles.",
        )
    palette = said.get(b"PLTE", b"")
    if colour == _PALETTE and (not palette or len(palette) % 3):
        raise ValueError("its palette is missing or damaged")
    frames = int.from_bytes(said.get(b"acTL", b"")[:4])
    if frames > 1:
        raise several(path, f"an animation of {frames} frames", "magick apng:FILE frame_%03d.png")


def _orientation(said: dict[bytes, bytes]) -> int:
    return exif_orientation(lambda: _exif(said[b"eXIf"])) if b"eXIf" in said else 1


def _exif(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(data)
    return exif


def _inflated(header: bytes, compressed: list[bytes]) -> NDArray[Any]:
    """Return (height, width) or (height, width, 3 or 4), in OpenCV's order of channels."""
    if header[9] == _PALETTE:  # as grey, for OpenCV would expand the indices to colours
        header = header[:9] + bytes([_GREY]) + header[10:]
    content = b"".join([SIGNATURE, _chunk(b"IHDR", header), *compressed, _chunk(b"IEND", b"")])
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(_PIXELS_BROKEN) from error
    if pixels is None or pixels.shape[:2] != struct.unpack(">II", header[:8])[::-1]:
        raise ValueError(_PIXELS_BROKEN)
    return np.asarray(pixels)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def _stored(said: dict[bytes, bytes], pixels: NDArray[Any]) -> Stored:
    bits, colour = said[b"IHDR"][8], said[b"IHDR"][9]
    step = STEPS.get(bits, 1)
    if colour == _PALETTE:
        if step > 1:
            np.floor_divide(pixels, step, out=pixels)
        palette = np.frombuffer(said[b"PLTE"], np.uint8).reshape(-1, 3)
        stored = Stored(pixels[..., None], palette)
    elif colour == _GREY:
        stored = Stored(pixels[..., None], step=step)
    elif colour == _RGB:
        stored = Stored(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    else:
        alpha = cv2.extractChannel(pixels, 3)
        # Of grey with alpha OpenCV makes four channels.
        pixels = (
            cv2.extractChannel(pixels, 0)[..., None]
            if colour == _GREY_ALPHA
            else cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
        )
        stored = with_alpha(pixels, alpha)
    del pixels  # what they have become takes their place
    if b"tRNS" in said and colour in (_GREY, _RGB, _PALETTE):
        return replace(stored, hidden=_keyed(stored, said[b"tRNS"], bits))
    return stored


def _keyed(stored: Stored, key: bytes, bits: int) -> NDArray[np.bool_]:
    """Return where a pixel has the transparent value or colour, or an index that is not opaque."""
    if stored.palette is not None:
        opaque = np.frombuffer(key[:256].ljust(256, b"\xff"), np.uint8) == 255
        return np.asarray((~opaque)[stored.pixels[..., 0]])
    wanted = len(key) // 2 * 2
    if wanted != 2 * stored.pixels.shape[2]:
        raise ValueError("its transparent colour is damaged")
    colour = np.frombuffer(key, ">u2").astype(int) & (2**bits - 1)
    hidden = stored.pixels[..., 0] == colour[0] * stored.step
    for channel, value in enumerate(colour[1:], 1):
        hidden &= stored.pixels[..., channel] == value * stored.step
    return np.asarray(hidden)
