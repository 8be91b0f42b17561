"""Whether a process that does the same again and again grows, or leaves something open."""

from collections.abc import Sequence
from typing import Any

import numpy as np

STATE = ("mib", "handles", "threads", "children")
# Of the memory, at the most.
GROWTH = 0.02
# What may not become more; libraries have started their own threads by the second sixth.
LEFT = ("handles", "threads", "children")


def sixths(rows: Sequence[dict[str, Any]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the medians in the second sixth, when all is loaded and compiled, and in the last.

    Args:
        rows: What a process had after each round: MiB of memory, open files, threads, children.
    """
    count = max(1, len(rows) // 6)
    parts = (rows[count : 2 * count] or rows, rows[-count:])
    second, last = ({key: _median(part, key) for key in STATE} for part in parts)
    return second, last


def grown(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what has become more from the second sixth to the last: none, as it should be.

    Args:
        rows: As for :func:`sixths`.
    """
    second, last = sixths(rows)
    found = [key for key in LEFT if last[key] > second[key]]
    return ["mib", *found] if last["mib"] > (1 + GROWTH) * second["mib"] else found


def _median(rows: Sequence[dict[str, Any]], key: str) -> float:
    return float(np.median([row[key] for row in rows]))
