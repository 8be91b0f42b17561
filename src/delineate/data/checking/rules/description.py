"""The rules about what ``dataset.toml`` says, and what it leaves out: D501, D502."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.wording import listed
from delineate.data.describing.description import (
    COLOUR,
    FILE,
    Description,
    colour_of,
    read_description,
    spell,
)
from delineate.data.layouts.camvid import is_nameless_camvid
from delineate.data.shares import stored_values
from delineate.errors import DataError
from delineate.report import Finding


def description_without_effect(inspection: Inspection) -> Iterator[Finding]:
    """Something that ``dataset.toml`` says has no effect.

    A group pattern that matches no name, values or ignored values that never occur, the ending of a
    channel that no file has, the group of a record that does not exist: most often a slip of the
    pen, and the data is read otherwise than was meant.
    """
    said = _said(inspection)
    if said is None:
        return
    path = str(inspection.dataset.folder and inspection.dataset.folder / FILE)
    for message, hint in (
        *_idle_groups(said, inspection),
        *_idle_values(said, inspection),
        *_idle_channels(said, inspection),
    ):
        yield Finding("D501", "warning", f"{path}: {message}", hint, (path,))


def void_is_not_said(inspection: Inspection) -> Iterator[Finding]:
    """The value that stands for no class in a well-known data set is read as a class.

    No pixel says that a value means void. The files of CamVid in SegNet's version are known by
    their names: 11 is void in their masks, and would be trained on and scored like a street or a
    car.
    """
    dataset = inspection.dataset
    pixels = stored_values(look.facts for look in inspection.looks)
    if 11 not in pixels or 11 in dataset.description.ignore:
        return
    if is_nameless_camvid(dataset.records, dataset.description, pixels):
        message = (
            "The files are named like CamVid's, where 11 means void, but nothing says so: 11 is "
            "read as a class."
        )
        hint = (
            "Write this into dataset.toml, or let 'delineate check DATA --write' propose it with "
            "the names of the classes:\n[masks]\nignore = [11]"
        )
        yield Finding("D502", "warning", message, hint, (dataset.records[0].name,))


def _said(inspection: Inspection) -> Description | None:
    """Return what the file says, without what the layout adds."""
    folder = inspection.dataset.folder
    try:
        return None if folder is None else read_description(folder)
    except DataError:  # it was changed since the data set was opened
        return None


Idle = Iterator[tuple[str, str]]


def _idle_groups(said: Description, inspection: Inspection) -> Idle:
    names = [record.name for record in inspection.dataset.records]
    pattern = said.group_pattern
    if pattern is not None and names and not any(re.search(pattern, name) for name in names):
        message = f"the pattern {pattern!r} of the groups matches no name, such as {names[0]!r}."
        yield message, "Correct [groups] pattern; it is searched for in the names of the records."
    unknown = sorted(said.groups.keys() - set(names))
    if unknown:
        message = (
            f"groups are given to {listed([repr(name) for name in unknown])}, which do not exist."
        )
        yield message, f"Correct the names under [groups.of]; one of the records is {names[:1]}."


def _idle_values(said: Description, inspection: Inspection) -> Idle:
    pixels = stored_values(look.facts for look in inspection.looks)
    found = {form for value in pixels for form in (value, _as_grey(value))}
    for key, values in (("values", said.values.keys()), ("ignore", said.ignore)):
        idle = [value for value in values if value not in found]
        if idle and pixels:
            held = listed([spell(value) for value, _ in pixels.most_common()])
            never = "never occurs" if len(idle) == 1 else "never occur"
            message = (
                f"{listed([spell(v) for v in idle])} under [masks] {key} {never} in the masks."
            )
            yield message, f"Correct it; the masks hold {held}."


def _as_grey(value: int) -> int:
    """Return a grey that is stored as a colour as a number, and anything else as it is."""
    red, green, blue = colour_of(value)
    return red if value >= COLOUR and red == green == blue else value


def _idle_channels(said: Description, inspection: Inspection) -> Idle:
    files = [path for record in inspection.dataset.records for path in record.images]
    files += [unpaired.path for unpaired in inspection.dataset.unpaired]
    folders = {path.parent for path in files}
    for ending in said.channels:
        # Of an image that lacks a channel one file alone is among the unpaired.
        known = any(path.stem.endswith(ending) for path in files)
        if not known and not any(map(partial(_holds, ending=ending), folders)):
            message = f"no file has the ending '{ending}' of a channel."
            yield message, "Correct [pairing] channels."


def _holds(folder: Path, ending: str) -> bool:
    return folder.is_dir() and any(path.stem.endswith(ending) for path in folder.iterdir())
