"""Reads a PyTorch checkpoint from elsewhere, as a program of its own: a pickle says what is built.

It is started by :mod:`delineate.models.weights.torch_files`, and answers with plain values; the
numbers go to a file, one tensor after the other.
"""

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from delineate.child import Arrays, serve
from delineate.errors import MissingExtraError, WeightsError, reason_of
from delineate.modelfiles.raw_tensors import put
from delineate.temporary import room_told

# Under which a checkpoint keeps its tensors, beside an optimizer's state and the like.
_NESTED = ("state_dict", "model_state_dict", "model")
_FLOAT_BYTES = 4
# What PyTorch and its unpickler raise of a damaged file, or one that is made to do harm.
_DAMAGE = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError),
    *(OSError, RuntimeError, TypeError, ValueError, struct.error),
)


def read(said: Mapping[str, Any], _: Arrays) -> dict[str, Any]:
    """Return the tensors of a checkpoint, and write their numbers, floats as float32.

    Args:
        said: ``file``; ``to``, where the numbers go; ``most``, how many bytes they may have;
            ``name``, what the file is called in errors.

    Returns:
        ``tensors``: each a ``name``, ``dtype`` and ``shape``.

    Raises:
        MissingExtraError: PyTorch is not installed.
        WeightsError: The file holds more than tensors, is damaged, or has no state dictionary.
        BundleError: There is no room for the numbers.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            f"The PyTorch checkpoint {said['name']} needs the package torch, which is not "
            "installed.",
            hint="pip install 'delineate[torch]'",
        ) from error
    try:
        with room_told(said["name"]), Path(said["to"]).open("wb") as out:
            loaded = torch.load(said["file"], map_location="cpu", weights_only=True)
            state = _state(loaded, said["name"], torch)
            return {"tensors": _put(state, out, said["most"])}
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{said['name']} is refused: it holds Python objects, which could run code when they "
            "are opened, and not tensors only.",
            hint="Save model.state_dict() with torch.save where you trust the file, or take a "
            "safetensors file.",
        ) from error
    except _DAMAGE as error:
        raise unreadable(said["name"], error) from error


def unreadable(name: str, error: Exception) -> WeightsError:
    """Return the error for a file of tensors that cannot be read.

    Args:
        name: What the file is called.
        error: What a library has raised.
    """
    return WeightsError(
        f"{name} cannot be read: {reason_of(error)}.",
        hint="Get the file again: it is cut short, damaged, or no file of tensors.",
    )


def _state(loaded: Any, name: str, torch: Any) -> Mapping[str, Any]:
    for key in _NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    is_state = isinstance(loaded, Mapping) and all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in loaded.items()
    )
    if not is_state or not loaded:
        raise WeightsError(
            f"{name} holds no state dictionary: names and tensors, also under "
            f"{' or '.join(_NESTED)}.",
            hint="Save model.state_dict() with torch.save.",
        )
    return loaded  # type: ignore[no-any-return]


def _put(state: Mapping[str, Any], out: IO[bytes], most: int) -> list[dict[str, Any]]:
    """Write the numbers of tensors, once it is known how many there are; return what they are."""
    found, left = [], most
    for name, tensor in state.items():
        left -= _bytes_of(tensor, name)
        if left < 0:
            raise ValueError(f"its numbers have more than {most} bytes")
        found.append({"name": name, **put(out, _array(tensor))})
    return found


def _bytes_of(tensor: Any, name: str) -> int:
    """Return how many bytes a tensor's numbers are going to have."""
    # A pickle may say any shape of a storage, with steps of nothing.
    count = int(tensor.numel())
    if count * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(f"{name} has more numbers than are stored of it")
    return count * (_FLOAT_BYTES if tensor.is_floating_point() else int(tensor.element_size()))


def _array(tensor: Any) -> np.ndarray:
    plain = tensor.detach().float() if tensor.is_floating_point() else tensor.detach()
    return np.asarray(plain.cpu().numpy())


if __name__ == "__main__":
    serve(read)
