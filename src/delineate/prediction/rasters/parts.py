"""Connected parts of a mask that is read in bands: as if it had been read whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import label


@dataclass(frozen=True)
class Parts:
    """The connected parts of a mask, numbered from 1 on.

    Attributes:
        numbers: (provisional numbers + 1,): the part of each provisional number; at 0: 0.
        counts: How many provisional numbers each band has.
        areas: (parts + 1,): the pixels of each part; at 0: 0.
        connectivity: 1: by the sides of pixels; 2: by corners too.
    """

    numbers: np.ndarray
    counts: tuple[int, ...]
    areas: np.ndarray
    connectivity: int

    def numbered(self, bands: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the number of each pixel's part, band by band, int64; 0: none.

        Args:
            bands: The same ones as those in which the parts were found.
        """
        before = 0
        for band, count in zip(bands, self.counts, strict=True):
            local, _ = _label(band, self.connectivity)
            # What comes before a band's own numbers is not asked for.
            own = np.concatenate([[0], self.numbers[before + 1 : before + count + 1]])
            yield own[local]
            before += count


def find_parts(bands: Iterable[np.ndarray], *, connectivity: int = 1) -> Parts:
    """Return the parts of equal values other than 0 that hang together.

    Args:
        bands: The mask from top to bottom, each (rows, width), whole numbers.
        connectivity: 1: by the sides of pixels; 2: by corners too.

    Example:
        >>> mask = np.array([[1, 0, 1], [1, 1, 1], [0, 0, 2]])
        >>> find_parts([mask[:1], mask[1:]]).areas.tolist()
        [0, 5, 1]
    """
    counts, areas, pairs = [], [np.zeros(1, np.int64)], [np.zeros((0, 2), np.int64)]
    above: tuple[np.ndarray, np.ndarray] | None = None
    before = 0
    for band in bands:
        local, count = _label(band, connectivity)
        areas.append(np.bincount(local.ravel(), minlength=count + 1)[1:])
        first, last = (np.where(row > 0, row + before, 0) for row in (local[0], local[-1]))
        if above is not None:
            pairs.extend(_touching(above, (band[0], first), connectivity))
        above = band[-1].copy(), last
        counts.append(count)
        before += count
    return _joined(np.concatenate(areas), np.concatenate(pairs), tuple(counts), connectivity)


def _label(band: np.ndarray, connectivity: int) -> tuple[np.ndarray, int]:
    found, count = label(band, background=0, connectivity=connectivity, return_num=True)
    return np.asarray(found, np.int64), int(count)


def _touching(
    above: tuple[np.ndarray, np.ndarray], below: tuple[np.ndarray, np.ndarray], connectivity: int
) -> Iterator[np.ndarray]:
    """Yield (pairs, 2) of the numbers of parts that touch across two rows of equal values."""
    width = len(above[0])
    for shift in (0,) if connectivity == 1 else (-1, 0, 1):
        here = slice(max(-shift, 0), width - max(shift, 0))
        there = slice(max(shift, 0), width - max(-shift, 0))
        same = (above[0][there] == below[0][here]) & (below[0][here] != 0)
        yield np.unique(np.stack([above[1][there][same], below[1][here][same]], axis=1), axis=0)


def _joined(
    areas: np.ndarray, pairs: np.ndarray, counts: tuple[int, ...], connectivity: int
) -> Parts:
    total = len(areas)
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (total, total))
    # Number 0, no part at all, is linked to nothing, and comes first: it stays 0.
    count, numbers = connected_components(links, directed=False)
    whole = np.bincount(numbers, weights=areas, minlength=count)
    return Parts(numbers.astype(np.int64), counts, np.rint(whole).astype(np.int64), connectivity)
