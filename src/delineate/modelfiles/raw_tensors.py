"""Tensors that a child hands over: their numbers in one file, and what they are in its answer."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

# What the numbers of the least file may have, and those of any file.
_LEAST_BYTES, MOST_BYTES = 64 * 2**20, 6 * 2**30
_TYPES = frozenset(
    {
        *("<f2", "<f4", "<f8", "|b1"),
        *("|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8"),
    }
)


def bytes_allowed(size: int, *, growth: int) -> int:
    """Return how many bytes the numbers may have that come out of a file.

    Args:
        size: Of the file, in bytes.
        growth: How many times as many they may be.
    """
    return min(MOST_BYTES, max(_LEAST_BYTES, growth * size))


def put(out: IO[bytes], values: np.ndarray) -> dict[str, Any]:
    """Write the numbers of a tensor, and return its ``dtype`` and ``shape`` as plain values.

    Args:
        out: Where they go, behind those of the tensor before it, little-endian.
        values: Numbers of any shape and type.
    """
    plain = np.ascontiguousarray(values)
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    out.write(plain.reshape(-1).view(np.uint8).data)
    return {"dtype": plain.dtype.str, "shape": list(values.shape)}


def taken(path: Path, said: Sequence[Mapping[str, Any]]) -> Iterator[np.ndarray]:
    """Yield the tensors that a child has put into a file.

    It is believed as little as the file that it has read.

    Args:
        path: The file.
        said: What :func:`put` has returned for each of them, perhaps with more.

    Raises:
        ValueError: They are no tensors of numbers, or more than the file has.
        KeyError: It is something else, and likewise TypeError.
        OSError: The file cannot be read.
    """
    size, start = path.stat().st_size, 0
    for tensor in said:
        dtype, shape = _type_of(tensor["dtype"]), _shape_of(tensor["shape"])
        count = math.prod(shape)
        end = start + count * dtype.itemsize
        if end > size:
            raise ValueError("it breaks off")
        # The file is not left open between two of them.
        yield np.fromfile(path, dtype, count, offset=start).reshape(shape)
        start = end


def _type_of(name: Any) -> np.dtype[Any]:
    if name not in _TYPES:
        raise ValueError(f"it has numbers of the type {name}")
    return np.dtype(str(name))


def _shape_of(sides: Any) -> tuple[int, ...]:
    if not all(type(side) is int and side >= 0 for side in sides):
        raise ValueError("it has a tensor without a shape")
    return tuple(sides)
