"""Tables of objects as run lengths: ``*.csv`` with the columns ImageId and EncodedPixels.

The form of the 2018 Data Science Bowl: a row for each object, and one with an empty second cell for
an image without objects. Its solutions have the columns Height and Width, the image's size in
pixels, and Usage, which is "Ignored" for images that were not scored.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from delineate.data.describing.text_file import refuse_long, refuse_more_rows
from delineate.data.records import RunLengths
from delineate.errors import DataError

NAME = "imageid"
NEEDED = (NAME, "encodedpixels")
# Some programs begin each row with its number, in a column without a title.
KNOWN = (*NEEDED, "height", "width", "usage", "")
DELIMITERS = ",;\t"
SAMPLE = "sample_submission"
IGNORED = "ignored"
_PIXELS = re.compile(r"([1-9][0-9]{0,8})(\.0*)?")

Size = tuple[int, int]


@dataclass(frozen=True)
class Table:
    """A table that was read; the numbers in it were not.

    Attributes:
        path: Its file.
        split: The split of its images, where its name or its folder says so.
        rows: The objects of each image, by its ImageId as it is written, in the order of the
            table.
        ignored: The images that it says not to use.
    """

    path: Path
    split: str | None
    rows: Mapping[str, RunLengths]
    ignored: frozenset[str]


@dataclass
class _Entry:
    """What the rows of one image say."""

    size: Size | None
    lines: list[int] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)


def find_tables(folder: Path) -> list[Path]:
    """Return the tables of run lengths in a folder, but for samples of submissions."""
    return [path for path in _all_tables(folder) if SAMPLE not in path.stem.lower()]


def find_samples(folder: Path) -> list[Path]:
    """Return the samples of submissions in a folder, which hold made-up objects."""
    return [path for path in _all_tables(folder) if SAMPLE in path.stem.lower()]


def read_table(path: Path, split: str | None = None) -> Table:
    """Return the rows of a table by image; the runs are checked when an image is read.

    Args:
        path: The table.
        split: The split of its images.

    Raises:
        DataError: It cannot be read, has a column that is not known, or a row that is damaged; the
            line is named.
    """
    entries: dict[str, _Entry] = {}
    ignored: set[str] = set()
    for line, values in _rows(path):
        origin = f"{path}, line {line}"
        name = values[NAME]
        _refuse_nameless(name, origin)
        size = _size(values, origin)
        entry = entries.setdefault(name, _Entry(size))
        if size != entry.size:
            raise DataError(
                f"{origin}: '{name}' is {_spell(size)}, but {_spell(entry.size)} in line "
                f"{entry.lines[0]}.",
                hint="Give all rows of one image the same Height and Width.",
            )
        entry.lines.append(line)
        entry.runs.append(values["encodedpixels"])
        if values.get("usage", "").lower() == IGNORED:
            ignored.add(name)
    rows = {
        name: RunLengths(path, tuple(entry.lines), tuple(entry.runs), entry.size)
        for name, entry in entries.items()
    }
    return Table(path, split, rows, frozenset(ignored))


def _all_tables(folder: Path) -> list[Path]:
    tables = sorted(path for path in folder.glob("*.csv") if path.name[0] != ".")
    return [path for path in tables if _is_table(path)]


def _is_table(path: Path) -> bool:
    if not path.is_file():  # a pipe would block
        return False
    try:
        with _open(path) as file:
            return _delimiter(file.readline(10_000)) is not None
    except OSError:
        return False


def _open(path: Path) -> TextIO:
    # An ImageId may be the name of a file with bytes that are no text.
    return path.open(encoding="utf-8-sig", errors="surrogateescape")


def _delimiter(header: str) -> str | None:
    """Return what parts the columns; None where they are not those of a table of run lengths."""
    marks = (mark for mark in DELIMITERS if set(NEEDED) <= set(_titles(header, mark)))
    return next(marks, None)


def _titles(header: str, delimiter: str) -> list[str]:
    cells = _cells(header, delimiter) or ()
    return [title.strip().lower().replace("_", "") for title in cells]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line, and its values by column."""
    try:
        refuse_long(path)
        with _open(path) as file:
            header = file.readline()
            delimiter = _delimiter(header) or DELIMITERS[0]
            titles = _titles(header, delimiter)
            _refuse_strange(path, header, titles)
            for line, text in enumerate(file, 2):
                refuse_more_rows(path, line)
                cells = _cells(text, delimiter)
                if cells is None or any(cell.strip() for cell in cells):
                    yield line, _by_title(cells, titles, f"{path}, line {line}")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.", hint="Copy it again.") from error


def _cells(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of a line; None where its quotation marks are wrong."""
    # The runs of one large object are longer than the csv module takes a cell to be.
    if '"' not in text:
        return text.removesuffix("\n").split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _refuse_strange(path: Path, header: str, titles: Sequence[str]) -> None:
    missing = any(title not in titles for title in NEEDED)
    strange = any(title not in KNOWN or titles.count(title) > 1 for title in titles)
    if missing or strange:
        # A class for each object, for one, must not be passed over.
        raise DataError(
            f"{path} has the columns '{header.strip()[:200]}', which are not those of run lengths.",
            hint="Keep ImageId and EncodedPixels, and where wanted Height, Width and Usage.",
        )


def _by_title(cells: list[str] | None, titles: Sequence[str], origin: str) -> dict[str, str]:
    if cells is None:
        raise DataError(
            f"{origin}: a quotation mark is not closed, or stands within a cell.",
            hint="Leave quotation marks out: no number needs them.",
        )
    if len(cells) != len(titles):
        raise DataError(
            f"{origin}: the first line has {len(titles)} cells, this one has {len(cells)}.",
            hint="Give each row all cells, and part numbers by spaces alone, as in a1,1 3 10 5.",
        )
    named = dict(zip(titles, cells, strict=True))
    # The name of a file may begin or end with a space.
    return {title: cell if title == NAME else cell.strip() for title, cell in named.items()}


def _refuse_nameless(name: str, origin: str) -> None:
    if not name.strip():
        raise DataError(
            f"{origin} names no image.", hint="Write the name of its file into ImageId."
        )


def _size(values: Mapping[str, str], origin: str) -> Size | None:
    texts = values.get("height", ""), values.get("width", "")
    if not any(texts):
        return None
    height, width = (_PIXELS.fullmatch(text) for text in texts)
    if height is None or width is None:
        raise DataError(
            f"{origin}: the Height '{texts[0]}' and the Width '{texts[1]}' are no size in pixels.",
            hint="Write two whole numbers from 1, or leave both cells empty.",
        )
    return int(height[1]), int(width[1])


def _spell(size: Size | None) -> str:
    return "of no size" if size is None else f"{size[0]}×{size[1]} pixels (height×width)"
