"""How two models that were scored on the same images differ, and how sure that is."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import DataError
from delineate.intervals import Table, draws, percentiles, sum_tables, unit_of_each

Values = Sequence[float | None] | NDArray[np.floating[Any]]
Sums = NDArray[np.float64]
Score = Callable[[Sums], float | None]

LEVEL = 0.95
# Differences that only rounding tells apart are as large as each other.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """How two models that were scored on the same images differ.

    Attributes:
        first: The score of the first; None where it has none.
        second: The score of the second; likewise.
        interval: The lower and the upper end of the 95 % interval of the difference, or None with
            fewer than two images or groups.
        second_higher: The share of the resamples, 0 to 1, in which the second scores higher;
            resamples in which both score the same count half. None where there is no interval.
        p_value: How often two models that are as good as each other would differ as much or more,
            above 0 and at most 1; None where there is no interval.
    """

    first: float | None
    second: float | None
    interval: tuple[float, float] | None = None
    second_higher: float | None = None
    p_value: float | None = None

    @property
    def difference(self) -> float | None:
        """The score of the first less that of the second; None where either has none."""
        return None if self.first is None or self.second is None else self.first - self.second


def paired_difference(
    first: Values,
    second: Values,
    rng: np.random.Generator,
    *,
    groups: Sequence[Hashable] | None = None,
    repeats: int = 1000,
) -> Difference:
    """Return how the means of two models differ that have one value per image each.

    The interval is a percentile bootstrap of the difference: images, or whole groups, are drawn
    with replacement, each with the values of both models, so that what makes an image hard for both
    cancels out (Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP
    2004). The p-value is two-sided and from approximate randomisation: in each image or group the
    two models are swapped by chance, which changes nothing if they are as good as each other
    (Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989). That of the bootstrap is
    too often small (Riezler and Maxwell, "On Some Pitfalls in Automatic Evaluation and Significance
    Testing for MT", ACL workshop on evaluation measures, 2005).

    Args:
        first: One score per image of the first model; None (or NaN, in an array) is left out of its
            mean. An image without either score is left out, with its group.
        second: Likewise of the second, for the same images.
        rng: Where the resampling comes from.
        groups: One key per image, such as the patient; None draws single images.
        repeats: The number of resamples, and of rounds of swaps.

    Raises:
        DataError: If the two have not as many values, or there is not one group for each.

    >>> better, worse = [0.5, 0.75], [0.25, 0.5]
    >>> found = paired_difference(better, worse, np.random.default_rng(0))
    >>> found.difference, found.interval, found.second_higher
    (0.25, (0.25, 0.25), 0.0)
    """
    _refuse_unlike(len(first), len(second))
    units = unit_of_each(len(first), groups)
    pair = np.array([first, second], dtype=np.float64).reshape(2, len(first))
    known = ~np.isnan(pair)
    either = known.any(axis=0)
    names, unit = np.unique(units[either], return_inverse=True)
    parts = np.zeros((2, len(names), 2))
    for part, values, there in zip(parts, pair[:, either], known[:, either], strict=True):
        np.add.at(part, unit, np.stack([np.where(there, values, 0.0), there], axis=1))
    return _compare(parts, _mean_of_sums, rng, repeats=repeats)


def paired_tables(
    first: NDArray[np.integer[Any]],
    second: NDArray[np.integer[Any]],
    statistic: Callable[[Table], float | None],
    rng: np.random.Generator,
    *,
    groups: Sequence[Hashable] | None = None,
    repeats: int = 1000,
) -> Difference:
    """Return how a score of the summed tables of two models differs.

    As :func:`paired_difference`, for a score that is made from all images together and is no mean
    over them. Swaps hold for such scores as well: Yeh, "More Accurate Tests for the Statistical
    Significance of Result Differences", COLING 2000.

    Args:
        first: (images, classes, classes) integers: the confusion table of each image.
        second: Likewise of the second model, for the same images.
        statistic: Makes a score of one (classes, classes) int64 table; None if it is undefined,
            and such resamples are left out.
        rng: Where the resampling comes from.
        groups: One key per image, such as the patient; None draws single images.
        repeats: The number of resamples, and of rounds of swaps.

    Raises:
        DataError: If the two have not as many tables, or there is not one group for each.

    >>> from delineate.scores import summarise
    >>> right, wrong = np.array([[[5, 0], [0, 5]]] * 2), np.array([[[4, 1], [0, 5]]] * 2)
    >>> accuracy = lambda table: summarise(table)["accuracy"]
    >>> found = paired_tables(right, wrong, accuracy, np.random.default_rng(0))
    >>> found.first, found.second
    (1.0, 0.9)
    """
    _refuse_unlike(len(first), len(second))
    units = unit_of_each(len(first), groups)
    parts = np.stack([sum_tables(tables, units) for tables in (first, second)])

    def score(flat: Sums) -> float | None:
        return statistic(flat.round().reshape(first.shape[1:]).astype(np.int64))

    return _compare(parts, score, rng, repeats=repeats)


def _compare(parts: Sums, score: Score, rng: np.random.Generator, *, repeats: int) -> Difference:
    """Return how two models differ whose scores are made from sums over units.

    Args:
        parts: (2, units, numbers): of each model and unit, what is to be added up.
        score: Makes a score of the (numbers,) that were added up.
        rng: Where the resampling comes from.
        repeats: The number of resamples, and of rounds of swaps.
    """
    total, units = parts.sum(axis=1), parts.shape[1]
    found = Difference(score(total[0]), score(total[1]))
    drawn = _differences((draw @ parts for draw in draws(units, repeats, rng=rng)), score)
    interval = percentiles(drawn, LEVEL)
    if found.difference is None or interval is None:
        return found
    moves = (swap @ (parts[1] - parts[0]) for swap in _swaps(units, repeats, rng=rng))
    swapped = _differences((np.stack([total[0] + by, total[1] - by]) for by in moves), score)
    equal = np.abs(drawn) <= _ROUNDING
    higher = np.where(equal, 0.5, drawn < 0).mean()
    extreme = np.count_nonzero(np.abs(swapped) >= abs(found.difference) - _ROUNDING)
    # What was observed is one of the ways to swap, so a p-value is never 0.
    p_value = float((extreme + 1) / (len(swapped) + 1))
    return Difference(found.first, found.second, interval, float(higher), p_value)


def _differences(pairs: Iterable[Sums], score: Score) -> Sums:
    """Return the first score less the second of each pair of sums in which both are defined."""
    scores = ((score(first), score(second)) for first, second in pairs)
    return np.array([a - b for a, b in scores if a is not None and b is not None])


def _swaps(units: int, repeats: int, *, rng: np.random.Generator) -> Iterator[Sums]:
    """Yield which units are swapped, 0.0 or 1.0 each, for each round."""
    for _ in range(repeats):
        yield rng.integers(2, size=units).astype(np.float64)


def _mean_of_sums(numbers: Sums) -> float | None:
    """Return the mean of values from their sum and their number."""
    return float(numbers[0] / numbers[1]) if numbers[1] else None


def _refuse_unlike(first: int, second: int) -> None:
    if first != second:
        raise DataError(
            f"One model has scores of {first} images, the other of {second}.",
            hint="Score both on the same images, in the same order.",
        )
