"""Which format a file has, and its pixels. Formats are told by content, not by name."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.decoding import pictures, png, pnm, tiff
from delineate.decoding.stored import (
    DECODER_ERRORS,
    Stored,
    check_file,
    not_now,
    reason_of_machine,
)
from delineate.errors import ImageError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"}
    | {".pbm", ".pgm", ".ppm", ".pnm"}
)


# What libraries raise where a file misleads them: the words are about their code, not the file.
_SENSELESS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, struct.error)
_LIBRARIES = {"PIL": "Pillow", "tifffile": "tifffile"}


def decode(path: Path, content: bytes | None = None) -> Stored:
    """Return the pixels of the one picture in a file.

    Args:
        path: The file.
        content: All its bytes, where they were read before; nothing is read then.

    Raises:
        ImageError: The file is missing, damaged, too large (``MAX_PIXELS``), of no known format,
            or holds several pictures, other colours or other values than whole numbers.
        NotNowError: The machine cannot read it now, or lacks the memory.
    """
    with _reading(path, content) as file:
        stored: Stored = _format(file, path).load(file, path)
        return stored


def decode_size(path: Path) -> tuple[int, int]:
    """Return (height, width) in pixels of the upright picture, from the header of its file.

    Raises:
        ImageError: As for ``decode``, as far as the header tells.
        NotNowError: As for ``decode``.
    """
    with _reading(path, None) as file:
        size: tuple[int, int] = _format(file, path).size(file, path)
        return size


def decode_floats(path: Path) -> NDArray[np.float32]:
    """Return the floating-point numbers of a TIFF file: (height, width, channels), as stored.

    They may be of any range, infinite, or not a number.

    Raises:
        ImageError: As for ``decode``; or the file holds whole numbers.
        NotNowError: As for ``decode``.
    """
    with _reading(path, None) as file:
        if _format(file, path) is not tiff:
            raise ImageError(
                f"Image '{path}' holds no floating-point numbers, which only TIFF files can.",
                hint="Read it as an image.",
            )
        # What is no number at all counts as invalid.
        with np.errstate(over="ignore", invalid="ignore"):
            return tiff.load(file, path, floats=True).pixels.astype(np.float32)


@contextmanager
def _reading(path: Path, content: bytes | None) -> Iterator[BinaryIO]:
    """Yield an open file; what decoders raise becomes the error that it is damaged, or not now."""
    if content is None:
        _require_file(path)
    try:
        with io.BytesIO(content) if content is not None else path.open("rb") as file:
            try:
                yield file
            except DECODER_ERRORS as error:
                if _lacks_memory(error) and _is_bounded(file, path):
                    raise not_now(path, "there is not enough memory") from error
                raise
    except PermissionError as error:
        raise _not_allowed(path) from error
    except DECODER_ERRORS as error:
        if why := reason_of_machine(error):
            raise not_now(path, why) from error
        raise ImageError(
            f"Image '{path}' is truncated or damaged ({_reason(error)}).",
            hint="Replace the file by a good copy, or remove it.",
        ) from error


def _require_file(path: Path) -> None:
    """Refuse what does not exist, what would block, and what is too large to be read whole."""
    try:
        check_file(path)
    except PermissionError as error:
        raise _not_allowed(path) from error
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise ImageError(f"Image '{path}' does not exist.", hint="Check the path.") from error
    except OSError as error:
        if why := reason_of_machine(error):
            raise not_now(path, why) from error
        why = error.strerror or "there is no such path"
        raise ImageError(
            f"Image '{path}' cannot be opened: {why}.", hint="Check the path."
        ) from error


def _lacks_memory(error: BaseException) -> bool:
    # Of OpenCV's errors the reader of PNG makes its own.
    return any(
        isinstance(one, MemoryError)
        or (isinstance(one, cv2.error) and getattr(one, "code", 0) == cv2.Error.StsNoMem)
        for one in (error, error.__cause__)
    )


def _is_bounded(file: BinaryIO, path: Path) -> bool:
    """Return whether a file's size was checked before memory was taken: its header can be read."""
    try:
        file.seek(0)
        _format(file, path).size(file, path)
    except ImageError:  # it has other faults: of its size it would have been raised before
        return True
    except DECODER_ERRORS:
        return False
    return True


def _not_allowed(path: Path) -> ImageError:
    return ImageError(f"Image '{path}' may not be read.", hint="Change its permissions.")


def _reason(error: BaseException) -> str:
    """Return what is wrong, in our own words or in those of the library that found it."""
    words = " ".join(str(error).split())[:120]
    if isinstance(error, _SENSELESS) or not words:
        return "its structure makes no sense"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    library = _LIBRARIES.get(module.partition(".")[0])
    return f"{library}: {words}" if library else words


def _format(file: BinaryIO, path: Path) -> ModuleType:
    """Return the module whose ``load`` and ``size`` read an open file."""
    head = file.read(12)
    file.seek(0)
    if not head:
        raise ImageError(f"Image '{path}' is empty (0 bytes).", hint="Replace or remove it.")
    if head.startswith(png.SIGNATURE):
        return png
    if head[:4] in tiff.SIGNATURES:
        return tiff
    if pictures.is_picture(head):
        return pictures
    if pnm.SIGNATURE.match(head):
        return pnm
    raise ImageError(
        f"Image '{path}' is of no format that can be read (it starts with {head!r}).",
        hint="Convert it to PNG, TIFF, JPEG, BMP, WebP, GIF or PPM.",
    )
