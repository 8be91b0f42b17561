"""Files beside the data that name its classes: the tables of colours that tools write."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from delineate.data.describing.description import COLOUR, NOTHING_SAID, Description, colour_of
from delineate.data.describing.text_file import MOST_CLASSES_BYTES, refuse_long
from delineate.data.layouts.layout import split_folders

IGNORED = ("void", "ignore", "__ignore__", "_ignore_")
BACKGROUND = ("background", "bg", "_background_")

Row = tuple[int, str, int | None]  # the number in masks of numbers, the name, the colour's value


def read_table(folder: Path) -> tuple[Description, tuple[str, ...]]:
    """Return what the first table of classes in a folder says, and a note on it.

    The background, where one is called so, becomes class 0. A class called void or ignore is no
    class: it does not count. The colours count for masks that are colour pictures, the numbers for
    the others.

    Args:
        folder: The data set's folder; its folders of splits and masks are searched as well.
    """
    for path in _places(folder):
        rows = _read(path)
        kept = [row for row in rows if row[1].lower() not in IGNORED]
        if len(kept) >= 2 and _differ(rows):
            return _describe(rows), (f"{path} names {len(kept)} classes.",)
        return NOTHING_SAID, (f"{path} is no table of classes that is understood: it is left out.",)
    return NOTHING_SAID, ()


def _places(folder: Path) -> Iterator[Path]:
    folders = (folder, folder / "masks", folder / "labels", *split_folders(folder).values())
    for place in folders:
        for name in READERS:
            if (place / name).is_file():
                yield place / name


def _read(path: Path) -> list[Row]:
    """Return the rows of a table; none where it cannot be read, or a line is of another form."""
    try:
        refuse_long(path, MOST_CLASSES_BYTES)
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return list(READERS[path.name](line for line in lines if line.strip()))
    except (OSError, ValueError, csv.Error):
        return []


def _differ(rows: Sequence[Row]) -> bool:
    """Return whether no number, name or colour occurs twice."""
    numbers, names, colours = zip(*rows, strict=True)
    listed = [colour for colour in colours if colour is not None]
    return all(len(set(column)) == len(column) for column in (numbers, names, listed))


def _describe(rows: Sequence[Row]) -> Description:
    void = [row for row in rows if row[1].lower() in IGNORED]
    kept = [row for row in rows if row not in void]
    kept.sort(key=lambda row: row[1].lower() not in BACKGROUND)
    ids = {number: place for place, (number, _, _) in enumerate(kept)}
    colours = tuple(colour_of(colour) for _, _, colour in kept if colour is not None)
    said = [value for number, _, colour in void for value in (number, colour) if value is not None]
    return Description(
        names=tuple(name for _, name, _ in kept),
        colours=colours or None,
        values=ids if any(number != place for number, place in ids.items()) else {},
        ignore=tuple(value for value in said if value >= 0),
    )


def _class_dict(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of ``name,r,g,b``, below a header."""
    rows = csv.reader(lines, skipinitialspace=True)
    header = [title.strip().lower() for title in next(rows, [])]
    if header[1:4] != ["r", "g", "b"]:
        raise ValueError("the header is not name,r,g,b")
    for number, (name, *colour) in enumerate(rows):
        yield number, name.strip(), _packed(colour[:3])


def _label_colors(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of ``64 128 64<tab>Animal``, as CamVid's authors wrote them."""
    for number, line in enumerate(lines):
        red, green, blue, name = line.split(maxsplit=3)
        yield number, name.strip(), _packed((red, green, blue))


def _labelmap(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of ``label:255,0,0:parts:actions``, as CVAT writes them."""
    for number, line in enumerate(line for line in lines if not line.startswith("#")):
        name, colour, *_ = line.split(":")
        yield number, name.strip(), _packed(colour.split(","))


def _pixel_values(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of ``Pixel Value, Class``, as Roboflow writes them."""
    rows = csv.reader(lines, skipinitialspace=True)
    if [title.strip().lower() for title in next(rows, [])] != ["pixel value", "class"]:
        raise ValueError("the header is not Pixel Value, Class")
    for value, name in rows:
        yield _byte(value), name.strip(), None


def _codes(lines: Iterable[str]) -> Iterator[Row]:
    """Yield a row for each line, which is a name; labelme's __ignore__ has no number."""
    names = [line.strip() for line in lines]
    first = 1 if names[:1] == ["__ignore__"] else 0
    for number, name in enumerate(names, start=-first):
        yield number, name, None


READERS: dict[str, Callable[[Iterable[str]], Iterator[Row]]] = {
    "class_dict.csv": _class_dict,
    "label_colors.txt": _label_colors,
    "labelmap.txt": _labelmap,
    "_classes.csv": _pixel_values,
    "codes.txt": _codes,
    "class_names.txt": _codes,
}


def _packed(colour: Sequence[str]) -> int:
    red, green, blue = (_byte(part) for part in colour)
    return COLOUR | red << 16 | green << 8 | blue


def _byte(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,3}\s*", text) or int(text) > 255:
        raise ValueError(f"{text!r} is no number from 0 to 255")
    return int(text)
