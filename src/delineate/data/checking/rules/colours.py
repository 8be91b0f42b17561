"""Rules about masks that are colour pictures: D206 and D207."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.meaning import NEAR
from delineate.data.checking.rules.values import (
    encoding_of,
    held_values,
    label_error,
    sound,
    with_values,
)
from delineate.data.checking.rules.wording import (
    counted,
    listed,
    mask_file,
    names_of,
    percent,
    with_repair,
)
from delineate.data.describing.description import COLOUR, colour_of, colour_value, spell
from delineate.data.shares import stored_values
from delineate.report import Finding

_SPELT = 16  # colours that are spelt out in lines to copy

Near = Mapping[int, tuple[int, str]]


def unknown_colours(inspection: Inspection) -> Iterator[Finding]:
    """Masks hold colours that are not in the table.

    The table stands in ``dataset.toml`` (``[classes] colours``, ``[masks] values``), or comes with
    the layout. A colour close to one of the table was changed by a tool or by compression, which
    ``delineate check DATA --fix FOLDER`` repairs; another one is a class that is missing from the
    table, or is to be ignored.
    """
    unknown = strangers(inspection)
    if not unknown or label_error(inspection) is None:
        return
    total = stored_values(inspection.looks[i].facts for i in sound(inspection)).total()
    table = _table(inspection)
    near = {value: found for value in unknown if (found := _nearest(value, table))}
    order = sorted(unknown, key=lambda value: -unknown[value])
    records = with_values(inspection, unknown)
    message = (
        f"The masks hold {counted(len(order), 'colour')} beside those of the table, with "
        f"{percent(unknown.total() / total)} of the pixels: "
        f"{listed([_described(value, near) for value in order])}. The first mask is "
        f"{mask_file(records[0])}."
    )
    hint = _how_to_list(inspection, order, near)
    yield Finding("D206", "error", message, hint, names_of(records))


def strangers(inspection: Inspection) -> Counter[int]:
    """Return the pixels of each colour without a class, where colours have been listed."""
    table = _table(inspection)
    pixels = stored_values(inspection.looks[i].facts for i in sound(inspection) if table)
    return Counter({v: n for v, n in pixels.items() if v >= COLOUR and v not in table})


def _table(inspection: Inspection) -> dict[int, str]:
    """Return what each colour stands for that has been listed; nothing if no class has a colour."""
    said = inspection.readable.description
    colours = said.colours or ()
    names = said.names or tuple(f"class {number}" for number in range(len(colours)))
    table = {colour_value(rgb): name for rgb, name in zip(colours, names, strict=False)}
    # Beside a list of colours numbers are for masks of numbers.
    greys = not table
    table |= {_as_colour(v): str(name) for v, name in said.values.items() if v >= COLOUR or greys}
    ignored = [_as_colour(value) for value in said.ignore if value >= COLOUR or greys]
    return table | dict.fromkeys(ignored, "ignore") if table else {}


def _as_colour(value: int) -> int:
    return colour_value(colour_of(value)) if value < 256 else value


def _swapped(value: int) -> int:
    """Return a colour with red and blue in each other's place."""
    red, green, blue = colour_of(value)
    return colour_value((blue, green, red))


def _nearest(value: int, table: Mapping[int, str]) -> tuple[int, str] | None:
    """Return the colour of the table that a stranger is near, and what it stands for."""
    apart = {known: math.dist(colour_of(value), colour_of(known)) for known in table}
    best = min(apart, key=lambda known: apart[known])
    return (best, table[best]) if apart[best] <= NEAR else None


def _described(value: int, near: Near) -> str:
    if value not in near:
        return spell(value)
    known, name = near[value]
    return f"{spell(value)} (near {spell(known)}, {name})"


def _how_to_list(inspection: Inspection, order: Sequence[int], near: Near) -> str:
    if all(_swapped(value) in _table(inspection) for value in order):
        return "Save the masks again: red and blue are swapped (BGR) in them, or in the table."
    if len(near) == len(order):
        return f"Run '{with_repair(inspection)}': it writes a copy with the colours of the table."
    far = ", ".join(f'"{spell(value)}"' for value in order[:_SPELT] if value not in near)
    return (
        "List each under [classes] colours in dataset.toml with its name, or leave its pixels out "
        f"of learning and scores:\n[masks]\nignore = [{far}]"
    )


def colours_as_classes(inspection: Inspection) -> Iterator[Finding]:
    """Black was taken for background, and each other colour for a class.

    The masks are colour pictures, and nothing says what the colours mean. Names make results
    readable, and a table tells a colour that is wrong from one that is new.
    """
    encoding = encoding_of(inspection)
    colours = sorted(value for value in held_values(inspection) if value >= COLOUR)
    if encoding and colours and not _table(inspection):
        shown = [spell(value) for value in colours if value != COLOUR]
        message = (
            f"Black was taken for background, and {counted(len(shown), 'colour')} for classes: "
            f"{listed(shown)}."
        )
        names = ", ".join(f'"{name}"' for name in encoding.classes[:_SPELT])
        table = ", ".join(f'"{spell(value)}"' for value in colours[:_SPELT])
        hint = f"Name them in dataset.toml:\n[classes]\nnames = [{names}]\ncolours = [{table}]"
        yield Finding("D207", "note", message, hint)
