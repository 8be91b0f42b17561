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

from delineate.files import write_whole
from delineate.training import checkpoint

ROWS = Path(__file__).parent / "rows"
PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "h5py", "onnxruntime", "openvino")


def go_on(name: str, cases: Iterable[str], try_one: Callable[[str], dict[str, Any]]) -> list[Any]:
    """Try what has no row yet, and keep each row at once.

    Args:
        name: Of the campaign.
        cases: What each row is called.
        try_one: Returns the rest of a case's row.

    Returns:
        All rows.
    """
    rows = read(name)
    done = {row["case"] for row in rows}
    for case in cases:
        if case in done:
            continue
        rows.append({"case": case, **try_one(case)})
        print(json.dumps(rows[-1]), flush=True)
        write(name, rows)
    return rows


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
    """Return the commit, the machine and the versions."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "commit": commit,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": dict(_versions()),
    }


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
