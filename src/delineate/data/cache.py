"""Decoded images and merged masks on disk: content-addressed, memory-mapped, safe to delete.

An entry is named by the hash of the files it was made from, so a changed file is another entry and
two data sets share what they have in common. Entries are written whole or not at all; two processes
that write the same entry write the same bytes.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from delineate.data.reading import Decoded, decode
from delineate.data.records import Facts, Record
from delineate.files import whole_file, write_whole

# Part of every entry's name: to be raised whenever reading changes what it returns.
VERSION = "1"


def default_folder() -> Path:
    """Return the user's cache folder for delineate (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "delineate"


@dataclass(frozen=True)
class Cache:
    """Decoded records in a folder.

    Attributes:
        folder: Where the entries are; made when the first one is written.
    """

    folder: Path

    def get(self, record: Record, content: str) -> Decoded:
        """Return a record's pixels, memory-mapped; decode and keep them at the first call.

        Args:
            record: The record.
            content: Its :meth:`Record.content_hash`.

        Raises:
            ImageError: A file cannot be read.
            DataError: Image and mask do not fit each other.
        """
        entry = self.folder / f"v{VERSION}" / content[:2] / content
        found = _load(entry)
        if found is None:
            found = decode(record)
            _store(entry, found)
        return found


def _load(entry: Path) -> Decoded | None:
    """Return an entry, or None where it is missing, damaged or half written."""
    try:
        facts = Facts.from_json(json.loads(entry.with_suffix(".json").read_text()))
        image = _map(entry.with_suffix(".image.npy"))
        labels = _map(entry.with_suffix(".labels.npy"))
        instances = None
        if facts.objects is not None:
            instances = _map(entry.with_suffix(".instances.npy"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None
    shape = (*facts.size, facts.channels)
    return Decoded(image, labels, instances, facts) if image.shape == shape else None


def _map(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _store(entry: Path, decoded: Decoded) -> None:
    arrays = {"image": decoded.image, "labels": decoded.labels, "instances": decoded.instances}
    for name, array in arrays.items():
        if array is not None:
            with whole_file(entry.with_suffix(f".{name}.npy")) as path, path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
    # Last, since an entry without it does not count.
    write_whole(entry.with_suffix(".json"), json.dumps(decoded.facts.as_json()))
