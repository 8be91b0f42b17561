"""The mask of a large image while it is made: what is done of it outlives an interruption."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.files import write_whole
from delineate.prediction.rasters.raster import Size


@dataclass
class WorkFile:
    """A mask on the disk, of which any part can be written and read, one thread at a time.

    Attributes:
        path: The file: the class ids row by row, uint8.
        size: (height, width).
        rows: So many are done.
    """

    path: Path
    size: Size
    rows: int
    _key: str
    _file: Any

    @classmethod
    def open(cls, path: Path, size: Size, key: str) -> "WorkFile":
        """Return the file; what another interrupted prediction has left of the same is kept.

        Args:
            path: The file.
            size: (height, width).
            key: What is predicted and how; another one begins anew.

        Raises:
            OSError: It cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = _rows_done(path, key)
        file = path.open("r+b" if rows else "w+b")
        file.truncate(size[0] * size[1])
        return cls(path, size, rows, key, file)

    def put(self, row: int, column: int, block: np.ndarray) -> None:
        """Write a part.

        Args:
            row: Where it begins.
            column: Likewise.
            block: (rows, columns) uint8.
        """
        for number, values in enumerate(np.ascontiguousarray(block)):
            self._file.seek((row + number) * self.size[1] + column)
            self._file.write(values.data)

    def get(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a part, (rows, columns) uint8."""
        width = self.size[1]
        self._file.seek(rows.start * width)
        count = (rows.stop - rows.start) * width
        found = np.frombuffer(self._file.read(count), np.uint8).reshape(-1, width)
        return found[:, columns]

    def finish(self, rows: int) -> None:
        """Note that so many rows are done, once the disk has them."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows = rows
        write_whole(_journal(self.path), json.dumps({"key": self._key, "rows": rows}) + "\n")

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        _journal(self.path).unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _rows_done(path: Path, key: str) -> int:
    try:
        said = json.loads(_journal(path).read_text(encoding="utf-8"))
        same = said["key"] == key and path.is_file()
        return int(said["rows"]) if same else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0
