"""Tensors out of PyTorch checkpoints and safetensors files, without running any code in them."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from delineate.child import Limits, room_told, run_child
from delineate.errors import BundleError, MissingExtraError, WeightsError
from delineate.modelfiles.raw_tensors import taken
from delineate.modelfiles.torch_reading import unreadable

State = dict[str, np.ndarray]

# What DistributedDataParallel and torch.compile put before each name.
_PREFIXES = re.compile(r"((module|_orig_mod)\.)+")
# Numbers of eight bits become four times as large, and two names may have one tensor; so many times
# its size may the numbers of a checkpoint have, and so many bytes.
MOST_GROWTH, MOST_BYTES = 8, 6 * 2**30
# What the least checkpoint may hold, and what an answer may have.
_LEAST_BYTES, _ANSWER_BYTES = 64 * 2**20, 64 * 2**20
# PyTorch itself takes some of both before it reads anything.
_SECONDS, _MEMORY = 60.0, 3 * 10**9
# What a slow disk gives in a second, and how many bytes of memory each byte of a file may take: its
# tensors are all there at once, and the one that is converted is there again.
_PER_SECOND, _PER_BYTE = 10**8, 4
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
        WeightsError: The file is damaged, or holds another type of numbers.
    """
    try:
        import safetensors
    except ImportError as error:
        raise MissingExtraError(
            f"The safetensors file {path} needs the package safetensors, which is not installed.",
            hint="pip install 'delineate[safetensors]'",
        ) from error
    try:
        found: Any = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
        return _plain({name: _decoded(stored) for name, stored in found})
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise unreadable(str(path), error) from error


def _read(path: Path, values: Path) -> State:
    """Return what a child has read, with names as they are stored."""
    size = path.stat().st_size
    most = min(MOST_BYTES, max(_LEAST_BYTES, MOST_GROWTH * size))
    limits = Limits(
        seconds=_SECONDS + size / _PER_SECOND,
        memory=_MEMORY + _PER_BYTE * size,
        written=most + _ANSWER_BYTES,
    )
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
