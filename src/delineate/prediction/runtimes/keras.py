"""Runs a Keras model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from delineate.errors import BundleError


class KerasRuntime:
    """An opened Keras model.

    Args:
        model: A model that ends in probabilities.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        # Each new shape is compiled anew on JAX, so that sizes are rounded up there.
        self.granularity = 128 if keras.backend.backend() == "jax" else 1

    @classmethod
    def open(cls, path: Path) -> "KerasRuntime":
        """Return the model in a ``.keras`` file; custom objects and code are refused.

        Raises:
            BundleError: Keras cannot open it.
        """
        try:
            return cls(keras.saving.load_model(path, compile=False, safe_mode=True))
        except (ValueError, TypeError, OSError, KeyError) as error:
            raise BundleError(
                f"Keras cannot open {path}: {str(error).splitlines()[0]}.",
                hint="Copy the bundle again, or train again with this version of Keras.",
            ) from error

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities.

        Args:
            images: float32 (batch, height, width, channels); sides divide by the stride.

        Returns:
            float32 (batch, height, width, classes), or one channel for two classes.
        """
        return np.asarray(self.model.predict_on_batch(images), np.float32)
