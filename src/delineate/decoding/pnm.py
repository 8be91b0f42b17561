"""Netpbm's bitmaps, greymaps and pixmaps, P1 to P6, of 1 to 16 bits (netpbm.sourceforge.net)."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from delineate.decoding.stored import STEPS, Stored, check_size, several

SIGNATURE = re.compile(rb"P[1-6][\s#]")

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_SIZE = rb"P([1-6])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})"
_HEADER = re.compile(_SIZE)
_DEEP_HEADER = re.compile(_SIZE + _GAP + rb"(\d{1,5})")
_COMMENT = re.compile(rb"#[^\r\n]*")
_HEADER_BYTES = 65_536


@dataclass(frozen=True)
class _Header:
    kind: int
    height: int
    width: int
    most: int
    end: int

    @property
    def channels(self) -> int:
        return 3 if self.kind in (3, 6) else 1

    @property
    def values(self) -> int:
        return self.height * self.width * self.channels


def load(file: BinaryIO, path: Path) -> Stored:
    """Return the pixels of an open Netpbm file.

    Grey whose greatest value is 1, 3, 5, 15, 17, 51 or 85 is shown as 0 to 255, like that of few
    bits in other formats; all other values stay as they are stored.

    Raises:
        ImageError: It is too large, or holds several pictures.
        ValueError: It is truncated or damaged.
    """
    header = _read_header(file, path)
    file.seek(header.end)
    content = file.read()
    if header.kind <= 3:
        values = _plain(header, content)
    elif header.kind == 4:
        values = _bits(header, _raster(content, -(-header.width // 8) * header.height, path))
    else:
        kind = ">u2" if header.most > 255 else "u1"
        raster = _raster(content, header.values * np.dtype(kind).itemsize, path)
        values = np.frombuffer(raster, kind)
    if values.max() > header.most:
        raise ValueError(f"it holds {values.max()}, but {header.most} is said to be its most")
    depth = np.uint16 if header.most > 255 else np.uint8
    pixels: NDArray[Any] = values.astype(depth).reshape(
        header.height, header.width, header.channels
    )
    if header.kind in (1, 4):  # ones are black
        return Stored((1 - pixels) * np.uint8(255), step=STEPS[1], inverted=True)
    step = 255 // header.most if header.most < 255 and 255 % header.most == 0 else 1
    return Stored(pixels * np.uint8(step), step=step)


def size(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Return (height, width), from the header of an open Netpbm file.

    Raises:
        ImageError: It is too large.
        ValueError: Its header is damaged.
    """
    header = _read_header(file, path)
    return header.height, header.width


def _read_header(file: BinaryIO, path: Path) -> _Header:
    file.seek(0)
    content = file.read(_HEADER_BYTES)
    bitmap = content[1:2] in (b"1", b"4")
    found = (_HEADER if bitmap else _DEEP_HEADER).match(content)
    if found is None or not content[found.end() : found.end() + 1].isspace():
        raise ValueError("its header is incomplete or damaged")
    kind, width, height = (int(part) for part in found.groups()[:3])
    most = 1 if bitmap else int(found[4])
    if min(width, height) == 0 or not 0 < most < 65_536:
        raise ValueError(f"it claims {width} x {height} pixels of 0 to {most}")
    check_size(path, height, width)
    return _Header(kind, height, width, most, found.end() + 1)


def _raster(content: bytes, wanted: int, path: Path) -> bytes:
    if len(content) < wanted:
        raise ValueError(f"{wanted - len(content)} bytes of its pixels are missing")
    rest = content[wanted:].strip()
    if SIGNATURE.match(rest):
        raise several(path, "one after the other", "pamsplit FILE")
    if rest:
        raise ValueError(f"{len(rest)} bytes follow its pixels")
    return content[:wanted]


def _bits(header: _Header, raster: bytes) -> NDArray[np.uint8]:
    rows = np.frombuffer(raster, np.uint8).reshape(header.height, -1)
    return np.unpackbits(rows, axis=1)[:, : header.width]


def _plain(header: _Header, content: bytes) -> NDArray[Any]:
    """Return the values of a file that writes them as text."""
    text = _COMMENT.sub(b"", content)
    digits = b"".join(text.split())
    if digits and not digits.isdigit():
        raise ValueError("it holds something else than numbers")
    if header.kind == 1:  # whose digits need nothing between them
        values = np.frombuffer(digits, np.uint8) - np.uint8(ord("0"))
    else:
        values = np.fromiter((min(int(number), 65_536) for number in text.split()), np.int64)
    if values.size != header.values:
        raise ValueError(f"it holds {values.size} values instead of {header.values}")
    return values
