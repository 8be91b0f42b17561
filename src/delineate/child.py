"""Work in a process of its own: with another backend, with nothing loaded yet, or within limits.

Limits keep a file from somebody else from taking the memory, the time or the disk of who opens it.
They are no sandbox: a child may do whatever its user may.
"""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from delineate.errors import BundleError, DelineateError, MissingExtraError, WeightsError
from delineate.temporary import no_room

Arrays = dict[str, np.ndarray]
Work = Callable[[dict[str, Any], Arrays], Any]

# What a child may tell of, beside a crash.
_KINDS: dict[str, type[DelineateError]] = {
    kind.__name__: kind for kind in (BundleError, MissingExtraError, WeightsError)
}
# Address space beyond the memory that may be taken: libraries reserve much that they never use.
_RESERVED = 8 * 2**30
# Bytes of the answer of a child with limits.
_MOST_ANSWER = 64 * 2**20
# Bytes that a slow disk gives in a second.
_PER_SECOND = 10**8
# Killed for its time, by the system for its memory, and by the limit of the processor's time.
_TOO_MUCH = (None, -9, -24)
# A full disk, and a quota that is used up.
_FULL = (errno.ENOSPC, errno.EDQUOT)
# With which a child ends that has no room for its answer.
_NO_ROOM_STATUS = 73
# A thread for each core would take memory of its own, and HDF5 would load plugins from any folder
# that the environment names ("::" means: from none).
_MODEST = {
    "HDF5_PLUGIN_PRELOAD": "::",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Limits:
    """What a child may take. All but the time is limited where the system lets a process do that.

    Attributes:
        seconds: Of time, its start included; then it is killed.
        memory: Bytes.
        written: Bytes of any one file that it writes, its answer included.
    """

    seconds: float = 9.0
    memory: int = 2 * 10**9
    written: int = _MOST_ANSWER

    @classmethod
    def for_file(
        cls, size: int, *, seconds: float = seconds, memory: int = memory, numbers: int = 0
    ) -> "Limits":
        """Return what a child may take that reads a file.

        Args:
            size: Of the file, in bytes: it takes the longer, the more there are.
            seconds: What any file may take.
            memory: Bytes.
            numbers: Bytes of a file that the child writes beside its answer.
        """
        return cls(seconds + size / _PER_SECOND, memory, _MOST_ANSWER + numbers)

    def __str__(self) -> str:
        """The limits in words."""
        return f"{self.seconds:.0f} s and {round(self.memory / 1e9, 1):g} GB"


def run_child(
    module: str,
    said: dict[str, Any],
    arrays: Sequence[np.ndarray] = (),
    *,
    backend: str = "",
    accelerated: bool = True,
    limits: Limits | None = None,
    name: str = "",
) -> Any:
    """Return what a module, run as a program, makes of plain values and arrays.

    The working folder is never among the places from which the child imports.

    Args:
        module: Its name; it ends in :func:`serve`.
        said: Plain values for JSON. Paths in it are absolute where there are limits.
        arrays: Numbers of any shape.
        backend: Keras's; unset: that of the environment.
        accelerated: Whether it may use an NVIDIA GPU, of which this process may have all memory.
        limits: What it may take; unset: what it likes. With limits it says nothing to people.
        name: What is opened, for the error where the limits are passed.

    Returns:
        Plain values.

    Raises:
        DelineateError: What the child has raised, that it has crashed, has passed its limits, or
            had no room for its answer.
        OSError: What it is asked for cannot be written to the temporary folder.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder)
        asked = {"said": said, "limits": None if limits is None else asdict(limits)}
        (place / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        named = {f"array{number:06d}": array for number, array in enumerate(arrays)}
        with (place / "arrays.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **named)
        known = {"KERAS_BACKEND": backend} if backend else {}
        known |= {} if accelerated else {"CUDA_VISIBLE_DEVICES": ""}
        code = _run([sys.executable, "-P", "-m", module, folder], known, limits)
        answer = _answer(place / "answer.json", limits)
    if answer is not None and "error" in answer:
        kind = _KINDS.get(str(answer.get("kind")), BundleError)
        raise kind(str(answer["error"]), hint=str(answer.get("hint")))
    if answer is not None and "value" in answer:
        return answer["value"]
    if code == _NO_ROOM_STATUS:
        raise no_room(name or module)
    too_much = answer is not None or code in _TOO_MUCH
    raise _crashed(code) if limits is None else _passed(name, limits, too_much, code)


def _run(command: list[str], said: dict[str, str], limits: Limits | None) -> int | None:
    """Return the exit status of a command; None: it was killed, since its time was over."""
    known = os.environ | said
    if places := _places_of_packages():
        known["PYTHONPATH"] = os.pathsep.join(places)
    nowhere = subprocess.DEVNULL
    if limits is None:
        # Its output is for people: standard error.
        return subprocess.run(command, env=known, stdin=nowhere, stdout=2, check=False).returncode
    try:
        return subprocess.run(
            command,
            env=known | _MODEST,
            cwd=command[-1],
            stdin=nowhere,
            stdout=nowhere,
            stderr=nowhere,
            timeout=limits.seconds,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def _places_of_packages() -> list[str]:
    """Return where a child looks first: where this package is, and what the environment says.

    Where packages are installed Python looks by itself, after its own library.
    """
    here = Path(__file__).resolve().parents[1]
    own = [] if here.name in ("site-packages", "dist-packages") else [str(here)]
    said = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return [*own, *(str(Path(each).absolute()) for each in said)]


def _answer(path: Path, limits: Limits | None) -> dict[str, Any] | None:
    """Return what a child has answered; None: nothing that can be read."""
    try:
        too_long = limits is not None and path.stat().st_size > _MOST_ANSWER
        if path.is_symlink() or too_long:
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _crashed(code: int | None) -> BundleError:
    return BundleError(
        f"The process that had to do it ended with {code}.",
        hint="What it said stands above; more memory may help.",
    )


def _passed(name: str, limits: Limits, too_much: bool, code: int | None) -> BundleError:
    why = f" within {limits}" if too_much else f": the process that tried it ended with {code}"
    return BundleError(
        f"{name} could not be opened{why}.",
        hint="Get the file again, or another one: it is larger than what may be opened without "
        "knowing who made it, damaged, or made to do harm.",
    )


def serve(work: Work) -> None:
    """Do what :func:`run_child` has asked for, in the folder that the command line names.

    Args:
        work: Takes the plain values and the arrays by name, and returns plain values.
    """
    place = Path(sys.argv[1])
    asked = json.loads((place / "asked.json").read_text(encoding="utf-8"))
    with np.load(place / "arrays.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in sorted(stored.files)}
    answer: dict[str, Any]
    try:
        if asked["limits"] is not None:
            _limit(Limits(**asked["limits"]))
        answer = {"value": work(asked["said"], arrays)}
    except DelineateError as error:
        kind = type(error).__name__ if type(error).__name__ in _KINDS else "BundleError"
        answer = {"error": error.message, "hint": error.hint, "kind": kind}
    except MemoryError:
        answer = {"memory": "all that it may take"}
    try:
        (place / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise SystemExit(_NO_ROOM_STATUS) from error


def _limit(limits: Limits) -> None:
    """Limit what this process can take from now on, where the system has such limits."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return
    seconds = int(limits.seconds + 1) * (os.cpu_count() or 1)
    for kind, most in (
        (resource.RLIMIT_DATA, limits.memory),
        (resource.RLIMIT_AS, limits.memory + _RESERVED),
        (resource.RLIMIT_FSIZE, limits.written),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        allowed = resource.getrlimit(kind)[1]
        least = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        # macOS knows some of these limits by name only.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (least, least))
