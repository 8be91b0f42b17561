"""A whole sample as it is stored, of which only what a window needs is made ready."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from delineate.data.windows import Parts, Size, checked_parts, mask_size, where

Change = Callable[[np.ndarray], np.ndarray]
"""What is done to pixels, to each of them by itself."""


def _as_stored(pixels: np.ndarray) -> np.ndarray:
    return pixels


@dataclass(frozen=True, eq=False)
class Source:
    """An image with its labels as they are stored, and what makes any part of them ready.

    Each pixel is changed by itself, so a part that is made ready is that part of the whole. It is
    done before anything is resampled, as it would be with the whole.

    Attributes:
        image: (height, width, channels) uint8 or uint16; it may lie on disk.
        labels: (height, width) uint8 or uint16 stored values.
        instances: (height, width) int32 object ids, 0 = none; or None.
        prepare: Gives image pixels the channels and values that the network takes.
        encode: Gives stored values their class ids.

    Raises:
        DataError: Image, labels and instances differ in size, or are empty.

    Example:
        >>> image, labels = np.zeros((4, 6, 1), np.uint8), np.full((4, 6), 7, np.uint8)
        >>> source = Source(image, labels, encode=lambda values: values - np.uint8(6))
        >>> source.part(slice(1, 3), slice(4, 9))[1].tolist()
        [[1, 1], [1, 1]]
    """

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray | None = None
    prepare: Change = _as_stored
    encode: Change = _as_stored

    def __post_init__(self) -> None:
        checked_parts(self.image, self.labels, self.instances)

    @property
    def size(self) -> Size:
        """(height, width) in pixels."""
        return mask_size(self.labels)

    @property
    def mask(self) -> np.ndarray:
        """(height, width) class ids of the whole; they are made anew each time."""
        return self.encode(np.asarray(self.labels))

    def part(self, rows: slice, columns: slice) -> Parts:
        """Return a part, ready: its image, mask and instances.

        Args:
            rows: Which rows of it; what lies beyond its end is left out.
            columns: Which columns.
        """
        inside = rows, columns
        # A memory map is a subclass that would be handed on otherwise.
        return (
            self.prepare(np.asarray(self.image[inside])),
            self.encode(np.asarray(self.labels[inside])),
            where(self.instances, lambda ids: np.asarray(ids[inside])),
        )

    def whole(self) -> Parts:
        """Return all of it, ready."""
        return self.part(slice(None), slice(None))
