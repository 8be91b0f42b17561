"""Rules about the values that masks store: D200, D201, D205, D210 and D213."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.meaning import two_ends
from delineate.data.checking.rules.colours import strangers
from delineate.data.checking.rules.values import (
    BLENDED,
    blended,
    encoding_of,
    held_values,
    label_error,
    names_at,
    sound,
    with_values,
)
from delineate.data.checking.rules.wording import listed, mask_file, names_of, with_repair
from delineate.data.classes import BLACK, IGNORE, MOST_CLASSES
from delineate.data.describing.description import COLOUR, NOTHING_SAID, colour_of, spell
from delineate.data.looks.alignment import border_of
from delineate.data.looks.blends import find_blends
from delineate.data.records import Facts, Record
from delineate.errors import ImageError
from delineate.imaging import read_labels
from delineate.report import Finding, Level

_SINGLE = ("objects", "classes")
_SOME_OBJECTS = 8  # numbers in a mask from which they may be those of objects
_MANY_OBJECTS = 40  # from which they are hardly anything else, even where all images have as many
_IN_ONE_PART = 0.9  # of the numbers of a mask; a border may part an object
_LOOKED_AT = 24  # masks of single objects that are read once more
_WHITES = frozenset({255, 65535})
_FEW_IDS, _SPELT = 8, 16


def label_values(inspection: Inspection) -> Iterator[Finding]:
    """The masks hold values that are no class ids.

    Masks hold class ids from 0, or 0 and 255, or colours that are listed; everything else would be
    a guess. Pictures of classes in colour that were saved as grey hold brightnesses: save them
    again in colour, or give each value its class under ``[masks] values`` in ``dataset.toml``.
    """
    error = label_error(inspection)
    if error and not strangers(inspection):
        records = _holders(inspection)
        message = f"{error.message} The first is {mask_file(records[0])}."
        hint = _how_to_name(inspection) or error.hint
        yield Finding("D200", "error", message, hint, names_of(records))


def _holders(inspection: Inspection) -> list[Record]:
    """Return the records that hold values without a class, those that hold most of them first."""
    description = inspection.readable.description
    limit = len(description.names or ()) or MOST_CLASSES
    held = held_values(inspection) - {*description.values, *description.ignore, *_WHITES}
    values = {value for value in held if value >= limit} or {max(held_values(inspection))}
    return with_values(inspection, values)


def _how_to_name(inspection: Inspection) -> str | None:
    """Return the lines that give each of a few values a class, where none has been named."""
    description = inspection.readable.description
    values = sorted(held_values(inspection) - _WHITES)
    if description != NOTHING_SAID or len(values) > _SPELT or values[-1] >= COLOUR:
        return None
    lines = ", ".join(f'"{value}" = {number}' for number, value in enumerate(values))
    return f"Give each value its class in dataset.toml:\n[masks]\nvalues = {{ {lines} }}"


def values_0_255(inspection: Inspection) -> Iterator[Finding]:
    """The masks hold 0 and 255, and are read as background and foreground.

    Other tools take 255 for a class id or for ignore; where all masks hold 0 and 255, nothing has
    to be done. Where 255 counts as ignore because more classes are named, or some masks hold 0 and
    255 beside others with 0 and 1, the foreground would be left out without a word: say what 255 is
    under ``[masks] values`` in ``dataset.toml``, or let ``delineate check DATA --fix FOLDER`` write
    a copy with class ids.
    """
    indices = [index for index in sound(inspection) if not _is_in_colours(inspection, index)]
    values = {index: set(inspection.looks[index].facts.values) for index in indices}
    found = set().union(*values.values())
    description = inspection.readable.description
    said = {*description.values, *description.ignore}
    if 255 not in found or 255 in said or description.encoding:
        return
    white = [index for index in indices if values[index] == {0, 255}]
    if found <= {0, 255}:
        yield _all_white(inspection, [index for index in indices if 255 in values[index]])
    elif white and not any(255 in held and held - {0, 255} for held in values.values()):
        yield from _some_white(inspection, white, found, len(indices))


def _is_in_colours(inspection: Inspection, index: int) -> bool:
    return inspection.looks[index].facts.colours is not None


def _all_white(inspection: Inspection, white: Sequence[int]) -> Finding:
    names = inspection.readable.description.names
    if names and len(names) > 2:
        message = (
            f"The masks hold 0 and 255, but {len(names)} classes are named: 255 counts as ignore, "
            "and nothing but background is left."
        )
        hint = (
            "Export the class ids; or where 255 is one class, write into dataset.toml:\n"
            f'[masks]\nvalues = {{ "255" = "{names[1]}" }}'
        )
        return Finding("D201", "error", message, hint, names_at(inspection, white))
    message = "The masks hold 0 and 255: read as background and foreground."
    return Finding("D201", "note", message, "Name the classes if these are not what is meant.")


def _some_white(
    inspection: Inspection, white: Sequence[int], found: set[int], count: int
) -> Iterator[Finding]:
    """Say that 255 alone in some masks, and ids alone in the others, do not mean the same."""
    two = found <= {0, 1, 255}
    if not two and 10 * len(white) < count:
        return
    highest = max(found - _WHITES)
    message = (
        f"{len(white)} of {count} masks hold 0 and 255, the others ids up to {highest}: 255 counts "
        f"as ignore, so {mask_file(inspection.readable.records[white[0]])} and the like would "
        "hold no object."
    )
    hint = "Export these masks again with class ids, or say under [masks] values what 255 is."
    if two:
        hint = f"Run '{with_repair(inspection)}': it writes a copy with class ids."
    yield Finding("D201", "error" if two else "warning", message, hint, names_at(inspection, white))


def blended_masks(inspection: Inspection) -> Iterator[Finding]:
    """Masks hold mixtures of the values beside each other along their borders.

    They were drawn with smooth edges, resized smoothly, or stored as JPEG. The mixtures are no
    classes, or worse, are taken for others: between class 1 and class 3 lies a seam of class 2.
    Export the masks again as PNG without smoothing, and resize masks by the nearest pixel. Masks
    of background and foreground, and of colours that are listed, are repaired by
    ``delineate check DATA --fix FOLDER``.
    """
    found = blended(inspection)
    if found:
        records = [inspection.readable.records[index] for index in found]
        traits = inspection.looks[found[0]].traits
        values = listed([spell(value) for value in traits.blends], most=3)
        message = (
            f"{len(found)} of {len(inspection.looks)} masks hold mixtures along their borders: "
            f"{mask_file(records[0])} holds {values} between the values on either side."
        )
        hint = _how_to_sharpen(inspection, found)
        yield Finding("D205", "error", message, hint, names_of(records))
    for fault in inspection.faults_of("blended"):
        hint = fault.error.hint
        if inspection.readable.description.colours:
            hint = f"{hint.removesuffix('.')}; or {_repair(inspection)}"
        yield Finding("D205", "error", fault.error.message, hint, (fault.record.name,))
    yield from _soft_parts(inspection)


def _soft_parts(inspection: Inspection) -> Iterator[Finding]:
    """Say which of some masks of single objects, or classes, have soft borders.

    All that is not black belongs to the object, so it becomes too large. What such a mask holds
    besides is not kept when it is read.
    """
    records = [record for record in inspection.readable.records if record.parts in _SINGLE]
    files = [(record, record.masks[0]) for record in records if record.masks]
    some = files[:: max(1, -(-len(files) // _LOOKED_AT))]
    soft = [(record, path) for record, path in some if _is_soft(path)]
    if soft:
        message = (
            f"{len(soft)} of {len(some)} masks of single objects or classes that were looked at "
            f"have soft borders, such as {soft[0][1]}: all that is not black counts as inside."
        )
        hint = "Export the masks again as PNG with 0 and 255 alone."
        yield Finding("D205", "error", message, hint, names_of(record for record, _ in soft))


def _is_soft(path: Path) -> bool:
    try:
        found = read_labels(path)
    except ImageError:
        return False
    values = np.asarray(found.values)
    return find_blends(values, border_of(values), found.colours).share >= BLENDED


def _how_to_sharpen(inspection: Inspection, found: Sequence[int]) -> str:
    export = "Export the masks again as PNG without smoothing, resized by the nearest pixel"
    if all(_can_be_told(inspection, inspection.looks[index].facts) for index in found):
        return f"{export}; or {_repair(inspection)}"
    return f"{export}."


def _can_be_told(inspection: Inspection, facts: Facts) -> bool:
    """Return whether each mixture can be given back to one of the values beside it."""
    if facts.colours is not None:
        return bool(inspection.readable.description.colours) or BLACK in facts.values
    encoding = encoding_of(inspection)
    two = encoding is None or len(encoding.classes) == 2
    return two and two_ends(facts.values) is not None


def _repair(inspection: Inspection) -> str:
    return f"run '{with_repair(inspection)}': it writes a repaired copy."


def palettes_differ(inspection: Inspection) -> Iterator[Finding]:
    """Masks have palettes in which one index has different colours.

    Tools that make a palette for each file number the colours as they come: index 1 is a cat in one
    mask and a dog in the next. The colours are what was meant. ``delineate check DATA --fix
    FOLDER`` writes a copy in which a colour has the same id everywhere, if all have the same
    colours.
    """
    palettes = _colour_palettes(inspection)
    shown: dict[int, Counter[int]] = {}
    for palette in palettes.values():
        for value, colour in palette.items():
            shown.setdefault(value, Counter())[colour] += 1
    differing = sorted(value for value in shown if len(shown[value]) > 1)
    if not differing:
        return
    usual = {value: colours.most_common(1)[0][0] for value, colours in shown.items()}
    apart = {i: sum(usual[v] != c for v, c in held.items()) for i, held in palettes.items()}
    odd = sorted((index for index in apart if apart[index]), key=lambda i: -apart[i])
    colours = listed([spell(COLOUR | colour) for colour, _ in shown[differing[0]].most_common()])
    first = mask_file(inspection.readable.records[odd[0]])
    message = (
        f"The palettes of {len(odd)} of {len(palettes)} masks differ from the others: index "
        f"{differing[0]} is {colours}. The first is {first}."
    )
    hint = "Save the masks again with one palette, or in their colours without one."
    if all(set(palettes[index].values()) <= set(usual.values()) for index in odd):
        hint = f"Run '{with_repair(inspection)}': it writes a copy with one palette for all."
    yield Finding("D210", "error", message, hint, names_at(inspection, odd))


def _colour_palettes(inspection: Inspection) -> dict[int, Mapping[int, int]]:
    """Return the palettes by record; one of greys alone says no more than its indices."""
    found = {i: look.facts.palette for i, look in enumerate(inspection.looks)}
    return {
        index: palette
        for index, palette in found.items()
        if palette and any(len(set(colour_of(COLOUR | c))) > 1 for c in palette.values())
    }


def numbers_of_objects(inspection: Inspection) -> Iterator[Finding]:
    """The values look like numbers of objects and are read as class ids.

    Labelling tools for cells write 1 for the first object of an image, 2 for the second, and so on.
    Read as class ids, each number is a class of its own, and the network learns to count. What
    gives them away: many values, each of one connected part, and as many as each image has objects.
    """
    said = inspection.readable.description
    if said.names or said.encoding or said.values or encoding_of(inspection) is None:
        return
    numbered = [_numbered_objects(look.traits.areas) for look in inspection.looks]
    counts = [count for count in numbered if count]
    telling = len(set(counts)) > len(counts) / 4 or max(counts, default=0) >= _MANY_OBJECTS
    if max(counts, default=0) < _SOME_OBJECTS or 2 * len(counts) < len(numbered) or not telling:
        return
    first = int(np.argmax([count or 0 for count in numbered]))
    record = inspection.readable.records[first]
    message = (
        f"The masks seem to hold a number for each object, such as those of "
        f"{max(counts)} in {mask_file(record)}, and are read as class ids."
    )
    hint = 'If so, write into dataset.toml:\n[masks]\nencoding = "objects"'
    yield Finding("D215", "warning", message, hint, (record.name,))


def _numbered_objects(areas: Mapping[int, tuple[int, ...]]) -> int | None:
    """Return how many objects a mask numbers, each in one part; None where it does not.

    They begin at 1, without gaps unless they are many: objects may have been taken out.
    """
    values = sorted(areas)
    gapless = values == [*range(1, len(values) + 1)]
    if any(value >= COLOUR for value in values) or not (gapless or len(values) >= _MANY_OBJECTS):
        return None
    single = sum(len(parts) == 1 for parts in areas.values())
    return len(values) if single >= _IN_ONE_PART * len(values) else None


def gaps_in_ids(inspection: Inspection) -> Iterator[Finding]:
    """Class ids below the highest never occur.

    Each id up to the highest is a class that is learned, scored and exported. Ids that are counted
    from 1 leave 0, the background, without a pixel; brightnesses leave most ids without. Number
    the classes from 0 under ``[masks] values`` in ``dataset.toml``, or name them all.
    """
    encoding = encoding_of(inspection)
    found = held_values(inspection)
    named = inspection.readable.description.names
    if encoding is None or named or any(value >= COLOUR for value in found):
        return
    used = {encoding.values[value] for value in found} - {IGNORE}
    gaps = sorted(set(range(max(used, default=0))) - used)
    if gaps:
        # Few of many ids are brightnesses, or codes of another tool: dozens of idle classes.
        level: Level = "warning" if len(gaps) > max(len(used), _FEW_IDS) else "note"
        never = "occurs" if len(gaps) == 1 else "occur"
        message = f"The ids go up to {max(used)}, but {listed(gaps)} never {never}."
        stored = sorted(value for value in found if encoding.values[value] != IGNORE)
        yield Finding("D213", level, message, _how_to_number(stored))


def _how_to_number(stored: Sequence[int]) -> str:
    if len(stored) > _SPELT:
        return "Name all classes in dataset.toml, under [classes] names."
    lines = ", ".join(f'"{value}" = {number}' for number, value in enumerate(stored))
    return (
        "Name the classes in dataset.toml if that is meant; else number them from 0:\n"
        f"[masks]\nvalues = {{ {lines} }}"
    )
