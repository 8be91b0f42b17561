"""Disks that are full: is what was good still there, and does the training go on?

Usage: python -m tests.campaigns.full_disk FOLDER [STEP]
First each STEP-th change of a file (2), and all that come after it, is refused as by a full disk;
then no file may grow beyond some sizes, so that writing fails within it; then trainings go into
small file systems of memory of several sizes (as root, who may mount them;
for others the script says so, and leaves them out).
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from delineate.bundle import Bundle
from delineate.errors import BundleError, RunError
from delineate.runs import Run
from delineate.training import checkpoint
from tests.campaigns.commands import QUICK, ended, make_data, start, start_until
from tests.campaigns.kills import measured, require
from tests.campaigns.record import go_on, point_of, weights_hash, went_on

# Of the largest file of a run.
WITHIN = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99)
RIGHT = ("told", "opens", "equal", "went_on")
# Of all of a run.
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    data, whole = make_data(folder / "data"), folder / "whole"
    if not (whole / "report.html").is_file():
        shutil.rmtree(whole, ignore_errors=True)
        require(ended(start("train", data, "--to", whole, *QUICK)))
    _, changes = measured(data, folder / "measured")
    expected = weights_hash(whole)
    sizes = [path.stat().st_size for path in whole.rglob("*") if path.is_file()]
    size, largest = sum(sizes), max(sizes)

    def try_one(case: str) -> dict[str, Any]:
        kind, _, number = case.rpartition(" ")
        if kind == "change":
            cut = folder / "cut"
            shutil.rmtree(cut, ignore_errors=True)
            process = start_until("full", int(number), cut, "train", data, "--to", cut, *QUICK)
            return _judged(data, cut, ended(process), expected)
        if kind == "file":
            cut = folder / "cut"
            shutil.rmtree(cut, ignore_errors=True)
            most = max(1, int(float(number) * largest))
            process = start_until("file", most, cut, "train", data, "--to", cut, *QUICK)
            return _judged(data, cut, ended(process), expected)
        return _in_small_place(data, folder / "small", int(float(number) * size), expected)

    cases = [f"change {number}" for number in range(1, changes + 1, step)]
    cases += [f"file {share}" for share in WITHIN]
    if _may_mount(folder / "small"):
        cases += [f"small {share}" for share in SHARES]
    else:
        print("no small file systems: this user may not mount one")
    rows = go_on("full-disk", cases, try_one)
    bad = [row["case"] for row in rows if not all(row[key] for key in RIGHT)]
    print(f"{len(rows)} disks, {len(bad)} not as they should be: {', '.join(bad) or 'none'}")


def _judged(data: Path, cut: Path, result: tuple[int, str], expected: str) -> dict[str, Any]:
    code, said = result
    told = code == 0 or (
        said.count("error: ") == said.count("hint: ") == 1 and "Traceback" not in said
    )
    opens, point = _opens(cut), point_of(cut)
    again = ("--resume",) if (cut / "recipe.toml").is_file() else QUICK
    code_after, _ = ended(start("train", data, "--to", cut, *again))
    equal = code_after == 0 and weights_hash(cut) == expected
    first = [line for line in said.splitlines() if line.startswith("error: ")]
    found = {"code": code, "told": told, "opens": opens, "equal": equal, "error": first[:1]}
    # A training that ended well nevertheless has nothing to go on with.
    return found | {"went_on": code == 0 or went_on(cut, point)}


def _opens(cut: Path) -> bool:
    """Return whether the newest resume point and the best bundle are whole, where some are."""
    run = Run(cut)
    try:
        if run.rows:
            # The one that was written at the end of the epoch before, at the least.
            if checkpoint.load(run.last).epoch < len(run.rows) - 1:
                return False
            Bundle.open(cut)
        elif checkpoint.exists(run.last):
            checkpoint.load(run.last)
    except (BundleError, RunError):
        return False
    return True


def _in_small_place(data: Path, place: Path, size: int, expected: str) -> dict[str, Any]:
    """Train into a file system of so many bytes; what is there is then copied out and resumed."""
    place.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={max(size, 65536)}", "tmpfs", place], check=True
    )
    try:
        result = ended(start("train", data, "--to", place / "run", *QUICK))
        cut = place.with_name("cut")
        shutil.rmtree(cut, ignore_errors=True)
        if (place / "run").is_dir():
            shutil.copytree(place / "run", cut)
    finally:
        subprocess.run(["umount", place], check=True)
    return _judged(data, cut, result, expected)


def _may_mount(place: Path) -> bool:
    place.mkdir(parents=True, exist_ok=True)
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=65536", "tmpfs", place]
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    subprocess.run(["umount", place], check=True)
    return True


if __name__ == "__main__":
    main()
