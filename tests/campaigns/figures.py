"""The figures that campaigns have to reach: each says what their rows are still short of."""

from collections import Counter
from collections.abc import Callable, Iterator

from tests.campaigns.growth import grown
from tests.campaigns.record import Row
from tests.campaigns.tables import flips_of

Figure = Callable[[list[Row]], Iterator[str]]


def right(count: int, what: str, *, of: str = "") -> Figure:
    """Return what asks for so many rows that are as they should be.

    Args:
        count: How many.
        what: What they are of, in the plural.
        of: How their cases begin; unset: any.
    """

    def missing(rows: list[Row]) -> Iterator[str]:
        found = sum(row["right"] is True for row in rows if row["case"].startswith(of))
        if found < count:
            yield f"{found} of {count} {what}"

    return missing


def stood(count: int, where: str, what: str, *, of: str) -> Figure:
    """Return what asks for so many trainings that had come to somewhere when they were cut short.

    Args:
        count: How many of those that are as they should be.
        where: Where they had come to.
        what: What they are, in the plural.
        of: How their cases begin.
    """

    def missing(rows: list[Row]) -> Iterator[str]:
        own = [row for row in rows if row["right"] is True and row["case"].startswith(of)]
        found = sum(row["stood"] == where for row in own)
        if found < count:
            yield f"{found} of {count} {what} at {where}"

    return missing


def inputs(count: int, kinds: tuple[str, ...]) -> Figure:
    """Return what asks for so many inputs of each of some kinds."""

    def missing(rows: list[Row]) -> Iterator[str]:
        found: Counter[str] = Counter()
        for row in rows:
            found[row["case"].partition(" ")[0]] += row["inputs"]
        for kind in kinds:
            if found[kind] < count:
                yield f"{found[kind]:,} of {count:,} inputs of {kind}"

    return missing


def examples(count: int, properties: int) -> Figure:
    """Return what asks for so many properties that hold for so many examples each."""

    def missing(rows: list[Row]) -> Iterator[str]:
        found = sum(row["examples"] >= count and row["right"] for row in rows)
        if found < properties:
            yield f"{found} of {properties} properties with {count:,} examples"

    return missing


def probes(count: int) -> Figure:
    """Return what asks for so many probes that do no harm."""

    def missing(rows: list[Row]) -> Iterator[str]:
        found = sum(row["right"] is True and "opened" not in row for row in rows)
        if found < count:
            yield f"{found} of {count} probes"

    return missing


def flips(count: int) -> Figure:
    """Return what asks for so many flipped bytes that do no harm."""

    def missing(rows: list[Row]) -> Iterator[str]:
        found = sum(flips_of(row) for row in rows if row["right"] is True and "opened" in row)
        if found < count:
            yield f"{found:,} of {count:,} flipped bytes"

    return missing


def minutes(count: int) -> Figure:
    """Return what asks for so many minutes in which nothing has grown."""

    def missing(rows: list[Row]) -> Iterator[str]:
        longest = max(row["minutes"] for row in rows)
        if longest < count:
            yield f"{longest:.0f} of {count} minutes"
        if more := grown(rows):
            yield f"{', '.join(more)} not flat"

    return missing
