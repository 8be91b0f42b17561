"""What may befall a training: each makes it happen once, and says whether it was told rightly.

That the run then goes on, and ends as it should, is looked at by tests/campaigns/mishaps.py.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np

from delineate.data.dataset import Dataset
from delineate.errors import DelineateError, OutOfMemoryError
from delineate.interrupt import Terminated
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training import checkpoint
from delineate.training.budget import Budget
from delineate.training.steppers import PlainStepper
from delineate.training.train import train
from tests.campaigns.commands import ended, is_told, start
from tests.campaigns.record import weights_hash

# Of the trainings here.
EPOCHS, STEPS, BATCH = 3, 2, 4


@dataclass(frozen=True)
class Outcome:
    """What came of a mishap.

    Attributes:
        told: Whether it was told as it should be, and what was good by then was kept.
        said: In which words.
        expected: The hash of the weights that the training is to end with; empty: those of the
            training that nothing befell.
    """

    told: bool
    said: str
    expected: str = ""


@dataclass(frozen=True)
class Mishap:
    """Something that may befall a training.

    Attributes:
        befall: Trains until it has happened, given the folder of the data, the recipe, the run
            folder, and what moments are drawn from.
        settings: What the recipe has to say for it, by "section.key".
    """

    befall: Callable[[Path, Recipe, Path, np.random.Generator], Outcome]
    settings: Mapping[str, object] = field(default_factory=dict)


class After(keras.callbacks.Callback):
    """Does something after so many steps."""

    def __init__(self, steps: int, act: Callable[[Any], object]) -> None:
        super().__init__()
        self.left, self.act = steps, act

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            self.act(self.model)


class _Listener(logging.Handler):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Yield what the package warns of, as it comes."""
    listener, logger = _Listener(), logging.getLogger("delineate")
    logger.addHandler(listener)
    try:
        yield listener.said
    finally:
        logger.removeHandler(listener)


def _error_of(work: Callable[[], object]) -> DelineateError | None:
    try:
        work()
    except DelineateError as error:
        return error
    return None


def _said(error: DelineateError | None) -> str:
    return f"{error.message} {error.hint}" if error else ""


def _moment(rng: np.random.Generator) -> int:
    """Return how many steps are made before it happens: one at the least, never all."""
    return int(rng.integers(1, EPOCHS * STEPS))


def _is_saved(cut: Path, steps: int) -> bool:
    """Return whether the newest resume point is the one after so many steps, and finite."""
    if not checkpoint.exists(cut / "last"):
        return steps == 0
    point = checkpoint.load(cut / "last")
    finite = all(map(checkpoint.is_finite, point.arrays))
    return finite and point.epoch * STEPS + point.step == steps


def nan(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Make a weight infinite: the batch is named and kept, and the weights of the step before."""
    steps = _moment(rng)

    def poison(model: Any) -> None:
        weights = model.trainable_variables
        weight = weights[int(rng.integers(len(weights)))]
        weight.assign(np.full(weight.shape, rng.choice([np.nan, np.inf]), np.float32))

    called = [After(steps, poison)]
    error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut, callbacks=called))
    told = error is not None and _is_batch_kept(cut / "broken", error)
    return Outcome(told and _is_saved(cut, steps - 1), _said(error))


def _is_batch_kept(folder: Path, error: DelineateError) -> bool:
    """Return whether an error names the images of the newest batch in a folder, and the folder."""
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        return False
    with np.load(paths[-1], allow_pickle=False) as kept:
        whole = len(kept["images"]) == len(kept["masks"]) == len(kept["names"]) == BATCH
        return whole and str(kept["names"][0]) in error.message and str(folder) in error.hint


def memory(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Let a step not fit into the memory: the batch to try is said."""
    steps = _moment(rng)
    with _full_memory(windows=0, at=steps, again=False):
        error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut))
    told = isinstance(error, OutOfMemoryError) and f"of {BATCH} windows" in error.message
    told = told and f"training.batch_size={BATCH // 2}" in error.hint
    return Outcome(told and _is_saved(cut, steps - 1), _said(error))


def halved(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Let batches not fit from a step of the first epoch on: they are halved until they do."""
    fitting = int(rng.choice([1, 2]))
    with _warnings() as said, _full_memory(windows=fitting, at=int(rng.integers(1, STEPS + 1))):
        error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut))
    tried = [batch for batch in (2, 1) if batch >= fitting]
    begun = [sentence for sentence in said if "It begins anew with" in sentence]
    told = error is None and [text.split()[-1] for text in begun] == [f"{each}." for each in tried]
    told = told and Recipe.load(cut / "recipe.toml").training.batch_size == fitting
    return Outcome(told, " ".join([*begun, _said(error)]))


@contextmanager
def _full_memory(*, windows: int, at: int, again: bool = True) -> Iterator[None]:
    """Have memory for so many windows of a batch only, at a step and all that follow.

    Args:
        windows: How many.
        at: The step, from 1.
        again: Whether at those that follow, too.
    """
    real, made = PlainStepper.step, [0]

    def step(self: PlainStepper, images: np.ndarray, masks: np.ndarray) -> dict[str, float]:
        made[0] += 1
        if len(images) > windows and (made[0] == at or (again and made[0] > at)):
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return real(self, images, masks)

    with patch.object(PlainStepper, "step", step):
        yield


def vanished(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Move the run folder away: that is said, and none is made in its place."""
    called = [After(_moment(rng), lambda _: cut.rename(cut.with_name("moved")))]
    error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut, callbacks=called))
    told = error is not None and "was moved or deleted" in error.message
    return Outcome(told and "--resume" in error.hint and not cut.exists(), _said(error))


def vanished_within_budget(
    data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator
) -> Outcome:
    """Move the run folder away where a budget, too, has something to write after the step."""
    real = Budget.count

    def count(self: Budget, done: int) -> bool:
        # As where the clock has changed the number of steps, but all are made.
        return real(self, done) or not cut.is_dir()

    with patch.object(Budget, "count", count):
        return vanished(data, recipe, cut, rng)


def cache(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Damage most files of the cache: that is noticed."""
    Dataset.open(data).read_all()
    for path in sorted(Path(os.environ["XDG_CACHE_HOME"]).rglob("*")):
        if path.is_file():
            path.write_bytes(_damaged(path.read_bytes(), rng))
    with _warnings() as said:
        train(Dataset.open(data), recipe, to=cut)
    noticed = [sentence for sentence in said if "is damaged, and is made anew" in sentence]
    return Outcome(bool(noticed), " ".join(noticed[:1]))


def _damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return content with another bit, or cut short, or as it was."""
    if content and rng.random() < 0.5:
        changed = bytearray(content)
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
        return bytes(changed)
    return content[: int(rng.integers(len(content) + 1))] if rng.random() < 0.5 else content


def sigterm(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Ask the process to end: it does, with everything saved."""
    steps, stopped = _moment(rng), False
    called = [After(steps, lambda _: os.kill(os.getpid(), signal.SIGTERM))]
    try:
        train(Dataset.open(data), recipe, to=cut, callbacks=called)
    except Terminated:
        stopped = True
    noted = any(event["event"] == "interrupted" for event in Run(cut).events())
    return Outcome(stopped and noted and _is_saved(cut, steps), "Terminated" if stopped else "")


def two_writers(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Let another process train into the folder, too: it is refused."""
    found: list[tuple[int, str]] = []

    def second(_: Any) -> None:
        found.append(ended(start("train", data, "--to", cut, "--resume")))

    train(Dataset.open(data), recipe, to=cut, callbacks=[After(_moment(rng), second)])
    code, said = found[0]
    told = code == 1 and is_told(said) and f"is being written by process {os.getpid()} " in said
    return Outcome(told, said[-500:])


def corrupt(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Cut an image short, of data that is not cached: it is named."""
    path = _image_of(data, ("train", "validation"), rng)
    with _cut_short(path, rng) as called:
        data_set = Dataset.open(data, cache=False)
        error = _error_of(lambda: train(data_set, recipe, to=cut, callbacks=called))
    told = error is not None and str(path) in error.message and bool(error.hint)
    return Outcome(told, _said(error))


def left_out(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Cut an image short where such are to be left out: it is named, and the training ends well.

    Its weights have to be those of another training to which the same has happened.
    """
    path, seed = _image_of(data, ("train",), rng), int(rng.integers(2**32))
    with _warnings() as said:
        for folder in (cut, cut.with_name("twin")):
            with _cut_short(path, np.random.default_rng(seed)) as called:
                train(Dataset.open(data, cache=False), recipe, to=folder, callbacks=called)
    named = [text for text in said if text.startswith("left out: ") and str(path) in text]
    told = len(named) == 2 and len(Run(cut).rows) == EPOCHS
    return Outcome(told, " ".join(named[:1]), weights_hash(cut.with_name("twin")))


def _image_of(data: Path, parts: tuple[str, ...], rng: np.random.Generator) -> Path:
    paths = sorted(path for part in parts for path in (data / part / "images").iterdir())
    return paths[int(rng.integers(len(paths)))]


@contextmanager
def _cut_short(path: Path, rng: np.random.Generator) -> Iterator[list[After]]:
    """Yield what cuts a file short before the last epoch begins; afterwards it is as it was."""
    content = path.read_bytes()
    left = content[: int(rng.integers(len(content) // 2))]
    steps = int(rng.integers(1, (EPOCHS - 1) * STEPS + 1))
    try:
        yield [After(steps, lambda _: path.write_bytes(left))]
    finally:
        path.write_bytes(content)


MISHAPS = {
    "NaN": Mishap(nan),
    "out of memory": Mishap(memory),
    "out of memory, batches halved": Mishap(
        halved, {"training.smaller_batch": True, "callbacks.save_steps": 0}
    ),
    "vanished folder": Mishap(vanished),
    "vanished folder, with a budget": Mishap(vanished_within_budget, {"training.budget": 60.0}),
    "damaged cache": Mishap(cache),
    "SIGTERM": Mishap(sigterm),
    "two writers": Mishap(two_writers),
    "corrupt image": Mishap(corrupt),
    # Without threads that read ahead, so that it is always the same steps that miss it.
    "corrupt image, left out": Mishap(left_out, {"data.unreadable": "skip", "runtime.workers": 0}),
}
