"""How fast this machine steps a network: measured once, and kept for the next time."""

import gc
import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from delineate.data.cache import default_folder
from delineate.files import write_whole
from delineate.models.build import build_network, without_weights
from delineate.models.fast import exchange_kernels
from delineate.models.folding import fold_frozen
from delineate.models.machine import machine
from delineate.recipe import Model

Tensor = Any

# What a backend's error holds where the memory is full: that of TensorFlow and JAX, of PyTorch on a
# GPU, and on a CPU.
FULL = (
    "resource_exhausted",
    "resourceexhausted",
    "out of memory",
    "allocate memory",
    "enough memory",
)
# Steps that compile and settle, and those that are timed.
SETTLING, TIMED = 2, 4
# To be raised when what is measured changes.
VERSION = 2


@dataclass(frozen=True)
class Pace:
    """What a step of training costs.

    Attributes:
        images_per_second: Of the fastest of a few steps.
        compiling: Seconds of the first step.
    """

    images_per_second: float
    compiling: float


@dataclass(frozen=True)
class Trial:
    """What is timed.

    Attributes:
        model: The recipe's section `[model]`; weights are not looked at.
        classes: Number of classes.
        channels: Of the images.
        size: (height, width) of the windows in pixels.
        batch_size: Windows in a step.
        precision: "float32" or "bfloat16".
        fused: Whether with the backend's own kernels.
        threads: The recipe's; None: all cores.
    """

    model: Model
    classes: int
    channels: int
    size: tuple[int, int]
    batch_size: int
    precision: str = "float32"
    fused: bool = True
    threads: int | None = None


def pace_of(trial: Trial, *, folder: Path | None = None) -> Pace:
    """Return how fast a network is trained here, by steps on noise.

    The result is kept in the user's cache, by machine, versions and all that is tried.

    Args:
        trial: What is timed.
        folder: Where results are kept; unset: the user's cache.

    Raises:
        RecipeError: The network cannot be built.
        MemoryError: A step takes more memory than there is; nothing is kept.
    """
    # Whose weights they are does not change the speed.
    trial = replace(trial, model=trial.model.model_copy(update={"weights": None}))
    path = (folder or default_folder() / "probe") / f"{_key(trial)}.json"
    known = _read(path)
    if known is not None:
        return known
    found = _measured(trial)
    try:
        write_whole(path, json.dumps(asdict(found)) + "\n")
    except OSError:
        # A cache that cannot be written costs time only.
        return found
    return found


def _measured(trial: Trial) -> Pace:
    try:
        return _measure(trial)
    except Exception as error:
        if not _is_full(error):
            raise
    # Out here, where nothing of the attempt is held any more by the error's traceback.
    gc.collect()
    raise MemoryError(f"{trial.batch_size} windows of {trial.size} do not fit")


def _is_full(error: Exception) -> bool:
    """Return whether an error is a backend's own way to say that the memory is full."""
    text = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, MemoryError) or any(words in text for words in FULL)


def _measure(trial: Trial) -> Pace:
    network = build_network(
        without_weights(trial.model),
        classes=trial.classes,
        channels=trial.channels,
        size=trial.size,
        precision=trial.precision,
    )
    network.freeze(trial.model.freeze, statistics=trial.model.statistics)
    if trial.fused:
        exchange_kernels(network.trainer)
        fold_frozen(network.trainer)
    shape = (trial.batch_size, *trial.size)
    images = np.random.default_rng(0).integers(0, 256, (*shape, trial.channels)).astype(np.float32)
    masks = np.zeros(shape, np.int32)
    network.trainer.compile(optimizer="adamw", loss=_cheap_loss)
    seconds = []
    for _ in range(SETTLING + TIMED):
        begun = time.perf_counter()
        network.trainer.train_on_batch(images, masks)
        seconds.append(time.perf_counter() - begun)
    return Pace(trial.batch_size / min(seconds[SETTLING:]), seconds[0])


def _cheap_loss(truth: Tensor, logits: Tensor) -> Tensor:
    """Return any loss at all: what it is costs little beside the network."""
    return keras.ops.mean(keras.ops.square(logits))


def _key(trial: Trial) -> str:
    said = {"version": VERSION, **machine(), **trial.__dict__, "model": trial.model.model_dump()}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> Pace | None:
    try:
        return Pace(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
