"""Netpbm's bitmaps, greymaps and pixmaps, P1 to P6, of 1 to 16 bits (netpbm.sourceforge.net)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from delineate.decoding.stored import STEPS, Stored, bytes_of, check_size, several

SIGNATURE = re.compile(rb"P[1-6][\s#]")

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_SIZE = rb"P([1-6])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})"
_HEADER = re.compile(_SIZE)
_DEEP_HEADER = re.compile(_SIZE + _GAP + rb"(\d{1,5})")
_COMMENT = re.compile(rb"#[^\r\n]*")
_HEADER_BYTES = 65_536
# Bytes of text that are read at a time; a number that is longer is none.
_PIECE = 1 << 20
_TOO_MUCH = 65_536


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
    if header.kind <= 3:
        values = _plain(header, file)
    elif header.kind == 4:
        values = _bits(header, _raster(file.read(), -(-header.width // 8) * header.height, path))
    else:
        kind = ">u2" if header.most > 255 else "u1"
        raster = _raster(file.read(), header.values * np.dtype(kind).itemsize, path)
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
    header = _Header(kind, height, width, most, found.end() + 1)
    depth = 2 if most > 255 else 1
    check_size(path, height, width, header.channels, depth=depth, held=bytes_of(file))
    return header


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


def _plain(header: _Header, file: BinaryIO) -> NDArray[Any]:
    """Return the values of a file that writes them as text, which is read piece by piece."""
    if header.values > bytes_of(file) - header.end:
        raise ValueError(f"it is too short for {header.values} values")
    values = np.empty(header.values, np.uint32)
    count = 0
    # The digits of a bitmap need nothing between them.
    whole = header.kind > 1
    for piece in _pieces(file, whole=whole):
        found = _numbers(piece.split(), whole=whole)
        # The rest is counted, and not kept.
        kept = found[: max(values.size - count, 0)]
        values[count : count + kept.size] = kept
        count += found.size
    if count != values.size:
        raise ValueError(f"it holds {count} values instead of {values.size}")
    return values


def _pieces(file: BinaryIO, *, whole: bool) -> Iterator[bytes]:
    """Yield the rest of a text without its comments.

    Args:
        file: At the place where it begins.
        whole: Whether no piece may end within a number.
    """
    rest = b""
    while block := file.read(_PIECE):
        text = rest + block
        # A comment whose line ends in another block goes on there.
        last = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        rest = comment = b"#" if b"#" in text[last:] else b""
        text = _COMMENT.sub(b"", text)
        if whole and not comment and not text[-1:].isspace():
            text, rest = _cut(text)
        if len(rest) > _PIECE:
            raise ValueError(f"it holds a number of more than {_PIECE} digits")
        yield text
    yield rest.partition(b"#")[0]


def _cut(text: bytes) -> tuple[bytes, bytes]:
    """Return a text up to the word at its end, and that word."""
    parts = text.rsplit(None, 1)
    return (parts[0], parts[1]) if len(parts) == 2 else (b"", text)


def _numbers(words: list[bytes], *, whole: bool) -> NDArray[Any]:
    """Return the numbers that words are; if not whole, that their digits are."""
    if not words:
        return np.zeros(0, np.uint32)
    digits = b"".join(words)
    if not digits.isdigit():
        raise ValueError("it holds something else than numbers")
    if not whole:
        return np.frombuffer(digits, np.uint8) - np.uint8(ord("0"))
    return np.fromiter(map(_number, words), np.uint32, len(words))


def _number(word: bytes) -> int:
    # Python reads no number of thousands of digits; the first ones tell that it is too large.
    return min(int(word if len(word) < 7 else word.lstrip(b"0")[:6] or b"0"), _TOO_MUCH)
