"""Pixels as a file stores them, and what the readers of all formats share."""

import errno
import logging
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from delineate.errors import ImageError, NotNowError, reason_of

MAX_PIXELS = 500_000_000
MAX_VALUES = 4 * MAX_PIXELS
# Bytes of a file that is read whole: as many as the values of the largest picture have in 16 bits.
MAX_BYTES = 1 << 32
# Bytes of pixels that any file may hold, and, where they are more, how many each of its bytes may
# stand for. A mask of one colour reaches 1032 in deflate and 1364 in LZW: it passes at any size.
# Above are bitmaps and WebP of one colour, and files that lie; at such sizes, only bombs.
# A mask of one colour in one bit is a few kilobytes however large it is, and nothing tells it from
# a bomb but its size: so the free bytes are no fewer, and readers hold, beside the pixels, no more
# than one further copy of them. A few kilobytes thus never cost more than twice the free bytes.
FREE_BYTES, MAX_GAIN = 1 << 28, 1500

# Images show grey of fewer than 8 bits as 0..255: bits -> factor from stored to shown.
STEPS = {1: 255, 2: 85, 4: 17}

# Hostile files make decoders raise nearly anything; each of these means that the file is broken,
# unless it is the machine's (see ``reason_of_machine``).
DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    Image.DecompressionBombError,
    cv2.error,
    struct.error,
    zlib.error,
)

# Why a path cannot be opened, and what comes of a place before the beginning of a file. Errors of
# all other numbers (of disks, networks, memory, too many open files) may be over the next time.
_OF_FILES = frozenset(
    {
        errno.EACCES,
        errno.EILSEQ,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
    }
)

ORIENTATION = 0x0112

# How to take an animation apart, with ImageMagick.
FRAMES_APART = "magick FILE -coalesce frame_%03d.png"

# warnings.catch_warnings is not safe among threads, so what may warn runs one at a time.
_QUIET = threading.Lock()


@dataclass(frozen=True, eq=False)
class Stored:
    """Pixels of a file, upright and as they would be shown, and how they were stored.

    Attributes:
        pixels: (height, width, channels), without alpha; RGB order; the indices where there is a
            palette. Channels are 1 or 3, or as many as a multispectral TIFF has.
        palette: (colours, 3) uint8, or None.
        hidden: (height, width) bool, where a pixel is not fully opaque; None where all are.
        alpha: (height, width), the alpha channel as stored, of the type of ``pixels``; or None.
        step: The factor from stored values to ``pixels``.
        inverted: The file stores white as zero (``pixels`` are as shown all the same).
    """

    pixels: NDArray[Any]
    palette: NDArray[np.uint8] | None = None
    hidden: NDArray[np.bool_] | None = None
    alpha: NDArray[Any] | None = None
    step: int = 1
    inverted: bool = False


def split_alpha(pixels: NDArray[Any], channel: int) -> Stored:
    """Return pixels without their alpha channel, which is kept beside them.

    Args:
        pixels: (height, width, channels) of whole numbers.
        channel: The index of alpha.
    """
    alpha = np.ascontiguousarray(pixels[..., channel])
    return with_alpha(np.delete(pixels, channel, axis=2), alpha)


def with_alpha(pixels: NDArray[Any], alpha: NDArray[Any]) -> Stored:
    """Return pixels and what their alpha channel hides."""
    opaque = np.iinfo(alpha.dtype).max
    hidden = None if alpha.min() == opaque else alpha < opaque
    return Stored(pixels, hidden=hidden, alpha=alpha)


def upright(stored: Stored, orientation: int) -> Stored:
    """Return the pixels turned by an EXIF orientation (CIPA DC-008, tag 274), contiguous."""
    if orientation == 1 and stored.pixels.flags.c_contiguous:
        return stored
    return Stored(
        pixels=_turned(stored.pixels, orientation),
        palette=stored.palette,
        hidden=None if stored.hidden is None else _turned(stored.hidden, orientation),
        alpha=None if stored.alpha is None else _turned(stored.alpha, orientation),
        step=stored.step,
        inverted=stored.inverted,
    )


def turned_size(height: int, width: int, orientation: int) -> tuple[int, int]:
    """Return (height, width) after a turn by an EXIF orientation."""
    return (width, height) if orientation >= 5 else (height, width)


def check_file(path: Path, *, what: str = "Image", most: int | None = MAX_BYTES) -> os.stat_result:
    """Return the status of a file that can be read to its end; links are followed.

    Args:
        path: The file; it is not opened, since the opening of a pipe waits for its other end.
        what: What it should hold, for the error.
        most: How many bytes it may have; None: any number, for what is read in parts.

    Raises:
        ImageError: It is a pipe, a device or a folder, or has more bytes.
        OSError: It cannot be looked at, because it does not exist, say.
    """
    found = path.stat()
    if not S_ISREG(found.st_mode):
        raise ImageError(f"{what} '{path}' is not a regular file.", hint="Check the path.")
    if most is not None and found.st_size > most:
        raise ImageError(
            f"{what} '{path}' has {found.st_size} bytes; the limit is {most}.",
            hint="Cut it into tiles; larger ones are only predicted, from TIFF or OME-Zarr.",
        )
    return found


def reason_of_machine(error: BaseException) -> str:
    """Return why the machine cannot read a file now; "" where an error may be the file's.

    That there is not enough memory may be, too: it depends on what the file asks for.
    """
    # Decoders raise an OSError without a number.
    if not isinstance(error, OSError) or error.errno in (None, *_OF_FILES):
        return ""
    return error.strerror or reason_of(error)


def not_now(path: Path, why: str, *, what: str = "Image") -> NotNowError:
    """Return the error about a file that the machine cannot read now.

    Args:
        path: The file.
        why: The reason, without a full stop.
        what: What the file holds.
    """
    return NotNowError(
        f"{what} '{path}' cannot be read now: {why}.",
        hint="Look at the disk, the network, the memory and the number of open files, and try "
        "again; where it stays so, replace the file.",
    )


def bytes_of(file: BinaryIO) -> int:
    """Return how many bytes an open file has; its place stays."""
    place = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(place)
    return end


def check_size(
    path: Path, height: int, width: int, channels: int = 1, *, depth: int = 1, held: int
) -> None:
    """Refuse a picture that would fill the memory, by what its header says.

    Args:
        path: Its path, for errors.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        channels: Values of a pixel, decoded.
        depth: Bytes of a value, decoded.
        held: Bytes of its file.

    Raises:
        ImageError: It has more than ``MAX_PIXELS`` pixels, or ``MAX_VALUES`` values; or more than
            ``FREE_BYTES``, and than ``MAX_GAIN`` for each byte of its file.
    """
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"Image '{path}' claims {width} x {height} pixels; the limit is {MAX_PIXELS}.",
            hint="Cut it into tiles.",
        )
    if height * width * channels > MAX_VALUES:
        raise ImageError(
            f"Image '{path}' claims {width} x {height} pixels of {channels} channels; the limit is "
            f"{MAX_VALUES} values.",
            hint="Cut it into tiles, or leave channels out.",
        )
    check_growth(path, height, width, height * width * channels * depth, held=held)


def check_growth(path: Path, height: int, width: int, decoded: int, *, held: int) -> None:
    """Refuse pixels of more bytes than those of a file can stand for.

    Args:
        path: Its path, for errors.
        height: Of the pixels, for errors.
        width: Of the pixels, for errors.
        decoded: Their bytes.
        held: Bytes of the file.

    Raises:
        ImageError: They are more than ``FREE_BYTES``, and than ``MAX_GAIN`` for each of its bytes.
    """
    if decoded > max(FREE_BYTES, MAX_GAIN * held):
        raise ImageError(
            f"Image '{path}' claims {width} x {height} pixels, {decoded >> 20} MiB, in a file of "
            f"{held} bytes.",
            hint="Replace it by a good copy; if it really shows so little, cut it into tiles.",
        )


def several(path: Path, what: str, command: str) -> ImageError:
    """Return the error about a file that holds more than one picture."""
    return ImageError(
        f"Image '{path}' holds several pictures ({what}).",
        hint=f"Save each frame or page as a file of its own, for example with '{command}'.",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow and tifffile from warning about what is odd in a file, and read all the same."""
    logger = logging.getLogger("tifffile")
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, logger.disabled = logger.disabled, True
        try:
            yield
        finally:
            logger.disabled = before


def exif_orientation(read: Callable[[], Image.Exif]) -> int:
    """Return the orientation that EXIF data hold: 1 to 8; 1 where they hold none, or are broken.

    Args:
        read: Returns the data, or raises what Pillow raises.

    Raises:
        OSError: The machine cannot read them now.
    """
    try:
        with quiet():
            value = read().get(ORIENTATION, 1)
    except DECODER_ERRORS as error:  # the picture may be good where its EXIF is not
        if reason_of_machine(error):
            raise
        return 1
    return value if value in range(1, 9) else 1


def orientation_of(path: Path) -> int:
    """Return the EXIF orientation of a file, 1 to 8; 1 where it has none, or is no picture.

    Raises:
        NotNowError: The machine cannot read it now.
    """
    if not path.is_file():  # a pipe would block
        return 1
    try:
        with quiet():
            picture = Image.open(path)
        with picture:
            # The method of the base class: another would decode the picture first.
            return exif_orientation(lambda: Image.Image.getexif(picture))
    except DECODER_ERRORS as error:
        if why := reason_of_machine(error):
            raise not_now(path, why) from error
        return 1


def _turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)
