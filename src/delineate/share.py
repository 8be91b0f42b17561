"""What a process may use of its machine: cores and memory; and which of its threads goes first."""

import math
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

# Where Linux says in which control groups a process is, and what these may use.
GROUPS_OF_PROCESS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
# Added to the niceness of a thread that gives way: it gets a tenth of a core that others want.
_NICER = 10


def cores() -> int:
    """Return how many cores this process may use, a part of one counted whole."""
    limits: list[float] = [os.cpu_count() or 1]
    with suppress(AttributeError, OSError):
        limits.append(len(os.sched_getaffinity(0)))
    for text in _said_of_groups("cpu.max"):
        share, _, period = text.partition(" ")
        if share.isdecimal() and period.isdecimal():
            limits.append(int(share) / int(period))
    return max(1, math.ceil(min(limits)))


def memory_gib() -> float | None:
    """Return the memory that this process may use; None: unknown."""
    said = _said_of_groups("memory.max", "memory", "memory.limit_in_bytes")
    limits = [int(text) for text in said if text.isdecimal()]
    with suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return round(min(limits) / 2**30, 1) if limits else None


def give_way() -> None:
    """Let the threads that compute go before this one, where both want a core; on Linux only.

    Arithmetic that is spread over all cores waits for its slowest part.
    """
    if sys.platform != "linux":
        # Elsewhere niceness is that of a process.
        return
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICER)


def _said_of_groups(name: str, kind: str = "", first: str = "") -> list[str]:
    """Return what the process's control groups allow, as containers and schedulers say it.

    https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1 beside it.

    Args:
        name: The file in the second version.
        kind: The kind of group in the first one; empty: there it is not looked for.
        first: The file in the first version.
    """
    try:
        lines = GROUPS_OF_PROCESS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for _, kinds, path in (line.split(":", 2) for line in lines):
        if not kinds:
            found += _said(GROUPS, path, name)
        elif kind and kind in kinds.split(","):
            found += _said(GROUPS / kind, path, first)
    return found


def _said(folder: Path, path: str, name: str) -> list[str]:
    """Return what a group and all that it lies in say in such a file."""
    group = Path(path).relative_to("/")
    found = []
    for each in (group, *group.parents):
        try:
            found.append((folder / each / name).read_text(encoding="utf-8").strip())
        except OSError:
            # In a container, its own group is the top.
            continue
    return found
