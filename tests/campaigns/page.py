"""Write docs/reliability.md from what the campaigns have found.

Usage: python -m tests.campaigns.page
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.campaigns.record import ROWS, read

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD = """# What delineate withstands

Long campaigns, run by hand; each has a short form in the ordinary tests. Every table is written by
`python -m tests.campaigns.page` from the rows in `tests/campaigns/rows`, of the commit that stands below it.
"""
Row = dict[str, Any]


def main() -> None:
    parts = [HEAD]
    for name, (title, command, text, table) in CAMPAIGNS.items():
        rows = read(name)
        if rows:
            told = f"`python -m tests.campaigns.{command}`, at commit {_commit(name)}."
            parts.append(f"## {title}\n\n{text}\n\n{table(rows)}\n\n{told}\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _commit(name: str) -> str:
    kept = json.loads((ROWS / f"{name}.json").read_text())
    said = kept["circumstances"]
    commits = dict.fromkeys(row.get("commit", said["commit"]) for row in kept["rows"])
    return f"{' and '.join(commits)}, Python {said['python']}, {said['cores']} cores"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _kills(rows: list[Row]) -> str:
    by: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        backend, _, case = row["case"].partition(": ")
        kind = "a random moment" if case.startswith("moment") else "a change of a file"
        by.setdefault((backend, kind), []).append(row)
    head = (
        *("backend", "killed at", "times", "where it stood", "went on from there"),
        *("same weights and best", "same files", "best lost"),
    )
    return _table(
        head,
        [
            (
                *key,
                len(found),
                ", ".join(f"{name}: {n}" for name, n in Counter(r["stood"] for r in found).items()),
                *_sums(found, "went_on", "equal", "all_files", "lost"),
            )
            for key, found in by.items()
        ],
    )


def _matrix(rows: list[Row]) -> str:
    backends = list(dict.fromkeys(row["case"].split(": ")[0] for row in rows))
    modes = list(dict.fromkeys(row["case"].split(": ")[1] for row in rows))
    lines = []
    for mode in modes:
        cells = []
        for backend in backends:
            found = [row for row in rows if row["case"].startswith(f"{backend}: {mode}: ")]
            right = sum(r["equal"] and r["stopped"] and r["went_on"] for r in found)
            cells.append(f"{right} of {len(found)}")
        lines.append([mode, *cells])
    return _table(["training", *backends], lines)


def _disks(rows: list[Row]) -> str:
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(_FULL[row["case"].partition(" ")[0]], []).append(row)
    head = (
        *("full", "times", "one error, one hint", "what was saved opens", "went on from there"),
        "same weights",
    )
    keys = ("told", "opens", "went_on", "equal")
    return _table(head, [(kind, len(found), *_sums(found, *keys)) for kind, found in by.items()])


_FULL = {
    "change": "from a change of a file on",
    "file": "within each file that grows",
    "small": "a small disk",
}


def _mishaps(rows: list[Row]) -> str:
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(row["case"].rpartition(" ")[0], []).append(row)
    head = ("mishap", "times", "told, or borne", "went on from there", "same weights")
    keys = ("told", "went_on", "equal")
    return _table(head, [(kind, len(found), *_sums(found, *keys)) for kind, found in by.items()])


def _long(rows: list[Row]) -> str:
    sixth = max(1, len(rows) // 6)
    parts = {"in the second sixth": rows[sixth : 2 * sixth], "in the last sixth": rows[-sixth:]}
    head = ("rounds", "memory, MiB", "open files", "threads", "children")
    lines = [
        (name, *(f"{np.median([row[key] for row in part]):.0f}" for key in _STATE))
        for name, part in parts.items()
    ]
    return _table(head, lines)


_STATE = ("mib", "handles", "threads", "children")


def _connections(rows: list[Row]) -> str:
    lines = [
        (row["case"], len(row["tried"]), "the system" if row["strace"] else "Python alone")
        for row in rows
    ]
    return _table(("command", "attempts", "heard by"), lines)


def _odd(rows: list[Row]) -> str:
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


def _mutated(rows: list[Row]) -> str:
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(row["case"].partition(" ")[0], []).append(row)
    head = ("files", "inputs", "refused", "read", "other errors", "slowest, s")
    return _table(
        head,
        [
            (
                kind,
                *_sums_of(found, "inputs", "refused", "read"),
                sum(len(row["others"]) for row in found),
                max(row["slowest"] for row in found),
            )
            for kind, found in by.items()
        ],
    )


def _sums_of(rows: list[Row], *keys: str) -> list[int]:
    return [sum(row[key] for row in rows) for key in keys]


def _sums(rows: list[Row], *keys: str) -> list[int]:
    return [sum(bool(row[key]) for row in rows) for key in keys]


def _properties(rows: list[Row]) -> str:
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(row["case"].partition(": ")[0].replace("_", " "), []).append(row)
    head = ("subject", "properties", "examples of each, at the least", "that do not hold")
    lines = [
        (kind, len(found), min(row["examples"] for row in found), *_sums_of(found, "failures"))
        for kind, found in by.items()
    ]
    return _table(head, lines)


def _hostile(rows: list[Row]) -> str:
    probes = [row for row in rows if "opened" not in row]
    flips = [row for row in rows if "opened" in row]
    parts = {"probes": probes, "flipped bytes": flips}
    head = ("what", "number", "as it should be", "written outside", "most seconds", "most MiB")
    lines = []
    for name, found in parts.items():
        if found:
            number = len(found) if name == "probes" else sum(_sums_of(found, "opened", "refused"))
            right = f"{sum(bool(row['right']) for row in found)} of {len(found)} rows"
            outside = sum(len(row.get("outside", ())) for row in found)
            most = (max(row[key] for row in found) for key in ("seconds", "mib"))
            lines.append((name, number, right, outside, *most))
    return _table(head, lines)


def _dependencies(rows: list[Row]) -> str:
    lines = [(row["case"], row["passed"], " ".join(map(str, row["said"]))[:80]) for row in rows]
    return _table(("versions", "passed", "said"), lines)


CAMPAIGNS: dict[str, tuple[str, str, str, Callable[[list[Row]], str]]] = {
    "kills": (
        "Killed",
        "kills FOLDER",
        "`delineate train` is ended with `kill -9`, and resumed to its end. Its weights have to be "
        "those of the uninterrupted training by their SHA-256, its best bundle to have the same "
        "score, and a best bundle that there was to open at any time.",
        _kills,
    ),
    "resume-matrix": (
        "Every way to train",
        "resume_matrix FOLDER",
        "Cut short in the middle of an epoch and at its end (before the validation), then resumed: "
        "weights, scores and decisions equal to those of the uninterrupted training.",
        _matrix,
    ),
    "full-disk": (
        "Full disks",
        "full_disk FOLDER",
        "Every second change of a file, and all that come after it, is refused as by a full disk; "
        "no file may grow beyond some size; and trainings go into small file systems. Then there is room again, and they are resumed.",
        _disks,
    ),
    "mishaps": (
        "Mishaps",
        "mishaps FOLDER",
        "At random moments of a training, which is then resumed.",
        _mishaps,
    ),
    "long-run": (
        "A long run",
        "long_run FOLDER",
        "An hour of training, scoring and predicting in one process, round after round.",
        _long,
    ),
    "connections": (
        "Connections",
        "connections FOLDER",
        "What each command tries to reach, heard by Python's audit events, and by strace where it "
        "is installed, which hears native libraries, too.",
        _connections,
    ),
    "odd-images": (
        "Odd files",
        "odd_images FOLDER ODD",
        "Each of 164 odd and broken files as an image and as a mask of a small data set: what each "
        "command says of it, and what it costs beyond what sound files do.",
        _odd,
    ),
    "mutated-images": (
        "Damaged pictures",
        "mutated_images FOLDER",
        "Sound files of every make in which bits are turned, parts cut out, put in and exchanged, "
        "and numbers set to extremes; read as image, as mask, in parts and by their headers.",
        _mutated,
    ),
    "properties": (
        "Properties",
        "properties",
        "What has to hold for any input, tried on inputs that hypothesis makes.",
        _properties,
    ),
    "hostile-bundles": (
        "Models from strangers",
        "hostile_bundles FOLDER",
        "Bundles and archives that want to run code, write elsewhere, fill the memory or never end; "
        "and good bundles of which a byte is another.",
        _hostile,
    ),
    "dependencies": (
        "Dependencies",
        "dependencies FOLDER",
        "The whole suite with the lowest allowed and with the newest versions, and what is publicly "
        "known of their faults.",
        _dependencies,
    ),
}

if __name__ == "__main__":
    main()
