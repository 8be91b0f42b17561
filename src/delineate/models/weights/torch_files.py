"""Tensors out of PyTorch checkpoints and safetensors files, without running any code in them."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from delineate.child import Limits, run_child
from delineate.errors import BundleError, MissingExtraError, WeightsError
from delineate.modelfiles.raw_tensors import bytes_allowed, taken
from delineate.modelfiles.torch_reading import unreadable
from delineate.models.weights.kinds import refuse_large
from delineate.temporary import room_told

State = dict[str, np.ndarray]

# What DistributedDataParallel and torch.compile put before each name.
_PREFIXES = re.compile(r"((module|_orig_mod)\.)+")
# Numbers of eight bits become four times as large, and two names may have one tensor: so many times
# its size may the numbers of a checkpoint have.
MOST_GROWTH = 8
# PyTorch itself takes some time and memory before it reads anything.
_SECONDS, _MEMORY = 60.0, 3 * 10**9
# How many bytes of memory each byte of a file may take: its tensors are all there at once, and the
# one that is converted is there again; and what any file may take at the most.
_PER_BYTE, _MOST_MEMORY = 4, 16 * 10**9
# Of a safetensors file: the format allows a header of 100 MB, and encoders have one of kilobytes.
_LENGTH_BYTES, _MOST_HEADER, _MOST_TENSORS = 8, 8 * 2**20, 50_000
_SAFETENSORS_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def torch_state(path: Path) -> State:
    """Return the tensors of a PyTorch checkpoint by their names, as float32 where they are floats.

    Another process with limits opens it: a checkpoint is a pickle, which says what is to be built.

    Raises:
        MissingExtraError: PyTorch is not installed.
        WeightsError: The file holds more than tensors, is damaged, has no state dictionary, could
            not be read within the limits, or the temporary folder has no room for its numbers.
    """
    try:
        with room_told(str(path)), TemporaryDirectory() as folder:
            return _plain(_read(path, Path(folder) / "values"))
    except BundleError as error:
        raise WeightsError(error.message, hint=error.hint) from error
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise unreadable(str(path), error) from error


def safetensors_state(path: Path) -> State:
    """Return the tensors of a safetensors file by their names, as float32 where they are floats.

    Raises:
        MissingExtraError: The package safetensors is not installed.
        WeightsError: The file is damaged, too large, or holds another type of numbers.
    """
    try:
        import safetensors
    except ImportError as error:
        raise MissingExtraError(
            f"The safetensors file {path} needs the package safetensors, which is not installed.",
            hint="pip install 'delineate[safetensors]'",
        ) from error
    try:
        _refuse_long_header(path)
        found: Any = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
        return _plain(_all_decoded(found))
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, MemoryError) as error:
        raise unreadable(str(path), error) from error


def _refuse_long_header(path: Path) -> None:
    """Refuse a file before it is read whose header alone would take much memory."""
    size = refuse_large(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if length > min(_MOST_HEADER, size - _LENGTH_BYTES):
            raise ValueError(f"it says that its header has {length} bytes")
        # Each tensor is an object in it.
        count = file.read(length).count(b"{")
    if count > _MOST_TENSORS:
        raise ValueError(f"its header names more than {_MOST_TENSORS} tensors")


def _all_decoded(found: list[tuple[str, Mapping[str, Any]]]) -> State:
    """Return tensors by their names; each is given up as soon as it is decoded."""
    state = {}
    found.reverse()
    while found:
        name, stored = found.pop()
        state[name] = _decoded(stored)
    return state


def _read(path: Path, values: Path) -> State:
    """Return what a child has read, with names as they are stored."""
    size = refuse_large(path)
    most = bytes_allowed(size, growth=MOST_GROWTH)
    memory = min(_MEMORY + _PER_BYTE * size, _MOST_MEMORY)
    limits = Limits.for_file(size, seconds=_SECONDS, memory=memory, numbers=most)
    found = run_child(
        "delineate.modelfiles.torch_reading",
        {"file": str(path.resolve()), "to": str(values), "most": most, "name": str(path)},
        accelerated=False,
        limits=limits,
        name=str(path),
    )
    names = [str(tensor["name"]) for tensor in found["tensors"]]
    return dict(zip(names, taken(values, found["tensors"]), strict=True))


def _decoded(stored: Mapping[str, Any]) -> np.ndarray:
    kind = stored["dtype"]
    if kind == "BF16":
        # The upper half of a float32.
        halves = np.frombuffer(stored["data"], "<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(stored["shape"])
    if kind not in _SAFETENSORS_TYPES:
        raise ValueError(f"numbers of the type {kind} are not read")
    values = np.frombuffer(stored["data"], _SAFETENSORS_TYPES[kind]).reshape(stored["shape"])
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _plain(state: State) -> State:
    if all(_PREFIXES.match(name) for name in state):
        return {_PREFIXES.sub("", name, count=1): value for name, value in state.items()}
    return state
