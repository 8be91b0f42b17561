"""Weights in HDF5, as Keras writes them: ``.weights.h5``, and the ``.h5`` of Keras 1 and 2.

A file is read by another process within limits, and what that says of it is written anew, unless it
is known to be what Keras publishes. Only groups and plain data sets inside the file are followed,
and a data set is read only once its shape is that of the variable it is for: a file cannot make us
read another, or fill the memory.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from delineate.errors import WeightsError
from delineate.modelfiles.hdf5 import plain_copy
from delineate.models.weights.tensors import Stored, Tensor, leaves_of, snake_case, variables_of

_DEEPEST = 32
_MOST_OBJECTS = 200_000


@contextmanager
def keras_weights(
    path: Path, model: keras.Model, *, in_order: bool = False, proven: bool = False
) -> Iterator[Stored]:
    """Yield the tensors of a file by the names that their layers have in a model.

    Args:
        path: The file, open within the block.
        model: What the tensors are for; it says how a file without names is ordered.
        in_order: Whether a file of Keras 1 or 2 with other names is taken in the order of its
            layers, as Keras does. Only for files that are known to be the encoder's.
        proven: Whether its checksum is a published one: then it is read as it is.

    Raises:
        WeightsError: It is cut short, damaged, or no file of weights.
        BundleError: It could not be read within the limits.
    """
    try:
        with (
            nullcontext(path) if proven else plain_copy(path) as plain,
            h5py.File(plain, "r") as file,
        ):
            yield _stored(file, path, model, in_order)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{path} cannot be read as a file of Keras weights: {str(error).rstrip('.')}.",
            hint="Get the file again: it is cut short or damaged.",
        ) from error


def _stored(file: Any, path: Path, model: keras.Model, in_order: bool) -> Stored:
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return _legacy(file, model, in_order)
    if "model_weights" in file:
        return _legacy(_inside(file, "model_weights"), model, in_order)
    if "layers" in file or "_layer_checkpoint_dependencies" in file:
        return _current(file, model)
    raise WeightsError(
        f"{path} is an HDF5 file, but none of Keras weights: it holds "
        f"{', '.join(sorted(file)[:3]) or 'nothing'}.",
        hint="Pass a file that Keras's save_weights or keras.applications has written.",
    )


# Keras 3


def _current(file: Any, model: keras.Model) -> Stored:
    by_place = _names_by_place(model)
    stored: dict[str, list[Tensor]] = {}
    for place, group in _groups_of_variables(file):
        numbers = sorted((key for key in group if key.isdecimal()), key=int)
        name = _text(group.attrs.get("name", ""))
        if not name or _counted(name) == _counted(place.rpartition("/")[2]):
            # A name that Keras gave counts the layers of the whole process.
            name = by_place.get(place, place)
        stored[name] = [_tensor(group, key, f"{place}/{key}") for key in numbers]
    return stored


def _counted(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _groups_of_variables(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield the place of each layer, and the group with its variables."""
    waiting, seen = [("", file, 0)], 0
    while waiting:
        place, group, depth = waiting.pop()
        for key in group:
            seen += 1
            if depth > _DEEPEST or seen > _MOST_OBJECTS:
                raise ValueError("its groups are too many, or too deep")
            if not _is_group(group, key):
                continue
            if key == "vars":
                yield place, group[key]
            else:
                waiting.append((f"{place}/{key}".lstrip("/"), group[key], depth + 1))


def _names_by_place(model: keras.Model, above: str = "") -> dict[str, str]:
    """Return the layers' names by the places that Keras gives them: class names, counted."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for layer in model.layers:
        kind = snake_case(type(layer).__name__)
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        place = f"{above}layers/{kind}" + (f"_{number}" if number else "")
        if isinstance(layer, keras.Model):
            found |= _names_by_place(layer, f"{place}/")
        else:
            found[place] = str(layer.name)
    return found


# Keras 1 and 2


def _legacy(group: Any, model: keras.Model, in_order: bool) -> Stored:
    stored: dict[str, list[Tensor]] = {}
    for name in _attributes(group, "layer_names"):
        layer = _inside(group, name)
        names = _attributes(layer, "weight_names")
        if names:
            stored[name] = [_tensor(layer, each, each) for each in names]
    weighty = [layer for layer in model.layers if layer.weights]
    known = {_key(layer.name): str(layer.name) for layer in weighty}
    renamed = {known.get(_key(name), name): tensors for name, tensors in stored.items()}
    if in_order and len(stored) == len(weighty) and not set(known.values()) <= set(renamed):
        names = [str(layer.name) for layer in weighty]
        renamed = dict(zip(names, stored.values(), strict=True))
    return _spread(renamed, model)


def _key(name: str) -> str:
    """Return a layer's name as Keras 3 spells it: Keras 2 had Conv/BatchNorm for conv_bn."""
    return name.lower().replace("/", "_").replace("batchnorm", "bn")


def _spread(stored: dict[str, list[Tensor]], model: keras.Model) -> Stored:
    """Return the tensors by the layers inside: Keras 2 writes those of an inner model together."""
    for inner in model.layers:
        if not isinstance(inner, keras.Model) or inner.name not in stored:
            continue
        owners = list(_owners(inner))
        tensors = stored.pop(inner.name)
        if len(owners) != len(tensors):
            raise ValueError(f"{inner.name} has {len(tensors)} tensors and not {len(owners)}")
        for owner, tensor in zip(owners, tensors, strict=True):
            stored.setdefault(owner, []).append(tensor)
    return stored


def _owners(inner: keras.Model) -> Iterator[str]:
    trained, still = [], []
    for layer in leaves_of(inner):
        trained += [str(layer.name)] * len(layer.trainable_variables)
        still += [str(layer.name)] * (len(variables_of(layer)) - len(layer.trainable_variables))
    return chain(trained, still)


def _attributes(group: Any, name: str) -> list[str]:
    """Return an attribute that is a list of names; a long one is in several pieces."""
    if name in group.attrs:
        return [_text(each) for each in group.attrs[name]]
    pieces: list[str] = []
    while (piece := f"{name}{len(pieces)}") in group.attrs:
        pieces.append(piece)
    return [_text(each) for piece in pieces for each in group.attrs[piece]]


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


# HDF5


def _is_group(group: Any, key: str) -> bool:
    return isinstance(group.get(key, getlink=True), h5py.HardLink) and isinstance(
        group.get(key), h5py.Group
    )


def _inside(group: Any, place: str) -> Any:
    """Return what a group holds, without following a link into another file."""
    for key in place.split("/"):
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ValueError(f"it has no {place}")
        group = group[key]
    return group


def _tensor(group: Any, place: str, name: str) -> Tensor:
    stored = _inside(group, place)
    if not isinstance(stored, h5py.Dataset) or stored.external or stored.is_virtual:
        raise ValueError(f"{name} is no data set of this file")
    if stored.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds no numbers")
    return Tensor(name, tuple(stored.shape), partial(_read, stored))


def _read(stored: Any) -> np.ndarray:
    return np.asarray(stored[()])
