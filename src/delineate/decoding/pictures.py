"""JPEG, BMP, WebP and GIF files, which Pillow decodes."""

from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.WebPImagePlugin import WebPImageFile

from delineate.decoding import bmp, gif, jpeg
from delineate.decoding.stored import (
    FRAMES_APART,
    STEPS,
    Stored,
    bytes_of,
    check_growth,
    check_size,
    exif_orientation,
    quiet,
    several,
    split_alpha,
    turned_size,
    upright,
)
from delineate.errors import ImageError

_RUN_LENGTHS = {1: 8, 2: 4}  # compression of a BMP -> bits
# What Pillow turns other kinds of colours into.
_SHOWN = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB"}
# Pillow keeps colours and alpha in four bytes, and its reader of WebP keeps frames besides.
_COLOUR_BYTES, _WEBP_BYTES = 4, 8
# Pixels that are copied out of Pillow at a time: of all at once it takes three copies.
_BAND = 1 << 22


def is_picture(head: bytes) -> bool:
    """Return whether a file that starts with these 12 bytes is of a format read here."""
    return _opener(head) is not None


def load(file: BinaryIO, path: Path) -> Stored:
    """Return the pixels of an open file.

    Raises:
        ImageError: It holds several pictures, is too large, or has colours of another kind.
        Exception: Whatever Pillow raises where it is truncated or damaged.
    """
    picture, orientation = _open(file, path)
    if isinstance(picture, JpegImageFile):
        jpeg.check(file, path)
    bits = _bits_of_run_lengths(picture)
    width, height = picture.size
    if bits:
        bmp.check_length(file, width, height)
    stored = from_pillow(picture, path)
    transparent, is_gif = picture.info.get("transparency"), isinstance(picture, GifImageFile)
    del picture  # its pixels are there twice by now
    if bits:
        bmp.check(file, width, height, bits)
    if transparent is not None:  # of a GIF: the index that is
        stored = replace(stored, hidden=stored.pixels[..., 0] == transparent)
    if is_gif:
        stored = _as_grey(stored)
    return upright(stored, orientation)


def size(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Return (height, width) of the upright picture, without decoding its pixels.

    Raises:
        ImageError: It holds several pictures, or is too large.
        Exception: Whatever Pillow raises where its header is damaged.
    """
    picture, orientation = _open(file, path)
    return turned_size(picture.height, picture.width, orientation)


def from_pillow(picture: Any, path: Path) -> Stored:
    """Return what an open Pillow image holds, not yet turned upright.

    Raises:
        ImageError: It has colours of another kind than grey, palette, RGB and CMYK.
        Exception: Whatever Pillow raises where the file is truncated or damaged.
    """
    picture.load()
    mode = _SHOWN.get(picture.mode, picture.mode)
    if picture.mode == "1":
        return Stored(_array_of(picture, mode)[..., None], step=STEPS[1])
    if picture.mode == "P":
        palette = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return Stored(_array_of(picture, mode)[..., None], palette)
    if mode not in ("L", "LA", "RGB", "RGBA", "RGBX", "I;16", "I;16B"):
        raise ImageError(
            f"Image '{path}' has colours of kind '{picture.mode}'.", hint="Save it as grey or RGB."
        )
    pixels = _array_of(picture, mode).reshape(picture.height, picture.width, -1)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return split_alpha(pixels, pixels.shape[2] - 1) if pixels.shape[2] in (2, 4) else Stored(pixels)


def _array_of(picture: Any, mode: str) -> NDArray[Any]:
    """Return the pixels of an open Pillow image in a mode that Pillow turns its own into."""
    width, height = picture.size
    step = max(1, _BAND // width)
    found: NDArray[Any] | None = None
    for first in range(0, height, step):
        last = min(first + step, height)
        band = picture.crop((0, first, width, last))
        values = np.asarray(band if band.mode == mode else band.convert(mode))
        if found is None:
            found = np.empty((height, *values.shape[1:]), values.dtype)
        found[first:last] = values
    if found is None:
        raise ValueError("it has no rows")
    return found


def _as_grey(stored: Stored) -> Stored:
    """Return a GIF whose table is all grey by its levels: writers renumber them as they like."""
    table = stored.palette
    if table is None or (table != table[:, :1]).any() or stored.pixels.max() >= len(table):
        return stored
    return replace(stored, pixels=table[:, 0][stored.pixels], palette=None)


def _bits_of_run_lengths(picture: Any) -> int | None:
    """Return the bits of a pixel of a BMP picture in run lengths; None: it is no such picture."""
    if not isinstance(picture, BmpImageFile):
        return None
    return _RUN_LENGTHS.get(picture.info.get("compression"))


def _opener(head: bytes) -> Any:
    openers = {b"\xff\xd8\xff": JpegImageFile, b"BM": BmpImageFile, b"GIF8": GifImageFile}
    for signature, opener in openers.items():
        if head.startswith(signature):
            return opener
    return WebPImageFile if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def _open(file: BinaryIO, path: Path) -> tuple[Any, int]:
    """Return an open Pillow image of one frame, and its orientation."""
    # The classes are called by name: Image.open would try more formats, and has a lower limit.
    opener = _opener(file.read(12))
    if opener is GifImageFile:
        gif.check(file, path)
    file.seek(0)
    with quiet():
        picture = opener(file)
    channels = _COLOUR_BYTES if len(picture.getbands()) > 1 else 1
    check_size(path, picture.height, picture.width, channels, held=bytes_of(file))
    if opener is WebPImageFile:
        taken = picture.height * picture.width * _WEBP_BYTES
        check_growth(path, picture.height, picture.width, taken, held=bytes_of(file))
    if opener is WebPImageFile and picture.n_frames > 1:
        raise several(path, f"an animation of {picture.n_frames} frames", FRAMES_APART)
    # The method of the base class: another would decode the picture first.
    return picture, exif_orientation(lambda: Image.Image.getexif(picture))
