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

from delineate.bundle import Bundle
from delineate.errors import BundleError, RunError
from delineate.runs import Run
from delineate.training import checkpoint
from tests.campaigns.commands import QUICK, ended, is_told, make_data, start, start_until
from tests.campaigns.kills import files_of, measured, require
from tests.campaigns.outcome import differences, outcome_of
from tests.campaigns.record import Row, conclude, go_on, judged, point_of, went_on

# Of the largest file of a run.
WITHIN = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99)
RIGHT = ("told", "opens", "equal", "went_on", "all_files")
# Of all of a run.
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    data, whole = make_data(folder / "data"), folder / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    require(ended(start("train", data, "--to", whole, *QUICK)))
    changes = measured(data, folder / "measured").changes
    sizes = [path.stat().st_size for path in whole.rglob("*") if path.is_file()]
    size, largest = sum(sizes), max(sizes)

    def try_one(case: str) -> Row:
        kind, _, number = case.rpartition(" ")
        if kind == "change":
            cut = folder / "cut"
            shutil.rmtree(cut, ignore_errors=True)
            process = start_until("full", int(number), cut, "train", data, "--to", cut, *QUICK)
            return _judged(data, cut, whole, ended(process))
        if kind == "file":
            cut = folder / "cut"
            shutil.rmtree(cut, ignore_errors=True)
            most = max(1, int(float(number) * largest))
            process = start_until("file", most, cut, "train", data, "--to", cut, *QUICK)
            return _judged(data, cut, whole, ended(process))
        return _in_small_place(data, folder / "small", int(float(number) * size), whole)

    cases = [f"change {number}" for number in range(1, changes + 1, step)]
    cases += [f"file {share}" for share in WITHIN]
    if _may_mount(folder / "small"):
        cases += [f"small {share}" for share in SHARES]
    else:
        print("no small file systems: this user may not mount one")
    conclude(go_on("full-disk", cases, try_one), "disks that were full")


def _judged(data: Path, cut: Path, whole: Path, result: tuple[int, str]) -> Row:
    code, said = result
    opens, point = _opens(cut), point_of(cut)
    # Where it says that it ended well, nothing may be missing before it is resumed, either.
    complete = code != 0 or (files_of(cut) == files_of(whole) and point == point_of(whole))
    again = ("--resume",) if (cut / "recipe.toml").is_file() else QUICK
    code_after, _ = ended(start("train", data, "--to", cut, *again))
    row = {
        "code": code,
        "error": [line for line in said.splitlines() if line.startswith("error: ")][:1],
        "told": code == 0 or is_told(said),
        "opens": opens,
        "equal": code_after == 0 and not differences(outcome_of(whole), outcome_of(cut)),
        # A training that ended well nevertheless has nothing to go on with.
        "went_on": code == 0 or went_on(cut, point),
        "all_files": complete and files_of(cut) == files_of(whole),
    }
    return judged(row, RIGHT)


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


def _in_small_place(data: Path, place: Path, size: int, whole: Path) -> Row:
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
    return _judged(data, cut, whole, result)


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
