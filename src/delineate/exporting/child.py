"""Work that needs a process of its own: with another backend, or with nothing loaded yet."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from delineate.errors import BundleError, DelineateError, MissingExtraError

Arrays = dict[str, np.ndarray]
Work = Callable[[dict[str, Any], Arrays], Any]

# What a child may tell of, beside a crash.
_KINDS: dict[str, type[DelineateError]] = {
    kind.__name__: kind for kind in (BundleError, MissingExtraError)
}


def run_child(
    module: str,
    said: dict[str, Any],
    arrays: Sequence[np.ndarray] = (),
    *,
    backend: str = "",
    accelerated: bool = True,
) -> Any:
    """Return what a module, run as a program, makes of plain values and arrays.

    Args:
        module: Its name; it ends in :func:`serve`.
        said: Plain values for JSON.
        arrays: Numbers of any shape.
        backend: Keras's; unset: that of the environment.
        accelerated: Whether it may use an NVIDIA GPU, of which this process may have all memory.

    Returns:
        Plain values.

    Raises:
        DelineateError: What the child has raised, or that it has crashed.
    """
    known = {"KERAS_BACKEND": backend} if backend else {}
    known |= {} if accelerated else {"CUDA_VISIBLE_DEVICES": ""}
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "said.json").write_text(json.dumps(said), encoding="utf-8")
        named = {f"array{number:06d}": array for number, array in enumerate(arrays)}
        with (place / "arrays.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **named)
        command = [sys.executable, "-P", "-m", module, folder]
        # -P: nothing in the working folder stands in for a library.
        # Its output is for people: standard error.
        done = subprocess.run(command, env=os.environ | known, stdout=2, check=False)
        try:
            answer = json.loads((place / "answer.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(
                f"The process that had to do it ended with {done.returncode}.",
                hint="What it said stands above; more memory may help.",
            ) from error
    if "error" in answer:
        raise _KINDS[answer["kind"]](answer["error"], hint=answer["hint"])
    return answer["value"]


def serve(work: Work) -> None:
    """Do what :func:`run_child` has asked for, in the folder that the command line names.

    Args:
        work: Takes the plain values and the arrays by name, and returns plain values.
    """
    place = Path(sys.argv[1])
    said = json.loads((place / "said.json").read_text(encoding="utf-8"))
    with np.load(place / "arrays.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in sorted(stored.files)}
    try:
        answer = {"value": work(said, arrays)}
    except DelineateError as error:
        kind = type(error).__name__ if type(error).__name__ in _KINDS else "BundleError"
        answer = {"error": error.message, "hint": error.hint, "kind": kind}
    (place / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
