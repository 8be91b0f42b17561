"""Large images in overlapping tiles: cut where each tile has seen enough, or blended."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Size = tuple[int, int]
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into tiles.

    Tiles share ``2 * margin + ramp`` pixels with their neighbours at the least. In the middle of
    what two share one fades into the other over ``ramp`` pixels; no pixel of a tile counts that is
    nearer than ``margin`` to where the tile was cut.

    Attributes:
        tile: (height, width) in pixels, multiples of ``step``.
        margin: In pixels. Not less than a network's field of view: tiles are cut sharply, and give
            what the whole image gives. 0: they are blended.
        ramp: In pixels, a quarter of a tile's shorter side at the most.
        step: Tiles begin at multiples of it: a network's stride.
    """

    tile: Size
    margin: int = 0
    ramp: int = 64
    step: int = 1

    @property
    def exact(self) -> bool:
        """Whether tiles are cut sharply."""
        return self.ramp == 0


@dataclass(frozen=True)
class Span:
    """One tile along one side, in pixels of the image.

    Attributes:
        start: The first pixel that is predicted.
        stop: The one after the last.
        first: The first pixel of which the prediction counts.
        last: The one after the last.
        rise: Over so many pixels from ``first`` on it counts more and more.
        fall: Over so many pixels before ``last`` it counts less and less.
    """

    start: int
    stop: int
    first: int
    last: int
    rise: int = 0
    fall: int = 0

    @property
    def kept(self) -> slice:
        """Where in the tile the pixels are that count."""
        return slice(self.first - self.start, self.last - self.start)

    @property
    def settled(self) -> slice:
        """Which of the image's pixels no later tile adds to."""
        return slice(self.first, self.last - self.fall)

    def weights(self) -> np.ndarray:
        """Return how much each pixel that counts does so, float32: with its neighbours' it is 1."""
        found = np.ones(self.last - self.first, np.float32)
        found[: self.rise] = _ramp(self.rise)
        found[len(found) - self.fall :] *= 1 - _ramp(self.fall)
        return found


def spans(length: int, tile: int, tiling: Tiling) -> list[Span]:
    """Return the tiles of a side, evenly spread; a side that fits is one tile.

    Args:
        length: Of the image's side, in pixels.
        tile: Of the tile's side.
        tiling: Margin, ramp and step.

    Returns:
        As few as will do. All begin at multiples of the step; the last one ends with the side,
        rounded up to the step.
    """
    whole = -(-length // tiling.step) * tiling.step
    if whole <= tile:
        return [Span(0, length, 0, length)]
    starts = _starts(whole, tile, tiling)
    cuts = [(one + tile + other) // 2 for one, other in pairwise(starts)]
    half = tiling.ramp // 2
    ends = [(cut - half, cut - half + tiling.ramp) for cut in cuts]
    # The first and the last tile count up to the image's own border.
    firsts = [(0, 0), *((low, tiling.ramp) for low, _ in ends)]
    lasts = [*((high, tiling.ramp) for _, high in ends), (length, 0)]
    return [
        Span(start, min(start + tile, length), first, last, rise, fall)
        for start, (first, rise), (last, fall) in zip(starts, firsts, lasts, strict=True)
    ]


def _starts(whole: int, tile: int, tiling: Tiling) -> list[int]:
    shared = -(-(2 * tiling.margin + tiling.ramp) // tiling.step) * tiling.step
    count = -(-(whole - shared) // (tile - shared))
    steps = (whole - tile) // tiling.step
    return [number * steps // (count - 1) * tiling.step for number in range(count)]


def tiles(size: Size, tiling: Tiling) -> Iterator[tuple[Span, Span]]:
    """Yield (rows, columns) of each tile of an image, row by row.

    Args:
        size: (height, width) of the image.
        tiling: How it is cut.
    """
    across = spans(size[1], tiling.tile[1], tiling)
    for rows in spans(size[0], tiling.tile[0], tiling):
        for columns in across:
            yield rows, columns


def in_tiles(image: np.ndarray, predict: Predict, tiling: Tiling) -> np.ndarray:
    """Return the prediction of an image from those of its tiles.

    Args:
        image: (height, width, channels), at least one pixel.
        predict: Returns float32 (height, width, classes) for a tile.
        tiling: How it is cut.

    Returns:
        float32 (height, width, classes).

    Example:
        >>> image = np.arange(40, dtype=np.float32).reshape(1, 40, 1)
        >>> found = in_tiles(image, lambda part: part, Tiling((16, 16), ramp=4))
        >>> bool(np.allclose(found, image))
        True
    """
    size = image.shape[0], image.shape[1]
    total = np.zeros((*size, 0), np.float32)
    for rows, columns in tiles(size, tiling):
        part = image[rows.start : rows.stop, columns.start : columns.stop]
        found = weighted(predict(part), rows, columns)
        if not total.size:
            total = np.zeros((*size, found.shape[2]), np.float32)
        total[rows.first : rows.last, columns.first : columns.last] += found
    return total


def weighted(found: np.ndarray, rows: Span, columns: Span) -> np.ndarray:
    """Return those pixels of a tile's prediction that count, by how much they do.

    Args:
        found: float32 (height, width, classes) of the whole tile.
        rows: Where the tile lies.
        columns: Likewise.
    """
    kept = found[rows.kept, columns.kept]
    if rows.rise or rows.fall:
        kept = kept * rows.weights()[:, np.newaxis, np.newaxis]
    if columns.rise or columns.fall:
        kept = kept * columns.weights()[np.newaxis, :, np.newaxis]
    return kept


def _ramp(length: int) -> np.ndarray:
    """Return weights that rise evenly between 0 and 1, both left out, float32."""
    return (np.arange(1, length + 1, dtype=np.float32) / np.float32(length + 1)).astype(np.float32)
