"""Where the long campaigns keep what they found: a row as soon as it is known, so that they go on.

``docs/reliability.md`` is written from these rows by ``python -m tests.campaigns.page``.
"""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import delineate
from delineate.errors import RunError
from delineate.files import write_whole
from delineate.runs import Run
from delineate.training import checkpoint

ROWS = Path(__file__).parent / "rows"
PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "h5py", "onnxruntime", "openvino")


def go_on(name: str, cases: Iterable[str], try_one: Callable[[str], dict[str, Any]]) -> list[Any]:
    """Try what has no row of this commit yet, and keep each row at once.

    Args:
        name: Of the campaign.
        cases: What each row is called.
        try_one: Returns the rest of a case's row.

    Returns:
        The rows of these cases.
    """
    commit, wanted = circumstances()["commit"], list(cases)
    for case in wanted:
        if any(row["case"] == case and row.get("commit") == commit for row in read(name)):
            continue
        fresh = {"case": case, "commit": commit, **try_one(case)}
        print(json.dumps(fresh), flush=True)
        # Read once more: another backend's campaign may write beside this one.
        write(name, [*(row for row in read(name) if row["case"] != case), fresh])
    return [row for row in read(name) if row["case"] in set(wanted)]


def read(name: str) -> list[dict[str, Any]]:
    """Return the rows that a campaign has so far."""
    path = ROWS / f"{name}.json"
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return found


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """Keep a campaign's rows, and where they come from."""
    values = {"circumstances": circumstances(), "rows": rows}
    write_whole(ROWS / f"{name}.json", json.dumps(values, indent=1) + "\n")


def circumstances() -> dict[str, Any]:
    """Return the commit, the machine and the versions.

    A commit with a star is one whose package was changed since.
    """
    root = Path(__file__).parents[2]
    if root / "src" not in Path(delineate.__file__).parents:
        raise SystemExit(f"{delineate.__file__} is not the package that lies beside this script.")
    commit, changes = (
        subprocess.run(
            ["git", "-C", root, *said], capture_output=True, text=True, check=False
        ).stdout.strip()
        for said in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "src", "tests"])
    )
    changed = [line for line in changes.splitlines() if "tests/campaigns/rows" not in line]
    commit += "*" if changed else ""
    return {
        "commit": commit,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": dict(_versions()),
    }


def point_of(folder: Path) -> tuple[int, int] | None:
    """Return the epoch and the step, from 1, that a run will go on with; None: it begins anew."""
    try:
        point = checkpoint.load(folder / "last")
    except RunError:
        return None
    return point.epoch + 1, point.step + 1


def went_on(folder: Path, point: tuple[int, int] | None) -> bool:
    """Return whether a run that was resumed went on from there, and did not begin anew."""
    resumed = [event for event in Run(folder).events() if event["event"] == "resumed"]
    if point is None:
        return not resumed
    return bool(resumed) and (resumed[-1]["epoch"], resumed[-1]["step"]) == point


def weights_hash(folder: Path) -> str:
    """Return the SHA-256 over all variables of a run's newest resume point."""
    digest = hashlib.sha256()
    for array in checkpoint.load(folder / "last").arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _versions() -> Iterable[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
