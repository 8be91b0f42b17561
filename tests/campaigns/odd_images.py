"""Odd files in a data set: what each command makes of every one, and what that costs.

Usage: python -m tests.campaigns.odd_images FOLDER ODD [freeze]
ODD is ``odd_images`` of the real data. Each of its files is once an image and once a mask of a small
data set, which is checked, trained on and scored; the images are predicted, too. A process runs one
command after another, so that time and memory are those of the command; what sound data cost is
taken off. What is said of each file is compared with the table ``odd_images.json`` beside this file,
which ``freeze`` writes anew.
"""

import io
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import numpy as np

from delineate.data.layouts.files import is_image
from delineate.errors import ImageError
from delineate.imaging import read_size, write_png
from tests.campaigns.record import Row, conclude, go_on
from tests.campaigns.worker import LostError, Worker, serve

NAME = "odd-images"
TABLE = Path(__file__).with_name("odd_images.json")
COMMANDS = ("check", "train", "evaluate", "predict")
SOUND, BASE = "sound", "base"
SIZE = (40, 48)
# Seconds until a process that says nothing is given up, and what a file may cost beyond a sound one.
PATIENCE, STARTING = 60.0, 300.0
SECONDS, MIB = 10.0, 512.0
# Commands that one process runs: the training library keeps something of each network.
LIFE = 200
# The smallest network, and nothing drawn.
TINY = tuple(
    f"--set={setting}"
    for setting in (
        *("data.size=[32, 32]", "data.crops_per_image=1", "data.validation=0.25", "model.depth=1"),
        *("model.filters=4", "training.batch_size=4", "training.epochs=1", "callbacks.pictures=0"),
        *("evaluation.report=false", "post.tune=false", "runtime.precision=float32"),
    )
)


def main() -> None:
    folder, odd = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    names = sorted(p.relative_to(odd).as_posix() for p in odd.glob("*/*") if p.is_file())
    runner = Runner(folder)

    def try_one(case: str) -> Row:
        row = runner.tried(odd, case)
        return {**row, "right": sound(row)}

    try:
        cases = [f"{name} as {role}" for name in names for role in ("image", "mask")]
        rows = go_on(NAME, cases, try_one)
    finally:
        runner.close()
    found = {row["case"]: said(row) for row in rows}
    if "freeze" in sys.argv[3:]:
        TABLE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    known = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}
    changed = [case for case in known | found if known.get(case) != found.get(case)]
    print(f"{len(changed)} other than in the table: {', '.join(changed) or 'none'}")
    conclude(rows, "odd files in data sets")
    if changed:
        raise SystemExit(1)


def said(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the commands say of a file, without what they cost."""
    kept = ("code", "said", "lost")
    return {
        command: {key: row[command][key] for key in kept if key in row[command]}
        for command in COMMANDS
        if command in row
    }


def sound(row: dict[str, Any]) -> bool:
    """Return whether nothing was lost, nothing hung, nothing filled the memory, no traceback."""
    return all(
        "lost" not in row[command]
        and not row[command]["fault"]
        and row[command]["seconds"] <= SECONDS
        and row[command]["mib"] <= MIB
        for command in COMMANDS
        if command in row
    )


def lay_out(case: Path, odd: Path, role: str) -> Path:
    """Lay out a small data set, one image or mask of which is an odd file; return that file.

    Args:
        case: The folder to make; the data set is ``data`` in it.
        odd: The file.
        role: "image" or "mask"; else the odd file is left out, and the images of ``BASE`` are others.
    """
    shutil.rmtree(case, ignore_errors=True)
    for number in range(6):
        _write_pair(case / "data", f"{number}.png", SIZE, number + 100 * (role == BASE))
    name = odd.name if is_image(odd.name) else f"{odd.name}.png"
    place = case / "data" / f"{role}s" / name
    if role in ("image", "mask"):
        _write_pair(case / "data", Path(name).with_suffix(".png").name, _size_of(odd), 9)
        (place.parent / Path(name).with_suffix(".png").name).unlink()
        shutil.copyfile(odd, place)
    return place


def commands_of(case: Path, place: Path, run: Path, role: str) -> dict[str, list[str]]:
    """Return the arguments of each command on a data set that was laid out.

    Args:
        case: The folder of :func:`lay_out`.
        place: What it has returned.
        run: A finished run.
        role: As there.
    """
    data = str(case / "data")
    shown = place if role == "image" else case / "data" / "images" / "0.png"
    found = {
        "check": ["check", data, "--json"],
        "train": ["train", data, "--recipe=unet-nuclei", *TINY, "--to", str(case / "run")],
        "evaluate": ["evaluate", str(run), data, "--to", str(case / "report")],
        "predict": ["predict", str(run), str(shown), "--to", str(case / "predicted")],
    }
    return found if role != "mask" else {key: found[key] for key in COMMANDS[:3]}


def base_of(case: Path, run: Path) -> list[str]:
    """Return the arguments that train a run, on other data than those of all cases."""
    place = lay_out(case, case, BASE)
    return [*commands_of(case, place, run, BASE)["train"][:-1], str(run)]


class Runner:
    """Runs commands in a process that may be lost, and knows what sound data cost there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, folder / "trained"
        self._worker: Worker | None = None
        self._count = 0
        self._cost: dict[str, dict[str, float]] = {}

    def tried(self, odd: Path, case: str) -> Row:
        """Return what each command makes of a file, and what it costs beyond a sound one."""
        name, _, role = case.rpartition(" as ")
        row: dict[str, Any] = {}
        place = lay_out(self.folder / "case", odd / name, role)
        for command, arguments in commands_of(self.folder / "case", place, self.run, role).items():
            found = self._asked(arguments)
            for key, value in self._cost[command].items():
                found[key] = round(max(found[key] - value, 0.0), 2) if key in found else value
            row[command] = found
        return row

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _asked(self, arguments: list[str]) -> dict[str, Any]:
        if self._worker is None or self._count >= LIFE:
            self._start()
        self._count += 1
        try:
            return self._answer(arguments, within=PATIENCE)
        except LostError as lost:
            self.close()
            return {"lost": str(lost)}

    def _answer(self, arguments: list[str], *, within: float) -> dict[str, Any]:
        assert self._worker is not None
        found: dict[str, Any] = self._worker.ask(arguments, within=within)
        return found

    def _start(self) -> None:
        """Start a process, and let it do all once before what that costs is noted."""
        self.close()
        self._worker, self._count = Worker("tests.campaigns.odd_images", "--worker"), 0
        case = self.folder / SOUND
        if not (self.run / "best").is_dir():
            self._answer(base_of(case, self.run), within=STARTING)
        for _ in range(2):
            place = lay_out(case, case, SOUND)
            for command, arguments in commands_of(case, place, self.run, SOUND).items():
                found = self._answer(arguments, within=STARTING)
                if found["code"] != 0:
                    raise RuntimeError(f"{command} fails on sound data: {found['said']}")
                self._cost[command] = {key: found[key] for key in ("seconds", "mib")}


def run_here(arguments: list[str]) -> dict[str, Any]:
    """Run a command line in this process; return what it says and costs."""
    from delineate.cli.main import run

    out, err = io.StringIO(), io.StringIO()
    before, begun = _reset_peak(), time.monotonic()
    fault = False
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code: int | None = run(arguments)
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        code, fault = None, True
        err.write(f"error: {type(error).__name__}: {error}")
    told = err.getvalue()
    return {
        "code": code,
        "said": list(_told(out.getvalue(), told, arguments)),
        "fault": fault or "Traceback" in told or "--traceback, and report" in told,
        "seconds": round(time.monotonic() - begun, 2),
        "mib": round(max(_peak() - before, 0.0), 1),
    }


def _told(out: str, err: str, arguments: list[str]) -> Iterable[str]:
    """Yield the errors, and the codes of all findings, without the places of files."""
    if arguments[0] == "check" and out.startswith("{"):
        yield " ".join(sorted({finding["code"] for finding in json.loads(out)["findings"]}))
    written = arguments[arguments.index("--to") + 1] if "--to" in arguments else arguments[1]
    case = str(Path(written).parent)
    for line in err.splitlines():
        if line.startswith("error: "):
            yield line.removeprefix("error: ").replace(case, "CASE")


def _reset_peak() -> float:
    """Begin to look for the most memory anew, where the system can; return what it is, MiB."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    """Return the most memory since the last :func:`_reset_peak`, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _size_of(path: Path) -> tuple[int, int]:
    try:
        return read_size(path)
    except ImageError:
        return SIZE


def _write_pair(data: Path, name: str, size: tuple[int, int], seed: int) -> None:
    rng, (height, width) = np.random.default_rng(seed), size
    cells = rng.integers(0, 130, (-(-height // 4), -(-width // 4), 3))
    image = np.kron(cells, np.ones((4, 4, 1), int))[:height, :width]
    mask = np.zeros(size, np.uint8)
    row, column = rng.integers(0, height // 2 + 1), rng.integers(0, width // 2 + 1)
    mask[row : row + height // 3 + 1, column : column + width // 3 + 1] = 1
    image[mask > 0] += 120
    write_png(data / "images" / name, image.astype(np.uint8))
    write_png(data / "masks" / name, mask)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        serve(run_here)
    else:
        main()
