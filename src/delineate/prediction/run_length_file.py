"""Objects of many images in one table of run lengths, as the Data Science Bowl of 2018 takes them.

Columns ``ImageId`` and ``EncodedPixels``, a row for each object, and one with an empty second cell
for an image without objects.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from delineate.decoding.run_lengths import encode
from delineate.errors import DataError
from delineate.files import whole_file

COLUMNS = ("ImageId", "EncodedPixels")

Add = Callable[[str, NDArray[Any]], None]


def write_run_lengths(path: Path, named_instances: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write the objects of images into one table, whole or not at all.

    Args:
        path: The file; it is replaced only once all images are in the new one.
        named_instances: For each image the stem of its file, which becomes its ImageId, and
            (height, width) whole object ids, 0 = none. They may come one by one.

    Raises:
        DataError: Two images have one name, or the instances are no such array.
        OSError: The file cannot be written; what stood there before is untouched.

    Example:
        >>> import numpy as np
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "cells.csv"
        ...     write_run_lengths(path, [("a", np.eye(2, dtype=int)), ("b", np.zeros((2, 2), int))])
        ...     path.read_text().splitlines()
        ['ImageId,EncodedPixels', 'a,1 1 4 1', 'b,']
    """
    with run_length_file(path) as add:
        for name, instances in named_instances:
            add(name, instances)


@contextmanager
def run_length_file(path: Path) -> Iterator[Add]:
    """Yield what adds an image's objects to a table that is there once the block has ended well.

    For a loop that does other things as well; nothing but the names is kept in memory.

    Args:
        path: The file; it is replaced at the end, and not at all after an error.

    Raises:
        DataError: Two images have one name, or the instances are no array of object ids.
        OSError: The file cannot be written; what stood there before is untouched.
    """
    # File names may hold bytes that are no text; they are written as they are.
    with (
        whole_file(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        known: set[str] = set()

        def add(name: str, instances: NDArray[Any]) -> None:
            if name in known:
                raise DataError(
                    f"Two images are called '{name}', which {path} could not tell apart.",
                    hint="Rename one of them, or write a table for each folder.",
                )
            known.add(name)
            writer.writerows((name, runs) for runs in encode(instances) or [""])

        yield add
