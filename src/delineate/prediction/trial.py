"""Opens a model from elsewhere and runs it once, as a program of its own within limits.

It is started by :mod:`delineate.prediction.strangers`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from delineate.catalog import find
from delineate.child import Arrays, serve
from delineate.errors import BundleError, DelineateError, reason_of
from delineate.modelfiles import onnx_graph, openvino_graph
from delineate.prediction.runtimes.extras import needed


def try_out(said: Mapping[str, Any], _: Arrays) -> bool:
    """Return True where a model looks as its card says, and gives what its card says.

    Args:
        said: ``runtime``, a name in the table; ``file``; ``size``, (height, width) of an image;
            ``channels`` of the image; ``outputs``, the channels of what the model gives.

    Raises:
        BundleError: It does not.
        MissingExtraError: The engine, or what looks at its files, is not installed.
    """
    path, runtime = Path(said["file"]), said["runtime"]
    try:
        if runtime in ("onnx", "tensorrt"):
            package = needed("onnx", extra="onnx", of="ONNX models from elsewhere")
            onnx_graph.refuse_references(
                package.load_model_from_string(path.read_bytes()), str(path)
            )
            # What TensorRT compiles can be tried without a GPU.
            runtime = "onnx"
        elif runtime == "openvino":
            openvino_graph.refuse_references(path)
        engine = find("runtimes", runtime).open(path)
        images = np.zeros((1, *said["size"], said["channels"]), np.float32)
        found = engine.run(images)
    except (DelineateError, MemoryError):
        raise
    except Exception as error:
        raise BundleError(
            f"{path} does not run: {reason_of(error)[:200]}.",
            hint="Get the bundle again, or another one.",
        ) from error
    expected = (*images.shape[:3], said["outputs"])
    if found.shape != expected:
        raise BundleError(
            f"{path} gives {found.shape} for an image of {images.shape}, and its card says "
            f"{expected}.",
            hint="Get the bundle again; its card is that of another model.",
        )
    return True


if __name__ == "__main__":
    serve(try_out)
