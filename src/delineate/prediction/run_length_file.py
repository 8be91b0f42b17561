"""Objects of many images in one table of run lengths, as the Data Science Bowl of 2018 takes them.

Columns ``ImageId`` and ``EncodedPixels``, a row for each object, and one with an empty second cell
for an image without objects.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from delineate.decoding.run_lengths import encode
from delineate.errors import DataError
from delineate.files import whole_file

COLUMNS = ("ImageId", "EncodedPixels")

Add = Callable[[str, NDArray[Any]], None]


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
