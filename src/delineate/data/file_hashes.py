"""Content hashes of files, kept as long as the files stay as they are.

Reading tens of thousands of files again only to find them unchanged takes seconds. As in version
control, a file counts as unchanged while the file system's size, number and times of it stay; one
that was changed within the clock's grain of its hashing is read again.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from delineate.decoding.stored import check_file, not_now, reason_of_machine
from delineate.errors import ImageError
from delineate.files import sealed, sha256, unsealed, write_whole

GRAIN_NS = 2_000_000_000  # the coarsest clock of a file system in use (FAT)

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class FileHashes:
    """The SHA-256 of files.

    Attributes:
        path: Where they are kept; None: nowhere.
        known: Stamp and hash by the file's absolute path.
        fresh: Paths whose hash has been found since the last writing.
    """

    path: Path | None = None
    known: dict[str, tuple[Stamp, str]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, path: Path) -> "FileHashes":
        """Return the hashes that are kept in a file; none where it is missing or damaged."""
        try:
            rows = unsealed(path.read_text(encoding="utf-8"))
            known = {name: (_stamp(stamp), str(sha)) for name, (stamp, sha) in rows.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            known = {}
        return cls(path, known)

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file's content, in hexadecimal.

        Raises:
            ImageError: The file cannot be read: it does not exist, is no regular file, or is too
                large.
            NotNowError: The machine cannot read it now.
        """
        name = str(path.absolute())
        try:
            before = _stamp_of(check_file(path))
            if name in self.known and self.known[name][0] == before:
                return self.known[name][1]
            found = sha256(path)
        except OSError as error:
            if why := reason_of_machine(error):
                raise not_now(path, why, what="File") from error
            raise ImageError(
                f"{path} cannot be read: {error.strerror or error}.",
                hint="Check that the file exists and that you may read it.",
            ) from error
        if time.time_ns() - max(before[2:]) > GRAIN_NS:
            self.known[name] = before, found
            self.fresh.add(name)
        return found

    def keep(self) -> None:
        """Write the hashes, where there are new ones.

        Raises:
            OSError: They cannot be written.
        """
        if self.path is not None and self.fresh:
            write_whole(self.path, sealed(self.known), durable=False)
            self.fresh.clear()


def _stamp_of(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _stamp(values: list[int]) -> Stamp:
    size, number, modified, changed = values
    return size, number, modified, changed
