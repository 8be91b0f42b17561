"""HDF5 files from elsewhere: a child with limits reads them, and what it says is written anew.

A fault in the HDF5 library that a file was made to find is thus met by a process that has nothing
open and is given up after a while. It is no sandbox.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from delineate.child import Limits, run_child
from delineate.errors import WeightsError
from delineate.modelfiles.raw_tensors import bytes_allowed, taken
from delineate.temporary import room_told, temporary_folder

Tensor = tuple[tuple[int, ...], str]
"""A shape, and the type of its numbers: that of a float by its name, or "integers"."""

# Weights hardly shrink: so many times its size may the numbers of a file have.
MOST_GROWTH = 16


@contextmanager
def plain_copy(path: Path, *, name: str = "") -> Iterator[Path]:
    """Yield an HDF5 file, written here, with the groups, numbers and texts of one from elsewhere.

    Args:
        path: The file from elsewhere.
        name: What errors call it; unset: its path.

    Raises:
        WeightsError: It is damaged, or holds anything but groups and numbers.
        BundleError: It could not be read within the limits, or the temporary folder has no room.
    """
    name = name or str(path)
    with temporary_folder(name) as folder:
        yield _copied(path, folder, name)


def most_bytes(size: int) -> int:
    """Return how many bytes the numbers may have that come out of a file.

    Args:
        size: Of the file, in bytes.
    """
    return bytes_allowed(size, growth=MOST_GROWTH)


def dtype_kind(dtype: str) -> str:
    """Return the type of a tensor, given what NumPy or Keras calls it.

    Example:
        >>> dtype_kind("float32"), dtype_kind("uint8")
        ('float32', 'integers')
    """
    # Backends hold the same integers by other types; there are few of them in a model.
    return dtype if "float" in dtype else "integers"


def tensors_in(path: Path) -> Counter[Tensor]:
    """Return how many tensors of each kind a file written by :func:`plain_copy` holds."""
    found: Counter[Tensor] = Counter()

    def count(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[tuple(item.shape), dtype_kind(item.dtype.name)] += 1

    with h5py.File(path, "r") as file:
        file.visititems(count)
    return found


def _copied(path: Path, folder: Path, name: str) -> Path:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(name, error.strerror) from error
    most = most_bytes(size)
    limits = Limits.for_file(size, numbers=most)
    values, plain = folder / "values", folder / "plain.weights.h5"
    said = {"file": str(path.resolve()), "to": str(values), "most": most, "name": name}
    with room_told(name):
        found = run_child("delineate.modelfiles.hdf5_reading", said, limits=limits, name=name)
    try:
        with room_told(name):
            _write(plain, found, values)
    except (AttributeError, KeyError, OSError, TypeError, ValueError, RuntimeError) as error:
        raise _unreadable(name, str(error)) from error
    values.unlink()
    return plain


def _unreadable(name: str, reason: str | None) -> WeightsError:
    return WeightsError(
        f"{name} cannot be read as a file of Keras weights: {str(reason).rstrip('.')}.",
        hint="Get the file again: it is cut short or damaged.",
    )


def _write(path: Path, found: Any, values: Path) -> None:
    """Write what a child has said; it is believed as little as the file that it has read."""
    # The newest format has no limit of 64 KiB for attributes.
    with h5py.File(path, "w", libver="latest") as file:
        for group in found["groups"]:
            place = str(group["place"])
            _name(file.require_group(place) if place else file, group["attributes"])
        tensors = found["tensors"]
        for tensor, array in zip(tensors, taken(values, tensors), strict=True):
            _name(file.create_dataset(str(tensor["place"]), data=array), tensor["attributes"])


def _name(item: Any, attributes: dict[str, Any]) -> None:
    for key, value in attributes.items():
        if not isinstance(value, list):
            item.attrs[key] = str(value)
        elif not value:
            item.attrs[key] = np.zeros(0)
        else:
            texts = np.array([str(each) for each in value], object)
            item.attrs.create(key, texts, dtype=h5py.string_dtype())
