"""A folder that one process writes at a time."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from delineate.errors import RunError

LOCK = ".lock"
# Who has it, for people.
_HOLDER = f"{LOCK}ed-by"
# What file systems say that know no locks.
_UNKNOWN = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
_ANOTHER = "another process"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Write a folder alone, as far as others ask.

    The lock is the system's: it is freed when the process ends, however it ends. A file system
    that knows no locks is written without.

    Args:
        folder: It exists.

    Raises:
        RunError: Another process has it, or another training in this one.
        OSError: The folder cannot be written.
    """
    holder = folder / _HOLDER
    with ExitStack() as held:
        try:
            held.enter_context(FileLock(folder / LOCK, timeout=0, fallback_to_soft=False))
        except Timeout as error:
            raise RunError(
                f"The run folder {folder} is being written by {_said_by(holder)}.",
                hint="Wait until it ends, or choose another --to.",
            ) from error
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
        # A full disk does not matter: it is only for people.
        with suppress(OSError):
            text = f"process {os.getpid()} on {socket.gethostname()}\n"
            holder.write_text(text, encoding="utf-8")
        yield


def _said_by(holder: Path) -> str:
    with suppress(OSError):
        return holder.read_text(encoding="utf-8", errors="replace")[:200].strip() or _ANOTHER
    return _ANOTHER
