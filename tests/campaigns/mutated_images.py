"""Pictures that are damaged by chance: read rightly, or refused by an error of ours?

Usage: python -m tests.campaigns.mutated_images FOLDER [INPUTS]
Of each kind of file INPUTS (100,000) are made from sound ones, and read as image, as mask, in parts
and by their headers, by a process that has 4 GiB of memory; one of a hundred is long. What it
dies of or hangs at, takes more than 1 GiB for, or answers with an error that is none of ours, is
kept in FOLDER.
"""

import json
import mmap
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

from delineate.data.proposing.pixel_size import read_pixel_size
from delineate.decoding.stored import orientation_of
from delineate.errors import ImageError
from delineate.imaging import read_float, read_image, read_labels, read_one_hot, read_size
from delineate.prediction.rasters.raster import is_read_in_parts, open_raster
from tests.campaigns.mutations import KINDS, SUFFIXES, mutation
from tests.campaigns.record import Row, conclude, go_on
from tests.campaigns.worker import LostError, Worker, serve

NAME = "mutated-images"
CHUNK, INPUTS = 5_000, 100_000
MEMORY, PATIENCE, STARTING = 4 << 30, 10.0, 120.0
# Twice of what readers take for a small file (see delineate.decoding.stored).
MIB = 1024.0
# The input that is being read, how many were read and refused, the seconds of the slowest, and the
# MiB of the largest.
_STATE = struct.Struct("<qqqdd")
# Other errors that are told one by one.
TOLD = 20


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else INPUTS
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, count, CHUNK)
    # With its end, since fewer inputs are another case.
    cases = [f"{kind} {n} to {min(n + CHUNK, count)}" for kind in KINDS for n in starts]

    def try_one(case: str) -> Row:
        kind, first, _, end = case.split()
        return _tried(folder, kind, int(first), int(end) - int(first))

    rows = go_on(NAME, cases, try_one)
    for kind, row in sums(rows).items():
        print(json.dumps({"reader": kind, **row}))
    conclude(rows, "lots of inputs")


def sums(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what has come of all inputs of each kind."""
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        own = [row for row in rows if row["case"].startswith(f"{kind} ")]
        if own:
            keys = ("inputs", "refused", "read")
            found[kind] = {key: sum(row[key] for row in own) for key in keys}
            found[kind]["others"] = [other for row in own for other in row["others"]]
            found[kind]["slowest"] = max(row["slowest"] for row in own)
    return found


def outcome(kind: str, path: Path) -> bool:
    """Return whether anything reads a file; what is no error of ours is raised."""
    readers = [read_image, read_labels, read_one_hot, read_size]
    if kind == "tiff":
        readers += [read_float, _read_in_parts]
    orientation_of(path)
    read_pixel_size(path)
    return sum(_is_read(reader, path) for reader in readers) > 0


def _is_read(reader: Any, path: Path) -> bool:
    try:
        found = reader(path)
    except ImageError as error:
        if asked := _memory_of(error):
            raise AssertionError(f"more memory than there is: {asked!r}") from error
        if str(path) not in error.message or not error.hint:
            raise AssertionError(f"no error for people: {error.message}") from error
        return False
    array = getattr(found, "values", found)
    if isinstance(array, np.ndarray) and (not array.size or array.dtype.kind not in "uf"):
        raise AssertionError(f"{array.dtype} of shape {array.shape}")
    return True


def _memory_of(error: BaseException | None) -> BaseException | None:
    """Return what has asked for more memory than there is, where an error comes of that."""
    while error is not None:
        if isinstance(error, MemoryError) or "failed to allocate" in str(error).lower():
            return error
        error = error.__cause__ or error.__context__
    return None


def _peak(*, anew: bool = False) -> float:
    """Return the most memory that this process has had, MiB; 0: the system does not say.

    Args:
        anew: From now on, that is what it has.
    """
    with suppress(OSError):
        if anew:
            Path("/proc/self/clear_refs").write_text("5")
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 2**10
    return 0.0


def _read_in_parts(path: Path) -> np.ndarray:
    is_read_in_parts(path)
    with closing(open_raster(path)) as raster:
        height, width = (min(side, 40) for side in raster.size)
        return raster.read(slice(0, height), slice(0, width))


def _tried(folder: Path, kind: str, first: int, count: int) -> Row:
    """Return what comes of some inputs, one after the other."""
    with tempfile.TemporaryDirectory() as place, _State(Path(place) / "state") as state:
        total: Counter[str] = Counter()
        others, slowest, largest, following = [], 0.0, 0.0, first
        while following < first + count:
            worker = Worker("tests.campaigns.mutated_images", "--worker", place)
            task = {"kind": kind, "first": following, "count": first + count - following}
            state.put(following, 0, 0, 0.0, 0.0)
            try:
                worker.ask(None, within=STARTING)
                others += worker.ask(task, within=PATIENCE, moving=lambda: state.get()[0])
                following = first + count
            except LostError as lost:
                following = state.get()[0] + 1
                others.append({"number": following - 1, "error": str(lost)})
            finally:
                worker.close()
            _, read, refused, longest, most = state.get()
            total.update(read=read, refused=refused)
            slowest, largest = max(slowest, longest), max(largest, most)
    for other in others:
        name = f"{kind}-{other['number']}{SUFFIXES.get(kind, f'.{kind}')}"
        (folder / name).write_bytes(mutation(kind, other["number"]))
    counts = {key: total[key] for key in ("refused", "read")}
    spent = {"slowest": round(slowest, 3), "mib": round(largest, 1)}
    return {"inputs": count, **counts, "others": others, **spent, "right": not others}


class _State:
    """Five numbers that two processes see; what one has written outlives it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_STATE.size))
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), _STATE.size)

    def __enter__(self) -> "_State":
        return self

    def __exit__(self, *_: object) -> None:
        self._map.close()
        self._file.close()

    def get(self) -> tuple[int, int, int, float, float]:
        return _STATE.unpack_from(self._map)

    def put(self, *values: float) -> None:
        _STATE.pack_into(self._map, 0, *values)


def _work(place: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    state = _State(place / "state")

    def do(task: dict[str, Any] | None) -> list[dict[str, Any]]:
        if task is None:
            return []
        path = place / f"input{SUFFIXES.get(task['kind'], '.' + task['kind'])}"
        others: list[dict[str, Any]] = []
        read, refused, slowest, largest = 0, 0, 0.0, 0.0
        number = task["first"]
        for step in range(task["count"]):
            number = task["first"] + step
            state.put(number, read, refused, slowest, largest)
            path.write_bytes(mutation(task["kind"], number))
            had, begun = _peak(anew=True), time.perf_counter()
            try:
                found = outcome(task["kind"], path)
                read, refused = read + found, refused + (not found)
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                told = f"{type(error).__name__}: {error}"[:300]
                others.append({"number": number, "error": told})
            slowest = max(slowest, time.perf_counter() - begun)
            took = _peak() - had
            largest = max(largest, took)
            if took > MIB:
                others.append({"number": number, "error": f"took {took:.0f} MiB"})
        state.put(number, read, refused, slowest, largest)
        return others[:TOLD]

    serve(do)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        _work(Path(sys.argv[2]))
    else:
        main()
