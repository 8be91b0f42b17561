"""The machine's side of a training: threads, determinism, seeds, versions."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import keras

from delineate.recipe import Runtime

PACKAGES = ("delineate", "keras", "tensorflow", "jax", "torch", "numpy", "opencv-python-headless")


def set_up(runtime: Runtime) -> None:
    """Seed everything, and set threads and determinism where the backend lets one.

    On a CPU the same seed then gives the same weights, for the same number of threads.
    """
    keras.utils.set_random_seed(runtime.seed)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        _set_up_tensorflow(runtime)
    elif backend == "torch":
        _set_up_torch(runtime)


def environment() -> dict[str, Any]:
    """Return the versions, the machine and the command, plain values for JSON."""
    return {
        "backend": keras.backend.backend(),
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "command": sys.argv,
    }


def versions() -> dict[str, str]:
    """Return the version of each package that matters and is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _set_up_tensorflow(runtime: Runtime) -> None:
    import tensorflow as tf

    if runtime.deterministic:
        tf.config.experimental.enable_op_determinism()
    if runtime.threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(runtime.threads)
        except RuntimeError:
            # TensorFlow has run something already; its threads cannot be changed any more.
            return


def _set_up_torch(runtime: Runtime) -> None:
    import torch

    torch.use_deterministic_algorithms(runtime.deterministic)
    if runtime.threads:
        torch.set_num_threads(runtime.threads)
