"""A repaired copy of a data set: what can be mended is, the rest is left out and listed."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.meaning import Meaning, find_meaning
from delineate.data.classes import IGNORE, Encoding
from delineate.data.describing.description import FILE
from delineate.data.fetching.unpack import free_folder, move_into_place, temporary_folder
from delineate.data.records import Record
from delineate.data.repairing.copying import describe_copy, place_records, write_record
from delineate.data.repairing.mending import (
    FloatRange,
    Mended,
    facts_of_masks,
    mend_broken,
    mend_sound,
    range_of_floats,
)
from delineate.errors import DataError

LIST = "repairs.json"

_TOLD = 8
_COUNTED = re.compile(r"\d[\d,]*(?= (?:blended )?(?:pixels|values))")  # differs in each file

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Change:
    """What was changed of a record.

    Attributes:
        name: Its name.
        file: Its image in the copy, from the copy's folder.
        changes: What was changed, in phrases.
    """

    name: str
    file: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """What could not be repaired.

    Attributes:
        name: The name of the record, or the path of the file.
        reason: Why, in one sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Repairs:
    """What repairing a data set has done.

    Attributes:
        folder: The copy; None where nothing could be copied.
        images: How many records it holds.
        changed: Those that were changed; the images and objects of others are copied as they are.
        left_out: What could not be repaired.
    """

    folder: Path | None
    images: int = 0
    changed: tuple[Change, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            "images": self.images,
            "changed": [asdict(change) for change in self.changed],
            "left_out": [asdict(item) for item in self.left_out],
        }

    def describe(self) -> str:
        """Return what was done as text."""
        lines = [self._head()]
        told = Counter(_COUNTED.sub("some", "; ".join(change.changes)) for change in self.changed)
        for changes, count in told.most_common(_TOLD):
            lines.append(f"  changed in {count:,}: {changes}")
        for item in self.left_out[:_TOLD]:
            lines.append(f"  left out {item.name}: {item.reason}")
        if len(self.left_out) > _TOLD:
            lines.append(f"  and {len(self.left_out) - _TOLD:,} more left out: see {LIST}")
        return "\n".join(lines)

    def _head(self) -> str:
        if self.folder is None:
            return "Nothing could be repaired, so there is no copy."
        counts = f"{self.images:,} images, {len(self.changed):,} of them changed"
        left = f", {len(self.left_out):,} left out" if self.left_out else ""
        return f"A repaired copy is in {self.folder}: {counts}{left}."


def repair(
    inspection: Inspection, folder: str | Path, *, progress: Progress | None = None
) -> Repairs:
    """Write a repaired copy of a data set, whole or not at all, and return what was done.

    The copy is of the layout ``folders``, or ``objects`` where each object has a mask: with the
    splits as train/, validation/ and test/, a ``dataset.toml``, and the list of what was done.
    Images that are fine are copied as they are. The source is not touched.

    Args:
        inspection: The data set, read once.
        folder: The folder to make. An empty one may exist.
        progress: Called with (done, all) after each record.

    Raises:
        DataError: The folder is not empty, lies in the data or holds it, or cannot be written.

    Example:
        >>> from delineate.data.dataset import Dataset
        >>> from delineate.data.checking.inspection import inspect
        >>> repair(inspect(Dataset.open("cells")), "cells-repaired")  # doctest: +SKIP
    """
    target = require_free(inspection.dataset.folder, Path(folder))
    try:
        work = _Work.of(inspection)
    except DataError as error:
        return Repairs(None, left_out=(LeftOut(inspection.dataset.name, error.message),))
    with temporary_folder(target.parent) as temporary:
        fresh = temporary / "repaired"
        fresh.mkdir()
        repairs = _repair_all(work, fresh, target, progress)
        if repairs.folder is not None:
            text = json.dumps(repairs.as_json(), indent=1, ensure_ascii=False)
            (fresh / LIST).write_text(text + "\n", encoding="utf-8", errors="replace")
            move_into_place(fresh, target)
    return repairs


def require_free(data: Path | None, folder: Path) -> Path:
    """Return the absolute path of a folder that a copy may be written to.

    Raises:
        DataError: It holds something, lies within the data, or the data lie within it.
    """
    target = free_folder(folder)
    source = data.resolve() if data is not None else None
    if source is not None and (target.is_relative_to(source) or source.is_relative_to(target)):
        raise DataError(
            f"The copy {target} would lie in the data {source}, or hold it.",
            hint="Name a folder elsewhere.",
        )
    return target


@dataclass(frozen=True)
class _Work:
    """What repairing needs to know of the whole data set."""

    inspection: Inspection
    meaning: Meaning
    floats: FloatRange | None
    objects: bool
    places: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, inspection: Inspection) -> "_Work":
        records = inspection.dataset.records
        broken = [record for record, _ in inspection.failures]
        meaning = find_meaning(inspection, facts_of_masks(broken))
        objects = _have_objects(records) and _are_plain(meaning.encoding)
        floats = range_of_floats(broken)
        return cls(inspection, meaning, floats, objects, place_records(records))

    def jobs(self) -> Iterator[tuple[Record, Callable[[], Mended]]]:
        """Yield each record and what mends it."""
        readable = self.inspection.readable
        for index, record in enumerate(readable.records):
            yield (
                record,
                partial(mend_sound, readable, index, self.meaning, objects=self.objects),
            )
        for record, error in self.inspection.failures:
            how = self.meaning, self.floats
            yield record, partial(mend_broken, record, error, *how, objects=self.objects)


def _have_objects(records: Sequence[Record]) -> bool:
    instances = [record.arrays.instances for record in records if record.arrays is not None]
    return all(
        record.parts in ("objects", "numbers", "run-lengths")
        for record in records
        if record.arrays is None
    ) and not any(one is None for one in instances)


def _are_plain(encoding: Encoding) -> bool:
    """Return whether objects are the foreground: files of objects could say nothing else."""
    return len(encoding.classes) == 2 and all(encoding.values.get(n, n) == n for n in (0, 1))


def _repair_all(work: _Work, fresh: Path, target: Path, progress: Progress | None) -> Repairs:
    """Write all records and the description into a fresh folder."""
    done: list[Change | LeftOut | bool] = []
    ignored: list[bool] = []

    def write(job: tuple[Record, Callable[[], Mended]]) -> Change | LeftOut:
        record, mend = job
        if record.name not in work.places:
            return LeftOut(record.name, "It is in none of the splits that the others are in.")
        try:
            mended = mend()
        except DataError as error:
            return LeftOut(record.name, error.message)
        if isinstance(mended.mask, np.ndarray) and (mended.mask == IGNORE).any():
            ignored.append(True)
        place, colours = work.places[record.name], work.meaning.encoding.colours
        path = write_record(mended, fresh, place, colours)
        return Change(record.name, path.relative_to(fresh).as_posix(), mended.changes)

    jobs = list(work.jobs())
    with ThreadPoolExecutor() as pool:
        for result in pool.map(write, jobs):
            done.append(result)
            if progress:
                progress(len(done), len(jobs))
    written = [item for item in done if isinstance(item, Change)]
    left = [item for item in done if isinstance(item, LeftOut)]
    left += [LeftOut(str(item.path), item.message()) for item in work.inspection.dataset.unpaired]
    if written:
        text = _describe(work, [item.name for item in written], ignored=bool(ignored))
        (fresh / FILE).write_text(text, encoding="utf-8")
    changed = tuple(item for item in written if item.changes)
    return Repairs(target if written else None, len(written), changed, tuple(left))


def _describe(work: _Work, names: Sequence[str], *, ignored: bool) -> str:
    groups = {record.name: record.group for record in work.inspection.dataset.records}
    text = describe_copy(
        work.meaning.encoding,
        work.inspection.readable.description,
        {work.places[name]: groups[name] for name in names},
        objects=work.objects,
        ignored=ignored,
    )
    return f"# A repaired copy; {LIST} says what was changed.\n{text}"
