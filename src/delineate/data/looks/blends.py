"""Values of a mask that are mixtures of the values beside them: smoothing leaves them, and JPEG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.data.describing.description import colour_of

# How far (levels of 255, in each channel) a mixture may lie off the line between its parts: values
# are rounded, and a JPEG shifts them.
_OFF_THE_LINE = 6.0
# The waves of a JPEG: values near those of areas (levels, in each channel), of which there are
# twice as many as areas, and four at least. The areas must be far apart, else they are ids.
_NEAR_AN_AREA = 16.0
_APART = 50.0
_FEWEST_WAVES, _WAVES_PER_AREA = 4, 2
_MOST_AREAS = 64
_INSIDE = 0.1  # share of the pixels of a value within it, from which it has areas
_KEPT = 8


@dataclass(frozen=True, slots=True)
class Blends:
    """The mixtures in one mask.

    Attributes:
        share: Share of the border pixels, 0 to 1, that are mixtures.
        values: Those values, the most frequent first, at most eight.
    """

    share: float
    values: tuple[int, ...]


def find_blends(
    labels: NDArray[Any], border: NDArray[np.bool_], colours: Sequence[int] | None = None
) -> Blends:
    """Return the mixtures in a mask.

    A pixel is one if both its neighbours in a row or in a column differ from it and from each
    other, and its value lies between theirs; of colours, near the line from one to the other. A
    band of constant value that is two or more pixels wide, such as a drawn outline, holds none.
    Where a mask has areas of values that are far apart, the many values close to theirs that have
    no areas of their own are the waves that a JPEG leaves, and count as mixtures too.

    Args:
        labels: (height, width) whole numbers.
        border: (height, width): the pixels that differ from one of their four neighbours.
        colours: The colour value behind each number, for a mask that is a colour picture.

    Example:
        >>> labels = np.array([[0, 0, 90, 200, 200]], np.uint8)
        >>> find_blends(labels, np.array([[False, True, True, True, False]]))
        Blends(share=0.3333333333333333, values=(90,))
    """
    shown = None if colours is None else np.array([colour_of(v) for v in colours], np.float32)
    mixed = np.zeros(labels.shape, bool)
    if labels.shape[0] > 2:
        mixed[1:-1] |= _between(labels[:-2], labels[1:-1], labels[2:], shown)
    if labels.shape[1] > 2:
        mixed[:, 1:-1] |= _between(labels[:, :-2], labels[:, 1:-1], labels[:, 2:], shown)
    waves = _waves(labels, border, shown)
    if waves.size:
        mixed |= np.isin(labels, waves)
    count = int(np.count_nonzero(mixed))
    if not count:
        return Blends(0.0, ())
    numbers, counts = np.unique(labels[mixed], return_counts=True)
    ordered = [int(number) for number in numbers[np.argsort(-counts, kind="stable")][:_KEPT]]
    found = ordered if colours is None else [colours[number] for number in ordered]
    return Blends(count / int(np.count_nonzero(border)), tuple(found))


def _waves(
    labels: NDArray[Any], border: NDArray[np.bool_], shown: NDArray[np.float32] | None
) -> NDArray[np.intp]:
    """Return the numbers of the values that lie about those of areas, as a JPEG scatters them."""
    counts = np.bincount(labels.ravel())
    outer = np.bincount(labels[border], minlength=counts.size)
    present = np.flatnonzero(counts)
    has_area = outer[present] < (1 - _INSIDE) * counts[present]
    areas, others = present[has_area], present[~has_area]
    fewest = max(_FEWEST_WAVES, _WAVES_PER_AREA * areas.size)
    if not 2 <= areas.size <= _MOST_AREAS or others.size < fewest:
        return np.empty(0, np.intp)
    centres, points = _points(areas, shown), _points(others, shown)
    if (centres.max(axis=0) - centres.min(axis=0)).max() < _APART:
        return np.empty(0, np.intp)
    apart = np.abs(points[:, np.newaxis] - centres).max(axis=2).min(axis=1)
    waves: NDArray[np.intp] = others[apart <= _NEAR_AN_AREA]
    return waves if waves.size >= fewest else waves[:0]


def _between(
    before: NDArray[Any],
    here: NDArray[Any],
    after: NDArray[Any],
    shown: NDArray[np.float32] | None,
) -> NDArray[np.bool_]:
    """Return whether each value lies between the one before it and the one after it."""
    between = (here != before) & (here != after) & (before != after)
    if between.any():
        # A few pixels of all: their arithmetic costs next to nothing.
        places = np.nonzero(between)
        points = (_points(part[places], shown) for part in (before, here, after))
        between[places] = _mixtures(*points)
    return np.asarray(between)


def _points(numbers: NDArray[Any], shown: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return (pixels, 1 or 3): numbers, or the colours they stand for."""
    if shown is None:
        return numbers.astype(np.float32)[:, np.newaxis]
    points: NDArray[np.float32] = shown[numbers.astype(np.intp)]
    return points


def _mixtures(
    first: NDArray[np.float32], middle: NDArray[np.float32], last: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return whether each middle point lies on the way from its first point to its last."""
    way, part = last - first, middle - first
    along = (way * part).sum(axis=1) / (way * way).sum(axis=1)
    off = np.abs(part - along[:, np.newaxis] * way).max(axis=1)
    return np.asarray((along > 0) & (along < 1) & (off <= _OFF_THE_LINE))
