"""Chooses Keras's backend, before Keras is imported."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from delineate.errors import BackendError, UsageError, near_miss

BACKENDS = ("tensorflow", "jax", "torch")
ORDER_ON_GPU = ("jax", "torch", "tensorflow")


def choose_backend(wanted: str | None = None) -> str:
    """Return the backend of this process, and fix it for Keras's import.

    ``KERAS_BACKEND`` wins, then ``wanted``, then the first installed one of tensorflow, jax and
    torch (with an NVIDIA GPU: jax, torch, tensorflow).

    Args:
        wanted: A backend's name, from ``[runtime] backend``.

    Raises:
        BackendError: None is installed, the one asked for is not, or Keras runs on another.
        UsageError: The name is no backend.
    """
    logging.getLogger("tensorflow").addFilter(_is_news)
    if "keras" in sys.modules:
        return _loaded(wanted)
    name = os.environ.get("KERAS_BACKEND") or wanted or _first_installed()
    if name not in BACKENDS:
        raise UsageError(
            f"'{name}' is no Keras backend that delineate supports.{near_miss(name, BACKENDS)}",
            hint=f"Use one of: {', '.join(BACKENDS)}.",
        )
    if not _installed(name):
        raise BackendError(
            f"The Keras backend '{name}' is not installed.",
            hint=f"Run: pip install 'delineate[{name}]'",
        )
    os.environ["KERAS_BACKEND"] = name
    # TensorFlow speaks on stderr about CPU features and missing GPUs, also where another backend
    # runs and Keras merely finds it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet_stderr():
        import_module("keras")
    return name


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a warning of TensorFlow's helps: that each new size is traced does not."""
    return "triggered tf.function retracing" not in record.getMessage()


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what is written to the process's stderr, and let it out if the block fails.

    TensorFlow's libraries log while they are loaded, before any of their settings counts.
    """
    sys.stderr.flush()
    before = os.dup(2)
    with TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(before, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)


def _installed(name: str) -> bool:
    return find_spec(name) is not None


def _loaded(wanted: str | None) -> str:
    import keras

    name = str(keras.backend.backend())
    if wanted and wanted != name and "KERAS_BACKEND" not in os.environ:
        raise BackendError(
            f"The recipe asks for the backend '{wanted}', but Keras already runs on '{name}'.",
            hint=f"Start a new process, or set KERAS_BACKEND={wanted} before Keras is imported.",
        )
    return name


def _first_installed() -> str:
    order = ORDER_ON_GPU if Path("/proc/driver/nvidia/version").exists() else BACKENDS
    for name in order:
        if _installed(name):
            return name
    raise BackendError(
        "No Keras backend is installed (tensorflow, jax or torch).",
        hint="Run: pip install 'delineate[tensorflow]'",
    )
