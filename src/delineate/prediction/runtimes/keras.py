"""Runs a Keras model."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from delineate.errors import BundleError, reason_of
from delineate.models.quick import quicken


class KerasRuntime:
    """An opened Keras model.

    Args:
        model: A model that ends in probabilities.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        # XLA (JAX, TensorFlow on a GPU) compiles each new shape anew: sizes are rounded up.
        self.granularity = 128 if model.jit_compile else 1

    @classmethod
    def open(cls, path: Path) -> "KerasRuntime":
        """Return the model in a ``.keras`` file, as fast as the backend can predict with it.

        Raises:
            BundleError: Keras cannot open it.
        """
        return cls(quicken(load(path)))

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities.

        Args:
            images: float32 (batch, height, width, channels); sides divide by the stride.

        Returns:
            float32 (batch, height, width, classes), or one channel for two classes.
        """
        return np.asarray(self.model.predict_on_batch(images), np.float32)


def load(path: Path) -> keras.Model:
    """Return the model in a ``.keras`` file; custom objects and code are refused.

    Args:
        path: The file.

    Raises:
        BundleError: Keras cannot open it.
    """
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError, AttributeError, BadZipFile) as error:
        raise BundleError(
            f"Keras cannot open {path}: {reason_of(error)}.",
            hint="Copy the bundle again, or train again with this version of Keras.",
        ) from error
