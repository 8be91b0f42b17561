"""What is done to a class mask that is read in bands: the same as to one in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from delineate.prediction.rasters.parts import Parts, find_parts

Bands = Callable[[], Iterable[np.ndarray]]
Step = Callable[[Bands], Iterator[np.ndarray]]


def filled(bands: Bands, largest: int) -> Iterator[np.ndarray]:
    """Yield a mask whose holes of up to so many pixels have the class that alone surrounds them.

    Args:
        bands: Gives the mask from top to bottom each time, (rows, width) uint8 class ids.
        largest: Pixels of the largest hole that is filled.
    """
    parts = find_parts((band == 0 for band in bands()), connectivity=2)
    classes = _surrounding(bands, parts, largest)
    for band, numbers in zip(bands(), _holes(bands, parts), strict=True):
        yield np.where(numbers > 0, classes[numbers], band).astype(band.dtype)


def largest_kept(bands: Bands, category: int) -> Iterator[np.ndarray]:
    """Yield a mask with no more than the largest connected part of a class.

    Args:
        bands: As for :func:`filled`.
        category: The class.
    """
    parts = find_parts(band == category for band in bands())
    keep = int(np.argmax(parts.areas))
    numbered = parts.numbered(band == category for band in bands())
    for band, numbers in zip(bands(), numbered, strict=True):
        yield np.where((numbers > 0) & (numbers != keep), 0, band).astype(band.dtype)


def small_dropped(bands: Bands, smallest: int) -> Iterator[np.ndarray]:
    """Yield a mask without connected parts of a class of fewer pixels.

    Args:
        bands: As for :func:`filled`.
        smallest: Pixels of the smallest part that stays.
    """
    parts = find_parts(bands())
    small = parts.areas < smallest
    for band, numbers in zip(bands(), parts.numbered(bands()), strict=True):
        yield np.where(small[numbers], 0, band).astype(band.dtype)


def steps(
    *, largest_hole: int = 0, smallest_object: int = 0, largest_only: Sequence[int] = ()
) -> list[Step]:
    """Return what is to be done to a mask, one after the other; see ``prediction.cleaning.clean``.

    Args:
        largest_hole: Background of up to so many pixels that one class alone surrounds is filled.
        smallest_object: Connected parts of a class of fewer pixels become background.
        largest_only: Classes of which only the largest connected part is kept.
    """
    found: list[Step] = [partial(filled, largest=largest_hole)] if largest_hole else []
    found += [partial(largest_kept, category=category) for category in largest_only]
    return found + (
        [partial(small_dropped, smallest=smallest_object)] if smallest_object > 1 else []
    )


def _holes(bands: Bands, parts: Parts) -> Iterator[np.ndarray]:
    return parts.numbered(band == 0 for band in bands())


def _surrounding(bands: Bands, parts: Parts, largest: int) -> np.ndarray:
    """Return the class that alone surrounds each small hole inside the mask, else 0, by number."""
    count = len(parts.areas)
    lowest, highest = np.full(count, 255, np.uint8), np.zeros(count, np.uint8)
    outside = np.zeros(count, bool)
    above: tuple[np.ndarray, np.ndarray] | None = None
    for band, numbers in zip(bands(), _holes(bands, parts), strict=True):
        outside[np.unique(numbers[:, [0, -1]])] = True
        if above is None:
            outside[np.unique(numbers[0])] = True
        else:
            _see(lowest, highest, numbers[:1], above[0])
            _see(lowest, highest, above[1], band[:1])
        for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
            _see(lowest, highest, numbers[here], band[there])
            _see(lowest, highest, numbers[there], band[here])
        above = band[-1:].copy(), numbers[-1:].copy()
    if above is not None:
        outside[np.unique(above[1])] = True
    alone = (lowest == highest) & (parts.areas <= largest) & ~outside
    alone[0] = False
    return np.where(alone, highest, 0).astype(np.uint8)


def _see(lowest: np.ndarray, highest: np.ndarray, numbers: np.ndarray, classes: np.ndarray) -> None:
    """Let holes see the classes beside their pixels."""
    beside = (numbers > 0) & (classes > 0)
    np.minimum.at(lowest, numbers[beside], classes[beside])
    np.maximum.at(highest, numbers[beside], classes[beside])
