"""The resume point: all that a training needs to go on exactly where it stood."""

import errno
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from delineate.errors import RunError
from delineate.files import whole_file

FORMAT = 1
KEPT = 3
# What reading a damaged file may raise, beside errors of the disk.
DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError),
    *(OverflowError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)


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
    """Write a resume point; older ones go once it is proven, except the two before it.

    Raises:
        OSError: It cannot be written; those that stood there before are untouched.
        RunError: Its numbers are not finite; likewise.
    """
    _refuse_infinite(point)
    path = _path(folder, point.epoch, point.step)
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
        point = _whole(path)
        if point is not None and at in (None, (point.epoch, point.step)):
            return point
    moment = "" if at is None else f" of epoch {at[0] + 1}, step {at[1] + 1}"
    raise RunError(
        f"{folder} holds no resume point{moment} that is whole.",
        hint="Copy the folder again if it is a copy; else start again with another --to.",
    )


def newest_of_both(folder: Path, other: Path) -> tuple[int, int]:
    """Return the epoch and step of the newest resume point that is whole in two folders.

    Args:
        folder: Where the resume points of a network are.
        other: Where those of what is trained beside it are.

    Raises:
        RunError: There is none.
    """
    shared = {path.name for path in _points(folder)} & {path.name for path in _points(other)}
    for name in sorted(shared, reverse=True):
        found = [_whole(each / name) for each in (folder, other)]
        if found[0] is not None and found[1] is not None:
            return found[0].epoch, found[0].step
    raise RunError(
        f"{folder} and {other} hold no resume point of one moment that is whole in both.",
        hint="Copy the folder again if it is a copy; else start again with another --to.",
    )


def exists(folder: Path) -> bool:
    """Return whether there is any resume point, whole or damaged."""
    return bool(_points(folder))


def forget_after(folder: Path, *, epoch: int, step: int) -> int:
    """Delete the resume points of later moments, which a training that goes on makes anew.

    They are damaged, or those of a refiner whose network has none of that moment. Left where they
    are, they would be taken for the newest ones.

    Args:
        folder: Where the resume points are.
        epoch: That of the moment with which the training goes on.
        step: Likewise.

    Returns:
        How many there were.
    """
    newest = _path(folder, epoch, step)
    later = [path for path in _points(folder) if path.name > newest.name]
    for path in later:
        path.unlink(missing_ok=True)
    return len(later)


def _path(folder: Path, epoch: int, step: int) -> Path:
    return folder / f"epoch{epoch:06d}-step{step:08d}.npz"


def _points(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch*.npz"))


def _refuse_infinite(point: ResumePoint) -> None:
    """Refuse to keep what no training can go on from."""
    if not all(is_finite(array) for array in point.arrays):
        raise RunError(
            f"The numbers of the network are not finite before epoch {point.epoch + 1}, step "
            f"{point.step + 1}; they are not saved.",
            hint="Lower training.learning_rate in the run's recipe.toml, and go on with --resume "
            "from what was saved before.",
        )


def is_finite(array: np.ndarray) -> bool:
    """Return whether an array holds neither infinities nor NaN; integers never do."""
    if not np.issubdtype(array.dtype, np.inexact):
        return True
    # A sum of finite numbers is mostly finite, and a sum costs less than a look at each.
    with np.errstate(invalid="ignore", over="ignore"):
        total = array.sum(dtype=np.float64)
    return bool(np.isfinite(total) or np.isfinite(array).all())


def _whole(path: Path) -> ResumePoint | None:
    """Return a resume point, None where it is damaged."""
    try:
        return _read(path)
    except DAMAGE as error:
        # A place in the file that cannot be.
        damaged = (None, errno.EINVAL)
        if isinstance(error, OSError) and error.errno not in damaged:
            # A disk that fails now may have it another time; nothing is told of the point.
            raise
        return None


def _read(path: Path) -> ResumePoint:
    # First, since NumPy reads headers before it has seen whether they are what was written.
    _verify(path)
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
        raise OSError(f"{path}: {damaged} is not what was written")
