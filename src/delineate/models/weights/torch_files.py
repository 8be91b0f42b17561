"""Tensors out of PyTorch checkpoints and safetensors files, without running any code in them."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import MissingExtraError, WeightsError, reason_of

State = dict[str, np.ndarray]

# Under which a checkpoint keeps its tensors, beside an optimizer's state and the like.
_NESTED = ("state_dict", "model_state_dict", "model")
# What DistributedDataParallel and torch.compile put before each name.
_PREFIXES = re.compile(r"((module|_orig_mod)\.)+")
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

    Raises:
        MissingExtraError: PyTorch is not installed.
        WeightsError: The file holds more than tensors, is damaged, or has no state dictionary.
    """
    try:
        import torch
    except ImportError as error:
        raise _missing("PyTorch checkpoint", path, "torch") from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is refused: it holds Python objects, which could run code when they are "
            "opened, and not tensors only.",
            hint="Save model.state_dict() with torch.save where you trust the file, or take a "
            "safetensors file.",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    return _plain({name: _array(value) for name, value in _state(loaded, path, torch).items()})


def safetensors_state(path: Path) -> State:
    """Return the tensors of a safetensors file by their names, as float32 where they are floats.

    Raises:
        MissingExtraError: The package safetensors is not installed.
        WeightsError: The file is damaged, or holds another type of numbers.
    """
    try:
        import safetensors
    except ImportError as error:
        raise _missing("safetensors file", path, "safetensors") from error
    try:
        found: Any = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
        return _plain({name: _decoded(stored) for name, stored in found})
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, error) from error


def _missing(what: str, path: Path, extra: str) -> MissingExtraError:
    return MissingExtraError(
        f"The {what} {path} needs the package {extra}, which is not installed.",
        hint=f"pip install 'delineate[{extra}]'",
    )


def _damaged(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"{path} cannot be read: {reason_of(error)}.",
        hint="Get the file again: it is cut short, damaged, or no file of tensors.",
    )


def _state(loaded: Any, path: Path, torch: Any) -> Mapping[str, Any]:
    for key in _NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    is_state = isinstance(loaded, Mapping) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in loaded.items()
    )
    if not is_state or not loaded:
        raise WeightsError(
            f"{path} holds no state dictionary: names and tensors, also under "
            f"{' or '.join(_NESTED)}.",
            hint="Save model.state_dict() with torch.save.",
        )
    return loaded  # type: ignore[no-any-return]


def _array(tensor: Any) -> np.ndarray:
    plain = tensor.detach().float() if tensor.is_floating_point() else tensor.detach()
    return np.asarray(plain.cpu().numpy())


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
