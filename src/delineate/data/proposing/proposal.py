"""A ``dataset.toml`` for a folder: what is recognised, with the reason of each guess."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.partners import find_near_miss, find_patterns
from delineate.data.checking.rules.sequences import PATTERN
from delineate.data.describing.description import FILE, Description
from delineate.data.describing.text import describe
from delineate.data.proposing.pixel_size import read_pixel_size
from delineate.data.proposing.proposed_classes import Proposal, propose_classes
from delineate.data.records import SPLITS, Record
from delineate.errors import DataError
from delineate.files import write_whole

__all__ = ["describe", "propose", "write_description"]

HEADER = f"""\
# {FILE}, as 'delineate check --write' proposes it. What stands below "guess" was recognised
# from the files, or is their most likely reading: confirm it, or correct it.
"""
PIXELS = """\
# Nothing in the files says how large a pixel is; (height, width) where you know it:
# [pixels]
# size = [0.5, 0.5]
# unit = "µm"
"""
NO_GROUPS = """\
# Images of one patient, slide or video must not be parted by a split. The first group of a regular
# expression, in the name of a record, says which belong together:
# [groups]
# pattern = '^(patient[0-9]+)_'
"""
# What a name may have in common with those of its group: its folder, what stands before its last
# number, what stands before the first line.
GROUPS = (r"([^/]+)/[^/]+$", PATTERN, r"([^/_]+)_[^/]*$")
_SHOWN = 4


def propose(inspection: Inspection) -> str:
    """Return the text of a ``dataset.toml`` for a data set, with a comment for each guess.

    Where the data set is recognised, it is read with this file as without it. Where it is not, the
    most likely reading is proposed: names that differ by one change are paired, each level of grey
    or colour is a class. Groups are proposed in comments alone, since they change the splits.

    Args:
        inspection: A data set that has been read.

    Raises:
        DataError: The data set is in memory and has no folder.
    """
    dataset = inspection.dataset
    if dataset.folder is None:
        raise DataError(
            f"The data set {dataset.name} is in memory: no {FILE} can stand beside it.",
            hint="Propose one for a folder.",
        )
    found = propose_classes(inspection)
    found = _with_pairing(found, inspection, dataset.folder)
    found = _with_pixels(found, dataset.records)
    # A path in a note may break the line.
    notes = "".join(f"# {' '.join(note.split())}\n" for note in dataset.notes)
    text = describe(found.said, comments=found.comments)
    groups = "" if found.said.groups or found.said.group_pattern else _groups(dataset.records)
    pixels = "" if found.said.pixel_size else PIXELS
    return "\n".join(part for part in (HEADER + notes, text, groups, pixels) if part)


def write_description(folder: Path, text: str) -> Path:
    """Write the text of a ``dataset.toml`` into a folder, and return its path.

    Args:
        folder: The data set's folder.
        text: The text.

    Raises:
        DataError: There is one already, or it cannot be written.
    """
    path = folder / FILE
    if path.exists():
        raise DataError(
            f"{path} exists, and is not replaced.",
            hint="Change it by hand, or move it elsewhere first.",
        )
    try:
        write_whole(path, text)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Name a folder that may be written.",
        ) from error
    return path


def _with_pairing(found: Proposal, inspection: Inspection, folder: Path) -> Proposal:
    """Return a proposal that says which layout it is, or by which patterns names go together."""
    dataset = inspection.dataset
    miss = find_near_miss(dataset.unpaired)
    # Patterns hold for all files: those that are pairs already would be none.
    patterns = find_patterns(miss, folder) if miss else None
    if miss is None or patterns is None or len(dataset) or found.said.masks:
        said = replace(found.said, layout=dataset.layout)
        why = f"Recognised from the folder: {len(dataset)} images with masks."
        return Proposal(said, {**found.comments, "layout": why})
    images, masks = patterns
    why = (
        f"guess: the names of {len(miss.pairs)} images and their masks differ {miss.difference}, "
        f"such as {_below(miss.pairs[0][0].path, folder)} and "
        f"{_below(miss.pairs[0][1].path, folder)}. What these patterns do not find is left out."
    )
    said = replace(found.said, layout="pairs", images=images, masks=masks)
    return Proposal(said, {**found.comments, "pairing": why})


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _with_pixels(found: Proposal, records: Sequence[Record]) -> Proposal:
    """Return a proposal that says how large a pixel is, where the first image says so."""
    files = [path for record in records[:1] for path in record.images[:1]]
    size = next((read_pixel_size(path) for path in files), None)
    if size is None or found.said.pixel_size:
        return found
    why = f"guess: from the resolution that {files[0].name} has; confirm it for all images."
    said = replace(found.said, pixel_size=(size.height, size.width), unit=size.unit)
    return Proposal(said, {**found.comments, "pixels.size": why})


def _groups(records: Sequence[Record]) -> str:
    """Return lines about groups, as a comment: what they change must be wanted."""
    for pattern in GROUPS:
        counts = _members(records, pattern)
        if counts:
            names = [repr(name) for name, _ in counts.most_common(_SHOWN)]
            more = ", …" if len(counts) > _SHOWN else ""
            return (
                f"# guess: the names show {len(counts)} groups ({', '.join(names)}{more}). If each "
                "is one patient, slide\n# or video, take away the # below: a group is never parted "
                f"by a split.\n# [groups]\n# pattern = '{pattern}'\n"
            )
    return NO_GROUPS


def _members(records: Sequence[Record], pattern: str) -> Counter[str] | None:
    """Return how many records each group has; None where a pattern makes no good groups."""
    said = Description(group_pattern=pattern)
    found = [said.group_of(record.name) for record in records]
    counts = Counter(group for group in found if group and group not in SPLITS)
    good = counts.total() == len(records) and 2 <= len(counts) <= len(records) / 2
    return counts if good else None
