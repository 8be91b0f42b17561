"""How fast this machine steps a network: measured once, and kept for the next time."""

import gc
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np

from delineate.data.cache import default_folder
from delineate.files import write_whole
from delineate.models.build import build_network, without_weights
from delineate.models.enlarging import enlarge_at_once
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
# How often each has its turn, and how many steps of it are timed.
ROUNDS, TIMED = 3, 3
# To be raised when what is measured changes.
VERSION = 4


@dataclass(frozen=True)
class Pace:
    """What a step of training costs.

    Attributes:
        images_per_second: Of a middling step.
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
        compiled: Whether a step is one program of the backend's compiler.
        fused: Whether with the backend's own kernels.
        threads: The recipe's; None: all cores.
        deterministic: Whether the same seed gives the same weights, which some kernels pay for.
    """

    model: Model
    classes: int
    channels: int
    size: tuple[int, int]
    batch_size: int
    precision: str = "float32"
    compiled: bool = False
    fused: bool = True
    threads: int | None = None
    deterministic: bool = True


def paces_of(trials: Sequence[Trial], *, folder: Path | None = None) -> list[Pace]:
    """Return how fast networks are trained here, by steps on noise.

    What is not known yet is measured in turns, so that whatever else the machine does meanwhile
    slows all of them alike. The results are kept in the user's cache, by machine, versions and all
    that is tried.

    Args:
        trials: What is timed.
        folder: Where results are kept; unset: the user's cache.

    Raises:
        RecipeError: A network cannot be built.
        MemoryError: A step takes more memory than there is; nothing is kept.
    """
    # Whose weights they are does not change the speed.
    trials = [
        replace(trial, model=trial.model.model_copy(update={"weights": None})) for trial in trials
    ]
    place = folder or default_folder() / "probe"
    paths = [place / f"{_key(trial)}.json" for trial in trials]
    known = [pace for pace in map(_read, paths) if pace is not None]
    if len(known) == len(trials):
        return known
    # All of them, since those of another moment would not compare.
    found = _measured(trials)
    for path, pace in zip(paths, found, strict=True):
        # A cache that cannot be written costs time only.
        with suppress(OSError):
            write_whole(path, json.dumps(asdict(pace)) + "\n")
    return found


def _measured(trials: Sequence[Trial]) -> list[Pace]:
    try:
        return _measure(trials)
    except Exception as error:
        if not _is_full(error):
            raise
    # Out here, where nothing of the attempt is held any more by the error's traceback.
    gc.collect()
    raise MemoryError(f"{trials[0].batch_size} windows of {trials[0].size} do not fit")


def _is_full(error: Exception) -> bool:
    """Return whether an error is a backend's own way to say that the memory is full."""
    text = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, MemoryError) or any(words in text for words in FULL)


def _measure(trials: Sequence[Trial]) -> list[Pace]:
    steps = [_step_of(trial) for trial in trials]
    compiling = [_seconds(step) for step in steps]
    spent: list[list[float]] = [[] for _ in steps]
    for _ in range(ROUNDS):
        for step, seconds in zip(steps, spent, strict=True):
            # The first of a round is not timed: the caches still hold the other network's data.
            seconds.extend([_seconds(step) for _ in range(1 + TIMED)][1:])
    return [
        Pace(trial.batch_size / median(seconds), first)
        for trial, seconds, first in zip(trials, spent, compiling, strict=True)
    ]


def _step_of(trial: Trial) -> Callable[[], object]:
    """Return what makes a step of training on noise."""
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
        enlarge_at_once(network.trainer, compiled=trial.compiled)
    shape = (trial.batch_size, *trial.size)
    images = np.random.default_rng(0).integers(0, 256, (*shape, trial.channels)).astype(np.float32)
    masks = np.zeros(shape, np.int32)
    network.trainer.compile(optimizer="adamw", loss=_cheap_loss, jit_compile=trial.compiled)
    return lambda: network.trainer.train_on_batch(images, masks)


def _seconds(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


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
