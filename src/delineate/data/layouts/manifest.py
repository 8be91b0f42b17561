"""Layout `csv`: a table of the pairs, ``*.csv`` beside the data.

Columns ``image`` and ``mask``, and where wanted ``split`` and ``group``; paths are relative to the
table. Several masks of one image, in rows of their own or separated by ``|``, are one object each;
several images separated by ``|`` are the channels of one.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePath

from delineate.data.describing.description import Description
from delineate.data.describing.text_file import refuse_long, refuse_more_rows
from delineate.data.layouts.colour_table import read_table
from delineate.data.layouts.files import is_image
from delineate.data.layouts.layout import OBJECTS, SPLIT_FOLDERS, Layout
from delineate.data.layouts.pairing import make_record
from delineate.data.records import Index, MaskParts, Record, Unpaired
from delineate.errors import DataError

COLUMNS = {
    "image": ("image", "images", "image_path"),
    "mask": ("mask", "masks", "mask_path"),
    "split": ("split",),
    "group": ("group",),
}
DELIMITERS = ",;\t"
SEPARATOR = "|"


@dataclass
class _Entry:
    """What the rows of one image say."""

    row: str
    name: str
    images: tuple[Path, ...]
    split: str | None
    group: str | None
    masks: list[Path] = field(default_factory=list)


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    if find_manifests(folder):
        return None
    return "no table *.csv beside the data has the columns image and mask"


def find_manifests(folder: Path) -> list[Path]:
    """Return the tables of a folder that have the columns of images and masks."""
    tables = sorted(path for path in folder.glob("*.csv") if path.name[0] != ".")
    return [path for path in tables if _is_manifest(path)]


def index(folder: Path, description: Description) -> Index:
    """Return a record for each image that a table names.

    Raises:
        DataError: A row is wrong; the row is named.
    """
    entries: dict[tuple[Path, ...], _Entry] = {}
    unpaired: list[Unpaired] = []
    for path, split in _splits_of(find_manifests(folder)):
        for row, values in _rows(path):
            found = _add_row(entries, folder, split, row, values)
            unpaired += [found] if found else []
    labelled = [entry for entry in entries.values() if entry.masks]
    several = any(len(entry.masks) > 1 for entry in labelled)
    parts: MaskParts = "objects" if several else "whole"
    records = tuple(_records(labelled, description, parts))
    table, notes = read_table(folder)
    return Index(records, tuple(unpaired), OBJECTS if several else table, notes)


def _is_manifest(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would block
            return False
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline(10_000)
    except (OSError, UnicodeDecodeError):
        return False
    return any({"image", "mask"} <= _columns(header, mark).keys() for mark in DELIMITERS)


def _columns(header: str, delimiter: str) -> dict[str, int]:
    """Return the place of each column that is known, by what it is."""
    titles = [title.strip().lower() for title in next(csv.reader([header], delimiter=delimiter))]
    return {
        column: titles.index(name)
        for column, names in COLUMNS.items()
        for name in reversed(names)
        if name in titles
    }


def _splits_of(manifests: list[Path]) -> Iterator[tuple[Path, str | None]]:
    """Yield each table and the split that it is named after, where there are several."""
    for path in manifests:
        split = SPLIT_FOLDERS.get(path.stem.lower())
        if split is None and len(manifests) > 1:
            names = ", ".join(path.name for path in manifests)
            raise DataError(
                f"{path.parent} holds several tables of images and masks: {names}.",
                hint="Keep one, or name them train.csv, val.csv and test.csv.",
            )
        yield path, split


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what an error calls each row, and its values by column."""
    line = 0
    try:
        refuse_long(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            delimiter = max(DELIMITERS, key=lambda mark: len(_columns(header, mark)))
            places = _columns(header, delimiter)
            reader = csv.reader(chain([header], file), delimiter=delimiter, strict=True)
            next(reader)
            line = reader.line_num
            for cells in reader:
                refuse_more_rows(path, reader.line_num)
                if any(cell.strip() for cell in cells):
                    values = {name: _cell(cells, place) for name, place in places.items()}
                    yield f"{path}, line {reader.line_num}", values
                line = reader.line_num
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.", hint="Save it as UTF-8.") from error
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line + 1}: the row that begins here cannot be read: {error}.",
            hint='Close the quotation marks, and double those within: "a ""b"".png".',
        ) from error


def _cell(cells: list[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""


def _add_row(
    entries: dict[tuple[Path, ...], _Entry],
    folder: Path,
    split: str | None,
    row: str,
    values: Mapping[str, str],
) -> Unpaired | None:
    """Add what a row says; return what it lacks."""
    images = _paths(values["image"], "image", folder, row)
    masks = _paths(values["mask"], "mask", folder, row) if values["mask"] else ()
    if values.get("split"):
        split = _split(values["split"], row)
    name = _name(images[0], folder)
    entry = _Entry(row, name, images, split, values.get("group") or None)
    known = entries.setdefault(images, entry)
    if (known.split, known.group) != (entry.split, entry.group):
        raise DataError(
            f"{row}: {values['image']} has the split {entry.split} and the group {entry.group}, "
            f"but {known.split} and {known.group} in {known.row}.",
            hint="Give all rows of one image the same split and group.",
        )
    missing = next((path for path in (*images, *masks) if not path.is_file()), None)
    if missing in images:
        return Unpaired(missing, f"file, though {row} names it")
    if missing or not masks:
        return Unpaired(images[0], f"mask {missing or ''} in {row}".replace("  ", " "))
    known.masks += masks
    return None


def _paths(cell: str, column: str, folder: Path, row: str) -> tuple[Path, ...]:
    texts = [text.strip().replace("\\", "/") for text in cell.split(SEPARATOR)]
    if not all(texts):
        raise DataError(f"{row}: the {column} is empty.", hint="Name its file, or remove the row.")
    return tuple(_path(text, folder, row) for text in texts)


def _path(text: str, folder: Path, row: str) -> Path:
    path = folder / text
    outside = PurePath(text).is_absolute() or ".." in PurePath(text).parts
    if outside and not path.is_file():
        raise DataError(
            f"{row}: there is no file {path}.",
            hint=f"Write paths relative to {folder}.",
        )
    if not is_image(path.name):
        raise DataError(
            f"{row}: '{text}' is no image file that is read.",
            hint="Name PNG, TIFF, JPEG, BMP or WebP files, without hidden ones.",
        )
    return path


def _split(text: str, row: str) -> str:
    if text.lower() not in SPLIT_FOLDERS:
        raise DataError(
            f"{row}: '{text}' is no split.", hint=f"Use one of: {', '.join(SPLIT_FOLDERS)}."
        )
    return SPLIT_FOLDERS[text.lower()]


def _name(image: Path, folder: Path) -> str:
    """Return a record's name: the path of its image, with its suffix, as the table has it."""
    path = image.relative_to(folder) if image.is_relative_to(folder) else image
    parts = [part for part in path.parts if part not in ("..", path.anchor)]
    return PurePath(*parts).with_suffix("").as_posix()


def _records(
    entries: Iterable[_Entry], description: Description, parts: MaskParts
) -> Iterator[Record]:
    used: set[str] = set()
    for entry in entries:
        # Of two images that differ in their suffix alone the second one keeps it.
        name = entry.name if entry.name not in used else f"{entry.name}{entry.images[0].suffix}"
        used.add(name)
        record = make_record(name, entry.images, tuple(entry.masks), description, parts=parts)
        yield replace(record, split=entry.split, group=entry.group or record.group)


LAYOUT = Layout(
    name="csv",
    summary="a table *.csv with the columns image and mask, and where wanted split and group",
    refuse=refuse,
    index=index,
)
