"""Runs a Keras model."""

from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import BundleError, reason_of
from delineate.models.machine import is_memory_full
from delineate.models.opening import open_model
from delineate.models.quick import quicken

# Characters that are told of an error of Keras's.
_TOLD = 300


class KerasRuntime:
    """An opened Keras model.

    Args:
        model: A model that ends in probabilities.
        opened: Whether it comes out of a file. What fails in a training is told there.
    """

    def __init__(self, model: Any, *, opened: bool = False) -> None:
        self.model, self._opened = model, opened
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
        return cls(quicken(open_model(path, ours=ours)), opened=True)

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities.

        Args:
            images: float32 (batch, height, width, channels); sides divide by the stride.

        Returns:
            float32 (batch, height, width, classes), or one channel for two classes.

        Raises:
            BundleError: Keras fails with a model out of a file: some meet what they lack at the
                first image only.
        """
        try:
            return np.asarray(self.model.predict_on_batch(images), np.float32)
        except Exception as error:
            if not self._opened:
                raise
            raise BundleError(
                f"Keras cannot predict with this model: {reason_of(error)[:_TOLD]}.",
                hint="Close other programs, or take smaller images or a smaller network."
                if is_memory_full(error)
                else "Get the bundle again, or another one.",
            ) from error
