"""Runs an OpenVINO model on the processor."""

from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import BundleError, reason_of
from delineate.prediction.runtimes.extras import failures_told, import_openvino

PRECISION = ["delineate", "precision"]
"""Where in the file it stands in which arithmetic the model runs."""

_HINTS = {"float32": "f32", "float16": "f32", "bfloat16": "bf16", "int8": "f32"}
# Models of one size are faster than one of any size, but each takes a second to compile: after so
# many sizes one of any size does for all others.
_MOST = 8


class OpenVinoRuntime:
    """An opened OpenVINO model.

    Args:
        core: OpenVINO's own.
        model: A model of images of any size, or of one.
    """

    granularity = 1

    def __init__(self, core: Any, model: Any) -> None:
        self._core, self._model = core, model
        # To ask takes as long as many an operation.
        self._is_dynamic = bool(model.is_dynamic())
        self._compiled: dict[tuple[int, ...], Any] = {}

    @classmethod
    def open(cls, path: Path) -> "OpenVinoRuntime":
        """Return the model in an ``.xml`` file, whose weights lie beside it.

        Raises:
            MissingExtraError: openvino is not installed.
            BundleError: OpenVINO cannot open it.
        """
        core = import_openvino().Core()
        try:
            return cls(core, core.read_model(path))
        except RuntimeError as error:
            raise BundleError(
                f"OpenVINO cannot open {path}: {reason_of(error)}.", hint="Export the model again."
            ) from error

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities.

        Args:
            images: float32 (batch, height, width, channels); sides divide by the stride.

        Returns:
            float32 (batch, height, width, classes), or one channel for two classes.
        """
        with failures_told("OpenVINO"):
            found = self._of(images.shape)(images, share_outputs=True)[0]
        # Copied once, before the next run writes over it.
        return np.array(found, np.float32)

    def _of(self, shape: tuple[int, ...]) -> Any:
        """Return the compiled model for a shape."""
        model = self._model
        full = shape not in self._compiled and len(self._compiled) >= _MOST
        if full or not self._is_dynamic:
            shape = ()
        if shape not in self._compiled:
            if shape:
                model = model.clone()
                model.reshape(list(shape))
            self._compiled[shape] = self._core.compile_model(model, "CPU", self._settings())
        return self._compiled[shape]

    def _settings(self) -> dict[str, str]:
        precision = "float32"
        if self._model.has_rt_info(PRECISION):
            precision = str(self._model.get_rt_info(PRECISION).astype(str))
        # Unset, OpenVINO takes whatever arithmetic is fast on this processor.
        hint = _HINTS.get(precision, "f32")
        return {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
