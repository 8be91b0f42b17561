"""What Pillow does not check in GIF files: that there is one frame, and that all of it is there."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from delineate.decoding.stored import FRAMES_APART, check_size, several
from delineate.errors import ImageError

_EXTENSION, _FRAME, _TRAILER = 0x21, 0x2C, 0x3B


def check(file: BinaryIO, path: Path) -> None:
    """Refuse a GIF file of several frames, or whose only frame leaves a part of its canvas open.

    Raises:
        ImageError: It has another number of frames than one, or its frame another size.
        ValueError: It is truncated or damaged.
    """
    file.seek(0)
    content = file.read()
    if len(content) < 13:
        raise ValueError("its header is incomplete")
    width, height = struct.unpack_from("<HH", content, 6)
    if min(width, height) == 0:
        raise ValueError(f"it claims {width} x {height} pixels")
    check_size(path, height, width, held=len(content))
    boxes = list(_frames(content))
    if len(boxes) > 1:
        raise several(path, f"an animation of {len(boxes)} frames", FRAMES_APART)
    if not boxes:
        raise ValueError("it holds no picture")
    if boxes[0] != (0, 0, width, height):
        raise ImageError(
            f"Image '{path}' has a frame of {boxes[0][2]} x {boxes[0][3]} pixels on a canvas of "
            f"{width} x {height}.",
            hint="Save it again as PNG.",
        )


def _frames(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (column, row, width, height) of each frame, to the end mark."""
    place = 13 + _table(content[10])
    while (kind := _byte(content, place)) != _TRAILER:
        if kind == _FRAME:
            head = content[place + 1 : place + 10].ljust(9, b"\0")
            yield struct.unpack_from("<4H", head)
            place += 11 + _table(head[8])
        elif kind == _EXTENSION:
            place += 2
        else:
            raise ValueError(f"there is no block of kind {kind:#04x}")
        while length := _byte(content, place):
            place += 1 + length
        place += 1


def _table(flags: int) -> int:
    """Return the bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _byte(content: bytes, place: int) -> int:
    if place >= len(content):
        raise ValueError("it ends before its end mark")
    return content[place]
