"""Decoded images and merged masks on disk: content-addressed, memory-mapped, safe to delete.

An entry is named by the hash of the files it was made from, so a changed file is another entry and
two data sets share what they have in common. Entries are written whole or not at all; two processes
that write the same entry write the same bytes. Each has a checksum, which is verified once by each
process that reads it.
"""

import json
import logging
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from delineate.data.file_hashes import FileHashes
from delineate.data.looks.look import Look, look_at
from delineate.data.reading import Decoded, decode
from delineate.data.records import Facts, Record
from delineate.files import sealed, unsealed, whole_file, write_whole

# Part of every entry's name: to be raised whenever reading changes what it returns, or the
# fingerprint what it finds.
VERSION = "5"

# The types of the arrays that are kept.
_TYPES = ("uint8", "uint16", "int32")

# What a file that is missing, cut short or no longer what it was makes a reader raise.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError)

_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """Return the user's cache folder for delineate (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "delineate"


@dataclass(frozen=True)
class Cache:
    """Decoded records in a folder.

    Attributes:
        folder: Where the entries are; made when the first one is written.
        hashes: The content hashes of the files.
        sound: The entries whose checksums have been verified.
    """

    folder: Path
    hashes: FileHashes = field(default_factory=FileHashes, compare=False, repr=False)
    sound: set[Path] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def open(cls, data: Path) -> "Cache":
        """Return the user's cache, with the hashes that are known of the files of a data set."""
        folder = default_folder()
        name = sha256(os.fsencode(data.resolve())).hexdigest()
        return cls(folder, FileHashes.open(folder / "hashes" / f"{name}.json"))

    def keep_hashes(self) -> None:
        """Write the hashes of the files that have been read, for the next time."""
        _keep(self.folder, self.hashes.keep)

    def get(self, record: Record, content: str) -> Decoded:
        """Return a record's pixels, memory-mapped; decode and keep them at the first call.

        Args:
            record: The record.
            content: Its :meth:`Record.content_hash`.

        Raises:
            ImageError: A file cannot be read.
            DataError: Image and mask do not fit each other.
        """
        entry = self._entry(record, content)
        found = self._load(entry)
        if found is None:
            found = decode(record)
            _keep(self.folder, lambda: _store(entry, found))
        return found

    def look(self, record: Record, content: str) -> Look:
        """Return what one look at a record's pixels leaves.

        From the second call on no pixels are read.

        Args:
            record: The record.
            content: Its :meth:`Record.content_hash`.

        Raises:
            ImageError: A file cannot be read.
            DataError: Image and mask do not fit each other.
        """
        entry = _beside(self._entry(record, content), ".look.json")
        seen = _load_look(entry)
        if seen is None:
            seen = look_at(self.get(record, content))
            text = sealed(seen.as_json())
            _keep(self.folder, lambda: write_whole(entry, text, durable=False))
        return seen

    def _load(self, entry: Path) -> Decoded | None:
        """Return an entry, or None where it is missing, damaged or half written."""
        try:
            text = _beside(entry, ".json").read_text()
            # Once, since it reads all pixels: later on only those that are asked for are.
            known = entry in self.sound
            said = json.loads(text)["values"] if known else unsealed(text)
            found = _read(entry, Facts.from_json(said["facts"]), said["types"])
            if not known and _sums(found) != said["sums"]:
                raise ValueError("its checksum is wrong")
        except FileNotFoundError:  # parts of it may be deleted at any time
            return None
        except _DAMAGE:
            self.sound.discard(entry)
            _tell_damage(entry)
            return None
        self.sound.add(entry)
        return found

    def _entry(self, record: Record, content: str) -> Path:
        # The same files are read in other ways where each mask is one object, or one class.
        name = content
        if record.parts != "whole":
            name = sha256(f"{content} {record.parts} {record.ids}".encode()).hexdigest()
        return self.folder / f"v{VERSION}" / content[:2] / name


def _beside(entry: Path, suffix: str) -> Path:
    return entry.with_name(entry.name + suffix)


def _keep(folder: Path, write: Callable[[], None]) -> None:
    """Write to the cache; where that fails, say so: everything works without, only slower."""
    try:
        write()
    except OSError as error:
        _warn(folder, error.strerror or str(error))


@lru_cache(maxsize=8)
def _warn(folder: Path, reason: str) -> None:
    # Once, and not for each of thousands of images.
    _log.warning("Decoded images cannot be kept in %s: %s. Reading is slower.", folder, reason)


def _load_look(path: Path) -> Look | None:
    try:
        return Look.from_json(unsealed(path.read_text()))
    except FileNotFoundError:
        return None
    except _DAMAGE:
        _tell_damage(path)
        return None


def _tell_damage(entry: Path) -> None:
    _log.warning("What is kept in %s is damaged, and is made anew.", entry)


def _read(entry: Path, facts: Facts, types: Mapping[str, str]) -> Decoded:
    """Return the arrays of an entry, memory-mapped.

    Raises:
        OSError: One is missing.
        ValueError: One is damaged, or is none that the facts are about.
    """
    shapes = {"image": (*facts.size, facts.channels), "labels": facts.size}
    if facts.objects is not None:
        shapes["instances"] = facts.size
    found = {name: _map(entry, name, types[name], shapes[name]) for name in shapes}
    return Decoded(found["image"], found["labels"], found.get("instances"), facts)


def _arrays(decoded: Decoded) -> dict[str, np.ndarray]:
    """Return the arrays that an entry keeps, by their names."""
    arrays = {"image": decoded.image, "labels": decoded.labels, "instances": decoded.instances}
    return {name: array for name, array in arrays.items() if array is not None}


def _sums(decoded: Decoded) -> dict[str, int]:
    """Return the checksum of each array, with its type."""
    return {
        name: zlib.crc32(np.ascontiguousarray(array).data, zlib.crc32(array.dtype.str.encode()))
        for name, array in _arrays(decoded).items()
    }


def _map(entry: Path, name: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of an entry, memory-mapped.

    Raises:
        OSError: It is missing.
        ValueError: It has another number of bytes, or is of no type that is kept.
    """
    if dtype not in _TYPES:
        raise ValueError(f"no type of pixels: {dtype}")
    path = _beside(entry, f".{name}")
    array: np.ndarray = np.memmap(path, np.dtype(dtype), mode="r", shape=shape)
    if array.nbytes != path.stat().st_size:
        raise ValueError("it has more bytes than its shape")
    return array


def _store(entry: Path, decoded: Decoded) -> None:
    # Bytes alone, and their types in the facts: NumPy's own files begin with a line of Python, and
    # the parser of Python 3.11 fails now and then where several threads use it at once.
    arrays = _arrays(decoded)
    for name, array in arrays.items():
        with whole_file(_beside(entry, f".{name}"), durable=False) as temporary:
            temporary.write_bytes(np.ascontiguousarray(array).data)
    # Last, since an entry without it does not count. Nothing here waits for the disk: that would
    # take longer than decoding, and a part that a crash of the machine leaves does not load.
    types = {name: array.dtype.name for name, array in arrays.items()}
    values = {"facts": decoded.facts.as_json(), "types": types, "sums": _sums(decoded)}
    write_whole(_beside(entry, ".json"), sealed(values), durable=False)
