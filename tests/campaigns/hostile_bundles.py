"""Bundles and archives that are made to do harm, and 10,000 bytes flipped in good ones.

Usage: python -m tests.campaigns.hostile_bundles FOLDER
All are opened by this one process, as a user would open them: what ends it ends the campaign. A row
says what came of it, how long it took, how much memory this process and its children had at most
(a child begins with its parent's), and what was written where nothing should be. What has its row
already is not done again.
"""

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import CARD, Bundle
from delineate.data.fetching.unpack import unpack
from delineate.errors import DelineateError
from delineate.modelfiles.hdf5 import plain_copy
from delineate.models.opening import open_model
from tests.campaigns.probes import archives, cards, engines, networks, weights
from tests.campaigns.probes.making import (
    BAIT,
    MODEL,
    Probe,
    bundle_from_elsewhere,
    open_and_predict,
    rezip,
    seal,
)
from tests.campaigns.record import go_on

NAME = "hostile-bundles"
FLIPS = 100
# How many times so many bytes are flipped in each kind of file.
BATCHES = {"card": 40, "configuration": 20, "HDF5": 20, "archive": 10, "ONNX": 10}
PROBES: dict[str, Probe] = cards.PROBES | networks.PROBES | weights.PROBES | engines.PROBES
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
Try = Callable[[Path], object]


def main() -> None:
    # Compiled modules would be written beside their sources.
    sys.dont_write_bytecode = True
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("CACHE", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(folder / name.lower())
    witness = _Witness([folder, Path(tempfile.gettempdir()).resolve(), Path("/dev")])
    sys.addaudithook(witness.heard)
    good = folder / "good"
    shutil.rmtree(good, ignore_errors=True)
    bundle_from_elsewhere(good)

    def try_one(case: str) -> dict[str, Any]:
        kind, _, number = case.rpartition(" ")
        if kind in BATCHES:
            return _flips(kind, int(number), good, folder)
        return _probe(case, good, folder, witness)

    cases = [*PROBES, *archives.PROBES]
    cases += [f"{kind} {number}" for kind, count in BATCHES.items() for number in range(count)]
    rows = go_on(NAME, cases, try_one)
    bad = [row["case"] for row in rows if not row["right"]]
    print(f"{len(rows)} rows, {len(bad)} not as they should be: {', '.join(bad) or 'none'}")


class _Witness:
    """Hears which files this process writes, and which programs it starts."""

    def __init__(self, allowed: list[Path]) -> None:
        self.allowed = [str(path) for path in allowed]
        self.seen: list[str] = []

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Keep what should not be."""
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - follows no links
            writes = isinstance(arguments[2], int) and bool(arguments[2] & WRITING)
            if writes and not path.startswith(tuple(self.allowed)):
                self.seen.append(path)
        elif event in ("os.system", "os.exec") or (
            event == "subprocess.Popen" and str(arguments[0]) != sys.executable
        ):
            self.seen.append(f"{event} {arguments[0]}")


def _probe(case: str, good: Path, folder: Path, witness: _Witness) -> dict[str, Any]:
    probe, is_archive = PROBES.get(case) or archives.PROBES[case], case in archives.PROBES
    missing = [module for module in probe.needs if find_spec(module) is None]
    if missing:
        return {"outcome": f"needs {', '.join(missing)}", "right": True}
    place = folder / "probe"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(good, place / "bundle")
    probe.make(place / "bundle")
    before = _names(place)
    witness.seen.clear()
    with _measured() as spent, chdir(place / "bundle"):
        outcome, told = _tried(_unpack if is_archive else open_and_predict, place / "bundle")
    outside = [*witness.seen, *sorted(_names(place) ^ before)]
    expected = "opened" if probe.told is None else "refused"
    within = spent["seconds"] <= 10 and spent["mib"] <= 2000
    right = outcome == expected and not outside and within and _is_plain(told)
    return {"outcome": outcome, "told": told, **spent, "outside": outside, "right": right}


def _unpack(folder: Path) -> None:
    unpack(folder / archives.NAME, folder.parent / "unpacked")


def _tried(work: Try, folder: Path) -> tuple[str, str]:
    try:
        work(folder)
    except DelineateError as error:
        return "refused", error.message[:300]
    except Exception as error:  # noqa: BLE001 - what else there is, is what is looked for
        return "error", repr(error)[:300]
    return "opened", ""


def _is_plain(told: str) -> bool:
    return "\n" not in told and "Traceback" not in told


def _names(place: Path) -> set[str]:
    return {str(path) for path in place.rglob("*")} | ({BAIT} if (place / BAIT).exists() else set())


@contextmanager
def _measured() -> Iterator[dict[str, float]]:
    """Yield what the block has spent, once it has ended: seconds, and MiB at the most."""
    # From now on the system counts the peak anew.
    Path("/proc/self/clear_refs").write_text("5")
    spent: dict[str, float] = {}
    begun = time.perf_counter()
    yield spent
    spent["seconds"] = round(time.perf_counter() - begun, 2)
    said = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in said if line.startswith("VmHWM"))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    spent["mib"] = round(max(own, children) / 2**10)


def _flips(kind: str, number: int, good: Path, folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng([sorted(BATCHES).index(kind), number])
    place = folder / "flipped"
    counts = {"opened": 0, "refused": 0, "error": 0}
    errors = []
    with _measured() as spent:
        for _ in range(FLIPS):
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(good, place)
            outcome, told = _tried(_FLIPPED[kind](place, rng), place)
            counts[outcome] += 1
            errors += [told] if outcome == "error" else []
    return {**counts, "errors": errors, **spent, "right": not errors and spent["mib"] <= 2000}


def _flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    changed[int(rng.integers(len(changed)))] ^= int(rng.integers(1, 256))
    return bytes(changed)


def _card(folder: Path, rng: np.random.Generator) -> Try:
    (folder / CARD).write_bytes(_flipped((folder / CARD).read_bytes(), rng))
    return Bundle.open


def _configuration(folder: Path, rng: np.random.Generator) -> Try:
    rezip(folder, config=_flipped(_member(folder, "config.json"), rng))
    return open_and_predict


def _hdf5(folder: Path, rng: np.random.Generator) -> Try:
    (folder / "weights.h5").write_bytes(_flipped(_member(folder, "model.weights.h5"), rng))

    def work(place: Path) -> None:
        with plain_copy(place / "weights.h5"):
            pass

    return work


def _archive(folder: Path, rng: np.random.Generator) -> Try:
    (folder / MODEL).write_bytes(_flipped((folder / MODEL).read_bytes(), rng))
    return lambda place: open_model(place / MODEL)


def _onnx(folder: Path, rng: np.random.Generator) -> Try:
    engines.PROBES["an ONNX model that only computes"].make(folder)
    (folder / "model.onnx").write_bytes(_flipped((folder / "model.onnx").read_bytes(), rng))
    seal(folder)
    return open_and_predict


def _member(folder: Path, name: str) -> bytes:
    import zipfile

    with zipfile.ZipFile(folder / MODEL) as archive:
        return archive.read(name)


_FLIPPED: dict[str, Callable[[Path, np.random.Generator], Try]] = {
    "card": _card,
    "configuration": _configuration,
    "HDF5": _hdf5,
    "archive": _archive,
    "ONNX": _onnx,
}

if __name__ == "__main__":
    main()
