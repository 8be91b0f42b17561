"""A sample's pixels, and windows of them that are moved or resized without randomness."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from delineate.errors import DataError
from delineate.imaging import resize_image, resize_mask

Size = tuple[int, int]

# Image, mask and instances of one sample.
Parts = tuple[np.ndarray, np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Turn:
    """One of the eight ways to lay down a window: mirrored first, then turned."""

    flip_rows: bool = False
    flip_columns: bool = False
    quarters: int = 0

    def before(self, size: Size) -> Size:
        """Return the (height, width) that becomes ``size`` by this turn."""
        return (size[1], size[0]) if self.quarters % 2 else size

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Return a turned copy; quarters go counter-clockwise."""
        flipped = array[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
        return np.array(np.rot90(flipped, self.quarters), order="C")

    def matrix(self) -> np.ndarray:
        """Return the (2, 2) map of (row, column) about the centre, from after to before."""
        quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
        flip = np.diag([-1.0 if self.flip_rows else 1.0, -1.0 if self.flip_columns else 1.0])
        return np.asarray(flip @ np.linalg.matrix_power(quarter, self.quarters))


def plain_window(
    image: np.ndarray,
    mask: np.ndarray,
    instances: np.ndarray | None,
    *,
    size: Size,
    fit: str,
    classes: int,
) -> Parts:
    """Return the window of a sample without randomness: its centre, or the whole image resized.

    Args:
        image: (height, width, channels) uint8 or uint16.
        mask: (height, width) uint8 or uint16 class ids; the largest value (255, 65535) = ignore.
        instances: (height, width) int32 object ids, 0 = none; or None.
        size: (height, width) of the window in pixels.
        fit: ``"crop"``: the centre, or the image centred in its reflection where it is smaller;
            ``"resize"``: the whole image, the mask by each class's area share.
        classes: Number of classes, background included; needed where a mask is resized.

    Returns:
        New arrays of the same kinds, each ``size`` high and wide.

    Raises:
        DataError: Image, mask and instances differ in size, or are empty.

    Example:
        >>> image, mask = np.zeros((9, 9, 1), np.uint8), np.arange(81, dtype=np.uint8).reshape(9, 9)
        >>> plain_window(image, mask, None, size=(1, 3), fit="crop", classes=81)[1]
        array([[39, 40, 41]], dtype=uint8)
    """
    parts = checked_parts(image, mask, instances)
    if fit == "resize":
        return resize_parts(parts, size, classes)
    row, column = (free // 2 for free in spare_pixels(mask_size(mask), size))
    return cut_parts(parts, (row, column), size)


def checked_parts(image: np.ndarray, mask: np.ndarray, instances: np.ndarray | None) -> Parts:
    """Return the arrays as one sample.

    Raises:
        DataError: Image, mask and instances differ in size, or are empty.
    """
    same = image.ndim == 3 and image.shape[:2] == mask.shape
    if not same or mask.size == 0 or (instances is not None and instances.shape != mask.shape):
        others = "" if instances is None else f" and instances of shape {instances.shape}"
        raise DataError(
            f"An image of shape {image.shape}, a mask of shape {mask.shape}{others} are no sample.",
            hint="Give an image (height, width, channels), a mask and instances (height, width).",
        )
    # A memory map is a subclass that would be handed on otherwise.
    return np.asarray(image), np.asarray(mask), where(instances, np.asarray)


def where(
    array: np.ndarray | None, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | None:
    """Return a changed array, or None where there is none."""
    return None if array is None else change(array)


def mask_size(mask: np.ndarray) -> Size:
    """Return (height, width) in pixels."""
    return mask.shape[0], mask.shape[1]


def spare_pixels(size: Size, window: Size) -> tuple[int, int]:
    """Return the rows and columns by which a sample exceeds a window; negative if it is smaller."""
    return size[0] - window[0], size[1] - window[1]


def ignore_value(mask: np.ndarray) -> int:
    """Return the id that never counts: the largest of the type."""
    return int(np.iinfo(mask.dtype).max)


def corner_bounds(free: float, side: float, around: int | None) -> tuple[float, float]:
    """Return between which positions a window may begin along an axis, both included.

    Args:
        free: By how much the sample is longer than the window; negative if it is shorter.
        side: The window's length.
        around: A position that has to lie in the window; None: anywhere.
    """
    low, high = min(0.0, free), max(0.0, free)
    if around is None or free <= 0:
        return low, high
    return max(low, around - side + 1), min(high, around)


def cut_parts(parts: Parts, corner: tuple[int, int], window: Size) -> Parts:
    """Return a copy of a window; what lies outside is the image's reflection, ignore and none.

    Args:
        parts: The sample.
        corner: (row, column) of the window's upper left pixel. Negative, and the window reaching
            over the far side too, only where the sample is smaller than the window.
        window: (height, width) in pixels.
    """
    image, mask, instances = parts
    return (
        _cut_one(image, corner, window, None),
        _cut_one(mask, corner, window, ignore_value(mask)),
        where(instances, lambda ids: _cut_one(ids, corner, window, 0)),
    )


def _cut_one(
    array: np.ndarray, corner: tuple[int, int], window: Size, fill: int | None
) -> np.ndarray:
    # Along an axis that is padded the whole array is inside, so it is reflected at its own border.
    (row, column), (height, width) = corner, window
    inside = array[max(row, 0) : row + height, max(column, 0) : column + width]
    above, before = max(-row, 0), max(-column, 0)
    below, after = height - above - inside.shape[0], width - before - inside.shape[1]
    if not (above or below or before or after):
        return np.array(inside, order="C")
    border = cv2.BORDER_REFLECT_101 if fill is None else cv2.BORDER_CONSTANT
    padded = cv2.copyMakeBorder(inside, above, below, before, after, border, value=fill or 0)
    return np.asarray(padded).reshape(height, width, *array.shape[2:])


def resize_parts(parts: Parts, size: Size, classes: int) -> Parts:
    """Return the whole sample at another size, the instances nearest, the mask by area share."""
    image, mask, instances = parts
    return (
        resize_image(image, size),
        resize_mask(mask, size, classes=classes, ignore=ignore_value(mask)),
        where(instances, lambda ids: _resize_nearest(ids, size)),
    )


def _resize_nearest(array: np.ndarray, size: Size) -> np.ndarray:
    """Return the pixels that lie under the centres of the new ones, in whole numbers."""
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for new, old in zip(size, array.shape, strict=True)
    )
    return np.asarray(array[rows[:, None], columns])
