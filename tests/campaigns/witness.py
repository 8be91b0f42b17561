"""Who hears which files this process changes, and which programs it starts."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.campaigns.commands import WRITING

# Which argument says what is changed, and which the folder that it is relative to, if any: see
# https://docs.python.org/3/library/audit_events.html
CHANGED: dict[str, tuple[int, int | None]] = {
    "os.link": (1, 3),
    "os.mkdir": (0, 2),
    "os.remove": (0, 1),
    "os.rename": (1, 3),
    "os.rmdir": (0, 1),
    "os.symlink": (1, 2),
    "os.truncate": (0, None),
}
STARTED = ("os.exec", "os.posix_spawn", "os.system")


class Witness:
    """Hears what Python says before it does something, once :func:`sys.addaudithook` has it.

    Attributes:
        seen: What was changed outside of where it may be, and the programs but Python, in order.

    Args:
        allowed: Files that may be changed, and folders in which everything may.
    """

    def __init__(self, allowed: Sequence[Path]) -> None:
        self.allowed = [path.resolve() for path in allowed]
        self.seen: list[str] = []

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Keep what should not be."""
        if event in STARTED:
            self.seen.append(f"{event} {arguments[0]}")
        elif event == "subprocess.Popen":
            if str(arguments[0]) != sys.executable:
                self.seen.append(f"{event} {arguments[0]}")
        else:
            for path in _changed(event, arguments):
                if not any(path.is_relative_to(place) for place in self.allowed):
                    self.seen.append(str(path))


def _changed(event: str, arguments: tuple[Any, ...]) -> Iterator[Path]:
    """Yield what an event changes, where it does."""
    if event == "open":
        path, flags = arguments[0], arguments[2]
        writes = isinstance(flags, int) and bool(flags & WRITING)
        if writes and isinstance(path, str | bytes | os.PathLike):
            # Through links: what is written is what they lead to.
            yield Path(os.fsdecode(path)).resolve()
    elif event in CHANGED:
        number, folder = CHANGED[event]
        path = _absolute(arguments[number], -1 if folder is None else arguments[folder])
        # To make a folder that is there already changes nothing.
        if path is not None and not (event == "os.mkdir" and path.is_dir()):
            yield path


def _absolute(path: Any, folder: int) -> Path | None:
    """Return where a path is, given the folder that it is relative to, -1: the working folder."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    base = Path.cwd() if folder == -1 else Path(f"/proc/self/fd/{folder}").readlink()
    # A link itself is changed, and not what it leads to.
    whole = base / os.fsdecode(path)
    return whole.parent.resolve() / whole.name
