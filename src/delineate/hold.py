"""A folder that one process writes at a time, and that is not made anew while it is written."""

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
# The folders that this process has, with what tells the file of their lock from any other.
_HELD: dict[Path, tuple[int, int] | None] = {}


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
        place = folder.absolute()
        _HELD[place] = _identity(place)
        held.callback(_HELD.pop, place)
        yield


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, but none that this process holds: that was there.

    Args:
        folder: It may be there already.

    Raises:
        FileNotFoundError: As :func:`refuse_vanished`.
        OSError: It cannot be made.
    """
    refuse_vanished(folder)
    folder.mkdir(parents=True, exist_ok=True)


def refuse_vanished(path: Path) -> None:
    """Refuse to write where a folder that this process holds was moved or deleted.

    Another process may have made it anew, and have it now.

    Args:
        path: The folder, or what is to be written in it.

    Raises:
        FileNotFoundError: It is not there any more.
    """
    place = path.absolute()
    for held, identity in tuple(_HELD.items()):
        if place.is_relative_to(held) and not _is_there(held, identity):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(held))


def _is_there(folder: Path, identity: tuple[int, int] | None) -> bool:
    """Return whether a folder is the one that was locked.

    The file of the lock is open: no other one is given its number.
    """
    return folder.is_dir() if identity is None else _identity(folder) == identity


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return the device and number of a folder's lock; None: there is none."""
    try:
        found = (folder / LOCK).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _said_by(holder: Path) -> str:
    with suppress(OSError):
        return holder.read_text(encoding="utf-8", errors="replace")[:200].strip() or _ANOTHER
    return _ANOTHER
