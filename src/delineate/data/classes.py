"""Which classes a data set has: said by its description, or recognised from the stored values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from delineate.data.describing.description import (
    COLOUR,
    IGNORE,
    NOTHING_SAID,
    RGB,
    Description,
    colour_of,
    colour_value,
    spell,
)
from delineate.data.records import Facts
from delineate.errors import DataError
from delineate.imaging import PALETTE

__all__ = ["DEEP_IGNORE", "IGNORE", "Encoding", "recognise"]

DEEP_IGNORE = 65535  # in 16-bit masks
MOST_CLASSES = 200
MOST_COLOURS = 64  # that are taken for classes where nobody has listed them
SPARSE = 8  # numbers for each one that occurs: beyond that they are no ids that are counted up
BLACK = colour_value((0, 0, 0))


@dataclass(frozen=True)
class Encoding:
    """How stored mask values become class ids.

    Attributes:
        classes: Names by class id, background first.
        values: Class id by stored value; a colour is a value as ``colour_value`` writes it.
        colours: The colour of each class.
    """

    classes: tuple[str, ...]
    values: Mapping[int, int]
    colours: tuple[RGB, ...] = ()

    @cached_property
    def _keeps_ids(self) -> bool:
        """Whether the 8-bit values are the class ids and ignore themselves."""
        ids = [*range(len(self.classes)), IGNORE]
        return {key: key for key in ids} == {k: v for k, v in self.values.items() if k < 256}

    def encode(self, labels: np.ndarray, colours: Sequence[int] | None = None) -> np.ndarray:
        """Return (height, width) uint8 class ids of stored values.

        Args:
            labels: (height, width) uint8 or uint16 stored values; indices where there are colours.
            colours: The colour value behind each index, for a mask stored as a colour picture.

        Raises:
            DataError: A stored value has no class.
        """
        if labels.dtype == np.uint8 and self._keeps_ids and colours is None:
            strangers = (labels >= len(self.classes)) & (labels != IGNORE)
            if not strangers.any():
                return labels
        ids = (self._numbers if colours is None else self._table(colours))[labels]
        if ids.min(initial=0) < 0:
            label = int(labels[ids < 0][0])
            value = label if colours is None else colours[label]
            raise DataError(
                f"A mask holds the value {spell(value)}, which is none of {_some(self.values)}.",
                hint="Run 'delineate check' on the data; the masks may have changed.",
            )
        encoded: np.ndarray = ids.astype(np.uint8)
        return encoded

    @cached_property
    def _numbers(self) -> np.ndarray:
        # As large for 8-bit masks, since there may be 16-bit ones beside them.
        return self._table(range(COLOUR >> 8))

    def _table(self, values: Sequence[int]) -> np.ndarray:
        return np.array([self.values.get(value, -1) for value in values], np.int16)


def recognise(facts: Iterable[Facts], description: Description = NOTHING_SAID) -> Encoding:
    """Return the encoding that the masks of a data set have.

    What the description says counts. Where it says nothing: values 0 and 255 alone (65535 in
    16-bit masks) are background and foreground, unless more than two classes are named; other
    numbers are class ids, and 255 (65535) is ignore; black and a few colours are background and a
    class for each colour.

    Args:
        facts: What reading the records has shown.
        description: What is said about the data.

    Raises:
        DataError: The values are none of these, or do not fit the description.
    """
    found: set[int] = set()
    for fact in facts:
        found |= fact.values.keys()
    if description.encoding == "binary":
        return _with_colours(_binary(found, description), description)
    if _are_colours(found, description):
        return _of_colours(found, description)
    return _with_colours(_of_numbers(found, description), description)


def _are_colours(found: set[int], description: Description) -> bool:
    """Return whether values are colours; greys are where they are listed, and are no class ids."""
    if description.encoding == "colours" or any(value >= COLOUR for value in found):
        return True
    if description.encoding or not description.colours:
        return False
    listed = {colour_value(colour) for colour in description.colours}
    rest = found - _said(description).keys()
    beyond = max(rest, default=0) >= len(description.colours)
    return beyond and {_as_colour(value) for value in rest} <= listed


def _of_numbers(found: set[int], description: Description) -> Encoding:
    names = description.names
    if names is None and description.encoding == "objects":
        names = ("background", "object")
    said = _said(description)
    rest = found - said.keys()
    two = names is None or len(names) == 2
    plain = two and description.encoding is None and not description.values
    for white in (IGNORE, DEEP_IGNORE):
        if plain and white in rest <= {0, white}:
            return Encoding(names or ("background", "foreground"), {0: 0, white: 1} | said)
    ids = sorted(rest - {IGNORE, DEEP_IGNORE})
    highest = max([*ids, *(number for number in said.values() if number != IGNORE)], default=0)
    if highest >= (len(names) if names else MOST_CLASSES) or (not names and _are_sparse(ids)):
        raise _no_class_ids(ids, names)
    classes = names or _numbered(max(highest + 1, 2))
    values = {number: number for number in range(len(classes))}
    ignored = {IGNORE: IGNORE, **({DEEP_IGNORE: IGNORE} if DEEP_IGNORE in found else {})}
    return Encoding(classes, values | ignored | said)


def _are_sparse(ids: Sequence[int]) -> bool:
    """Return whether values are so far apart that they are levels of grey, as 0, 64 and 128 are."""
    return SPARSE * len(ids) < max(ids, default=0)


def _said(description: Description) -> dict[int, int]:
    """Return the class ids that the description gives to stored values."""
    ids = {value: description.class_id(name) for value, name in description.values.items()}
    return ids | dict.fromkeys(description.ignore, IGNORE)


def _binary(found: set[int], description: Description) -> Encoding:
    """Return dark as background and bright as foreground, the border half way up."""
    said = _said(description)
    lightness = {value: sum(colour_of(value)) / 3 for value in found - said.keys()}
    middle = max(lightness.values(), default=0) / 2
    values = {value: int(light > middle) for value, light in lightness.items()}
    names = description.names or ("background", "foreground")
    if len(names) != 2:
        raise DataError(
            f'encoding = "binary" makes two classes, but {len(names)} are named.',
            hint="Name two, background first, or choose another encoding in dataset.toml.",
        )
    return Encoding(names, values | said)


def _of_colours(found: set[int], description: Description) -> Encoding:
    # A mask that happens to hold greys alone was read as numbers.
    colours = {_as_colour(value) for value in found}
    known = _listed_colours(description)
    if description.encoding == "ids":
        raise DataError(
            f'The masks are colour pictures ({_some(colours)}), not numbers: encoding = "ids".',
            hint="Store class ids, or list the colours under [classes] in dataset.toml.",
        )
    if all(number == IGNORE for number in known.values()):
        plain = {value for value in colours - known.keys() if value >= COLOUR}
        known |= _found_colours(plain, description.names)
    strangers = colours - known.keys()
    if strangers:
        raise DataError(
            f"The masks hold {len(strangers)} colours without a class ({_some(strangers)}).",
            hint="Give each its class under [masks] values in dataset.toml, or list it in ignore.",
        )
    ids = [number for number in known.values() if number != IGNORE]
    names = description.names or tuple(_colour_names(known, max(ids, default=1) + 1))
    if max(ids, default=0) >= len(names):
        raise DataError(
            f"There are colours of {max(ids) + 1} classes, but {len(names)} classes are named.",
            hint="Name every class under [classes] names in dataset.toml, background first.",
        )
    shown = {number: colour_of(value) for value, number in reversed(known.items())}
    palette = tuple(shown.get(number, PALETTE[number]) for number in range(len(names)))
    numbers = {value: known[_as_colour(value)] for value in found if value < COLOUR}
    return Encoding(names, known | numbers, palette)


def _listed_colours(description: Description) -> dict[int, int]:
    """Return the class ids that the description gives to colours; numbers are greys.

    Beside a list of the classes' colours numbers say nothing: they are for masks of numbers.
    """
    table = {
        colour_value(colour): number for number, colour in enumerate(description.colours or ())
    }
    said = {
        _as_colour(value): number
        for value, number in _said(description).items()
        if value >= COLOUR or not table
    }
    return table | said


def _as_colour(value: int) -> int:
    """Return a value as a colour; a number beyond 8 bits stays, which no colour is."""
    return colour_value(colour_of(value)) if value < 256 else value


def _found_colours(colours: set[int], names: tuple[str, ...] | None) -> dict[int, int]:
    """Return black as background and the other colours as classes, in the order of their codes."""
    named = names is None or len(names) == len(colours) == 2
    if BLACK not in colours or not 2 <= len(colours) <= MOST_COLOURS or not named:
        raise DataError(
            f"The masks are colour pictures with {len(colours)} colours ({_some(colours)}), and "
            "nothing says which class each is.",
            hint="List the colours under [classes] in dataset.toml; 'delineate check --write' "
            "proposes one.",
        )
    return {value: number for number, value in enumerate(sorted(colours))}


def _colour_names(values: dict[int, int], count: int) -> Iterable[str]:
    colours = {number: spell(value) for value, number in reversed(values.items())}
    yield "background"
    for number in range(1, count):
        yield colours.get(number, f"class {number}")


def _numbered(count: int) -> tuple[str, ...]:
    return ("background", *(f"class {number}" for number in range(1, count)))


def _with_colours(encoding: Encoding, description: Description) -> Encoding:
    colours = description.colours or ()
    count = len(encoding.classes)
    shown = (*colours[:count], *PALETTE[len(colours) : count])
    return Encoding(encoding.classes, encoding.values, shown)


def _some(values: Iterable[int]) -> str:
    ordered = sorted(values)
    return ", ".join(map(spell, ordered[:8])) + (", …" if len(ordered) > 8 else "")


def _no_class_ids(ids: list[int], names: tuple[str, ...] | None) -> DataError:
    if names:
        return DataError(
            f"The masks hold the values {_some(ids)}, but there are {len(names)} classes.",
            hint="Name every class, background first, or give the values their classes under "
            "[masks] values in dataset.toml.",
        )
    message = f"The masks hold {len(ids)} values up to {ids[-1]} ({_some(ids)}): no class ids."
    if _are_sparse(ids) and len(ids) <= MOST_COLOURS:
        return DataError(
            message,
            hint="Give each value its class under [masks] values in dataset.toml ('delineate check "
            "--write' proposes the lines), or export them again where JPEG or smoothing made them.",
        )
    return DataError(
        message,
        hint="Store class ids from 0, or 0 and 255, without smoothing, as PNG: JPEG and resizing "
        "blend the values. Where they are numbers of objects, write into dataset.toml:\n[masks]\n"
        'encoding = "objects"',
    )
