"""The machine: what it is, and threads, determinism and seeds set on it."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
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


def machine() -> dict[str, Any]:
    """Return what the speed of a training depends on, plain values: processor, device, versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": _memory_gib(),
        "device": device(),
        "backend": keras.backend.backend(),
        "versions": versions(),
    }


def device() -> str:
    """Return the kind of the device that computes, such as "cpu" or "gpu"."""
    if keras.backend.backend() == "torch":
        import torch

        return "gpu" if torch.cuda.is_available() else "cpu"
    kinds = {name.partition(":")[0].lower() for name in keras.distribution.list_devices()}
    return min(kinds - {"cpu"}, default="cpu")


def environment() -> dict[str, Any]:
    """Return the versions, the machine and the command, plain values for JSON."""
    return {
        "backend": keras.backend.backend(),
        "device": device(),
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


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _memory_gib() -> float | None:
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return round(pages * size / 2**30, 1)
