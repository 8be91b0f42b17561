"""The tables of docs/reliability.md, each made from the rows of a campaign."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tests.campaigns.growth import STATE, sixths
from tests.campaigns.record import Row

_FULL = {
    "change": "from a change of a file on",
    "file": "within each file that grows",
    "small": "a small disk",
}
_AS_IT_SHOULD_BE = {True: "yes", False: "no", None: "not to be found out here"}


def kills(rows: list[Row]) -> str:
    """Return how many trainings were killed, and what became of them."""

    def kind(row: Row) -> tuple[str, str]:
        backend, _, case = row["case"].partition(": ")
        moment = case.startswith("moment")
        return backend, "a random moment" if moment else "a change of a file"

    head = (
        *("backend", "killed at", "times", "where it stood", "went on from there"),
        *("same weights, scores and best", "same files", "newest save found", "best kept"),
    )
    lines = []
    for key, found in _by(rows, kind).items():
        stood = Counter(row["stood"] for row in found)
        told = ", ".join(f"{name}: {count}" for name, count in stood.items())
        sums = _true(found, "went_on", "equal", "all_files", "found", "kept")
        lines.append((*key, len(found), told, *sums))
    return _table(head, lines)


def matrix(rows: list[Row]) -> str:
    """Return how many of the resumed trainings were right, by mode and backend."""
    backends = list(dict.fromkeys(row["case"].split(": ")[0] for row in rows))
    modes = list(dict.fromkeys(row["case"].split(": ")[1] for row in rows))
    lines = []
    for mode in modes:
        parts = [
            [row for row in rows if row["case"].startswith(f"{backend}: {mode}: ")]
            for backend in backends
        ]
        cells = (f"{sum(row['right'] for row in found)} of {len(found)}" for found in parts)
        lines.append((mode, *cells))
    return _table(("training", *backends), lines)


def disks(rows: list[Row]) -> str:
    """Return what became of trainings for which there was no space."""
    by = _by(rows, lambda row: _FULL[row["case"].partition(" ")[0]])
    head = (
        *("full", "times", "one error, one hint", "what was saved opens", "went on from there"),
        *("same weights", "same files"),
    )
    keys = ("told", "opens", "went_on", "equal", "all_files")
    return _table(head, [(kind, len(found), *_true(found, *keys)) for kind, found in by.items()])


def mishaps(rows: list[Row]) -> str:
    """Return what became of trainings that something befell."""
    by = _by(rows, lambda row: row["case"].rpartition(" ")[0])
    head = ("mishap", "times", "told as it should be", "went on from there", "same weights")
    keys = ("told", "went_on", "equal")
    return _table(head, [(kind, len(found), *_true(found, *keys)) for kind, found in by.items()])


def long_run(rows: list[Row]) -> str:
    """Return what a process had at first, and in the end."""
    head = ("rounds", "memory, MiB", "open files", "threads", "children")
    named = zip(("in the second sixth", "in the last sixth"), sixths(rows), strict=True)
    return _table(head, [(name, *(f"{part[key]:.0f}" for key in STATE)) for name, part in named])


def connections(rows: list[Row]) -> str:
    """Return how often each command tried to reach anybody."""
    lines = [
        (row["case"], len(row["tried"]), "the system" if row["strace"] else "Python alone")
        for row in rows
    ]
    return _table(("command", "attempts", "heard by"), lines)


def odd_images(rows: list[Row]) -> str:
    """Return what each command makes of odd files."""
    head = ("command", "as", "files", "said", "done", "lost", "most seconds", "most MiB")
    lines = []
    for command in ("check", "train", "evaluate", "predict"):
        for role in ("image", "mask"):
            own = [row for row in rows if row["case"].endswith(f" as {role}")]
            found = [row[command] for row in own if command in row]
            kept = [each for each in found if "lost" not in each and not each["fault"]]
            if kept:
                done = sum(each["code"] == 0 for each in kept)
                most = [max(each[key] for each in kept) for key in ("seconds", "mib")]
                counts = (len(found), len(kept) - done, done, len(found) - len(kept))
                lines.append((command, role, *counts, *most))
    return _table(head, lines)


def mutated_images(rows: list[Row]) -> str:
    """Return what came of damaged pictures, by their format."""
    head = ("files", "inputs", "refused", "read", "other errors", "slowest, s")
    lines = []
    for kind, found in _by(rows, lambda row: row["case"].partition(" ")[0]).items():
        others = sum(len(row["others"]) for row in found)
        slowest = max(row["slowest"] for row in found)
        lines.append((kind, *_sums(found, "inputs", "refused", "read"), others, slowest))
    return _table(head, lines)


def properties(rows: list[Row]) -> str:
    """Return how many properties hold, by their subject."""
    by = _by(rows, lambda row: row["case"].partition(": ")[0].replace("_", " "))
    head = ("subject", "properties", "examples of each, at the least", "that do not hold")
    lines = [
        (kind, len(found), min(row["examples"] for row in found), *_sums(found, "failures"))
        for kind, found in by.items()
    ]
    return _table(head, lines)


def hostile_bundles(rows: list[Row]) -> str:
    """Return what came of probes and of flipped bytes; what could not be tried does not count."""
    tried = [row for row in rows if row["right"] is not None]
    parts = {
        "probes": [row for row in tried if "opened" not in row],
        "flipped bytes": [row for row in tried if "opened" in row],
    }
    head = ("what", "number", "as it should be", "written outside", "most seconds", "most MiB")
    lines: list[Sequence[object]] = []
    for name, found in parts.items():
        if found:
            number = len(found) if name == "probes" else sum(map(flips_of, found))
            right = f"{_true(found, 'right')[0]} of {len(found)} rows"
            outside = sum(len(row["outside"]) for row in found)
            most = (max(row[key] for row in found) for key in ("seconds", "mib"))
            lines.append((name, number, right, outside, *most))
    if len(tried) < len(rows):
        lines.append(("what could not be tried here", len(rows) - len(tried), *["–"] * 4))
    return _table(head, lines)


def flips_of(row: Row) -> int:
    """Return of how many flipped bytes a row of theirs is."""
    return sum(row[outcome] for outcome in ("opened", "refused", "error"))


def dependencies(rows: list[Row]) -> str:
    """Return what came of each set of versions."""
    lines = [
        (row["case"], _AS_IT_SHOULD_BE[row["right"]], " ".join(row["said"].split())[:80])
        for row in rows
    ]
    return _table(("versions", "as it should be", "said"), lines)


def _by(rows: list[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _sums(rows: list[Row], *keys: str) -> list[int]:
    return [sum(row[key] for row in rows) for key in keys]


def _true(rows: list[Row], *keys: str) -> list[int]:
    # Rows of older campaigns do not have all.
    return [sum(bool(row.get(key)) for row in rows) for key in keys]
