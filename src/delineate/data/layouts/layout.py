"""What a layout is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from delineate.data.describing.description import Description
from delineate.data.records import Index
from delineate.errors import DataError

# The classes where each mask file is one object, and nobody names them.
OBJECTS = Description(names=("background", "object"))
SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Layout:
    """One way in which data sets are laid out in folders.

    Attributes:
        name: The name in the table of layouts.
        summary: What such a folder looks like, in one line.
        refuse: Returns why a folder is not of this layout, or None where it is.
        index: Returns the records of a folder, without reading pixels; what is said about the data
            comes with it.
        asked: Whether the layout is used only where ``dataset.toml`` or the caller names it.
    """

    name: str
    summary: str
    refuse: Callable[[Path], str | None]
    index: Callable[[Path, Description], Index]
    asked: bool = False


def split_folders(folder: Path) -> dict[str, Path]:
    """Return the folders below ``folder`` that are named after a split, by the split's name.

    Raises:
        DataError: Two of them name the same split.
    """
    found: dict[str, Path] = {}
    for name, split in SPLIT_FOLDERS.items():
        if not (folder / name).is_dir():
            continue
        if split in found:
            raise DataError(
                f"{folder} holds both {found[split].name}/ and {name}/.",
                hint="Keep one of them, or put all into one.",
            )
        found[split] = folder / name
    return found
