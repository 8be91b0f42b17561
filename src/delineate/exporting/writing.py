"""Models written in a format by TensorFlow, which writes those of images of any size."""

import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from delineate.catalog import find
from delineate.errors import BundleError, DelineateError, MissingExtraError, reason_of
from delineate.exporting.calibration import NOTHING, Calibration
from delineate.exporting.child import Arrays, run_child, serve

_WRITER = "tensorflow"


def write_model(
    source: Path,
    target: Path,
    *,
    format: str,  # noqa: A002 - the word of the command line
    precision: str,
    calibration: Calibration = NOTHING,
) -> None:
    """Write a Keras model in a format.

    On another backend than TensorFlow it is done in a process of its own, since a process has one
    backend: JAX and PyTorch write models of one size only.

    Args:
        source: The ``.keras`` file.
        target: The model's file in that format.
        format: A name in the table of formats.
        precision: One of the format's.
        calibration: What int8 is made by.

    Raises:
        BundleError: Keras cannot open the model.
        MissingExtraError: TensorFlow, or what converts to the format, is not installed.
        OSError: It cannot be written.
    """
    if find_spec(_WRITER) is None:
        raise MissingExtraError(
            "Exports are written by TensorFlow, which is not installed.",
            hint="pip install 'delineate[tensorflow]'",
        )
    import keras

    if keras.backend.backend() == _WRITER:
        _write(source, target, format, precision, calibration)
        return
    said = {
        "source": str(source),
        "target": str(target),
        "name": format,
        "precision": precision,
        "spared": calibration.spared,
    }
    module = "delineate.exporting.writing"
    run_child(module, said, calibration.samples, backend=_WRITER, accelerated=False)


def _write_elsewhere(said: dict[str, Any], arrays: Arrays) -> None:
    places = Path(said["source"]), Path(said["target"])
    calibration = Calibration(list(arrays.values()), said["spared"])
    _write(*places, said["name"], said["precision"], calibration)


def _write(source: Path, target: Path, name: str, precision: str, calibration: Calibration) -> None:
    from delineate.exporting.precision import in_float32
    from delineate.models.enlarging import enlarge_at_once
    from delineate.prediction.runtimes.keras import load

    model = in_float32(load(source))
    # Engines have one step for it, and would take as long for the many as for all convolutions.
    enlarge_at_once(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Converters show their progress where a program expects JSON.
        with redirect_stdout(sys.stderr):
            find("formats", name).write(model, target, precision, calibration)
    except (DelineateError, OSError):
        raise
    except Exception as error:
        raise BundleError(
            f"The network cannot be written to {name} in {precision}: {reason_of(error)}.",
            hint="Another format or precision may do; nothing has been kept.",
        ) from error


if __name__ == "__main__":
    serve(_write_elsewhere)
