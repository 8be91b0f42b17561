"""What damaged masks were meant to say: blended borders, near colours, two ways of writing ids."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.values import blended, sound
from delineate.data.classes import IGNORE, MOST_COLOURS, Encoding, recognise
from delineate.data.describing.description import COLOUR, Description, colour_of, colour_value
from delineate.data.looks.look import Look
from delineate.data.records import Facts
from delineate.data.shares import stored_values
from delineate.errors import DataError

NEAR = 40.0
"""Distance in RGB, levels of 255, up to which a colour is another one slightly changed."""

_RARE = 0.0005  # share of all pixels below which no value is taken for one that was meant
_MIXED = 0.2  # of the rarer of two values: a value between them with fewer pixels is their mixture
_OFF_THE_LINE = 12.0
# Of masks of two values: levels about the ends, levels between them, the share of the pixels at the
# ends, and the share that one value between them may have: of small objects much is border.
_END, _APART, _AT_ENDS, _BETWEEN = 8, 128, 0.6, 0.05
_MOST_UNCLEAR = 0.5  # of the pixels of a mask in colours
_SOLID = np.ones((3, 3), np.uint8)
_REACH = np.ones((5, 5), np.uint8)  # pixels around a blended one in which its class is looked for


@dataclass(frozen=True)
class Meaning:
    """How the stored values of the masks of a data set become class ids.

    Attributes:
        encoding: What the values that were meant stand for.
        white: The records whose 255 is the foreground, while others write it as 1.
        blended: The records whose masks are blended.
        copies: The records whose masks are copies of their images.
        palette: The colour of each index in most masks with a palette; empty where all agree.
    """

    encoding: Encoding
    white: frozenset[str] = frozenset()
    blended: frozenset[str] = frozenset()
    copies: frozenset[str] = frozenset()
    palette: Mapping[int, int] = field(default_factory=dict)

    def ids(
        self, name: str, labels: NDArray[np.unsignedinteger], facts: Facts
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Return the class ids of a mask, and what had to be changed to find them.

        Args:
            name: The record's name.
            labels: (height, width) as stored; indices into the facts' colours where there are any.
            facts: What is known of the record.

        Returns:
            (height, width) uint8 class ids, 255 = ignore; and phrases, none for a sound mask.

        Raises:
            DataError: Its values cannot be told from each other.
        """
        if name in self.copies:
            raise _no_mask(name)
        if facts.colours is not None:
            return self._of_colours(name, labels, facts)
        strange = not set(facts.values) <= self.encoding.values.keys()
        if name in self.blended or (strange and two_ends(facts.values)):
            return self._of_greys(name, labels, facts)
        if self._differs(facts):
            labels = self._by_colour(name, labels, facts)
            return self.encoding.encode(labels), ["its palette was brought in line with the others"]
        if name in self.white:
            labels = np.where(labels == IGNORE, 1, labels).astype(np.uint8)
            return self.encoding.encode(labels), ["255 was written as 1, as in the other masks"]
        return self.encoding.encode(labels), []

    def of_picture(
        self, name: str, picture: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Return the class ids of a mask in colours, blended or slightly changed.

        A pixel gets the nearest colour of the classes; one far from all of them, or in a seam, the
        nearest of those that lie clearly within two pixels: a blend of red and black is no brown.

        Args:
            name: The record's name.
            picture: (height, width, 3).

        Returns:
            (height, width) uint8 class ids, 255 = ignore, and what was changed.

        Raises:
            DataError: The classes have no colours, or the picture has others nearly everywhere.
        """
        if not any(value >= COLOUR for value in self.encoding.values):
            raise _no_mask(name)
        points = [(colour_of(value), number) for value, number in self.encoding.values.items()]
        nearest = np.zeros(picture.shape[:2], np.intp)
        least = np.full(picture.shape[:2], np.inf, np.float32)
        for place, (point, _) in enumerate(points):
            distance = _distance(picture, point)
            nearest[distance < least] = place
            least = np.minimum(least, distance)
        unclear = self._is_unclear(nearest, least)
        if unclear.mean() > _MOST_UNCLEAR:
            raise _no_mask(name)
        self._settle(picture, nearest, unclear)
        ids = np.array([number for _, number in points], np.uint8)[nearest]
        changed = int(np.count_nonzero(least))
        told = f"{changed:,} pixels of its mask were given the nearest colour of the classes"
        return ids, [told] if changed else []

    def _is_unclear(
        self, nearest: NDArray[np.intp], least: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Return which pixels have no colour of a class, and are not near to one in a solid area.

        Blends are seams of one or two pixels, whatever colour they are near to.
        """
        clear = least == 0
        for place in range(len(self.encoding.values)):
            near = ((nearest == place) & (least <= NEAR**2)).astype(np.uint8)
            clear |= cv2.morphologyEx(near, cv2.MORPH_OPEN, _SOLID).astype(bool)
        return np.asarray(~clear)

    def _settle(
        self,
        picture: NDArray[np.uint8],
        nearest: NDArray[np.intp],
        unclear: NDArray[np.bool_],
    ) -> None:
        """Give each unclear pixel the nearest of the colours that lie clearly around it."""
        pixels = picture[unclear]
        best = np.full(len(pixels), np.inf, np.float32)
        chosen = nearest[unclear]
        for place, value in enumerate(self.encoding.values):
            clear = ((nearest == place) & ~unclear).astype(np.uint8)
            distance = _distance(pixels, colour_of(value))
            closer = (cv2.dilate(clear, _REACH)[unclear] > 0) & (distance < best)
            chosen[closer], best[closer] = place, distance[closer]
        nearest[unclear] = chosen

    def _of_colours(
        self, name: str, labels: NDArray[np.unsignedinteger], facts: Facts
    ) -> tuple[NDArray[np.uint8], list[str]]:
        if set(facts.values) <= self.encoding.values.keys():
            return self.encoding.encode(labels, facts.colours), []
        table = np.array([colour_of(value) for value in facts.colours or ()], np.uint8)
        return self.of_picture(name, table[labels])

    def _of_greys(
        self, name: str, labels: NDArray[np.unsignedinteger], facts: Facts
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Return the class ids of a blended mask of background and foreground.

        Raises:
            DataError: It is not of these two.
        """
        ends = two_ends(facts.values)
        if ends is None or len(self.encoding.classes) != 2:
            raise DataError(
                f"The mask of {name} blends class ids, and what lies between two ids is another "
                "class.",
                hint="Make the mask again from its source, without smoothing.",
            )
        bright = labels > sum(ends) / 2
        mixed = int(np.count_nonzero((labels != ends[0]) & (labels != ends[1])))
        return bright.astype(np.uint8), [f"{mixed:,} blended pixels of its mask were cut at half"]

    def _differs(self, facts: Facts) -> bool:
        said = _coloured(facts)
        return any(self.palette.get(index, colour) != colour for index, colour in said.items())

    def _by_colour(
        self, name: str, labels: NDArray[np.unsignedinteger], facts: Facts
    ) -> NDArray[np.uint8]:
        """Return indices as most masks use them, by the colours that this one's indices have."""
        index_of = {colour: index for index, colour in self.palette.items()}
        said = _coloured(facts)
        strangers = [colour for index, colour in said.items() if colour not in index_of]
        if strangers or len(index_of) < len(self.palette):
            raise DataError(
                f"The palette of the mask of {name} has colours that those of other masks do not "
                "have, so its indices cannot be told.",
                hint="Save the mask with the same palette as the others.",
            )
        table = np.zeros(65536, np.uint8)
        for index, colour in said.items():
            table[index] = index_of[colour]
        return np.asarray(table[labels])


def _no_mask(name: str) -> DataError:
    return DataError(
        f"The mask of {name} is a picture, and not one in the colours of the classes.",
        hint="Replace it by the mask.",
    )


def find_meaning(inspection: Inspection, more: Sequence[Facts] = ()) -> Meaning:
    """Return what the masks of a data set were meant to say.

    The masks that are sound count; where none are, the frequent values of all.

    Args:
        inspection: The data set, read once.
        more: Of masks that could not be read together with their images.

    Raises:
        DataError: It cannot be told.
    """
    encoding = _of_the_sound(inspection, more) or _of_the_frequent(inspection, more)
    records = inspection.readable.records
    palette, agreed = _usual_palette(inspection.looks)
    if not inspection.readable.description.colours:
        encoding = _in_colours_of(palette, encoding)
    return Meaning(
        _complete(encoding, inspection),
        _white(inspection, encoding),
        frozenset(records[index].name for index in blended(inspection)),
        frozenset(
            record.name
            for record, look in zip(records, inspection.looks, strict=True)
            if look.traits.copied
        ),
        {} if agreed else palette,
    )


def _of_the_sound(inspection: Inspection, more: Sequence[Facts]) -> Encoding | None:
    """Return the encoding of the masks that are not blended, None where it cannot be told."""
    clear = [inspection.looks[index].facts for index in sound(inspection)]
    for facts in ([*clear, *more], clear):
        try:
            return recognise(facts, inspection.readable.description) if facts else None
        except DataError:
            continue
    return None


def _of_the_frequent(inspection: Inspection, more: Sequence[Facts]) -> Encoding:
    """Return the encoding of the values that many pixels have."""
    facts = [*(look.facts for look in inspection.looks), *more]
    description = inspection.readable.description
    counts = stored_values(facts)
    blends = {value for look in inspection.looks for value in look.traits.blends}
    table = _table(description)
    if any(value >= COLOUR for value in counts):
        kept = [value for value in table if value in counts] or frequent_values(counts, blends)
        return recognise(_facts_of(kept, counts), description)
    ends = two_ends(counts)
    two = description.names is None or len(description.names) == 2
    if ends is None or not two or description.encoding == "ids":
        return recognise(facts, description)
    return recognise(_facts_of(ends, counts), replace(description, encoding="binary"))


def frequent_values(counts: Mapping[int, int], blends: Collection[int] = ()) -> list[int]:
    """Return the values that were meant: many pixels, and no mixture of two with many more.

    Args:
        counts: Pixels of each stored value.
        blends: Values that were seen to lie between their neighbours.

    Example:
        >>> frequent_values({0: 900, 255: 90, 254: 30, 128: 10, 40: 3})
        [0, 255]
    """
    total = sum(counts.values())
    kept: list[int] = []
    for value in sorted(counts, key=lambda value: -counts[value])[: 4 * MOST_COLOURS]:
        if counts[value] < _RARE * total:
            break
        share = 1.0 if value in blends else _MIXED
        often = [other for other in kept if counts[value] < share * counts[other]]
        if not _is_near(value, kept) and not _is_mixture(value, often):
            kept.append(value)
    return sorted(kept)


def two_ends(counts: Mapping[int, int]) -> tuple[int, int] | None:
    """Return dark and bright where nearly all pixels have one or the other, else None.

    Args:
        counts: Pixels of each stored value.

    Example:
        >>> two_ends({0: 900, 3: 5, 128: 10, 255: 90}), two_ends({0: 900, 1: 80, 2: 40})
        ((0, 255), None)
    """
    low, high = min(counts, default=0), max(counts, default=0)
    at_ends = sum(
        count for value, count in counts.items() if min(value - low, high - value) <= _END
    )
    total = sum(counts.values())
    between = [n for value, n in counts.items() if min(value - low, high - value) > _END]
    clear = at_ends >= _AT_ENDS * total and max(between, default=0) <= _BETWEEN * total
    return (low, high) if clear and high - low >= _APART and high < COLOUR else None


def _is_near(value: int, kept: Iterable[int]) -> bool:
    point = np.array(colour_of(value), float)
    return any(np.linalg.norm(point - colour_of(other)) <= NEAR for other in kept)


def _is_mixture(value: int, others: Sequence[int]) -> bool:
    """Return whether a value lies on the way from one of the others to another."""
    point = np.array(colour_of(value), float)
    for number, first in enumerate(others):
        for second in others[:number]:
            start = np.array(colour_of(first), float)
            way = np.array(colour_of(second), float) - start
            along = float((point - start) @ way) / max(float(way @ way), 1.0)
            if 0 < along < 1 and np.abs(point - start - along * way).max() <= _OFF_THE_LINE:
                return True
    return False


def _table(description: Description) -> list[int]:
    """Return the colours that are said to mean something."""
    said = [*description.values, *description.ignore]
    return [*map(colour_value, description.colours or ()), *(v for v in said if v >= COLOUR)]


def _facts_of(values: Iterable[int], counts: Mapping[int, int]) -> list[Facts]:
    chosen = {value: counts[value] for value in values}
    return [Facts(size=(1, 1), channels=3, dtype="uint8", values=chosen)]


def _complete(encoding: Encoding, inspection: Inspection) -> Encoding:
    """Return the encoding with greys as colours too, where masks are colour pictures.

    A mask that happens to hold greys alone was read as numbers.
    """
    if not any(value >= COLOUR for value in encoding.values):
        return encoding
    found = stored_values(look.facts for look in inspection.looks)
    greys = {
        value: encoding.values[colour_value(colour_of(value))]
        for value in found
        if value < COLOUR and colour_value(colour_of(value)) in encoding.values
    }
    return replace(encoding, values={**greys, **encoding.values})


def _white(inspection: Inspection, encoding: Encoding) -> frozenset[str]:
    """Return the records that write the foreground as 255 while others write it as 1."""
    if len(encoding.classes) != 2 or encoding.values.get(IGNORE) != IGNORE:
        return frozenset()
    records, looks = inspection.readable.records, inspection.looks
    held = [
        (records[index].name, looks[index].facts.values.keys())
        for index in sound(inspection)
        if records[index].parts == "whole"
    ]
    ones = any(1 in values for _, values in held)
    both = any({1, IGNORE} <= values for _, values in held)
    if not ones or both:
        return frozenset()
    return frozenset(name for name, values in held if IGNORE in values and values <= {0, IGNORE})


def _usual_palette(looks: Iterable[Look]) -> tuple[dict[int, int], bool]:
    """Return the colour that each index has in most masks, and whether all masks agree."""
    votes: dict[int, Counter[int]] = {}
    for look in looks:
        for index, colour in _coloured(look.facts).items():
            votes.setdefault(index, Counter())[colour] += 1
    usual = {index: colours.most_common(1)[0][0] for index, colours in votes.items()}
    return usual, all(len(colours) == 1 for colours in votes.values())


def _in_colours_of(palette: Mapping[int, int], encoding: Encoding) -> Encoding:
    """Return the encoding with each class in the colour that masks show it in."""
    colours = list(encoding.colours)
    for index, packed in palette.items():
        number = encoding.values.get(index, IGNORE)
        if number < len(colours):
            colours[number] = colour_of(COLOUR | packed)
    return replace(encoding, colours=tuple(colours))


def _coloured(facts: Facts) -> Mapping[int, int]:
    """Return the palette of a mask; nothing for one of greys, which says what the indices say."""
    palette = facts.palette or {}
    greys = all(len(set(colour_of(COLOUR | packed))) == 1 for packed in palette.values())
    return {} if greys else palette


def _distance(picture: NDArray[np.uint8], point: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the squared distance of each colour, (..., 3), from a point."""
    steps = picture.astype(np.float32) - np.array(point, np.float32)
    return np.asarray((steps * steps).sum(axis=-1))
