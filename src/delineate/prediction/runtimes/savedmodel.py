"""Runs a TensorFlow SavedModel."""

from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import BundleError, reason_of
from delineate.prediction.runtimes.extras import failures_told, needed


class SavedModelRuntime:
    """An opened SavedModel.

    Args:
        model: TensorFlow's own; it is kept, since its function does not keep its weights.
        serve: Its function.
    """

    granularity = 1

    def __init__(self, model: Any, serve: Any) -> None:
        self._model, self._serve = model, serve

    @classmethod
    def open(cls, path: Path) -> "SavedModelRuntime":
        """Return the model whose ``saved_model.pb`` is named.

        Raises:
            MissingExtraError: TensorFlow is not installed.
            BundleError: TensorFlow cannot open it.
        """
        tensorflow = needed("tensorflow", extra="tensorflow", of="SavedModels")
        try:
            model = tensorflow.saved_model.load(str(path.parent))
            return cls(model, model.serve)
        except (OSError, ValueError, AttributeError) as error:
            raise BundleError(
                f"TensorFlow cannot open {path}: {reason_of(error)}.",
                hint="Export the model again.",
            ) from error

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities.

        Args:
            images: float32 (batch, height, width, channels); sides divide by the stride.

        Returns:
            float32 (batch, height, width, classes), or one channel for two classes.
        """
        with failures_told("TensorFlow"):
            return np.asarray(self._serve(images), np.float32)
