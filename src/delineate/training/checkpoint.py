"""The resume point: all that a training needs to go on exactly where it stood."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from delineate.errors import RunError
from delineate.files import whole_file

FORMAT = 1
KEPT = 2


@dataclass(frozen=True)
class ResumePoint:
    """A moment of a training, between two steps.

    Attributes:
        epoch: The epoch to go on with, from 0.
        step: The step to go on with in that epoch, from 0.
        finished: Whether the training has ended.
        seconds: Spent so far.
        states: The states of the callbacks, by name, and of the epoch's tally.
        events: The journal so far.
        arrays: The values of all variables, in order.
    """

    epoch: int
    step: int
    finished: bool
    seconds: float
    states: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    arrays: Sequence[np.ndarray] = field(repr=False)


def values_of(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Return copies of the values of variables."""
    return [np.array(keras.ops.convert_to_numpy(item)) for item in variables]


def restore(variables: Sequence[keras.Variable], arrays: Sequence[np.ndarray]) -> None:
    """Give the variables their values back.

    Raises:
        RunError: The values are of another network or optimizer.
    """
    if [tuple(item.shape) for item in variables] != [array.shape for array in arrays]:
        raise RunError(
            "The resume point belongs to another network or optimizer.",
            hint="Resume with the recipe and the versions that the run was begun with.",
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def save(folder: Path, point: ResumePoint) -> None:
    """Write a resume point; older ones go once it is proven, except the one before it.

    Raises:
        OSError: It cannot be written; those that stood there before are untouched.
    """
    path = folder / f"epoch{point.epoch:06d}-step{point.step:08d}.npz"
    head = {key: value for key, value in point.__dict__.items() if key != "arrays"}
    text = json.dumps({"format": FORMAT, **head})
    arrays = {f"array{number:05d}": array for number, array in enumerate(point.arrays)}
    arrays["head"] = np.frombuffer(text.encode(), np.uint8)
    with whole_file(path) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        _verify(temporary)
    for old in _points(folder)[:-KEPT]:
        old.unlink(missing_ok=True)


def load(folder: Path, *, at: tuple[int, int] | None = None) -> ResumePoint:
    """Return the newest resume point that is whole.

    Args:
        folder: Where the resume points are.
        at: The epoch and step that it has to be of; unset: any.

    Raises:
        RunError: There is none.
    """
    paths = _points(folder)
    if not paths:
        raise RunError(
            f"{folder} holds no resume point.",
            hint="Start again with another --to; the run ended before its first epoch was saved.",
        )
    for path in reversed(paths):
        try:
            point = _read(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            continue
        if at is None or (point.epoch, point.step) == at:
            return point
    moment = "" if at is None else f" of epoch {at[0] + 1}, step {at[1] + 1}"
    raise RunError(
        f"{folder} holds no resume point{moment} that is whole.",
        hint="Copy the folder again if it is a copy; else start again with another --to.",
    )


def _points(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch*.npz"))


def _read(path: Path) -> ResumePoint:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        head = json.loads(stored["head"].tobytes())
        if head.pop("format") != FORMAT:
            raise ValueError("another format")
        names = sorted(name for name in stored.files if name != "head")
        return ResumePoint(**head, arrays=[stored[name] for name in names])


def _verify(path: Path) -> None:
    with zipfile.ZipFile(path) as stored:
        damaged = stored.testzip()
    if damaged is not None:
        raise OSError(f"{path}: {damaged} was not written rightly")
