"""Reads an HDF5 file from elsewhere, as a program of its own: the library has faults of its own.

It is started by :mod:`delineate.modelfiles.hdf5`, and answers with plain values; the numbers go to
a file, one tensor after the other, little-endian.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from delineate.child import Arrays, serve
from delineate.errors import WeightsError
from delineate.modelfiles.raw_tensors import put
from delineate.temporary import room_told

DEEPEST = 32
MOST_OBJECTS = 50_000
# Types of the numbers that are read, and the most bytes of one.
KINDS, WIDEST = "fiub", 8
# Whoever takes them may need four for each, however few are stored.
_LEAST_OF_ONE = 4

Attributes = dict[str, str | list[str]]


def read(said: Mapping[str, Any], _: Arrays) -> dict[str, Any]:
    """Return the groups and tensors of a file, and write the numbers.

    Args:
        said: ``file``; ``to``, where the numbers go; ``most``, how many bytes they may have;
            ``name``, what the file is called in errors.

    Returns:
        ``groups``: each a ``place`` and ``attributes``, those that are text. ``tensors``: the same
        with ``dtype`` and ``shape``.

    Raises:
        WeightsError: It is damaged, too large, or holds anything but groups and numbers.
        BundleError: There is no room for the numbers.
    """
    try:
        with (
            room_told(said["name"]),
            h5py.File(said["file"], "r") as file,
            Path(said["to"]).open("wb") as out,
        ):
            return _contents(file, out, said["most"])
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{said['name']} cannot be read as a file of Keras weights: {str(error).rstrip('.')}.",
            hint="Get the file again: it is cut short, damaged, or holds more than weights.",
        ) from error


def _contents(file: Any, out: IO[bytes], most: int) -> dict[str, Any]:
    groups, tensors, left = [], [], most
    for place, item in _items(file):
        about = {"place": place, "attributes": _attributes(item)}
        if isinstance(item, h5py.Group):
            groups.append(about)
            continue
        left -= _bytes_of(item, place)
        if left < 0:
            raise ValueError(f"its numbers have more than {most} bytes")
        tensors.append({**about, **put(out, np.asarray(item[()]))})
    return {"groups": groups, "tensors": tensors}


def _items(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield the groups and data sets of a file, each by its place; links are refused."""
    waiting, seen = [("", file, 0)], 0
    while waiting:
        place, group, depth = waiting.pop()
        yield place, group
        for key in group:
            seen += 1
            if depth > DEEPEST or seen > MOST_OBJECTS:
                raise ValueError("its groups are too many, or too deep")
            inner = f"{place}/{key}".lstrip("/")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise ValueError(f"{inner} is a link")
            item = group[key]
            if isinstance(item, h5py.Group):
                waiting.append((inner, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield inner, item


def _bytes_of(item: Any, place: str) -> int:
    """Return how many bytes a data set's numbers have, or may soon have."""
    if item.external or item.is_virtual:
        raise ValueError(f"{place} is no data set of this file")
    if item.shape is None or item.dtype.kind not in KINDS or item.dtype.itemsize > WIDEST:
        raise ValueError(f"{place} holds no numbers")
    return math.prod(map(int, item.shape)) * max(_LEAST_OF_ONE, int(item.dtype.itemsize))


def _attributes(item: Any) -> Attributes:
    """Return the attributes that are a text, or a list of texts."""
    found: Attributes = {}
    for name in item.attrs:
        value = item.attrs[name]
        if isinstance(value, str | bytes):
            found[str(name)] = _text(value)
        elif isinstance(value, np.ndarray) and value.ndim == 1:
            texts = value.tolist()
            if all(isinstance(each, str | bytes) for each in texts):
                found[str(name)] = [_text(each) for each in texts]
    return found


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    serve(read)
