"""What Pillow does not check in BMP files: that run lengths fill the picture, and stay in it."""

import struct
from typing import BinaryIO

from delineate.decoding.stored import bytes_of

_LINE_ENDS, _PICTURE_ENDS, _JUMP = 0, 1, 2
_WRONG = "its run lengths do not fit the picture"
# Bytes that a pixel, or the end of a row, may take, and those of all that is not run lengths.
_PER_PIXEL, _BESIDE = 4, 1 << 20


def check_length(file: BinaryIO, width: int, height: int) -> None:
    """Refuse a BMP file in run lengths that has far more of them than its picture needs.

    Pillow reads on as long as nothing is drawn.

    Raises:
        ValueError: It has.
    """
    if bytes_of(file) > _PER_PIXEL * (width + 1) * height + _BESIDE:
        raise ValueError(_WRONG)


def check(file: BinaryIO, width: int, height: int, bits: int) -> None:
    """Refuse a BMP file whose run lengths leave the picture, or leave a part of it open.

    Args:
        file: Of the compression RLE4 or RLE8.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        bits: 4 or 8.

    Raises:
        ValueError: They do, or the file is cut off.
    """
    file.seek(0)
    content = file.read()
    place = struct.unpack_from("<I", content, 10)[0]
    column = row = drawn = 0
    while place + 2 <= len(content):
        count, value = content[place], content[place + 1]
        place += 2
        if count == 0 and value in (_PICTURE_ENDS, _JUMP):
            break
        if count == 0 and value == _LINE_ENDS:
            column, row = 0, row + 1
            if row > height:
                raise ValueError(_WRONG)
            continue
        if count == 0:  # pixels one by one, in whole pairs of bytes
            count, place = value, place + (value * bits + 15) // 16 * 2
        column, drawn = column + count, drawn + count
        if column > width or row >= height:
            raise ValueError(_WRONG)
    if drawn != width * height or place > len(content):
        raise ValueError(_WRONG)
