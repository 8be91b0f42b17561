"""Runs a Keras model."""

from pathlib import Path
from typing import Any

import numpy as np

from delineate.models.opening import open_model
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
    def open(cls, path: Path, *, ours: bool = False) -> "KerasRuntime":
        """Return the model in a ``.keras`` file, as fast as the backend can predict with it.

        Args:
            path: The file.
            ours: Whether delineate has written it on this machine.

        Raises:
            BundleError: Keras cannot open it.
        """
        return cls(quicken(open_model(path, ours=ours)))

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities.

        Args:
            images: float32 (batch, height, width, channels); sides divide by the stride.

        Returns:
            float32 (batch, height, width, classes), or one channel for two classes.
        """
        return np.asarray(self.model.predict_on_batch(images), np.float32)
