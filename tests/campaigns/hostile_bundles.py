"""Bundles and archives that are made to do harm, and 10,000 bytes flipped in good ones.

Usage: python -m tests.campaigns.hostile_bundles FOLDER
All are opened by this one process, as a user would open them: what ends it ends the campaign. A row
says what came of it, how long it took, how much memory this process and its children took at most
together, and what they wrote where nothing should be. What has its row already is not done again.
"""

import json
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from delineate.bundle import CARD, Bundle
from delineate.data.fetching.unpack import unpack
from delineate.errors import DelineateError
from delineate.modelfiles.hdf5 import plain_copy
from delineate.models.opening import open_model
from delineate.trust import mark_of
from tests.campaigns.probes import archives, cards, engines, networks, weights
from tests.campaigns.probes.making import (
    MODEL,
    Probe,
    bundle_from_elsewhere,
    open_and_predict,
    rezip,
    seal,
)
from tests.campaigns.record import Row, conclude, go_on
from tests.campaigns.refusals import is_expected, is_plain
from tests.campaigns.witness import Witness, listen_to_children

NAME = "hostile-bundles"
FLIPS = 100
# How many times so many bytes are flipped in each kind of file.
BATCHES = {
    "card": 30, "marked card": 10, "configuration": 20, "HDF5": 20, "archive": 10, "ONNX": 10,
}  # fmt: skip
PROBES: dict[str, Probe] = cards.PROBES | networks.PROBES | weights.PROBES | engines.PROBES
GOOD_ONNX = engines.PROBES["an ONNX model that only computes"]
SECONDS, MIB = 10.0, 2000
# Seconds between two looks at what children have.
WATCHED = 0.02
# Where libraries and delineate itself may keep what they like.
CACHE, STATE, TEMPORARY = "cache", "state", "tmp"
Try = Callable[[Path], object]


def main() -> None:
    # Compiled modules would be written beside their sources.
    sys.dont_write_bytecode = True
    folder = Path(sys.argv[1]).resolve()
    for name in (CACHE, STATE, TEMPORARY):
        (folder / name).mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(folder / CACHE)
    os.environ["XDG_STATE_HOME"] = str(folder / STATE)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / TEMPORARY)
    ground = _Ground(folder)
    ground.told = listen_to_children(folder / STATE / "witness", ground.witness.allowed)
    # Libraries are loaded before anything is listened to and timed.
    open_and_predict(ground.fresh())
    sys.addaudithook(ground.witness.heard)

    def try_one(case: str) -> Row:
        kind, _, number = case.rpartition(" ")
        missing = [module for module in _needed(case) if find_spec(module) is None]
        if missing:
            return {"outcome": f"needs {', '.join(missing)}", "right": None}
        return _flips(kind, int(number), ground) if kind in BATCHES else _probe(case, ground)

    cases = [*PROBES, *archives.PROBES]
    cases += [f"{kind} {number}" for kind, count in BATCHES.items() for number in range(count)]
    conclude(go_on(NAME, cases, try_one), "rows")


def _needed(case: str) -> tuple[str, ...]:
    """Return the modules without which a case cannot be tried."""
    kind = case.rpartition(" ")[0]
    probe = GOOD_ONNX if kind == "ONNX" else (PROBES | archives.PROBES).get(case)
    return probe.needs if probe else ()


@dataclass(frozen=True)
class _Found:
    """What came of one try.

    Attributes:
        outcome: "opened", "refused", or "error": of another kind than delineate's.
        told: What the error says.
        refusal: The error, where it is delineate's.
        seconds: How long it took.
        mib: How much memory it took at most.
        outside: What was changed where nothing should be, and which programs were started.
    """

    outcome: str
    told: str
    refusal: DelineateError | None
    seconds: float
    mib: int
    outside: tuple[str, ...]

    @property
    def is_harmless(self) -> bool:
        """Whether nothing was done but to open or refuse it, within the limits."""
        within = self.seconds <= SECONDS and self.mib <= MIB
        return self.outcome != "error" and within and not self.outside


class _Ground:
    """The folder in which everything is tried, and watched.

    Attributes:
        place: A folder that is made anew for each try; the bundle is in it.
        witness: Hears what is changed elsewhere.
        told: Where children tell what they hear; None: nobody listens to them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.place, self._good = folder, folder / "probe", folder / "good"
        self._known = [folder / name for name in (CACHE, STATE, TEMPORARY)]
        self.unpacked = self.place / "to" / "unpacked"
        self.told: Path | None = None
        self.witness = Witness([*self._known, self.unpacked.parent, Path("/dev")])
        shutil.rmtree(self._good, ignore_errors=True)
        bundle_from_elsewhere(self._good)

    def fresh(self) -> Path:
        """Return the folder of a good bundle from elsewhere, to be changed."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.unpacked.parent.mkdir(parents=True)
        return Path(shutil.copytree(self._good, self.place / "bundle"))

    def tried(self, work: Try) -> _Found:
        """Do something with the bundle, as who has downloaded it and has gone there."""
        folder, before = self.place / "bundle", self._files()
        with _measured() as spent, chdir(folder):
            self._forget()
            outcome, told, refusal = _outcome(work, folder)
            seen = self._heard()
        changed = sorted({path for path, _ in self._files() ^ before})
        return _Found(
            outcome=outcome,
            told=told[:300],
            refusal=refusal,
            seconds=spent["seconds"],
            mib=int(spent["mib"]),
            outside=(*seen, *changed),
        )

    def _forget(self) -> None:
        self.witness.seen.clear()
        if self.told is not None:
            os.truncate(self.told, 0)

    def _heard(self) -> tuple[str, ...]:
        """Return what this process and its children have done since it was forgotten."""
        of_children = [] if self.told is None else self.told.read_text().splitlines()
        return (*self.witness.seen, *of_children)

    def unpack(self, folder: Path) -> None:
        """Unpack the archive in a folder."""
        unpack(folder / archives.NAME, self.unpacked)

    def _files(self) -> set[tuple[str, tuple[int, ...]]]:
        """Return all that lies in the folder but what libraries keep; of files size and time."""
        watched = (each for each in self.folder.iterdir() if each not in self._known)
        return {(str(path), _stamp(path)) for each in watched for path in (each, *each.rglob("*"))}


def _stamp(path: Path) -> tuple[int, ...]:
    said = path.lstat()
    # The times of a folder change with what was in it for a moment.
    return (said.st_size, said.st_mtime_ns) if stat.S_ISREG(said.st_mode) else ()


def _outcome(work: Try, folder: Path) -> tuple[str, str, DelineateError | None]:
    try:
        work(folder)
    except DelineateError as error:
        return "refused", error.message, error
    except Exception as error:  # noqa: BLE001 - what else there is, is what is looked for
        return "error", repr(error), None
    return "opened", "", None


@contextmanager
def _measured() -> Iterator[dict[str, float]]:
    """Yield what the block has spent, once it has ended: seconds, and MiB at the most.

    Of this process that is what it has taken beside what it had, of children all that they had.
    """
    # From now on the system counts the peak anew.
    Path("/proc/self/clear_refs").write_text("5")
    spent: dict[str, float] = {}
    had, begun = _peak("self"), time.perf_counter()
    with _watched_children() as most:
        yield spent
    spent["seconds"] = round(time.perf_counter() - begun, 2)
    spent["mib"] = round((_peak("self") - had + most[0]) / 2**10)


@contextmanager
def _watched_children() -> Iterator[list[int]]:
    """Yield the most memory that the children of this process have had together so far, KiB."""
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(WATCHED):
            most[0] = max(most[0], sum(map(_peak, _children())))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield most
    finally:
        over.set()
        watching.join()


def _children() -> list[str]:
    """Return the numbers of the processes that this one has started."""
    found = []
    for thread in Path("/proc/self/task").iterdir():
        # A thread may have ended meanwhile, and so may a child.
        with suppress(OSError):
            found += (thread / "children").read_text().split()
    return [number for number in found if _command(number) != _command("self")]


def _command(process: str) -> bytes:
    """Return with which a process was started: until it is, it has the memory of its parent."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def _peak(process: str) -> int:
    """Return the most memory of a process, KiB; 0: it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    return 0


def _probe(case: str, ground: _Ground) -> Row:
    probe = (PROBES | archives.PROBES)[case]
    probe.make(ground.fresh())
    found = ground.tried(open_and_predict if case in PROBES else ground.unpack)
    return {
        "outcome": found.outcome,
        "told": found.told,
        "seconds": found.seconds,
        "mib": found.mib,
        "outside": found.outside,
        "right": found.is_harmless and is_expected(probe, found.refusal),
    }


def _flips(kind: str, number: int, ground: _Ground) -> Row:
    rng = np.random.default_rng([sorted(BATCHES).index(kind), number])
    tries = [ground.tried(_FLIPPED[kind](ground.fresh(), rng)) for _ in range(FLIPS)]
    counts = Counter(found.outcome for found in tries)
    wrong = [found for found in tries if not _is_borne(found)]
    return {
        **{outcome: counts[outcome] for outcome in ("opened", "refused", "error")},
        "wrong": [{"told": found.told, "seconds": found.seconds} for found in wrong],
        "seconds": max(found.seconds for found in tries),
        "mib": max(found.mib for found in tries),
        "outside": [path for found in tries for path in found.outside],
        "right": not wrong,
    }


def _is_borne(found: _Found) -> bool:
    return found.is_harmless and (found.refusal is None or is_plain(found.refusal))


def _flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    changed[int(rng.integers(len(changed)))] ^= int(rng.integers(1, 256))
    return bytes(changed)


def _card(folder: Path, rng: np.random.Generator) -> Try:
    (folder / CARD).write_bytes(_flipped((folder / CARD).read_bytes(), rng))
    return open_and_predict


def _marked_card(folder: Path, rng: np.random.Generator) -> Try:
    """Flip a byte of a card that was written here: it is ours no more, or says what it said."""
    values = json.loads((folder / CARD).read_text())
    values["made"] = mark_of(values)
    text = json.dumps(values, indent=2, ensure_ascii=False).encode()
    (folder / CARD).write_bytes(text)
    if not Bundle.open(folder).ours:
        raise RuntimeError("a card that was marked here is not known")
    (folder / CARD).write_bytes(_flipped(text, rng))

    def work(place: Path) -> None:
        if Bundle.open(place).ours and json.loads((place / CARD).read_bytes()) != values:
            raise AssertionError("a card that was changed is taken for one of ours")

    return work


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
    GOOD_ONNX.make(folder)
    (folder / "model.onnx").write_bytes(_flipped((folder / "model.onnx").read_bytes(), rng))
    seal(folder)
    return open_and_predict


def _member(folder: Path, name: str) -> bytes:
    import zipfile

    with zipfile.ZipFile(folder / MODEL) as archive:
        return archive.read(name)


_FLIPPED: dict[str, Callable[[Path, np.random.Generator], Try]] = {
    "card": _card,
    "marked card": _marked_card,
    "configuration": _configuration,
    "HDF5": _hdf5,
    "archive": _archive,
    "ONNX": _onnx,
}

if __name__ == "__main__":
    main()
