"""Links and paths by which files of a data set lie outside of its folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from delineate.data.records import Index
from delineate.errors import DataError

Links = Literal["refuse", "follow"]


def refuse_links_out(folder: Path, index: Index) -> None:
    """Refuse a data set of which a file lies outside, by a link or by a path that a table names.

    Whoever packs a data set with these in it chooses which files of this machine are read, shown
    and trained on. The folder itself may be a link, and so may what stays within it.

    Args:
        folder: The data set's folder.
        index: What a layout found in it.

    Raises:
        DataError: Naming the first such file, and where it leads.
    """
    root = _real(folder)
    within: dict[Path, bool] = {}
    for path in _files(index):
        if path.parent not in within:
            within[path.parent] = _real(path.parent).is_relative_to(root)
        if within[path.parent] and not path.is_symlink():
            continue
        target = _real(path)
        if target.is_relative_to(root):
            continue
        by_link = _lexical(path).is_relative_to(_lexical(folder))
        way = f"leads by a link to {target}," if by_link else f"lies at {target}, by a table,"
        raise DataError(
            f"{path} {way} outside of the data set {folder}.",
            hint="Copy the file to its place. Where you trust the data: --set data.links=follow "
            "with train and plan, --follow-links with the other commands.",
        )


def _files(index: Index) -> Iterator[Path]:
    """Yield all files that may be read, each table once for each of its records."""
    for record in index.records:
        yield from record.files
        if record.run_lengths is not None:
            yield record.run_lengths.table
    for unpaired in index.unpaired:
        yield unpaired.path


def _real(path: Path) -> Path:
    # Not Path.resolve, which raises where links lead round in a circle.
    return Path(os.path.realpath(path))


def _lexical(path: Path) -> Path:
    """Return a path as it is written, without asking where links lead."""
    return Path(os.path.normpath(path.absolute()))
