"""The machine: what it is, and threads, determinism and seeds set on it."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras

from delineate.recipe import Runtime
from delineate.share import cores, memory_gib

PACKAGES = ("delineate", "keras", "tensorflow", "jax", "torch", "numpy", "opencv-python-headless")
# What tells the backends how many threads there are.
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "XLA_FLAGS")
# What a backend's error holds where the memory is full: that of TensorFlow and JAX, of PyTorch on a
# GPU, and on a CPU.
FULL = (
    "resource_exhausted",
    "resourceexhausted",
    "out of memory",
    "allocate memory",
    "enough memory",
)


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


def is_compiled(runtime: Runtime) -> bool:
    """Return whether the backend makes one program of a step."""
    return keras.backend.backend() == "jax" if runtime.compiled is None else runtime.compiled


def compilations(runtime: Runtime) -> tuple[tuple[bool, ...], str]:
    """Return whether steps may be compiled: the values that are worth trying; and why.

    Args:
        runtime: The recipe's section `[runtime]`.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        return (True,), "JAX is slow without"
    if backend == "tensorflow" and runtime.deterministic:
        return (False,), "TensorFlow's compiler is not deterministic"
    if backend == "torch" and device() == "cpu":
        return (False,), "PyTorch takes minutes for it on a processor"
    return (False, True), ""


def is_memory_full(error: BaseException) -> bool:
    """Return whether an error is a backend's own way to say that the memory is full."""
    text = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, MemoryError) or any(words in text for words in FULL)


def machine() -> dict[str, Any]:
    """Return what the speed of a training depends on, plain values: processor, device, versions."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "threads": _threads(),
        "memory_gib": memory_gib(),
        "device": device(),
        "accelerator": _accelerator(),
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
        **machine(),
        "python": platform.python_version(),
        "platform": platform.platform(),
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


def _threads() -> dict[str, str]:
    """Return what is said of threads, by name: sums of numbers depend on how they are split."""
    found = {name: os.environ[name] for name in THREADS if name in os.environ}
    if keras.backend.backend() == "torch":
        import torch

        found["torch"] = str(torch.get_num_threads())
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


def _accelerator() -> dict[str, Any] | None:
    """Return the name of the first accelerator, and its memory where the backend tells it."""
    if device() == "cpu":
        return None
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        found = torch.cuda.get_device_properties(0)
        return {"name": found.name, "memory_gib": round(found.total_memory / 2**30, 1)}
    if backend == "jax":
        import jax

        first = jax.devices()[0]
        limit = (first.memory_stats() or {}).get("bytes_limit")
        return {
            "name": first.device_kind,
            "memory_gib": None if limit is None else round(limit / 2**30, 1),
        }
    import tensorflow as tf

    places = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(places[0]) if places else {}
    return {"name": details.get("device_name", device()), "memory_gib": None}
