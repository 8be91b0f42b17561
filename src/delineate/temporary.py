"""The temporary folder: a full one is told, and no file is blamed for it."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from delineate.errors import BundleError

# A full disk, a quota that is used up, and a file that is larger than files may be.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# HDF5 says the system's number in words.
_NUMBER = re.compile(r"errno = (\d+)")


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Yield a folder that goes when the block ends.

    Args:
        name: What is opened.

    Raises:
        BundleError: The temporary folder has no room for it, or there is none.
    """
    with room_told(name):
        temporary = TemporaryDirectory()
    with temporary as folder:
        yield Path(folder)


@contextmanager
def room_told(name: str) -> Iterator[None]:
    """Turn an error of a full temporary folder into one with a hint: no file is at fault.

    Args:
        name: What is opened.

    Raises:
        BundleError: The temporary folder has no room, or there is none.
    """
    try:
        gettempdir()
    except FileNotFoundError as error:
        raise no_room(name) from error
    try:
        yield
    except (OSError, RuntimeError) as error:
        said = _NUMBER.search(str(error))
        number = int(said[1]) if said else getattr(error, "errno", None)
        if number not in _NO_ROOM:
            raise
        raise no_room(name) from error


def no_room(name: str) -> BundleError:
    """Return the error for a full temporary folder.

    Args:
        name: What is opened.
    """
    try:
        told = f"The temporary folder {gettempdir()} has no room"
    except FileNotFoundError:
        # Python looks for one that it can write to.
        told = "No temporary folder has room"
    return BundleError(
        f"{told} for what is in {name}.",
        hint="Free space for it, or set TMPDIR to a folder that has more.",
    )
