"""Runs an ONNX model by ONNX Runtime, on the processor or by TensorRT on an NVIDIA GPU."""

from pathlib import Path
from typing import Any

import numpy as np

from delineate.data.cache import default_folder
from delineate.errors import BackendError, BundleError, reason_of
from delineate.files import sha256
from delineate.prediction.runtimes.extras import failures_told, needed

_TENSORRT = "TensorrtExecutionProvider"


class OnnxRuntime:
    """An opened ONNX model.

    Args:
        session: ONNX Runtime's own.
    """

    granularity = 1

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    @classmethod
    def open(cls, path: Path) -> "OnnxRuntime":
        """Return the model in an ``.onnx`` file.

        Raises:
            MissingExtraError: onnxruntime is not installed.
            BundleError: ONNX Runtime cannot open it.
        """
        return cls(_session(path, ["CPUExecutionProvider"]))

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities.

        Args:
            images: float32 (batch, height, width, channels); sides divide by the stride.

        Returns:
            float32 (batch, height, width, classes), or one channel for two classes.
        """
        with failures_told("ONNX Runtime"):
            found = self._session.run(None, {self._input: images})[0]
        return np.asarray(found, np.float32)


class TensorRtRuntime(OnnxRuntime):
    """An ONNX model that TensorRT compiles for the NVIDIA GPU of this machine."""

    # Each new size is compiled anew: sizes are rounded up.
    granularity = 128

    @classmethod
    def open(cls, path: Path) -> "TensorRtRuntime":
        """Return the model in an ``.onnx`` file; what is compiled is kept in the user's cache.

        Raises:
            MissingExtraError: onnxruntime is not installed.
            BackendError: There is no NVIDIA GPU, or ONNX Runtime has no TensorRT.
            BundleError: ONNX Runtime cannot open it.
        """
        runtime = needed("onnxruntime", extra="tensorrt", of="TensorRT models")
        if _TENSORRT not in runtime.get_available_providers():
            raise _no_tensorrt()
        half = path.stem.endswith("float16")
        options: dict[str, Any] = {"trt_fp16_enable": half, "trt_engine_cache_enable": True}
        # Not in the bundle, whose files are those that it was saved with.
        cache = default_folder() / "tensorrt" / sha256(path)[:16]
        # TensorRT makes the last folder alone.
        cache.mkdir(parents=True, exist_ok=True)
        options["trt_engine_cache_path"] = str(cache)
        session = _session(path, [(_TENSORRT, options), "CUDAExecutionProvider"])
        # Without TensorRT's libraries it would compute on the processor, without a word.
        if session.get_providers()[0] != _TENSORRT:
            raise _no_tensorrt()
        # Nor may it go on without where TensorRT fails at its first image.
        session.disable_fallback()
        return cls(session)


def _no_tensorrt() -> BackendError:
    return BackendError(
        "TensorRT models need an NVIDIA GPU, TensorRT, and an ONNX Runtime that knows it.",
        hint="pip install 'delineate[tensorrt]' tensorrt, on a machine with an NVIDIA GPU.",
    )


def _session(path: Path, providers: list[Any]) -> Any:
    runtime = needed("onnxruntime", extra="onnx", of="ONNX models")
    # Some builds of it report their use.
    runtime.disable_telemetry_events()
    try:
        return runtime.InferenceSession(str(path), providers=providers)
    except Exception as error:
        raise BundleError(
            f"ONNX Runtime cannot open {path}: {reason_of(error)}.", hint="Export the model again."
        ) from error
