"""Links by which files of a data set lie outside of its folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from delineate.data.records import Index
from delineate.errors import DataError

Links = Literal["refuse", "follow"]


def refuse_links_out(folder: Path, index: Index) -> None:
    """Refuse a data set of which a file is a link to one outside, or lies in such a folder.

    Whoever packs a data set with links in it chooses which files of this machine are read, shown
    and trained on. The folder itself may be a link, and so may what stays within it; paths that a
    table says are no links.

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
        if target.is_relative_to(root) or not _lexical(path).is_relative_to(_lexical(folder)):
            continue
        raise DataError(
            f"{path} leads by a link to {target}, outside of the data set {folder}.",
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
