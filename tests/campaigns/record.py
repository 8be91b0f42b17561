"""Where the long campaigns keep what they found: a row as soon as it is known, so that they go on.

``docs/reliability.md`` is written from these rows by ``python -m tests.campaigns.page``.
"""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import delineate
from delineate.errors import RunError
from delineate.files import write_whole
from delineate.runs import ENDED, Run
from delineate.training import checkpoint

ROOT = Path(__file__).parents[2]
ROWS = Path(__file__).parent / "rows"
# What a row depends on.
TRIED = (
    *("src", "tests/campaigns", "tests/properties", "tests/training/conftest.py"),
    *("tests/conftest.py", "tests/bundles.py", "tests/image_files.py"),
    ":!tests/campaigns/rows",
)
PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "h5py", "onnxruntime", "openvino")
# Behind a commit whose package or tests were changed since.
CHANGED = "*"
# Where a training stands that has ended.
OVER = (0, 0)
Row = dict[str, Any]


def go_on(
    name: str, cases: Iterable[str], try_one: Callable[[str], Row], *, part: str = ""
) -> list[Row]:
    """Try what has no row of this package yet, and keep each row at once.

    Args:
        name: Of the campaign.
        cases: What each row is called.
        try_one: Returns the rest of a case's row. Its ``right`` says whether all is as it should
            be; None: it could not be tried here, and will be the next time.
        part: What these are all cases of, such as a backend; unset: of the whole campaign.

    Returns:
        The rows of these cases.
    """
    here, wanted = origin(), list(cases)
    write(name, _stored(name)["rows"], {part: wanted})
    for case in wanted:
        if any(row["case"] == case and _is_known(row) for row in _stored(name)["rows"]):
            continue
        fresh = {"case": case, **here, **try_one(case)}
        print(json.dumps(fresh), flush=True)
        # Read once more: another backend's campaign may write beside this one.
        others = [row for row in _stored(name)["rows"] if row["case"] != case]
        write(name, [*others, fresh])
    return [row for row in _stored(name)["rows"] if row["case"] in set(wanted)]


def conclude(rows: Sequence[Row], what: str) -> None:
    """Say which rows are not as they should be.

    Args:
        rows: All of them.
        what: What they are of, in the plural.

    Raises:
        SystemExit: Some are not.
    """
    bad, untried = ([row["case"] for row in rows if row["right"] is said] for said in (False, None))
    print(f"{len(rows)} {what}, {len(bad)} not as they should be: {', '.join(bad) or 'none'}")
    if untried:
        print(f"{len(untried)} could not be tried here: {', '.join(untried)}")
    if bad:
        raise SystemExit(1)


def judged(row: Row, keys: Iterable[str]) -> Row:
    """Return a row that is right if all of these are true in it."""
    return {**row, "right": all(row[key] for key in keys)}


def read(name: str) -> list[Row]:
    """Return the rows that a campaign has so far, but those of cases that it has no longer."""
    known = set(cases_of(name))
    return [row for row in _stored(name)["rows"] if row["case"] in known]


def cases_of(name: str) -> list[str]:
    """Return all cases of a campaign, those without a row among them."""
    return [case for cases in _stored(name)["cases"].values() for case in cases]


def write(name: str, rows: Sequence[Row], cases: Mapping[str, Sequence[str]] | None = None) -> None:
    """Keep a campaign's rows, each of which says where it comes from: see :func:`origin`.

    Args:
        name: Of the campaign.
        rows: All of them.
        cases: What the rows of its parts are called now, by part; those of other parts stay.
    """
    known = _stored(name)["cases"] | dict(cases or {})
    # Each once, since many rows have the same: a row says only which one it is.
    places: list[Any] = []
    numbered = []
    for row in rows:
        place = row.get("circumstances")
        if place not in places:
            places.append(place)
        numbered.append({**row, "circumstances": places.index(place)})
    values = {"places": places, "cases": known, "rows": numbered}
    write_whole(ROWS / f"{name}.json", json.dumps(values, indent=1) + "\n")


def _stored(name: str) -> dict[str, Any]:
    """Return all that is kept of a campaign: its cases, and its rows."""
    path = ROWS / f"{name}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    # Older files do not say it of each row.
    places = dict(enumerate(found.get("places", [])))
    rows = found.get("rows", [])
    return {
        "cases": found.get("cases", {}),
        "rows": [{**row, "circumstances": places.get(row.get("circumstances"))} for row in rows],
    }


def _is_known(row: Row) -> bool:
    """Return whether a row need not be tried again."""
    return row["right"] is not None and stands(row)


def is_committed(row: Row) -> bool:
    """Return whether it is known of which code a row is; two changed trees are not the same."""
    return CHANGED not in row.get("commit", CHANGED)


def stands(row: Row) -> bool:
    """Return whether a row is of this package and these campaigns."""
    return is_committed(row) and is_unchanged_since(row["commit"])


@cache
def is_unchanged_since(commit: str) -> bool:
    """Return whether the package and the campaigns are what they were at a commit."""
    compared = _git("diff", "--quiet", commit, "--", *TRIED)
    return compared.returncode == 0


def origin() -> Row:
    """Return what each row says of where it comes from: the commit, and all else by itself."""
    found = circumstances()
    rest = {key: value for key, value in found.items() if key != "commit"}
    return {"commit": found["commit"], "circumstances": rest}


def circumstances() -> dict[str, Any]:
    """Return the commit, the machine and the versions.

    A commit with a star is one whose package or campaigns were changed since.
    """
    if ROOT / "src" not in Path(delineate.__file__).parents:
        raise SystemExit(f"{delineate.__file__} is not the package that lies beside this script.")
    commit = _git("rev-parse", "--short", "HEAD").stdout.strip()
    commit += CHANGED if _git("status", "--porcelain", "--", *TRIED).stdout.strip() else ""
    return {
        "commit": commit,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": dict(_versions()),
    }


def point_of(folder: Path) -> tuple[int, int] | None:
    """Return the epoch and the step, from 1, that a run will go on with; None: it begins anew.

    One that has ended goes on with nothing: ``OVER``.
    """
    if Run(folder).has_ended():
        return OVER
    try:
        point = checkpoint.load(folder / "last")
    except RunError:
        return None
    return point.epoch + 1, point.step + 1


def went_on(folder: Path, point: tuple[int, int] | None) -> bool:
    """Return whether a run that was resumed went on from there, and did not begin anew."""
    events = Run(folder).events()
    if point == OVER:
        return events[-1]["event"] == ENDED
    resumed = [event for event in events if event["event"] == "resumed"]
    if point is None:
        return not resumed
    return bool(resumed) and (resumed[-1]["epoch"], resumed[-1]["step"]) == point


def weights_hash(folder: Path) -> str:
    """Return the SHA-256 over all variables of a run's newest resume point."""
    digest = hashlib.sha256()
    for array in checkpoint.load(folder / "last").arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _git(*said: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", ROOT, *said], capture_output=True, text=True, check=False)


def _versions() -> Iterable[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
