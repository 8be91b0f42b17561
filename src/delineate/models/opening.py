"""A Keras model out of a file: one of our own, or one from elsewhere, which is looked at first.

Of a model from elsewhere Keras sees neither archive nor weights: its configuration is read and
bounded here, its numbers are read by another process, and both are put together again.
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from keras.src.backend.common import global_state

from delineate.errors import BundleError, WeightsError
from delineate.modelfiles.hdf5 import Tensor, dtype_kind, most_bytes, plain_copy, tensors_in
from delineate.modelfiles.keras_archive import config_of, extract_weights, refusal
from delineate.temporary import temporary_folder

# Under which Keras keeps the variables that wait for their first values.
_WAITING = "uninitialized_variables"
_MET = "Exception encountered:"


def open_model(path: Path, *, ours: bool = False) -> keras.Model:
    """Return the model in a ``.keras`` file, not compiled; custom objects and code are refused.

    Args:
        path: The file.
        ours: Whether delineate has written it on this machine: then Keras opens it as it is. A
            model from elsewhere is made of the classes of a table, and begins as its file says,
            without settings of training.

    Raises:
        BundleError: It is no such model, is refused, or does not fit into the limits.
    """
    return _own(path) if ours else _strange(path)


def _own(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError, AttributeError, BadZipFile) as error:
        raise BundleError(
            f"Keras cannot open {path}: {_reason(error)}.",
            hint="Copy the bundle again, or train again with this version of Keras.",
        ) from error


def _strange(path: Path) -> keras.Model:
    config = config_of(path)
    with temporary_folder(str(path)) as folder, _told(path):
        weights = folder / "weights.h5"
        extract_weights(path, weights)
        with plain_copy(weights, name=str(path)) as plain:
            weights.unlink()
            with _without_values():
                model = _built(config)
            _refuse_missing(path, model, tensors_in(plain))
            _refuse_bytes(path, model)
            _give_values(model)
            model.load_weights(plain)
    return model


def _built(config: dict[str, Any]) -> keras.Model:
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise TypeError("it is no model")
    return model


def _refuse_missing(path: Path, model: keras.Model, stored: Counter[Tensor]) -> None:
    """Refuse a model with a tensor that its file has not, before any memory is taken for it."""
    wanted = Counter(
        (tuple(map(int, each.shape)), dtype_kind(each.dtype)) for each in model.weights
    )
    missing = next(iter(wanted - stored), None)
    if missing is not None:
        shape, kind = missing
        raise refusal(
            path, f"a layer has a tensor of the shape {shape}, which the file has not as {kind}"
        )


def _refuse_bytes(path: Path, model: keras.Model) -> None:
    """Refuse a model that would take much more memory than its file has bytes."""
    needed = sum(math.prod(each.shape) * _bytes_of(each.dtype) for each in model.variables)
    most = most_bytes(path.stat().st_size)
    if needed > most:
        raise refusal(path, f"its layers would have {needed} bytes, and {most} is the most")


def _bytes_of(dtype: str) -> int:
    """Return how many bytes a number of one of Keras's types has."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


@contextmanager
def _without_values() -> Iterator[None]:
    """Let variables have shapes and no values, as long as the block lasts and after it.

    Keras gives them values later on, unless it forgets them: that it has no public name for.
    """
    with _kept_waiting(), keras.StatelessScope(initialize_variables=False):
        yield


def _give_values(model: keras.Model) -> None:
    """Give the variables of a model their first values, zeros, and no others.

    What its configuration names beside the graph is no part of it, and has shapes without bounds.
    """
    with _kept_waiting():
        global_state.set_global_attribute(_WAITING, list(model.variables))
        # Whoever leaves such a block gives values to all that wait for them.
        with keras.StatelessScope():
            pass
    # As Keras does with what it has built without values: PyTorch lists the variables.
    model._post_build()


@contextmanager
def _kept_waiting() -> Iterator[None]:
    """Let after the block the same variables wait for their first values as before it."""
    before = list(global_state.get_global_attribute(_WAITING, []))
    try:
        yield
    finally:
        global_state.set_global_attribute(_WAITING, before)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn whatever Keras raises of a configuration that it cannot build into an error of ours."""
    try:
        yield
    except BundleError:
        raise
    except WeightsError as error:
        raise BundleError(error.message, hint=error.hint) from error
    except Exception as error:
        raise refusal(path, _reason(error)) from error


def _reason(error: Exception) -> str:
    # Keras puts the reason behind the configuration that it could not use.
    _, met, why = str(error).rpartition(_MET)
    text = why if met else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0].rstrip(".")
