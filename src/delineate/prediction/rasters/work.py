"""The mask of a large image while it is made: what is done of it outlives an interruption."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from delineate.files import write_whole
from delineate.prediction.rasters.raster import Size, bands_of


@dataclass
class WorkFile:
    """A mask on the disk, of which any part can be written and read, one thread at a time.

    Beside it stands a journal, which says what is done. It is written when the disk has all that it
    speaks of.

    Attributes:
        path: The mask before anything is done to it, row by row, class ids, uint8; after each
            stage there is another file in its place.
        size: (height, width).
        rows: So many are predicted.
        stage: So often all of it has been rewritten.
    """

    path: Path
    size: Size
    rows: int
    stage: int
    _key: str
    _file: Any

    @classmethod
    def open(cls, path: Path, size: Size, key: str) -> "WorkFile":
        """Return the mask; what another interrupted prediction has left of the same is kept.

        Args:
            path: The file.
            size: (height, width).
            key: What is predicted and how; another one begins anew.

        Raises:
            OSError: It cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        rows, stage = _done(path, size, key)
        if not rows:
            # Before anything of another prediction is written, which it would speak for.
            _delete(path)
        file = _of_stage(path, stage).open("r+b" if rows else "w+b")
        with _closed_on_errors(file):
            file.truncate(size[0] * size[1])
        return cls(path, size, rows, stage, key, file)

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

    def bands(self, rows: int | None = None) -> Iterator[np.ndarray]:
        """Yield the mask from top to bottom, each (rows, width) uint8.

        Args:
            rows: Of each but the last; unset: a bounded number of pixels.
        """
        height, width = self.size
        parts = bands_of(self.size, 1)
        if rows is not None:
            parts = [(first, min(first + rows, height)) for first in range(0, height, rows)]
        for part in parts:
            yield self.get(slice(*part), slice(0, width))

    def finish(self, rows: int) -> None:
        """Note that so many rows are predicted, once the disk has them."""
        _flush(self._file)
        self.rows = rows
        self._note()

    def rewrite(self, bands: Iterable[np.ndarray]) -> None:
        """Put another mask in the place of this one, all of it or nothing.

        Args:
            bands: That mask from top to bottom, each (rows, width) uint8; made of parts of this.
        """
        old = _of_stage(self.path, self.stage)
        file = _of_stage(self.path, self.stage + 1).open("w+b")
        with _closed_on_errors(file):
            for band in bands:
                file.write(np.ascontiguousarray(band).data)
            _flush(file)
        self._file.close()
        self._file, self.stage = file, self.stage + 1
        self._note()
        old.unlink()

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        _delete(self.path)

    def _note(self) -> None:
        said = {"key": self._key, "rows": self.rows, "stage": self.stage}
        write_whole(_journal(self.path), json.dumps(said) + "\n")


@contextmanager
def _closed_on_errors(file: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        file.close()
        raise


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _of_stage(path: Path, stage: int) -> Path:
    return path.with_name(f"{path.name}{stage}")


def _delete(path: Path) -> None:
    _journal(path).unlink(missing_ok=True)
    for old in path.parent.glob(f"{escape(path.name)}[0-9]*"):
        # Not those of an image whose name goes on.
        if old.name.removeprefix(path.name).isdecimal():
            old.unlink()


def _done(path: Path, size: Size, key: str) -> tuple[int, int]:
    """Return how many rows are predicted, and how often the mask has been rewritten."""
    try:
        said = json.loads(_journal(path).read_text(encoding="utf-8"))
        rows, stage = int(said["rows"]), int(said["stage"])
        whole = _of_stage(path, stage).stat().st_size == size[0] * size[1]
        return (rows, stage) if said["key"] == key and whole else (0, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
