"""Trainings that are killed, and resumed: does each become what it would have become?

Usage: python -m tests.campaigns.kills FOLDER [COUNT]
KERAS_BACKEND says on which backend. COUNT trainings (100) are killed with SIGKILL at random moments
drawn from a seed, every second one while something is being saved, the others at any time of the
command; on TensorFlow also one before each change of a file, which backends have nothing to do
with. What has its row already is not done again.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle
from delineate.errors import BundleError
from delineate.runs import Run
from tests.campaigns.commands import (
    QUICK,
    ended,
    make_data,
    moment_of,
    saves_of,
    start,
    start_until,
)
from tests.campaigns.outcome import differences, outcome_of
from tests.campaigns.record import OVER, Row, conclude, go_on, judged, point_of, went_on

RIGHT = ("kept", "found", "equal", "went_on", "killed", "all_files")


@dataclass(frozen=True)
class Measured:
    """A whole training.

    Attributes:
        seconds: How long it takes.
        changes: How often it changes a file.
        saving: After how many seconds it saves for the first time, and for the last.
    """

    seconds: float
    changes: int
    saving: tuple[float, float]


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    data = make_data(folder / "data")
    whole = folder / f"whole-{backend}"
    shutil.rmtree(whole, ignore_errors=True)
    require(ended(start("train", data, "--to", whole, *QUICK)))
    # Once more, since only now everything is compiled, cached and read.
    usual, expected = measured(data, folder / "measured"), outcome_of(whole)
    moments = moments_of(usual, count)

    def try_one(case: str) -> Row:
        cut = folder / "cut"
        shutil.rmtree(cut, ignore_errors=True)
        kind, _, number = case.rpartition(" ")
        if kind.endswith("moment"):
            process = _killed_after(moments[int(number)], data, cut)
        else:
            process = start_until("kill", int(number), cut, "train", data, "--to", cut, *QUICK)
        code, _ = ended(process)
        return judged(_resumed(data, cut, whole, expected) | {"killed": code < 0}, RIGHT)

    cases = [f"{backend}: moment {number}" for number in range(count)]
    changes = usual.changes if backend == "tensorflow" else 0
    cases += [f"{backend}: change {number}" for number in range(1, changes + 1)]
    conclude(go_on("kills", cases, try_one, part=backend), "trainings that were killed")


def moments_of(usual: Measured, count: int) -> list[float]:
    """Return after how many seconds trainings are killed: by turns at any time, and while saving."""
    rng = np.random.default_rng(0)
    ever, saving = rng.uniform(0, usual.seconds, count), rng.uniform(*usual.saving, count)
    return [float((saving if number % 2 else ever)[number]) for number in range(count)]


def _killed_after(seconds: float, data: Path, cut: Path) -> subprocess.Popen[bytes]:
    """Return a training that was killed, sooner where it has ended by then."""
    while True:
        shutil.rmtree(cut, ignore_errors=True)
        process = start_until("count", 0, cut, "train", data, "--to", cut, *QUICK)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process
        seconds *= 0.9


def _resumed(data: Path, cut: Path, whole: Path, expected: Mapping[str, Any]) -> Row:
    """Go on with a training that was killed, and return what became of it."""
    newest, point = newest_of(cut), point_of(cut)
    stood = stands_at(cut)
    kept = not Run(cut).rows or _opens(cut)
    # Not by what the code finds alone: by the names of the files, and by who saw them get these.
    found = point in (newest, OVER)
    found = found and is_kept(newest, [moment for _, moment in saves_of(cut)])
    again = ("--resume",) if (cut / "recipe.toml").is_file() else QUICK
    code, said = ended(start("train", data, "--to", cut, *again))
    differs = differences(expected, outcome_of(cut)) if code == 0 else ["all"]
    row = {
        "stood": stood,
        "code": code,
        "equal": not differs,
        "kept": kept,
        "found": found,
        "went_on": code == 0 and went_on(cut, point),
        "all_files": files_of(cut) == files_of(whole),
        **({"differs": differs} if differs else {}),
    }
    return row if code == 0 else {**row, "said": said[-500:]}


def is_kept(point: tuple[int, int] | None, saves: Sequence[tuple[int, int]]) -> bool:
    """Return whether a training goes on with what was saved last, or with what was saved before.

    Args:
        point: With which epoch and step it goes on; None: it begins anew.
        saves: All that was about to get its name: of the last, nobody saw whether it has got it.
    """
    return point in [None, *saves][-2:]


def newest_of(folder: Path) -> tuple[int, int] | None:
    """Return the moment that the newest resume point of a run has in its name; None: no name."""
    found = [moment_of(path.name) for path in (folder / "last").glob("*")]
    return max((moment for moment in found if moment), default=None)


def files_of(folder: Path) -> set[str]:
    """Return the names of a run's files, but those of its resume points and what is passing."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(name) for name in names if name.parts[0] != "last" and name.name[0] != "."}


def stands_at(folder: Path) -> str:
    """Return after what a training was saved last."""
    newest = newest_of(folder)
    if newest is None:
        return "a recipe" if Run(folder).recipe.is_file() else "nothing"
    return "an epoch" if newest[1] == 1 else "a step"


def _opens(folder: Path) -> bool:
    """Return whether a run's best bundle is whole."""
    try:
        Bundle.open(folder)
    except BundleError:
        return False
    return True


def measured(data: Path, folder: Path) -> Measured:
    """Return how long a training takes, when it saves, and how often it changes a file."""
    shutil.rmtree(folder, ignore_errors=True)
    begun = time.time()
    said = require(ended(start_until("count", 0, folder, "train", data, "--to", folder, *QUICK)))
    counted = [line for line in said.splitlines() if line.startswith("count: ")]
    times = [when - begun for when, _ in saves_of(folder)]
    changes = int(counted[-1].removeprefix("count: "))
    return Measured(time.time() - begun, changes, (times[0], times[-1]))


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
