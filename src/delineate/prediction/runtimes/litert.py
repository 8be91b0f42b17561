"""Runs a LiteRT model (once TensorFlow Lite) on the processor."""

from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import BundleError, reason_of
from delineate.prediction.runtimes.extras import failures_told, needed
from delineate.share import cores


class LiteRtRuntime:
    """An opened LiteRT model.

    Args:
        interpreter: LiteRT's own.
    """

    granularity = 1

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    @classmethod
    def open(cls, path: Path) -> "LiteRtRuntime":
        """Return the model in a ``.tflite`` file.

        Raises:
            MissingExtraError: ai-edge-litert is not installed.
            BundleError: LiteRT cannot open it.
        """
        litert = needed("ai_edge_litert.interpreter", extra="litert", of="LiteRT models")
        try:
            return cls(litert.Interpreter(str(path), num_threads=cores()))
        except (ValueError, RuntimeError) as error:
            raise BundleError(
                f"LiteRT cannot open {path}: {reason_of(error)}.", hint="Export the model again."
            ) from error

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities.

        Args:
            images: float32 (batch, height, width, channels); sides divide by the stride.

        Returns:
            float32 (batch, height, width, classes), or one channel for two classes.
        """
        with failures_told("LiteRT"):
            if images.shape != self._shape:
                self._interpreter.resize_tensor_input(self._input, images.shape)
                self._interpreter.allocate_tensors()
                self._shape = images.shape
            self._interpreter.set_tensor(self._input, images)
            self._interpreter.invoke()
            found = self._interpreter.get_tensor(self._output)
        return np.asarray(found, np.float32)
