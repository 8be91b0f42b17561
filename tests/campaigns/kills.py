"""Trainings that are killed, and resumed: does each become what it would have become?

Usage: python -m tests.campaigns.kills FOLDER [COUNT]
KERAS_BACKEND says on which backend. COUNT trainings (100) are killed with SIGKILL at random moments
of the command, drawn from a seed, and once before each change of a file. What has its row already
is not done again.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle
from delineate.errors import BundleError
from delineate.runs import Run
from tests.campaigns.commands import QUICK, ended, make_data, start, start_until
from tests.campaigns.record import Row, conclude, go_on, judged, point_of, weights_hash, went_on

RIGHT = ("kept", "equal", "went_on", "killed", "all_files")


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    data = make_data(folder / "data")
    whole = folder / f"whole-{backend}"
    if not (whole / "report.html").is_file():
        shutil.rmtree(whole, ignore_errors=True)
        require(ended(start("train", data, "--to", whole, *QUICK)))
    # Once more, since only now everything is compiled, cached and read.
    seconds, changes = measured(data, folder / "measured")
    expected = weights_hash(whole), _best(whole)
    moments = np.random.default_rng(0).uniform(0, seconds, count)

    def try_one(case: str) -> Row:
        cut = folder / "cut"
        shutil.rmtree(cut, ignore_errors=True)
        kind, _, number = case.rpartition(" ")
        if kind.endswith("moment"):
            process = _killed_after(float(moments[int(number)]), data, cut)
        else:
            process = start_until("kill", int(number), cut, "train", data, "--to", cut, *QUICK)
        code, _ = ended(process)
        return judged(_resumed(data, cut, whole, expected) | {"killed": code < 0}, RIGHT)

    cases = [f"{backend}: moment {number}" for number in range(count)]
    cases += [f"{backend}: change {number}" for number in range(1, changes + 1)]
    conclude(go_on("kills", cases, try_one, part=backend), "trainings that were killed")


def _killed_after(seconds: float, data: Path, cut: Path) -> subprocess.Popen[bytes]:
    """Return a training that was killed, sooner where it has ended by then."""
    while True:
        shutil.rmtree(cut, ignore_errors=True)
        process = start("train", data, "--to", cut, *QUICK)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process
        seconds *= 0.9


def _resumed(data: Path, cut: Path, whole: Path, expected: tuple[str, Any]) -> Row:
    """Go on with a training that was killed, and return what became of it."""
    stood, point = _stands(cut), point_of(cut)
    kept = stood != "an epoch" or _best(cut) is not None
    again = ("--resume",) if (cut / "recipe.toml").is_file() else QUICK
    code, said = ended(start("train", data, "--to", cut, *again))
    equal = code == 0 and (weights_hash(cut), _best(cut)) == expected
    row = {
        "stood": stood,
        "code": code,
        "equal": equal,
        "kept": kept,
        "went_on": code == 0 and went_on(cut, point),
        "all_files": files_of(cut) == files_of(whole),
    }
    return row if code == 0 else {**row, "said": said[-500:]}


def files_of(folder: Path) -> set[str]:
    """Return the names of a run's files, but those of its resume points and what is passing."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(name) for name in names if name.parts[0] != "last" and name.name[0] != "."}


def _stands(folder: Path) -> str:
    """Return how far a training had come."""
    run = Run(folder)
    if not run.recipe.is_file():
        return "nothing"
    if run.rows:
        return "an epoch"
    return "a step" if any(run.last.glob("*.npz")) else "a recipe"


def _best(folder: Path) -> Any:
    """Return the scores of a run's best bundle; None where none can be opened."""
    try:
        return Bundle.open(folder).card.scores.get("val_loss")
    except BundleError:
        return None


def measured(data: Path, folder: Path) -> tuple[float, int]:
    """Return how long a training takes, and how often it changes a file."""
    shutil.rmtree(folder, ignore_errors=True)
    begun = time.monotonic()
    said = require(ended(start_until("count", 0, folder, "train", data, "--to", folder, *QUICK)))
    counted = [line for line in said.splitlines() if line.startswith("count: ")]
    return time.monotonic() - begun, int(counted[-1].removeprefix("count: "))


def require(result: tuple[int, str]) -> str:
    """Return what a command has said.

    Raises:
        SystemExit: It has failed.
    """
    code, said = result
    if code:
        raise SystemExit(said)
    return said


if __name__ == "__main__":
    main()
