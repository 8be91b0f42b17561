"""How many bytes compressed data claim, or turn out, to be: known before they are all in memory."""

import bz2
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Bytes that are unpacked at a time, and then forgotten; and packed ones that are looked at.
_PIECE, _WINDOW = 1 << 20, 1 << 16
# Bytes of the largest block of Zstandard; where a frame does not say its size, its blocks tell it.
_BLOCK = 1 << 17
_FRAME, _SKIPPED = 0xFD2FB528, 0x184D2A50
# Streams or frames, and blocks of Zstandard, that any data may have, and how many bytes each gives
# on the average where there are more: writers give one stream, and larger blocks.
_FREE_STREAMS, _STREAM = 16, 1 << 12
_FREE_BLOCKS, _OF_BLOCK = 1 << 10, 1 << 9


class _TooManyError(Exception):
    """Data have more parts than they would need."""


def fits(kind: str, data: bytes, most: int) -> bool:
    """Return whether compressed data become a number of bytes at most, in not too many parts.

    What is no such data at all fits: the decoder will refuse it.

    Args:
        kind: A key of ``HEADS``: what has compressed them.
        data: All of them, or so many as ``HEADS`` says.
        most: Bytes.

    Example:
        >>> bomb = zlib.compress(bytes(10_000_000))
        >>> fits("zlib", bomb, 10_000_000), fits("zlib", bomb, 9_000_000)
        (True, False)
    """
    total = 0
    try:
        for count in _COUNTS[kind](data, most):
            total += count
            if total > most:
                return False
    except _TooManyError:
        return False
    except (zlib.error, OSError, ValueError):
        return True
    return True


def _blosc(data: bytes, _: int) -> Iterable[int]:
    return [int.from_bytes(data[4:8], "little")]


def _lz4(data: bytes, _: int) -> Iterable[int]:
    return [int.from_bytes(data[:4], "little")]


def _gzip(data: bytes, most: int) -> Iterator[int]:
    return _inflated(data, 31, most)


def _zlib(data: bytes, most: int) -> Iterator[int]:
    return _inflated(data, 15, most)


def _inflated(data: bytes, bits: int, most: int) -> Iterator[int]:
    """Yield the sizes of the pieces that streams of deflate, one behind the other, unpack to."""
    view, place = memoryview(data), 0
    for _ in _counted(_FREE_STREAMS + most // _STREAM):
        stream: Any = zlib.decompressobj(bits)
        while not stream.eof:
            # What is left of a piece is copied, and so a piece is short.
            piece = view[place : place + _WINDOW]
            if not piece:
                return
            yield len(stream.decompress(piece, _PIECE))
            left = stream.unused_data if stream.eof else stream.unconsumed_tail
            place += len(piece) - len(left)


def _bz2(data: bytes, most: int) -> Iterator[int]:
    """Yield the sizes of the pieces that streams of bzip2, one behind the other, unpack to."""
    view, place = memoryview(data), 0
    for _ in _counted(_FREE_STREAMS + most // _STREAM):
        stream = bz2.BZ2Decompressor()
        while not stream.eof:
            piece = view[place : place + _WINDOW] if stream.needs_input else b""
            if stream.needs_input and not piece:
                return
            place += len(piece)
            yield len(stream.decompress(piece, _PIECE))
        place -= len(stream.unused_data)


def _zstd(data: bytes, most: int) -> Iterator[int]:
    """Yield the sizes of frames of Zstandard, as they say it or as their blocks do (RFC 8878)."""
    place, blocks = 0, _counted(_FREE_BLOCKS + most // _OF_BLOCK)
    for _ in _counted(_FREE_STREAMS + most // _STREAM):
        if place + 5 > len(data):
            return
        magic = _number(data, place, 4)
        if magic & ~15 == _SKIPPED:
            place += 8 + _number(data, place + 4, 4)
            continue
        if magic != _FRAME:
            return
        flags = data[place + 4]
        single = flags >> 5 & 1
        place += 6 - single + (0, 1, 2, 4)[flags & 3]
        width = (single, 2, 4, 8)[flags >> 6]
        said = _number(data, place, width) + (256 if width == 2 else 0)
        found, place = _blocks(data, place + width, blocks)
        place += 4 * (flags >> 2 & 1)
        yield said if width else found


def _blocks(data: bytes, place: int, blocks: Iterator[int]) -> tuple[int, int]:
    """Return how many bytes the blocks of a frame may become at most, and where they end."""
    found = 0
    for _ in blocks:
        if place + 3 > len(data):
            break
        header = _number(data, place, 3)
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        found += size if kind < 2 else _BLOCK
        place += 3 + (1 if kind == 1 else size)
        if last:
            break
    return found, place


def _counted(most: int) -> Iterator[int]:
    """Yield so many numbers.

    Raises:
        _TooManyError: One more was asked for.
    """
    yield from range(most)
    raise _TooManyError


def _number(data: bytes, place: int, width: int) -> int:
    return int.from_bytes(data[place : place + width], "little")


_COUNTS: dict[str, Callable[[bytes, int], Iterable[int]]] = {
    "blosc": _blosc,
    "bz2": _bz2,
    "gzip": _gzip,
    "lz4": _lz4,
    "zlib": _zlib,
    "zstd": _zstd,
}
HEADS: dict[str, int | None] = dict.fromkeys(_COUNTS) | {"blosc": 16, "lz4": 4}
"""What compresses, and how many bytes of its data say how large they become; None: all of them."""
