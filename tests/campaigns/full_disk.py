"""Disks that are full: is what was good still there, and does the training go on?

Usage: python -m tests.campaigns.full_disk FOLDER [STEP]
First each STEP-th change of a file (2), and all that come after it, is refused as by a full disk;
then trainings go into small file systems of memory of several sizes (as root, who may mount them;
for others the script says so, and leaves them out).
"""

import os
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
from tests.campaigns.record import go_on, weights_hash

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
    size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())

    def try_one(case: str) -> dict[str, Any]:
        kind, _, number = case.rpartition(" ")
        if kind == "change":
            cut = folder / "cut"
            shutil.rmtree(cut, ignore_errors=True)
            process = start_until("full", int(number), cut, "train", data, "--to", cut, *QUICK)
            return _judged(data, cut, ended(process), expected)
        return _in_small_place(data, folder / "small", int(float(number) * size), expected)

    cases = [f"change {number}" for number in range(1, changes + 1, step)]
    if _may_mount():
        cases += [f"small {share}" for share in SHARES]
    else:
        print("no small file systems: this user may not mount one")
    rows = go_on("full-disk", cases, try_one)
    bad = [row["case"] for row in rows if not (row["told"] and row["opens"] and row["equal"])]
    print(f"{len(rows)} disks, {len(bad)} not as they should be: {', '.join(bad) or 'none'}")


def _judged(data: Path, cut: Path, result: tuple[int, str], expected: str) -> dict[str, Any]:
    code, said = result
    told = code == 0 or (
        said.count("error: ") == said.count("hint: ") == 1 and "Traceback" not in said
    )
    opens = _opens(cut)
    again = ("--resume",) if (cut / "recipe.toml").is_file() else QUICK
    code_after, _ = ended(start("train", data, "--to", cut, *again))
    equal = code_after == 0 and weights_hash(cut) == expected
    first = [line for line in said.splitlines() if line.startswith("error: ")]
    return {"code": code, "told": told, "opens": opens, "equal": equal, "error": first[:1]}


def _opens(cut: Path) -> bool:
    """Return whether the newest resume point and the best bundle are whole, where some are."""
    run = Run(cut)
    try:
        if checkpoint.exists(run.last):
            checkpoint.load(run.last)
        if run.rows:
            Bundle.open(cut)
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


def _may_mount() -> bool:
    return os.name == "posix" and os.geteuid() == 0 and shutil.which("mount") is not None


if __name__ == "__main__":
    main()
