"""Reading, writing, resizing and padding of images and masks.

Files are read strictly: what is damaged, transparent, animated or otherwise no single picture is
refused with an ``ImageError``, never guessed at. (width, height) and BGR order, where a library
wants them, are converted here and nowhere else.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from delineate.decoding.formats import IMAGE_SUFFIXES, decode, decode_floats, decode_size
from delineate.decoding.labels import Labels, read_labels, read_one_hot
from delineate.decoding.stored import MAX_PIXELS, check_growth
from delineate.errors import DataError, ImageError
from delineate.files import write_whole
from delineate.overlays import PALETTE, colourise, error_overlay, overlay, to_rgb8

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "PALETTE",
    "Labels",
    "Padding",
    "colourise",
    "error_overlay",
    "overlay",
    "pad_to_multiple",
    "read_float",
    "read_image",
    "read_labels",
    "read_one_hot",
    "read_size",
    "reorient",
    "resize_image",
    "resize_mask",
    "resize_probabilities",
    "to_rgb8",
    "write_png",
]


def read_image(path: Path, content: bytes | None = None) -> NDArray[Any]:
    """Return the image in a file: (height, width, channels) uint8 or uint16, upright.

    Channels are 1 (grey), 3 (red, green, blue), or as many as a multispectral TIFF has. Palettes
    and CMYK become RGB, one bit becomes 0 and 255, fully opaque alpha is dropped, the EXIF
    orientation is applied.

    Args:
        path: The file.
        content: All its bytes, where they were read before; nothing is read then.

    Raises:
        ImageError: The file is missing, damaged, too large (``MAX_PIXELS``), transparent, holds
            several pictures, or values other than whole numbers of 8 or 16 bits.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_png(Path(folder) / "grey.png", np.zeros((4, 6), np.uint8))
        ...     read_image(Path(folder) / "grey.png").shape
        (4, 6, 1)
    """
    stored = decode(path, content)
    if stored.hidden is not None and stored.hidden.any():
        raise ImageError(
            f"Image '{path}' has {np.count_nonzero(stored.hidden)} transparent pixels.",
            hint="Flatten it onto a background and save it without alpha.",
        )
    pixels = stored.pixels
    if stored.palette is not None:
        held = path.stat().st_size if content is None else len(content)
        height, width = pixels.shape[:2]
        check_growth(path, height, width, 3 * pixels.size, held=held)
        pixels = _expand(pixels[..., 0], stored.palette, path)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"Image '{path}' holds values of type {pixels.dtype}.",
            hint="Convert it to whole numbers of 8 or 16 bits (uint8, uint16), all files alike.",
        )
    return pixels


def read_float(path: Path) -> NDArray[np.float32]:
    """Return the floating-point numbers of a TIFF file: (height, width, channels) float32.

    They are as stored, of any range, infinite, or not a number: ``read_image`` refuses such files,
    and this is for repairing them.

    Raises:
        ImageError: As for ``read_image``; or the file holds whole numbers.

    Example:
        >>> import tifffile
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     tifffile.imwrite(Path(folder) / "a.tif", np.float32([[0.5, 1e6]]))
        ...     read_float(Path(folder) / "a.tif").tolist()
        [[[0.5], [1000000.0]]]
    """
    return decode_floats(path)


def read_size(path: Path) -> tuple[int, int]:
    """Return (height, width) in pixels of an upright image, from the header of its file.

    Raises:
        ImageError: The file is missing, is no image, is too large, or its header is damaged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_png(Path(folder) / "grey.png", np.zeros((4, 6), np.uint8))
        ...     read_size(Path(folder) / "grey.png")
        (4, 6)
    """
    return decode_size(path)


def write_png(
    path: Path, array: NDArray[Any], palette: Sequence[tuple[int, int, int]] | None = None
) -> None:
    """Write grey, RGB, 16-bit grey or a palette image, whole or not at all.

    Args:
        path: The file; it is replaced only once the new content is on the disk.
        array: (height, width) or (height, width, 1) uint8 or uint16, or (height, width, 3) uint8.
        palette: Colours of the ids 0, 1, 2, ... of a uint8 array, which are stored as indices;
            the ids after them get the colours of ``PALETTE``.

    Raises:
        DataError: The array, or a palette with it, is no such picture.
        OSError: The file cannot be written; what stood there before is untouched.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_png(Path(folder) / "rgb.png", np.zeros((4, 6, 3), np.uint8))
    """
    array = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    deep = array.dtype == np.uint16 and array.ndim == 2 and palette is None
    flat = array.dtype == np.uint8 and (
        array.ndim == 2 or (palette is None and array.shape[2:] == (3,))
    )
    if not (deep or flat) or array.size == 0:
        raise DataError(
            f"An array of shape {array.shape} and type {array.dtype} cannot become '{path}'.",
            hint="Give uint8 grey or RGB, uint16 grey, or uint8 ids with a palette.",
        )
    picture = Image.fromarray(np.ascontiguousarray(array))
    if palette is not None:
        # All 256 entries: with fewer Pillow packs indices into fewer bits and cuts ids such as 255.
        picture.putpalette(
            bytes(value for colour in [*palette, *PALETTE[len(palette) :]] for value in colour)
        )
    content = io.BytesIO()
    picture.save(content, "PNG")
    write_whole(path, content.getvalue())


def resize_image(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return an image at another size: mean over areas where it shrinks, bilinear where it grows.

    The outer edges of both grids coincide (pixel centres lie at half-integers), so an image and
    the mask resized with it stay aligned.

    Args:
        image: (height, width, channels), any number of channels, uint8, uint16 or float32.
        size: The new (height, width).

    Returns:
        (new height, new width, channels) of the same type.

    Example:
        >>> resize_image(np.zeros((8, 8, 3), np.uint8), (4, 16)).shape
        (4, 16, 3)
    """
    # OpenCV averages areas of at most four channels.
    groups = [
        _resample(np.ascontiguousarray(image[..., first : first + 4]), size)
        for first in range(0, image.shape[2], 4)
    ]
    return groups[0] if len(groups) == 1 else np.concatenate(groups, axis=2)


def resize_mask(
    mask: NDArray[Any], size: tuple[int, int], classes: int, ignore: int = 255
) -> NDArray[Any]:
    """Return a mask at another size: each new pixel takes the class with the largest area share.

    Choosing the nearest pixel loses thin and small objects; shares keep them as far as the new
    grid allows. Equal shares go to the lower id. Where the shares themselves can be kept, as
    targets or predictions, ``resize_probabilities`` of them loses less still.

    Args:
        mask: (height, width) class ids 0 .. classes - 1, or ``ignore``; uint8 (or uint16).
        size: The new (height, width).
        classes: How many classes there are, with the background.
        ignore: The id of pixels without truth; it has an area share like a class.

    Returns:
        (new height, new width) of the same type.

    Raises:
        DataError: The mask holds an id that is no class.

    Example:
        >>> resize_mask(np.uint8([[0, 1, 1, 1], [0, 1, 0, 1]]), (1, 2), 2).tolist()
        [[0, 1]]
    """
    ids = np.unique(mask)
    strangers = ids[(ids >= classes) & (ids != ignore)]
    if strangers.size:
        raise DataError(
            f"A mask holds the id {strangers[0]}, but there are {classes} classes.",
            hint="Map the id to a class, or to ignore, in dataset.toml.",
        )
    if mask.shape == tuple(size):
        return mask.copy()
    result = np.full(size, ids[0], mask.dtype)
    best = _share(mask, ids[0], size)
    for label in ids[1:]:
        share = _share(mask, label, size)
        # The margin is above float32 rounding: equal areas must not be won by the higher id.
        wins = share > best + 1e-5
        result[wins] = label
        np.maximum(best, share, out=best)
    return result


def resize_probabilities(
    probabilities: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return probabilities at another size; sums over the classes are kept.

    Args:
        probabilities: (height, width, classes) float32 in 0 .. 1.
        size: The new (height, width).

    Returns:
        (new height, new width, classes) float32: means over areas where it shrinks, bilinear
        where it grows.

    Example:
        >>> resize_probabilities(np.ones((2, 2, 7), np.float32), (4, 4)).shape
        (4, 4, 7)
    """
    return resize_image(probabilities.astype(np.float32, copy=False), size)


def likeliest(probabilities: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the likeliest class of each pixel at another size; of several the one of least id.

    It is what :func:`resize_probabilities` gives, of which no more than this is kept.

    Args:
        probabilities: (height, width, classes) float32, at most 256 classes.
        size: The new (height, width).

    Returns:
        (new height, new width) uint8.

    Example:
        >>> likeliest(np.array([[[0.2, 0.3, 0.5]]], np.float32), (1, 2)).tolist()
        [[2, 2]]
    """
    planes = (_resample(plane[..., np.newaxis], size)[..., 0] for plane in cv2.split(probabilities))
    best = next(planes)
    ids = np.zeros(size, np.uint8)
    for number, plane in enumerate(planes, 1):
        ids[plane > best] = number
        best = np.maximum(best, plane)
    return ids


def reorient(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return an array transposed (4), then with its rows (2), then with its columns (1) mirrored.

    Args:
        array: (height, width, ...), any type.
        orientation: The sum of what is done, 0 to 7.

    Example:
        >>> reorient(np.array([[1, 2], [3, 4]]), 4 + 1).tolist()
        [[3, 1], [4, 2]]
    """
    if orientation & 4:
        array = np.swapaxes(array, 0, 1)
    if orientation & 2:
        array = array[::-1]
    return np.ascontiguousarray(array[:, ::-1] if orientation & 1 else array)


@dataclass(frozen=True)
class Padding:
    """Rows and columns that are added below and to the right, and cut off again.

    Attributes:
        size: (height, width) without padding.
        bottom: Rows that are added below.
        right: Columns that are added to the right.
    """

    size: tuple[int, int]
    bottom: int
    right: int

    @property
    def padded_size(self) -> tuple[int, int]:
        """(height, width) with padding."""
        return self.size[0] + self.bottom, self.size[1] + self.right

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the image, mirrored at its lower and right border up to ``padded_size``.

        An image with fewer pixels than the mirror needs repeats its last row and column.

        Args:
            image: (height, width) or (height, width, channels) of ``size``, any type.

        Raises:
            DataError: The image has another size.
        """
        self._check(image, self.size)
        fits = self.bottom < self.size[0] and self.right < self.size[1]
        widths = [(0, self.bottom), (0, self.right)] + [(0, 0)] * (image.ndim - 2)
        return np.pad(image, widths, mode="reflect" if fits else "edge")

    def undo(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the part of an array of ``padded_size`` that is no padding.

        Args:
            array: (height, width, ...) of ``padded_size``, any type.

        Raises:
            DataError: The array has another size.
        """
        self._check(array, self.padded_size)
        return array[: self.size[0], : self.size[1]]

    def _check(self, array: NDArray[Any], size: tuple[int, int]) -> None:
        if array.shape[:2] != tuple(size):
            raise DataError(
                f"An array of size {array.shape[:2]} came where {tuple(size)} was expected.",
                hint="Use the Padding that was made for this size.",
            )


def pad_to_multiple(size: tuple[int, int], stride: int) -> Padding:
    """Return the padding that makes height and width multiples of a stride.

    Args:
        size: (height, width) of the image, at least (1, 1).
        stride: 1 or more.

    Example:
        >>> pad_to_multiple((360, 480), 32).padded_size
        (384, 480)
    """
    return Padding(size=(size[0], size[1]), bottom=-size[0] % stride, right=-size[1] % stride)


def _resample(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    height, width = size
    # OpenCV averages areas only where both axes shrink: so first what shrinks, then what grows.
    small = (min(width, array.shape[1]), min(height, array.shape[0]))
    result = cv2.resize(array, small, interpolation=cv2.INTER_AREA)
    result = cv2.resize(result, (width, height), interpolation=cv2.INTER_LINEAR)
    result = np.asarray(result)
    return result.reshape(height, width, *array.shape[2:])


def _share(mask: NDArray[Any], label: int, size: tuple[int, int]) -> NDArray[Any]:
    return _resample((mask == label).astype(np.float32), size)


def _expand(indices: NDArray[Any], palette: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    if indices.max() >= len(palette):
        raise ImageError(
            f"Image '{path}' uses colour {indices.max()} of a palette of {len(palette)} colours.",
            hint="Save it again as RGB.",
        )
    return np.asarray(palette[indices])
