"""The formats of exports: what writes each, by TensorFlow, and in which arithmetic it can run."""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from delineate.exporting.calibration import Calibration
from delineate.exporting.channels_first import end_channels_first
from delineate.prediction.runtimes.extras import hide_telemetry, import_openvino, needed
from delineate.prediction.runtimes.openvino import PRECISION

Write = Callable[[keras.Model, Path, str, Calibration], None]


@dataclass(frozen=True)
class Format:
    """A format of exports.

    Attributes:
        write: Writes a model that computes in float32 to such a file.
        file: The model's file, below the bundle's folder; ``{precision}`` stands for that.
        engine: What runs it.
        module: What that is imported as; several packages may bring it.
        precisions: In which precisions it can be written; of float16 most engines take the
            weights only.
        spares: How many convolutions can be left in floating point where int8 loses too much.
    """

    write: Write
    file: str
    engine: str
    module: str
    precisions: tuple[str, ...]
    spares: int = 0

    def engine_version(self) -> str:
        """Return the engine's name and version."""
        hide_telemetry()
        return f"{self.engine} {import_module(self.module).__version__}"


# What OpenVINO calls convolutions.
_CONVOLVING = ("Convolution", "GroupConvolution", "ConvolutionBackpropData")


def _export(model: keras.Model, path: Path, kind: str, **said: Any) -> None:
    """Let Keras write a model of images of any size, or of the one that it has."""
    inputs = keras.InputSpec(shape=model.input_shape, dtype="float32", name="image")
    # Converters warn of their own making.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(str(path), format=kind, verbose=False, input_signature=[inputs], **said)


def openvino(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write an OpenVINO model, for processors; bfloat16 and int8 run fastest."""
    engine = import_openvino()
    _export(model, path, "openvino")
    found = engine.Core().read_model(path)
    end_channels_first(found)
    if precision == "int8":
        found = _quantized(found, calibration)
    found.set_rt_info(precision, PRECISION)
    fresh = path.with_name(f"fresh-{path.name}")
    engine.save_model(found, fresh, compress_to_fp16=precision in ("float16", "bfloat16"))
    # OpenVINO has the file of the weights open until its model is gone.
    del found
    for suffix in (".bin", ".xml"):
        fresh.with_suffix(suffix).replace(path.with_suffix(suffix))


def _quantized(model: Any, calibration: Calibration) -> Any:
    hide_telemetry()
    nncf = needed("nncf", extra="openvino", of="int8 exports")
    ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet
    # Its own ranges are means over images: bright ones among dark ones would be cut off. Correcting
    # the biases then loses more than it gains.
    advanced = nncf.AdvancedQuantizationParameters(
        activations_range_estimator_params=ranges.HISTOGRAM,
        disable_bias_correction=True,
    )
    operations = model.get_ordered_ops()
    first = [each.get_friendly_name() for each in operations if each.get_type_name() in _CONVOLVING]
    with _quiet("nncf"):
        return nncf.quantize(
            model,
            nncf.Dataset(list(calibration.samples)),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration.samples),
            ignored_scope=nncf.IgnoredScope(names=first[: calibration.spared]),
            advanced_parameters=advanced,
        )


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Let a package tell errors only. NNCF's own way would silence others' handlers, too."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def onnx(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write an ONNX model, which ONNX Runtime runs nearly everywhere."""
    package = needed("onnx", extra="onnx", of="ONNX exports")
    needed("tf2onnx", extra="onnx", of="ONNX exports")
    _export(model, path, "onnx")
    if precision == "float16":
        convert = needed(
            "onnxruntime.transformers.float16", extra="onnx", of="float16 exports"
        ).convert_float_to_float16
        package.save(convert(package.load(str(path)), keep_io_types=True), str(path))
    if precision == "int8":
        _quantize_onnx(path, calibration)


def _quantize_onnx(path: Path, calibration: Calibration) -> None:
    quantization = needed("onnxruntime.quantization", extra="onnx", of="int8 exports")
    shapes = needed("onnxruntime.quantization.shape_inference", extra="onnx", of="int8 exports")
    runtime = needed("onnxruntime", extra="onnx", of="int8 exports")
    # Some builds of it report their use.
    runtime.disable_telemetry_events()
    name = runtime.InferenceSession(str(path)).get_inputs()[0].name

    prepared = path.with_name(f"prepared-{path.name}")
    shapes.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    package = needed("onnx", extra="onnx", of="int8 exports")
    nodes = package.load(str(prepared)).graph.node
    first = [node.name for node in nodes if node.op_type == "Conv"]
    quantization.quantize_static(
        str(prepared),
        str(path),
        _Reader(name, calibration.samples),
        nodes_to_exclude=first[: calibration.spared],
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.MinMax,
    )
    prepared.unlink()


class _Reader:
    """Gives one sample after the other, and then None."""

    def __init__(self, name: str, samples: Iterable[np.ndarray]) -> None:
        self._name, self._rest = name, iter(samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input by its name."""
        sample = next(self._rest, None)
        return None if sample is None else {self._name: sample}


def litert(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write a LiteRT model (once TensorFlow Lite), for phones and small machines."""
    import tensorflow as tf

    said: dict[str, Any] = {}
    if precision != "float32":
        said["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        said["target_spec"] = {"supported_types": [tf.float16]}
    if precision == "int8":
        said["representative_dataset"] = lambda: ([sample] for sample in calibration.samples)
    _export(model, path, "litert", **said)


def savedmodel(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write a TensorFlow SavedModel, for TensorFlow Serving."""
    _export(model, path.parent, "tf_saved_model")


def tensorrt(model: keras.Model, path: Path, precision: str, calibration: Calibration) -> None:
    """Write an ONNX model that TensorRT compiles where it runs, on an NVIDIA GPU."""
    # It is compiled from float32, whatever it runs in.
    onnx(model, path, "float32", calibration)


OPENVINO = Format(
    openvino,
    "model.xml",
    "OpenVINO",
    "openvino",
    ("float32", "float16", "bfloat16", "int8"),
    spares=1,
)
ONNX = Format(
    onnx, "model.onnx", "ONNX Runtime", "onnxruntime", ("float32", "float16", "int8"), spares=1
)
LITERT = Format(litert, "model.tflite", "LiteRT", "ai_edge_litert", ("float32", "float16", "int8"))
SAVEDMODEL = Format(
    savedmodel, "savedmodel/saved_model.pb", "TensorFlow", "tensorflow", ("float32",)
)
TENSORRT = Format(
    tensorrt,
    "model-{precision}.onnx",
    "TensorRT by ONNX Runtime",
    "onnxruntime",
    ("float32", "float16"),
)
