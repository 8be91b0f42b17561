"""Places in images side by side in one picture, each from several sides and with what it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from delineate.data.sheet import (
    PAPER,
    Key,
    Pixels,
    encode,
    legend_height,
    place,
    write,
    write_legend,
)
from delineate.errors import DataError

SIDE = 176  # the longest side of a panel, in pixels
_GAP = 8
_LINE = 18
_HEADING = 24


@dataclass(frozen=True)
class Strip:
    """Panels side by side, with text below them.

    Attributes:
        panels: (height, width, 3) uint8 each, of one size, no side longer than ``SIDE``.
        lines: What stands below them.
    """

    panels: tuple[Pixels, ...]
    lines: tuple[str, ...]


def strip_sheet(
    strips: Sequence[Strip], headings: Sequence[str], *, keys: Sequence[Key] = ()
) -> bytes:
    """Return a picture of numbered strips in two columns, to be read row by row.

    Args:
        strips: What to show, in order; each has a panel for each heading.
        headings: What stands above the panels.
        keys: What colours mean, for a legend.

    Returns:
        The content of a PNG file.

    Raises:
        DataError: There are no strips.

    Example:
        >>> import numpy as np
        >>> strip_sheet([Strip((np.zeros((8, 8, 3), np.uint8),), ("one",))], ["Image"])[1:4]
        b'PNG'
    """
    if not strips:
        raise DataError("There is nothing to put on a sheet.", hint="Give at least one strip.")
    columns = min(2, len(strips))
    rows = [strips[first : first + columns] for first in range(0, len(strips), columns)]
    width = len(headings) * (SIDE + _GAP)
    whole = columns * (width + 2 * _GAP)
    bottom = _HEADING + sum(map(_height, rows)) + _GAP
    sheet = Image.new("RGB", (whole, bottom + legend_height(keys, whole)), PAPER)
    for column in range(columns):
        for number, heading in enumerate(headings):
            left = _left(column, width) + number * (SIDE + _GAP)
            write(sheet, heading, (_GAP // 2, left), width=SIDE, size=14)
    top = _HEADING
    for number, row in enumerate(rows):
        for column, strip in enumerate(row):
            named = f"{number * columns + column + 1}.  {strip.lines[0]}", *strip.lines[1:]
            _draw(sheet, Strip(strip.panels, named), (top, _left(column, width)))
        top += _height(row)
    write_legend(sheet, keys, bottom)
    return encode(sheet)


def _left(column: int, width: int) -> int:
    return column * (width + 2 * _GAP) + _GAP


def _height(row: Sequence[Strip]) -> int:
    return max(len(strip.panels[0]) + len(strip.lines) * _LINE for strip in row) + 2 * _GAP


def _draw(sheet: Image.Image, strip: Strip, corner: tuple[int, int]) -> None:
    top, left = corner
    width = len(strip.panels) * (SIDE + _GAP) - _GAP
    for number, panel in enumerate(strip.panels):
        place(sheet, panel, (top, left + number * (SIDE + _GAP)), (len(panel), SIDE))
    for number, line in enumerate(strip.lines):
        below = top + len(strip.panels[0]) + 4 + number * _LINE
        write(sheet, line, (below, left), width=width)
