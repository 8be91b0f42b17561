"""What ``dataset.toml`` could say about the classes of masks: what is recognised, else a guess."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.meaning import frequent_values
from delineate.data.checking.rules.values import blended, encoding_of
from delineate.data.checking.rules.wording import counted, listed, percent
from delineate.data.classes import IGNORE, MOST_COLOURS, Encoding
from delineate.data.describing.description import (
    COLOUR,
    Description,
    colour_of,
    colour_value,
    spell,
)
from delineate.data.layouts.camvid import ELEVEN, is_nameless_camvid
from delineate.data.shares import stored_values

BLACK = colour_value((0, 0, 0))
# More values than these are taken for blends of some that were meant.
_FEW = 32
_STRAYS = 16
_MEANT = 0.8  # of the pixels that are not 0, which values must have that are taken for classes
_EVEN = 0.2  # of a step between levels of grey, by which the last one may miss it

_CONFIRM = "Confirm it, and name the classes."


@dataclass(frozen=True)
class Proposal:
    """What could be said, and why.

    Attributes:
        said: What is said.
        comments: What stands above its keys, as for ``describe``.
    """

    said: Description
    comments: Mapping[str, str] = field(default_factory=dict)


def propose_classes(inspection: Inspection) -> Proposal:
    """Return what is known already, with the classes and values of the masks.

    Where the masks are read as class ids, the same is said of them in so many words. Where they are
    not, the most likely reading is proposed.

    Args:
        inspection: A data set that has been read.
    """
    found = _propose(inspection)
    names, colours = found.said.names, found.said.colours
    if names and colours and len(names) != len(colours):
        # Colours of other classes than those that are proposed.
        return replace(found, said=replace(found.said, colours=None))
    return found


def _propose(inspection: Inspection) -> Proposal:
    known = inspection.dataset.description
    counts = stored_values(look.facts for look in inspection.looks)
    if not counts:
        return Proposal(known)
    if is_nameless_camvid(inspection.dataset.records, inspection.dataset.description, counts):
        return _as_camvid(known)
    encoding = encoding_of(inspection)
    if encoding is None:
        return _guess(known, counts, soft=bool(blended(inspection)))
    source = _source(inspection)
    whole = any(record.parts == "whole" for record in inspection.dataset.records)
    if known.encoding == "binary" or not whole:
        return Proposal(replace(known, names=encoding.classes), {"classes.names": source})
    held = {value: count for value, count in counts.items() if value in encoding.values}
    if known.encoding == "colours" or any(value >= COLOUR for value in held):
        return _colours(known, encoding, held, source)
    return _numbers(known, encoding, held, source)


def _source(inspection: Inspection) -> str:
    """Return where the names of the classes are from."""
    if inspection.dataset.description.names:
        return f"As the layout '{inspection.dataset.layout}', or a file beside the data, has them."
    return f"guess: recognised from the values of the masks. {_CONFIRM}"


def _as_camvid(known: Description) -> Proposal:
    why = (
        "guess: the files are named like the frames of CamVid, and the masks hold 0 to 11: the "
        "eleven classes of SegNet's version, and void. Nothing in the folder says so: confirm it."
    )
    ignore = "guess: 11 is void. Without this line it is a class that is trained on."
    said = replace(known, names=ELEVEN.names, ignore=ELEVEN.ignore, encoding="ids")
    return Proposal(said, {"classes.names": why, "masks.ignore": ignore})


def _numbers(
    known: Description, encoding: Encoding, held: Mapping[int, int], source: str
) -> Proposal:
    """Return what is recognised of masks of numbers."""
    names = encoding.classes
    ids = {value: encoding.values[value] for value in sorted(held)}
    ignore = tuple(value for value, number in ids.items() if number == IGNORE)
    values = {value: names[number] for value, number in ids.items() if number != IGNORE}
    plain = all(value == number for value, number in ids.items() if number != IGNORE)
    encoded = known.encoding or ("ids" if plain else None)
    said = replace(
        known, names=names, encoding=encoded, values={} if plain else values, ignore=ignore
    )
    comments = {"classes.names": source, **_shares(held)}
    if ignore and not known.ignore:
        written = listed([spell(value) for value in ignore])
        comments["masks.ignore"] = f"guess: beside class ids {written} is no class: not counted."
    if not known.values:
        comments["masks.values"] = "guess: recognised from the two values that the masks hold."
    return Proposal(said, comments)


def _colours(
    known: Description, encoding: Encoding, held: Mapping[int, int], source: str
) -> Proposal:
    """Return what is recognised of masks that are colour pictures."""
    names = encoding.classes
    ids = {_as_colour(value): encoding.values[value] for value in sorted(held)}
    distinct = len(set(encoding.colours)) == len(names)
    table = {colour_value(colour) for colour in encoding.colours} if distinct else set()
    values = {v: names[number] for v, number in ids.items() if number != IGNORE and v not in table}
    said = replace(
        known,
        names=names,
        colours=encoding.colours if distinct else None,
        encoding="colours",
        values=values,
        ignore=tuple(value for value, number in ids.items() if number == IGNORE),
    )
    comments = {"classes.names": source, **_shares(held)}
    if known.colours is None and not known.values:
        comments["classes.colours"] = "guess: black is the background, each other colour a class."
    return Proposal(said, comments)


def _guess(known: Description, counts: Counter[int], *, soft: bool) -> Proposal:
    """Return the most likely reading of masks that are not recognised."""
    if any(value >= COLOUR for value in counts):
        return _guess_colours(known, counts)
    many = soft or len(counts) > _FEW
    kept = frequent_values(counts) if many else sorted(counts)
    two = known.names is None or len(known.names) == 2
    if many and len(kept) == 2 and two:
        return _guess_binary(known, counts, kept)
    # Of what is not background: numbers of objects have a few pixels each.
    meant, every = (sum(counts[v] for v in values if v) for values in (kept, counts))
    if many and meant < _MEANT * every:
        return Proposal(known, {"": _told_of_no_guess(counts)})
    return _guess_levels(known, counts, kept)


def _told_of_no_guess(counts: Counter[int]) -> str:
    held = f"Nothing is proposed for the masks. They hold {len(counts)} values up to {max(counts)}"
    if len(counts) <= _FEW:
        return f"{held}, some of them mixtures along borders: export them again without smoothing."
    return (
        f"{held}, none much more often than others: numbers of objects, a picture, or blends. "
        "Store class ids; 1 for every object where there is one kind."
    )


def _guess_binary(known: Description, counts: Counter[int], kept: Sequence[int]) -> Proposal:
    why = (
        f"guess: dark is background, bright is foreground. The masks hold {len(counts)} values, "
        f"most of them near {kept[0]} and {kept[1]}, as smoothing, resizing and JPEG leave them."
    )
    names = known.names or ("background", "foreground")
    said = replace(known, names=names, encoding="binary", values={}, ignore=())
    return Proposal(said, {"masks.encoding": why})


def _guess_colours(known: Description, counts: Counter[int]) -> Proposal:
    """Return a table of the frequent colours, after those that are listed."""
    kept = frequent_values(counts)
    table = [colour_value(colour) for colour in known.colours or ()]
    listed_ones = {*table, *known.values, *known.ignore}
    frequent = dict.fromkeys(_as_colour(v) for v in sorted(kept, key=lambda v: -counts[v]))
    fresh = sorted((v for v in frequent if v not in listed_ones), key=lambda v: v != BLACK)
    fresh = fresh[: max(MOST_COLOURS - len(table), 0)]
    every = [*table, *fresh]
    names = [*(known.names or ("background",))]
    names += [spell(value) for value in every[len(names) :]]
    if len(names) < 2:
        names.append("foreground")
    all_named = len(names) == len(every)
    said = replace(
        known,
        names=tuple(names),
        colours=tuple(colour_of(value) for value in every) if all_named else known.colours,
        encoding="colours",
        values=known.values
        if all_named
        else {**known.values, **dict(zip(fresh, names, strict=False))},
    )
    why = (
        f"guess: {spell(every[0])} is the background, and each other colour of many pixels is a "
        f"class. {_CONFIRM} {_told_of_others(counts, kept)}"
    )
    return Proposal(said, {"classes.names": why})


def _told_of_others(counts: Counter[int], kept: Sequence[int]) -> str:
    others = len(counts) - len(kept)
    if not others:
        return ""
    share = 1 - sum(counts[value] for value in kept) / counts.total()
    return (
        f"{counted(others, 'other colour')} with {percent(share)} of the pixels are no class: "
        "blends along borders, or classes that are missing here."
    )


def _guess_levels(known: Description, counts: Counter[int], kept: Sequence[int]) -> Proposal:
    """Return a class for each of some values."""
    white = [IGNORE] if IGNORE in kept and not _is_level(kept) else []
    levels = [value for value in kept[: IGNORE - 1] if value not in white]
    strays = sorted(set(counts) - set(kept) - known.values.keys() - set(known.ignore))
    names = [*(known.names or ("background",))]
    names += [f"class {number}" for number in range(len(names), max(len(levels), 2))]
    why = (
        f"guess: the masks hold {listed(levels, most=12)}, which are not ids counted up from 0: a "
        f"class for each. {_CONFIRM}"
    )
    if strays:
        why += f" {_told_of_strays(strays, counts)}"
    comments = {"masks.values": why, **_shares(counts)}
    if white:
        comments["masks.ignore"] = "guess: 255 is no level like the others, so it is not counted."
    said = replace(
        known,
        names=tuple(names),
        values=dict(zip(levels, names, strict=False)),
        ignore=tuple(
            dict.fromkeys((*known.ignore, *white, *(strays if len(strays) <= _STRAYS else ())))
        ),
    )
    return Proposal(said, comments)


def _told_of_strays(strays: Sequence[int], counts: Counter[int]) -> str:
    share = percent(sum(counts[value] for value in strays) / counts.total())
    told = f"guess: {counted(len(strays), 'other value')} with {share} of the pixels"
    if len(strays) <= _STRAYS:
        return f"{told} are strays, and not counted."
    return (
        f"{told} are left by smoothing, resizing or JPEG. No class is proposed for them: "
        "export the masks again without."
    )


def _is_level(values: Sequence[int]) -> bool:
    """Return whether the last of some levels of grey is as far from the one before as the rest."""
    steps = [after - before for before, after in pairwise(values)]
    if len(steps) < 2:
        return True
    usual = sum(steps[:-1]) / len(steps[:-1])
    return abs(steps[-1] - usual) <= max(_EVEN * usual, 1)


def _as_colour(value: int) -> int:
    return value if value >= COLOUR else colour_value(colour_of(min(value, 255)))


def _shares(counts: Mapping[int, int]) -> dict[str, str]:
    """Return a comment for each value: how many pixels hold it."""
    total = max(sum(counts.values()), 1)
    return {
        f"masks.values.{spell(value)}": f"{percent(count / total)} of the pixels"
        for value, count in counts.items()
    }
