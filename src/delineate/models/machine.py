"""The machine: what it is, and threads, determinism and seeds set on it."""

import os
import platform
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras

from delineate.recipe import Runtime

PACKAGES = ("delineate", "keras", "tensorflow", "jax", "torch", "numpy", "opencv-python-headless")
# Where Linux says in which control groups a process is, and what these may use.
GROUPS_OF_PROCESS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


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
    """Return the memory that this process may use; None: unknown."""
    limits = _limits_of_groups()
    with suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return round(min(limits) / 2**30, 1) if limits else None


def _limits_of_groups() -> list[int]:
    """Return the bytes that the process's control groups allow, as containers and schedulers do.

    https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1 beside it.
    """
    try:
        lines = GROUPS_OF_PROCESS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for _, kinds, path in (line.split(":", 2) for line in lines):
        if not kinds:
            found += _limits(GROUPS, path, "memory.max")
        elif "memory" in kinds.split(","):
            found += _limits(GROUPS / "memory", path, "memory.limit_in_bytes")
    return found


def _limits(folder: Path, path: str, name: str) -> list[int]:
    """Return the limits of a group and of all that it lies in."""
    group = Path(path).relative_to("/")
    found = []
    for each in (group, *group.parents):
        try:
            text = (folder / each / name).read_text(encoding="utf-8").strip()
        except OSError:
            # In a container, its own group is the top.
            continue
        if text.isdecimal():
            found.append(int(text))
    return found
