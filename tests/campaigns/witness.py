"""Who hears which files this process and its children change, and which programs they start.

A child is heard where it is Python: see :func:`listen_to_children`.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# With which a file is opened that is changed. Nothing else is imported here, since children are to
# begin at once.
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
ROOT = Path(__file__).parents[2]
# What children are told: where to tell what they hear, and where anything may be changed.
_TO, _ALLOWED = "DELINEATE_WITNESS_TO", "DELINEATE_WITNESS_ALLOWED"
# Python imports a module of this name when it begins.
_FIRST, _CONTENT = "sitecustomize.py", "from tests.campaigns.witness import tell\n\ntell()\n"

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
# Python itself, and what its module platform asks for the processor.
KNOWN = (sys.executable, "uname")


class Witness:
    """Hears what Python says before it does something, once :func:`sys.addaudithook` has it.

    Attributes:
        seen: What was changed outside of where it may be, and the programs but known ones, in order.

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
            if str(arguments[0]) not in KNOWN:
                self.seen.append(f"{event} {arguments[0]}")
        else:
            for path in _changed(event, arguments):
                if not any(path.is_relative_to(place) for place in self.allowed):
                    self.seen.append(str(path))


def listen_to_children(folder: Path, allowed: Sequence[Path]) -> Path:
    """Return a file in which each Python that is started from now on tells what it hears.

    Args:
        folder: For that file, and for what children import first.
        allowed: As for :class:`Witness`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FIRST).write_text(_CONTENT, encoding="utf-8")
    told = folder / "told"
    told.write_bytes(b"")
    before = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT), *before])
    # Compiled modules would be written beside their sources.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ[_TO] = str(told)
    os.environ[_ALLOWED] = json.dumps([str(path.resolve()) for path in allowed])
    return told


def tell() -> None:
    """Tell from now on what this process, a child, does: one line for each."""
    if _TO not in os.environ:
        return
    told = os.open(os.environ[_TO], os.O_WRONLY | os.O_APPEND)
    witness = Witness([Path(each) for each in json.loads(os.environ[_ALLOWED])])

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        witness.heard(event, arguments)
        while witness.seen:
            os.write(told, f"a child: {witness.seen.pop(0)!r}\n".encode())

    sys.addaudithook(hear)


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
