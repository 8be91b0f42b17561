"""What was found about a data set or a bundle: plain values, findings, and sections to read.

The JSON of a report comes first and holds everything a program needs; ``page.render`` makes the
page for people.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any, Literal

Level = Literal["error", "warning", "note"]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Tile:
    """A small picture among others.

    Attributes:
        picture: The content of a PNG or JPEG file.
        name: What it shows, such as the name of a record.
        remark: What is to be known about it, such as its split.
    """

    picture: bytes
    name: str
    remark: str = ""


@dataclass(frozen=True)
class Gallery:
    """Small pictures side by side.

    Attributes:
        title: What they show.
        caption: How to read them.
        tiles: The pictures.
        keys: What their colours (red, green, blue; 0 .. 255) mean.
    """

    title: str
    caption: str
    tiles: tuple[Tile, ...]
    keys: tuple[tuple[Colour, str], ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that a rule has found.

    Attributes:
        code: The rule's name, such as "empty-mask"; stable between versions.
        level: "error" (must be mended), "warning" (should be looked at) or "note".
        message: One sentence: what is the matter, with which value.
        hint: One sentence in the imperative: what to do about it.
        where: The records, files or classes it is about.
        gallery: Pictures of it, for the page alone.
    """

    code: str
    level: Level
    message: str
    hint: str
    where: tuple[str, ...] = ()
    gallery: Gallery | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: What stands above it.
        columns: The names of its columns.
        rows: Its rows, as long as ``columns``: numbers, text, or None where there is no value.
        note: A sentence below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        title: What it shows, also for those who cannot see it.
        caption: How to read it.
        png: The content of a PNG file.
    """

    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Section:
    """A part of a report that has a heading.

    Attributes:
        title: The heading.
        text: Paragraphs, with an empty line between them.
        tables: Tables, below the text.
        pictures: Pictures, below the tables.
        findings: Findings, below the text; they count as the report's own.
        galleries: Small pictures side by side, last.
    """

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    findings: tuple[Finding, ...] = ()
    galleries: tuple[Gallery, ...] = ()


@dataclass(frozen=True)
class Report:
    """Findings and scores about a data set or a bundle.

    Attributes:
        title: The heading, such as the name of the data set.
        kind: What was done: "check", "evaluation", "training", "comparison".
        values: What a program reads, by name. Numbers at the top level are the headlines of the
            page; ``intervals`` may give a low and a high bound for some of them.
        findings: Findings about the whole.
        sections: The parts of the page, in order.
    """

    title: str
    kind: str
    values: Mapping[str, object]
    findings: tuple[Finding, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def every_finding(self) -> tuple[Finding, ...]:
        """The findings of the report and of its sections, each once."""
        inner = [finding for section in self.sections for finding in section.findings]
        return tuple(dict.fromkeys([*self.findings, *inner]))

    @property
    def failed(self) -> bool:
        """Whether any finding is an error."""
        return any(finding.level == "error" for finding in self.every_finding)

    def to_json(self) -> dict[str, Any]:
        """Return the values and the findings, as types that ``json`` writes.

        Arrays and tuples become lists, paths text, and numbers that are not finite None.

        Raises:
            TypeError: A value is of a type that JSON has no place for.

        Example:
            >>> Report("Cells", "evaluation", {"mean_iou": float("nan")}).to_json()
            {'mean_iou': None, 'findings': []}
        """
        findings = [_plain(_said(finding)) for finding in self.every_finding]
        return {**_plain(self.values), "findings": findings}


def _said(finding: Finding) -> dict[str, Any]:
    return {name: value for name, value in vars(finding).items() if name != "gallery"}


def _plain(value: Any) -> Any:
    # NumPy's numbers and arrays have tolist(); np.float64 is a float as well, so they go first.
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_plain(item) for item in value]
    raise TypeError(f"A report cannot hold {value!r} of type {type(value).__name__}.")
