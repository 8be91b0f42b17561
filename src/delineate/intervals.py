"""Intervals of scores, by the bootstrap over images or groups of images (Efron, 1979)."""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import DataError, UsageError

Table = NDArray[np.int64]


def bootstrap_interval(
    values: Sequence[float | None] | NDArray[np.floating[Any]],
    *,
    rng: np.random.Generator,
    groups: Sequence[Hashable] | None = None,
    repeats: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of the mean of one value per image.

    With groups, whole groups are drawn and the mean is over the images in them: images of one
    patient or video are no independent evidence. From Efron, "Bootstrap Methods: Another Look at
    the Jackknife", Annals of Statistics 1979.

    Args:
        values: One score per image; None (or NaN, in an array) is left out, with its group.
        rng: Where the resampling comes from.
        groups: One key per image, such as the patient; None draws single images.
        repeats: The number of resamples.
        level: The share of resampled means inside the interval, between 0 and 1.

    Returns:
        The lower and the upper end, or None with fewer than two images or groups, of which no
        spread can be seen.

    Raises:
        DataError: If there is not one group for each value.
        UsageError: If ``level`` is not between 0 and 1.

    >>> bootstrap_interval([0.5, 0.5, None], rng=np.random.default_rng(0))
    (0.5, 0.5)
    """
    units = unit_of_each(len(values), groups)
    numbers = np.array(values, dtype=np.float64)
    known = ~np.isnan(numbers)
    _, unit = np.unique(units[known], return_inverse=True)
    sums, counts = np.bincount(unit, numbers[known]), np.bincount(unit)
    drawn = draws(len(counts), repeats, rng=rng)
    return percentiles((float(draw @ sums) / float(draw @ counts) for draw in drawn), level)


def bootstrap_tables(
    tables: NDArray[np.integer[Any]],
    statistic: Callable[[Table], float | None],
    rng: np.random.Generator,
    *,
    groups: Sequence[Hashable] | None = None,
    repeats: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of a score of the summed table.

    Images, or whole groups of them, are drawn with replacement, their tables are added and scored.

    Args:
        tables: (images, classes, classes) integers: the confusion table of each image.
        statistic: Makes a score of one (classes, classes) int64 table; None if it is undefined,
            and such resamples are left out.
        rng: Where the resampling comes from.
        groups: One key per image, such as the patient; None draws single images.
        repeats: The number of resamples.
        level: The share of resampled scores inside the interval, between 0 and 1.

    Returns:
        The lower and the upper end, or None with fewer than two images or groups, or when the
        score is undefined in every resample.

    Raises:
        DataError: If there is not one group for each table.
        UsageError: If ``level`` is not between 0 and 1.

    >>> from delineate.scores import summarise
    >>> tables = np.array([[[5, 0], [0, 5]], [[5, 0], [0, 5]]])
    >>> accuracy = lambda table: summarise(table)["accuracy"]
    >>> bootstrap_tables(tables, accuracy, np.random.default_rng(0))
    (1.0, 1.0)
    """
    units = unit_of_each(len(tables), groups)
    flat = sum_tables(tables, units)
    drawn = (draw @ flat for draw in draws(len(flat), repeats, rng=rng))
    scores = (statistic(each.reshape(tables.shape[1:]).astype(np.int64)) for each in drawn)
    return percentiles((score for score in scores if score is not None), level)


def unit_of_each(count: int, groups: Sequence[Hashable] | None) -> NDArray[np.int64]:
    """Return the number of the unit of resampling that each image belongs to, from 0.

    Args:
        count: The number of images.
        groups: One key per image; None: each image is a unit of its own.

    Raises:
        DataError: If there is not one group for each image.
    """
    if groups is None:
        return np.arange(count)
    if len(groups) != count:
        raise DataError(
            f"There are {len(groups)} groups for {count} images.",
            hint="Give one group for each image.",
        )
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[group] for group in groups], dtype=np.int64)


def sum_tables(tables: NDArray[np.integer[Any]], units: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sum of the tables of each unit, (units, numbers of a table) float64.

    Args:
        tables: (images, classes, classes) integers.
        units: (images,) int64: the unit of each, as from :func:`unit_of_each`.
    """
    # Floats multiply many times faster than integers, and are exact up to 2**53 pixels.
    sums = np.zeros((int(units.max(initial=-1)) + 1, math.prod(tables.shape[1:])))
    np.add.at(sums, units, tables.reshape(len(tables), sums.shape[1]))
    return sums


def draws(units: int, repeats: int, *, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield how often each unit is drawn, for each resample; nothing for fewer than two units."""
    for _ in range(repeats if units > 1 else 0):
        drawn = rng.integers(units, size=units)
        yield np.bincount(drawn, minlength=units).astype(np.float64)


def percentiles(scores: Iterable[float], level: float) -> tuple[float, float] | None:
    """Return the bounds within which a share of the resampled scores lie; None without any.

    Raises:
        UsageError: If ``level`` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise UsageError(
            f"The level of an interval is {level}, not between 0 and 1.",
            hint="Give a share such as 0.95.",
        )
    resampled = list(scores)
    if not resampled:
        return None
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
