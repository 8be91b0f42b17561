"""What may befall a training: each makes it happen once, and says whether it was told rightly.

That the run then goes on, and ends as it should, is looked at by tests/campaigns/mishaps.py.
"""

import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any
from unittest.mock import patch

import keras
import numpy as np

from delineate.data.dataset import Dataset
from delineate.errors import DelineateError, OutOfMemoryError
from delineate.interrupt import Terminated
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe
from delineate.runs import Run
from delineate.training import checkpoint
from delineate.training import train as training
from delineate.training.adversarial import AdversarialStepper
from delineate.training.budget import Budget
from delineate.training.checkpoint import ResumePoint
from delineate.training.recorders import Pictures
from delineate.training.steppers import PlainStepper
from delineate.training.train import train
from tests.campaigns.commands import ended, is_told, start
from tests.campaigns.outcome import all_went_on, outcome_of, points_of

# Of the trainings here.
EPOCHS, STEPS, BATCH = 3, 2, 4
REFINER = {
    "refiner.epochs": 2,
    "refiner.filters": 4,
    "refiner.depth": 1,
    "refiner.critic_filters": 4,
    "refiner.critic_depth": 1,
}
# Seconds for which another process is waited.
LONGEST = 300.0


@dataclass(frozen=True)
class Outcome:
    """What came of a mishap.

    Attributes:
        told: Whether it was told as it should be, and what was good by then was kept.
        said: In which words.
        expected: What the training is to come to, as ``outcome_of`` says it; empty: to what the
            training that nothing befell does.
    """

    told: bool
    said: str
    expected: Mapping[str, Any] = field(default_factory=dict)


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
    called = [After(steps, _poison(rng))]
    error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut, callbacks=called))
    told = error is not None and _is_batch_kept(cut / "broken", error)
    return Outcome(told and _is_saved(cut, steps - 1), _said(error))


def _poison(rng: np.random.Generator) -> Callable[[Any], None]:
    """Return what makes some weight of a model infinite, or no number."""

    def poison(model: Any) -> None:
        weights = model.trainable_variables
        weight = weights[int(rng.integers(len(weights)))]
        weight.assign(np.full(weight.shape, rng.choice([np.nan, np.inf]), np.float32))

    return poison


def _is_batch_kept(folder: Path, error: DelineateError) -> bool:
    """Return whether an error names the images of the newest batch in a folder, and the folder."""
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        return False
    with np.load(paths[-1], allow_pickle=False) as kept:
        whole = len(kept["images"]) == len(kept["masks"]) == len(kept["names"]) == BATCH
        return whole and str(kept["names"][0]) in error.message and str(folder) in error.hint


def nan_loss(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Let the loss of a step be infinite or none: the batch is named and kept, likewise."""
    steps = _moment(rng)
    with _broken_loss(PlainStepper, "loss", at=steps, value=float(rng.choice([np.nan, np.inf]))):
        error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut))
    told = error is not None and _is_batch_kept(cut / "broken", error)
    return Outcome(told and _is_saved(cut, steps - 1), _said(error))


def nan_accumulated(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Make a weight infinite where gradients are added up, and nothing is saved in mid-epoch."""
    steps = _moment(rng)
    error = _error_of(
        lambda: train(Dataset.open(data), recipe, to=cut, callbacks=[After(steps, _poison(rng))])
    )
    told = error is not None and _is_batch_kept(cut / "broken", error)
    # The next step shows it, or the end of the epoch: what is saved is the end of the one before.
    return Outcome(told and _is_saved(cut, (steps - 1) // STEPS * STEPS), _said(error))


def nan_refiner(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Let a loss of the refiner, or of its critic, be none: likewise, in the refiner's folder."""
    recipe = recipe.override({"refiner.use": str(rng.choice(["after", "together"]))})
    name, steps = str(rng.choice(["loss", "critic"])), int(rng.integers(1, 2 * STEPS))
    with _broken_loss(AdversarialStepper, name, at=steps, value=float("nan")):
        error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut))
    refiner = Run(cut).refiner
    told = error is not None and _is_batch_kept(refiner.broken, error)
    told = told and f"The {name} is nan" in _said(error) and "refiner.learning_rate" in _said(error)
    return Outcome(told and _is_saved(refiner.folder, steps - 1), _said(error))


@contextmanager
def _broken_loss(kind: type, name: str, *, at: int, value: float) -> Iterator[None]:
    """Let a stepper say that a loss of one step, from 1, is some value."""
    real, made = kind.step, [0]

    def step(self: Any, images: np.ndarray, masks: np.ndarray) -> dict[str, float]:
        made[0] += 1
        found = real(self, images, masks)
        return found | {name: value} if made[0] == at else found

    with patch.object(kind, "step", step):
        yield


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
    called = [After(_moment(rng), lambda _: _move(cut))]
    error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut, callbacks=called))
    told = error is not None and "was moved or deleted" in error.message
    return Outcome(told and "--resume" in error.hint and not cut.exists(), _said(error))


def vanished_in_picture(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Move the run folder away when the pictures of an epoch are about to be drawn."""
    real, epoch = Pictures.on_epoch_end, int(rng.integers(EPOCHS))

    def draw(self: Pictures, number: int, logs: Any = None) -> None:
        if number == epoch:
            _move(cut)
        real(self, number, logs)

    with patch.object(Pictures, "on_epoch_end", draw):
        return _vanished(data, recipe, cut)


def vanished_in_background(
    data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator
) -> Outcome:
    """Move the run folder away when a resume point is about to be written, beside the training."""
    real, left = checkpoint.save, [int(rng.integers(1, EPOCHS * STEPS + 1))]

    def save(folder: Path, point: ResumePoint) -> None:
        left[0] -= 1
        if left[0] == 0:
            _move(cut)
        real(folder, point)

    with patch.object(checkpoint, "save", save):
        return _vanished(data, recipe, cut)


def vanished_at_end(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Move the run folder away after the last save: before the search, or before the report."""
    name = str(rng.choice(["tune", "evaluate"]))
    real = getattr(training, name)

    def work(*given: Any, **named: Any) -> Any:
        _move(cut)
        return real(*given, **named)

    if rng.random() < 1 / 3:
        return _vanished(data, recipe, cut, callbacks=[AtEnd(lambda: _move(cut))])
    with patch.object(training, name, work):
        return _vanished(data, recipe, cut)


class AtEnd(keras.callbacks.Callback):
    """Does something when the last step is made, and all is saved."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def on_train_end(self, logs: Any = None) -> None:
        self.act()


def _move(cut: Path) -> None:
    cut.rename(cut.with_name("moved"))


def _vanished(
    data: Path, recipe: Recipe, cut: Path, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> Outcome:
    """Train until the run folder is missed: that is an error with a hint, and none is made anew."""
    error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut, callbacks=callbacks))
    moved = cut.with_name("moved").is_dir() and not cut.exists()
    return Outcome(error is not None and bool(error.hint) and moved, _said(error))


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
    called = [After(steps, _terminate)]
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


def replaced(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> Outcome:
    """Delete the run folder, and let another process begin a training there.

    The first training ends with an error; the second one comes to what it does where it is alone.
    """
    far = str(rng.choice(["begun", "saved", "ended"]))
    other = cut.with_name("other.toml")
    # Other weights, so that it would show if the first one wrote anything.
    other.write_text(write_recipe(recipe.override({"runtime.seed": 1})), encoding="utf-8")
    second: list[Popen[bytes]] = []

    def begin(_: Any) -> None:
        _move(cut)
        shutil.rmtree(cut.with_name("moved"), ignore_errors=True)
        second.append(start("train", data, "--recipe", other, "--to", cut))
        _wait(second[0], cut, far)

    called = [After(_moment(rng), begin)]
    error = _error_of(lambda: train(Dataset.open(data), recipe, to=cut, callbacks=called))
    code, said = ended(second[0])
    told = error is not None and bool(error.hint) and code == 0
    return Outcome(told, f"{far}: {_said(error)} {said[-300:] if code else ''}")


def _wait(process: Popen[bytes], folder: Path, far: str) -> None:
    """Wait until a training in another process has begun, has saved something, or has ended."""
    until = time.monotonic() + LONGEST
    while process.poll() is None and time.monotonic() < until:
        begun, saved = (folder / "batch.png").is_file(), checkpoint.exists(folder / "last")
        if (far == "begun" and begun) or (far == "saved" and saved):
            return
        time.sleep(0.01)


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

    It has to come to what another training does to which the same has happened.
    """
    path, seed = _image_of(data, ("train",), rng), int(rng.integers(2**32))
    with _warnings() as said:
        for folder in (cut, cut.with_name("twin")):
            with _cut_short(path, np.random.default_rng(seed)) as called:
                train(Dataset.open(data, cache=False), recipe, to=folder, callbacks=called)
    named = [text for text in said if text.startswith("left out: ") and str(path) in text]
    told = len(named) == 2 and len(Run(cut).rows) == EPOCHS
    return Outcome(told, " ".join(named[:1]), outcome_of(cut.with_name("twin")))


def left_out_and_stopped(
    data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator
) -> Outcome:
    """Stop after an image was left out, and go on while it still cannot be read.

    It goes on, names the image, and says that the weights may be others. What it comes to then is
    not changed by going on once more with the image as it was.
    """
    path, stopped = _image_of(data, ("train",), rng), False
    # By then each image has been used since that one was cut short.
    stop = After(int(rng.integers(2 * STEPS, EPOCHS * STEPS)), _terminate)
    with _warnings() as said, _cut_short(path, rng, most=STEPS) as called:
        acting = [*called, stop]
        data_set = Dataset.open(data, cache=False)
        try:
            _error_of(lambda: train(data_set, recipe, to=cut, callbacks=acting))
        except Terminated:
            stopped = True
        before, points = len(said), points_of(cut)
        error = _error_of(lambda: train(Dataset.open(data, cache=False), to=cut, resume=True))
    named = [str(path) in " ".join(part) for part in (said[:before], said[before:])]
    resumed = [event for event in Run(cut).events() if event["event"] == "resumed"]
    told = error is None and stopped and all(named) and len(Run(cut).rows) == EPOCHS
    told = told and all_went_on(points) and [each["exact"] for each in resumed] == [False]
    return Outcome(told, " ".join([*said, _said(error)]), outcome_of(cut) if told else {})


def _terminate(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _image_of(data: Path, parts: tuple[str, ...], rng: np.random.Generator) -> Path:
    paths = sorted(path for part in parts for path in (data / part / "images").iterdir())
    return paths[int(rng.integers(len(paths)))]


@contextmanager
def _cut_short(
    path: Path, rng: np.random.Generator, *, most: int = (EPOCHS - 1) * STEPS
) -> Iterator[list[After]]:
    """Yield what cuts a file short after so many steps at the most; afterwards it is as it was.

    Unless said otherwise, it is before the last epoch begins.
    """
    content = path.read_bytes()
    left = content[: int(rng.integers(len(content) // 2))]
    steps = int(rng.integers(1, most + 1))
    try:
        yield [After(steps, lambda _: path.write_bytes(left))]
    finally:
        path.write_bytes(content)


# Without threads that read ahead, so that it is always the same steps that miss an image.
SKIPPING = {"data.unreadable": "skip", "runtime.workers": 0}
MISHAPS = {
    "NaN": Mishap(nan),
    "NaN, by the loss": Mishap(nan_loss),
    "NaN, with accumulation": Mishap(
        nan_accumulated, {"training.accumulate": 2, "callbacks.save_steps": 0}
    ),
    "NaN, in the refiner": Mishap(nan_refiner, REFINER),
    "out of memory": Mishap(memory),
    "out of memory, batches halved": Mishap(
        halved, {"training.smaller_batch": True, "callbacks.save_steps": 0}
    ),
    "vanished folder": Mishap(vanished),
    "vanished folder, with a budget": Mishap(vanished_within_budget, {"training.budget": 60.0}),
    "vanished folder, before a picture": Mishap(vanished_in_picture, {"callbacks.pictures": 2}),
    "vanished folder, in the background": Mishap(vanished_in_background),
    "vanished folder, after the last save": Mishap(
        vanished_at_end, {"post.tune": True, "evaluation.report": True}
    ),
    "damaged cache": Mishap(cache),
    "SIGTERM": Mishap(sigterm),
    "two writers": Mishap(two_writers),
    "two writers, in a folder made anew": Mishap(replaced),
    "corrupt image": Mishap(corrupt),
    "corrupt image, left out": Mishap(left_out, SKIPPING),
    "corrupt image, left out and stopped": Mishap(left_out_and_stopped, SKIPPING),
}
