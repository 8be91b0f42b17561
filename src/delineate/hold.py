"""A folder that one process writes at a time."""

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from delineate.errors import RunError

LOCK = ".lock"
# What the system says where another process has the lock.
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class Hold:
    """While open, a folder is written by its holder alone, as far as others ask.

    The lock is the system's: it is freed when the process ends, however it ends. A file system
    that knows no locks is written without.

    Args:
        folder: It exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handle: int | None = None

    def __enter__(self) -> "Hold":
        """Take the folder.

        Raises:
            RunError: Another process has it, or another training in this one.
            OSError: The folder cannot be written.
        """
        handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(handle)
        except OSError as error:
            holder = os.read(handle, 200).decode(errors="replace").strip()
            os.close(handle)
            if error.errno not in HELD:
                return self
            raise RunError(
                f"The run folder {self.folder} is being written by {holder or 'another process'}.",
                hint="Wait until it ends, or choose another --to.",
            ) from error
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        # A full disk does not matter: it is only for people.
        with suppress(OSError):
            os.truncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back. The file stays: who deletes it may delete another's lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _lock(handle: int) -> None:
    """Lock an open file, or raise OSError at once.

    Two openings of one file in one process refuse each other, too.
    """
    if os.name == "nt":  # pragma: no cover - not tested on Windows
        import msvcrt

        # Beyond the text, which others are to read.
        os.lseek(handle, 1 << 20, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        os.lseek(handle, 0, os.SEEK_SET)
        return
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
