"""What can be wrong with a data set: one function per rule, whose docstring is its manual page."""

from collections.abc import Iterator
from typing import Literal

from delineate.data.inspection import Inspection
from delineate.data.records import Record
from delineate.errors import DataError
from delineate.report import Finding

Level = Literal["error", "warning", "note"]
NAMED = 20


def unreadable_file(inspection: Inspection) -> Iterator[Finding]:
    """A file cannot be read.

    It is no image, truncated, damaged, or of a kind that would be read wrongly. Training would
    stop at it, or worse, learn from grey rows.
    """
    for record, error in inspection.unreadable:
        yield Finding("D101", "error", error.message, error.hint, (record.name,))


def size_mismatch(inspection: Inspection) -> Iterator[Finding]:
    """An image and its mask differ in size.

    The mask belongs to another image, was resized, or is turned; nothing that is learned from the
    pair would be right.
    """
    for record, error in inspection.misfits:
        yield Finding("D102", "error", error.message, error.hint, (record.name,))


def missing_partner(inspection: Inspection) -> Iterator[Finding]:
    """An image has no mask, or a mask has no image.

    Often the names differ by a suffix or a digit: the nearest name is given.
    """
    for unpaired in inspection.dataset.unpaired:
        hint = "Give each image a mask of the same name, or move it elsewhere."
        yield Finding("D103", "error", unpaired.message(), hint, (str(unpaired.path),))


def label_values(inspection: Inspection) -> Iterator[Finding]:
    """The masks hold values that are no class ids.

    Masks that were smoothed, resized or stored as JPEG hold blends of the values that were meant;
    pictures of classes in colour hold brightnesses.
    """
    try:
        inspection.readable.encoding  # noqa: B018
    except DataError as error:
        yield Finding("D200", "error", error.message, error.hint)


def values_0_255(inspection: Inspection) -> Iterator[Finding]:
    """The masks hold 0 and 255, and are read as background and foreground.

    Other tools take 255 for a class id or for ignore. Nothing has to be done here.
    """
    values = {value for facts in inspection.readable.facts for value in facts.values}
    if values == {0, 255}:
        message = "The masks hold 0 and 255: read as background and foreground."
        yield Finding("D201", "note", message, "Name the classes if these are not what is meant.")


def empty_masks(inspection: Inspection) -> Iterator[Finding]:
    """Masks hold nothing but background.

    That is right for images without objects; many of them point to a lost folder of masks.
    """
    facts = inspection.readable.facts
    empty = [index for index, fact in enumerate(facts) if not set(fact.values) - {0}]
    if empty:
        names = tuple(inspection.readable.records[index].name for index in empty)
        level: Level = "warning" if 2 * len(empty) > len(facts) else "note"
        message = f"{len(empty)} of {len(facts)} masks hold nothing but background."
        hint = "Look at some of them: is there really nothing?"
        yield Finding("D202", level, message, hint, names[:NAMED])


def absent_class(inspection: Inspection) -> Iterator[Finding]:
    """A class does not occur in a split.

    What is not in the training part cannot be learned; what is not in the test part is not scored.
    """
    try:
        encoding = inspection.readable.encoding
    except DataError:
        return
    for name, part in inspection.readable.splits.items():
        found = {encoding.values[value] for facts in part.facts for value in facts.values}
        for number, label in enumerate(encoding.classes):
            if number not in found:
                message = f"The class '{label}' does not occur in the split '{name}'."
                hint = "Move some images of it there, or leave the class out."
                yield Finding("D203", "warning", message, hint, (name, label))


def overlapping_objects(inspection: Inspection) -> Iterator[Finding]:
    """Masks of single objects overlap.

    Where two do, the later file has the pixel; a few pixels along touching borders are usual.
    """
    pairs = zip(inspection.readable.records, inspection.readable.facts, strict=True)
    names = [record.name for record, facts in pairs if facts.overlap]
    if names:
        message = f"Objects overlap in {len(names)} images."
        hint = "Look at some of them; the later file has the pixel."
        yield Finding("D204", "note", message, hint, tuple(names[:NAMED]))


def near_duplicates_across_splits(inspection: Inspection) -> Iterator[Finding]:
    """Near-duplicate images are in different splits.

    What was trained on is then asked for again, and the scores are too good.
    """
    for records in _duplicates(inspection):
        splits = sorted({str(record.split) for record in records})
        if len(splits) > 1:
            sides = " and ".join(splits)
            message = f"{len(records)} near-duplicate images are in different splits: {sides}."
            names = tuple(record.name for record in records)
            yield Finding("D301", "warning", message, "Move them to one split.", names)


def near_duplicates_found(inspection: Inspection) -> Iterator[Finding]:
    """Images are near-duplicates of each other, in one split or where there are none.

    In splits that are made from a seed they stay together.
    """
    for records in _duplicates(inspection):
        if len({record.split for record in records}) == 1:
            message = f"{len(records)} images are near-duplicates of each other."
            hint = "Keep them together where you split the data yourself."
            names = tuple(record.name for record in records)
            yield Finding("D302", "note", message, hint, names)


def _duplicates(inspection: Inspection) -> Iterator[list[Record]]:
    for group in inspection.duplicates:
        yield [inspection.readable.records[index] for index in group]
