"""Models written in a format by TensorFlow, which writes those of images of any size."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from delineate.catalog import find
from delineate.errors import MissingExtraError

_WRITER = "tensorflow"


def write_model(
    source: Path,
    target: Path,
    *,
    format: str,  # noqa: A002 - the word of the command line
    precision: str,
    samples: Sequence[np.ndarray] = (),
) -> None:
    """Write a Keras model in a format.

    On another backend than TensorFlow it is done in a process of its own, since a process has one
    backend: JAX and PyTorch write models of one size only.

    Args:
        source: The ``.keras`` file.
        target: The model's file in that format.
        format: A name in the table of formats.
        precision: One of the format's.
        samples: Inputs to calibrate int8 with, each float32 (1, height, width, channels).

    Raises:
        BundleError: Keras cannot open the model.
        MissingExtraError: TensorFlow, or what converts to the format, is not installed.
        OSError: It cannot be written.
    """
    if find_spec(_WRITER) is None:
        raise MissingExtraError(
            "Exports are written by TensorFlow, which is not installed.",
            hint="pip install 'delineate[tensorflow]'",
        )
    import keras

    if keras.backend.backend() == _WRITER:
        _write(source, target, format, precision, samples)
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(_write_elsewhere, source, target, format, precision, samples).result()


def _write_elsewhere(
    source: Path, target: Path, name: str, precision: str, samples: Sequence[np.ndarray]
) -> None:
    # Before Keras is imported: this process has done nothing yet.
    os.environ["KERAS_BACKEND"] = _WRITER
    _write(source, target, name, precision, samples)


def _write(
    source: Path, target: Path, name: str, precision: str, samples: Sequence[np.ndarray]
) -> None:
    from delineate.export.precision import in_float32
    from delineate.prediction.runtimes.keras import KerasRuntime

    model = in_float32(KerasRuntime.open(source).model)
    target.parent.mkdir(parents=True, exist_ok=True)
    find("formats", name).write(model, target, precision, samples)
