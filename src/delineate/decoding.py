"""The pixels of image files as they are stored; ``imaging`` makes images and masks of them.

Formats are told by content, not by name. PNG, JPEG, BMP and WebP are decoded by Pillow, TIFF by
tifffile; OpenCV decodes only 16-bit colour, which Pillow would cut to 8 bits, and only after Pillow
has found the file whole, because OpenCV returns damaged files as pictures.
"""

import io
import logging
import math
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, BinaryIO

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from delineate.errors import ImageError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
MAX_PIXELS = 500_000_000

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 0x0112
# Decoders scale grey of fewer than 8 bits to 0..255: bits -> factor from stored to shown.
_STEPS = {1: 255, 2: 85, 4: 17}
# Compressions (none, deflate, deflate, packbits) that tifffile decodes with nothing else installed.
_TIFFFILE_CODECS = frozenset({1, 8, 32946, 32773})
_TIFF_COLOURS = {0: "inverted", 1: "grey", 2: "rgb", 3: "palette", 5: "cmyk", 6: "ycbcr"}
# Hostile files make decoders raise nearly anything; each of these means that the file is broken.
_DECODER_ERRORS = (
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
# warnings.catch_warnings is not safe among threads, so headers are parsed one at a time.
_QUIET = threading.Lock()


@dataclass(frozen=True)
class Stored:
    """Pixels of a file, upright and as they would be shown, and how they were stored.

    Attributes:
        pixels: (height, width, 1 or 3), whole numbers, without alpha; RGB order; the indices where
            there is a palette.
        palette: (colours, 3) uint8, or None.
        hidden: (height, width) bool, where a pixel is not fully opaque; None without transparency.
        step: The factor from stored values to ``pixels``.
        inverted: The file stores white as zero (``pixels`` are as shown all the same).
    """

    pixels: NDArray[Any]
    palette: NDArray[np.uint8] | None = None
    hidden: NDArray[np.bool_] | None = None
    step: int = 1
    inverted: bool = False


def decode(path: Path) -> Stored:
    """Return the pixels of the one picture in a file.

    Raises:
        ImageError: The file is missing, damaged, too large (``MAX_PIXELS``), of no known format,
            or holds several pictures, other colours or other values than whole numbers.
    """
    with _reading(path) as file:
        return _decode_tiff(file, path) if _is_tiff(file) else _decode_picture(file, path)


def decode_size(path: Path) -> tuple[int, int]:
    """Return (height, width) in pixels of the upright picture, from the header of its file.

    Raises:
        ImageError: As for ``decode``, as far as the header tells.
    """
    with _reading(path) as file:
        if _is_tiff(file):
            page, orientation = _open_tiff(file, path)
            height, width = page.imagelength, page.imagewidth
        else:
            picture, orientation, _ = _open_picture(file, path, check=False)
            width, height = picture.size
    return (width, height) if orientation >= 5 else (height, width)


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    if not path.is_file():  # a pipe or a device would block
        problem = "is not a regular file" if path.exists() else "does not exist"
        raise ImageError(f"Image '{path}' {problem}.", hint="Check the path.")
    try:
        with path.open("rb") as file:
            yield file
    except PermissionError as error:
        raise ImageError(
            f"Image '{path}' may not be read.", hint="Change its permissions."
        ) from error
    except _DECODER_ERRORS as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ImageError(
            f"Image '{path}' is truncated or damaged ({reason}).",
            hint="Replace the file by a good copy, or remove it.",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("tifffile")
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, logger.disabled = logger.disabled, True
        try:
            yield
        finally:
            logger.disabled = before


def _check_size(path: Path, height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"Image '{path}' claims {width} x {height} pixels; the limit is {MAX_PIXELS}.",
            hint="Cut it into tiles.",
        )


def _several(path: Path) -> ImageError:
    return ImageError(
        f"Image '{path}' holds several pictures.",
        hint="Save each frame or page as a file of its own.",
    )


def _is_tiff(file: BinaryIO) -> bool:
    head = file.read(4)
    file.seek(0)
    return head in _TIFF_SIGNATURES


def _open_picture(file: BinaryIO, path: Path, *, check: bool) -> tuple[Any, int, bytes]:
    """Return an open Pillow image, its orientation and, of a PNG, the IHDR chunk."""
    opener = _opener(file, path)
    chunks = _png_chunks(file, check=check) if opener is PngImageFile else {}
    file.seek(0)
    # The classes are called by name: Image.open would try more formats, and has a lower limit.
    with _quiet():
        picture = opener(file)
        _check_size(path, picture.height, picture.width)
        if b"eXIf" in chunks:
            picture.info["exif"] = b"Exif\0\0" + chunks[b"eXIf"]
        orientation = _orientation(picture)
    if getattr(picture, "n_frames", 1) > 1:
        raise _several(path)
    return picture, orientation, chunks.get(b"IHDR", b"")


def _opener(file: BinaryIO, path: Path) -> Any:
    head = file.read(12)
    if not head:
        raise ImageError(f"Image '{path}' is empty (0 bytes).", hint="Replace or remove it.")
    signatures = {_PNG_SIGNATURE: PngImageFile, b"\xff\xd8\xff": JpegImageFile, b"BM": BmpImageFile}
    for signature, opener in signatures.items():
        if head.startswith(signature):
            return opener
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return WebPImageFile
    raise ImageError(
        f"Image '{path}' is of no format that can be read (it starts with {head!r}).",
        hint="Convert it to PNG, TIFF, JPEG, BMP or WebP.",
    )


def _png_chunks(file: BinaryIO, *, check: bool) -> dict[bytes, bytes]:
    """Return IHDR and eXIf of a PNG; with ``check``, every checksum is verified on the way."""
    found: dict[bytes, bytes] = {}
    end = os.fstat(file.fileno()).st_size
    file.seek(len(_PNG_SIGNATURE))
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", file.read(8))
        if file.tell() + length + 4 > end:
            raise ValueError("a chunk is cut off")
        if not check and kind not in (b"IHDR", b"eXIf"):
            file.seek(length + 4, os.SEEK_CUR)
            continue
        data = file.read(length)
        if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(file.read(4)):
            raise ValueError(f"wrong checksum in chunk {kind!r}")
        if kind in (b"IHDR", b"eXIf"):
            found.setdefault(kind, data)
    return found


def _orientation(picture: Any) -> int:
    try:
        # PngImageFile's own getexif would decode the picture first.
        value = Image.Image.getexif(picture).get(_ORIENTATION, 1)
    except _DECODER_ERRORS:  # the picture may be good where its EXIF is not
        return 1
    return value if value in range(1, 9) else 1


def _decode_picture(file: BinaryIO, path: Path) -> Stored:
    picture, orientation, header = _open_picture(file, path, check=True)
    bits, colour = (header[8], header[9]) if header else (8, None)
    stored = _load(picture, file, bits, path)
    if colour == 4:  # OpenCV and Pillow make RGB of 16-bit grey with alpha
        stored = replace(stored, pixels=stored.pixels[..., :1])
    step = _STEPS.get(bits, 1) if colour == 0 else stored.step
    key = picture.info.get("transparency")
    if key is not None and stored.hidden is None:
        scale = step if picture.mode == "L" else 1
        stored = replace(stored, hidden=_keyed(stored.pixels, key, scale))
    return _upright(replace(stored, step=step), orientation)


def _load(picture: Any, file: IO[bytes], bits: int, path: Path) -> Stored:
    """Return what an open Pillow image holds, not yet turned upright."""
    picture.load()  # strict, so it comes first even where OpenCV decodes
    if bits == 16 and picture.mode in ("RGB", "RGBA", "RGBX"):
        return _without_alpha(_load_deep(file))
    if picture.mode in ("CMYK", "YCbCr"):
        picture = picture.convert("RGB")
    if picture.mode == "1":
        return Stored(np.array(picture.convert("L"))[..., None], step=_STEPS[1])
    if picture.mode == "P":
        palette = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return Stored(np.array(picture)[..., None], palette)
    if picture.mode not in ("L", "LA", "RGB", "RGBA", "RGBX", "I;16", "I;16B", "I"):
        raise ImageError(
            f"Image '{path}' has colours of kind '{picture.mode}'.", hint="Save it as grey or RGB."
        )
    pixels = np.array(picture).reshape(picture.height, picture.width, -1)
    return _without_alpha(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))


def _load_deep(file: IO[bytes]) -> NDArray[np.uint16]:
    file.seek(0)
    pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise ValueError("its 16-bit colours cannot be decoded")
    return np.asarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])


def _without_alpha(pixels: NDArray[Any]) -> Stored:
    if pixels.shape[2] not in (2, 4):
        return Stored(pixels)
    hidden = pixels[..., -1] < np.iinfo(pixels.dtype).max
    return Stored(pixels[..., :-1], hidden=hidden)


def _keyed(pixels: NDArray[Any], key: Any, scale: int) -> NDArray[np.bool_]:
    if isinstance(key, bytes):
        opaque = np.frombuffer(key.ljust(256, b"\xff"), np.uint8)[pixels[..., 0]] == 255
        return np.asarray(~opaque)
    return np.asarray((pixels == np.asarray(key) * scale).all(axis=-1))


def _open_tiff(file: BinaryIO, path: Path) -> tuple[Any, int]:
    """Return the only page of a TIFF file, checked, and its orientation."""
    with _quiet():
        tiff = tifffile.TiffFile(file, is_ome=False)  # OME metadata may name other files
        page = tiff.pages[0]
        _check_size(path, page.imagelength, page.imagewidth)
        stacked = math.prod(tiff.series[0].shape) != math.prod(page.shape)
        others = any(not other.is_reduced for other in tiff.pages[1:])
        tag = page.tags.get(_ORIENTATION)
    if others or stacked or page.imagedepth != 1:
        raise _several(path)
    _check_tiff_values(page, path)
    return page, tag.value if tag is not None and tag.value in range(1, 9) else 1


def _check_tiff_values(page: Any, path: Path) -> None:
    colours = _TIFF_COLOURS.get(int(page.photometric))
    most = {None: 0, "palette": 1}.get(colours, 4)
    if page.samplesperpixel > most or (colours == "cmyk" and page.dtype != "u1"):
        kind = getattr(page.photometric, "name", page.photometric)
        raise ImageError(
            f"Image '{path}' has {page.samplesperpixel} channels of kind {kind}, {page.dtype}.",
            hint="Save its grey, or its red, green and blue channels, alone.",
        )
    if page.dtype is None or page.dtype.kind not in "bui":
        raise ImageError(
            f"Image '{path}' holds values of type {page.dtype}.",
            hint="Convert it to whole numbers of 8 or 16 bits (uint8, uint16), all files alike.",
        )


def _check_tiff_parts(page: Any, file: BinaryIO) -> None:
    """Refuse missing strips and tiles, which tifffile would fill with zeros without a word."""
    end = os.fstat(file.fileno()).st_size
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if len(parts) < math.prod(page.chunked) or not all(
        offset > 0 and count > 0 and offset + count <= end for offset, count in parts
    ):
        raise ValueError("parts of the picture are missing")


def _decode_tiff(file: BinaryIO, path: Path) -> Stored:
    page, orientation = _open_tiff(file, path)
    _check_tiff_parts(page, file)
    colours = _TIFF_COLOURS[int(page.photometric)]
    plain = page.bitspersample in (1, 8, 16, 32) and page.compression in _TIFFFILE_CODECS
    if plain and colours not in ("cmyk", "ycbcr"):
        stored = _load_page(page)
    else:
        content = _turned_off(page, file)
        with _quiet():
            stored = _load(TiffImageFile(content), content, page.bitspersample, path)
    step = 1 if stored.palette is not None else _STEPS.get(page.bitspersample, 1)
    return _upright(replace(stored, step=step, inverted=colours == "inverted"), orientation)


def _turned_off(page: Any, file: BinaryIO) -> io.BytesIO:
    """Return the file with its orientation reset: Pillow garbles some oriented TIFFs."""
    file.seek(0)
    content = bytearray(file.read())
    tag = page.tags.get(_ORIENTATION)
    if tag is not None:
        struct.pack_into(f"{page.parent.byteorder}H", content, tag.valueoffset, 1)
    return io.BytesIO(content)


def _load_page(page: Any) -> Stored:
    planes = page.asarray(squeeze=False, maxworkers=1)[:, 0]
    pixels = np.moveaxis(planes, 0, 2).reshape(*planes.shape[1:3], -1)
    if page.colormap is not None and pixels.shape[2] == 1:
        colours = page.colormap if page.colormap.max() < 256 else page.colormap >> 8
        return Stored(pixels.astype(np.uint8), colours.T.astype(np.uint8))
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * 255
    if _TIFF_COLOURS[int(page.photometric)] == "inverted":
        pixels = np.iinfo(pixels.dtype).max - pixels
    return _without_alpha(pixels)


def _upright(stored: Stored, orientation: int) -> Stored:
    """Apply an EXIF orientation (CIPA DC-008, tag 274)."""
    hidden = stored.hidden
    return replace(
        stored,
        pixels=_turned(stored.pixels, orientation),
        hidden=None if hidden is None else _turned(hidden, orientation),
    )


def _turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)
