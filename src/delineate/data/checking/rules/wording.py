"""How findings are worded: lists of names, files, and the commands and lines that help."""

from collections.abc import Iterable, Sequence

from delineate.data.checking.inspection import Inspection
from delineate.data.records import Record

NAMED = 20
"""Most records that a finding names."""


def names_of(records: Iterable[Record]) -> tuple[str, ...]:
    """Return the names of the first records, as many as a finding names."""
    return tuple(record.name for record in records)[:NAMED]


def listed(items: Sequence[object], most: int = 4) -> str:
    """Return items as people list them.

    Example:
        >>> listed([1, 2, 3]), listed("abcdefg", most=2)
        ('1, 2 and 3', 'a, b and 5 more')
    """
    texts = [str(item) for item in items]
    if len(texts) > most + 1:
        texts = [*texts[:most], f"{len(texts) - most} more"]
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]])) if texts else ""


def counted(count: int, thing: str, plural: str | None = None) -> str:
    """Return a number and what it counts.

    Example:
        >>> counted(1, "mask"), counted(2, "mask"), counted(2, "class", "classes")
        ('1 mask', '2 masks', '2 classes')
    """
    return f"{count} {thing if count == 1 else plural or thing + 's'}"


def percent(share: float) -> str:
    """Return a share with two digits that count.

    Example:
        >>> percent(0.25), percent(0.00034), percent(1)
        ('25 %', '0.034 %', '100 %')
    """
    return f"{float(f'{100 * share:.2g}'):g} %"


def mask_file(record: Record) -> str:
    """Return the path of a record's first mask, or the name of a record in memory."""
    return str(record.masks[0]) if record.masks else record.name


def image_file(record: Record) -> str:
    """Return the path of a record's first image file, or the name of a record in memory."""
    return str(record.images[0]) if record.images else record.name


def with_repair(inspection: Inspection) -> str:
    """Return the command that writes a repaired copy."""
    folder = inspection.dataset.folder
    return f"delineate check {folder or 'DATA'} --fix FOLDER"
