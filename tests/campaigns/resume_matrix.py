"""Every way to train, cut short at the end of an epoch and in the middle of one, and resumed.

Usage: python -m tests.campaigns.resume_matrix FOLDER
KERAS_BACKEND says on which backend. Each is resumed in a process of its own. What has its row
already is not done again.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np

from delineate.bundle import Bundle
from delineate.data.dataset import Dataset
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training import checkpoint
from delineate.training.adversarial import AdversarialStepper
from delineate.training.checkpoint import ResumePoint
from delineate.training.session import BUDGET
from delineate.training.train import train
from tests.campaigns.accidents import REFINER
from tests.campaigns.commands import ended, start_python
from tests.campaigns.outcome import all_went_on, differences, outcome_of, points_of
from tests.campaigns.record import Row, conclude, go_on, judged
from tests.training.conftest import TINY, make_discs

# What the other process is told first.
RESUME = "--resume"
RIGHT = ("stopped", "stood", "telling", "resumed", "went_on", "equal")
# The step of an epoch of two. With the last one, SIGTERM leaves the epoch's scores to the resumption.
MOMENTS = {"in the middle of an epoch": 0, "at the end of an epoch": 1}
WEIGHTS = "encoder.weights.h5"
# Where the network's opinion of all pixels is put, so that no later epoch is as good as the first.
WRONG = 8.0
# Seconds that times in the journal may be apart because they are rounded.
ROUNDED = 0.1

# Whether what resuming could lose has left a trace, given the resume point and the run in the end.
Telling = Callable[[ResumePoint, Run], bool]


class Terminator(keras.callbacks.Callback):
    """Sends the process what a scheduler sends, once, after a step."""

    def __init__(self, at: tuple[int, int]) -> None:
        super().__init__()
        self.at, self.epoch = at, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == self.at:
            self.at = (-1, -1)
            os.kill(os.getpid(), signal.SIGTERM)


class Spoiler(keras.callbacks.Callback):
    """Lets the network take every pixel for foreground, from the second epoch on."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # Not as the epoch begins: one that goes on in its middle begins once more.
        if self.epoch >= 1 and batch == 0:
            bias = self.model.get_layer("logits").bias
            bias.assign(np.full(bias.shape, WRONG, np.float32))


def _always(point: ResumePoint, run: Run) -> bool:
    return True


def _is_lowered(point: ResumePoint, run: Run) -> bool:
    """Return whether rate and patience were other than at first, and patience came to its end."""
    plateau, stopping = point.states["ReduceOnPlateau"], point.states["EarlyStopping"]
    waited = plateau["waited"] > 0 and stopping["waited"] > 0
    stopped = len(run.rows) < Recipe.load(run.recipe).training.epochs
    return plateau["scale"] < 1 and waited and stopped


def _is_best_before(point: ResumePoint, run: Run) -> bool:
    """Return whether the best epoch lies before the cut, and it is its model that was kept."""
    best = min(run.rows, key=lambda row: row["val_loss"])
    kept = Bundle.open(run.folder).card.scores["val_loss"]
    return best["epoch"] <= point.epoch and kept == best["val_loss"]


def _is_counted(point: ResumePoint, run: Run) -> bool:
    """Return whether the time before the cut was counted, and that after it as well."""
    newest = {event["event"]: event for event in run.events()}
    before, ends = point.states[BUDGET]["spent"], newest["ended"]
    after = ends["time"] - newest["resumed"]["time"] - ROUNDED
    return before > 0 and ends["spent"] >= before + after


def _is_between_validations(point: ResumePoint, run: Run) -> bool:
    validated = ["val_loss" in row for row in run.rows]
    return point.states["KeepBest"]["best"] is not None and validated[:3] == [False, True, False]


def _is_searched(point: ResumePoint, run: Run) -> bool:
    return any(len(each["tried"]) > 1 for each in run.events() if each["event"] == "tuned")


@dataclass(frozen=True)
class Mode:
    """A way to train.

    Attributes:
        settings: What its recipe says, by "section.key".
        at: The epoch in which it is cut short, from 0.
        telling: Whether it would show if resuming forgot what the mode is about.
        spoiled: Whether the first epoch is to remain the best.
        in_refiner: Whether it is cut short while the refiner is trained.
    """

    settings: Mapping[str, object]
    at: int = 1
    telling: Telling = _always
    spoiled: bool = False
    in_refiner: bool = False

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return what acts in each training of it, resumed ones too."""
        return [Spoiler()] if self.spoiled else []


ADVERSARIAL = {**REFINER, "callbacks.early_stopping": "none", "refiner.learning_rate": 0.01}
MODES = {
    "shuffling, augmentation, dropout": Mode({"augment.elastic": 2.0}),
    "moving average": Mode({"training.average": 0.9}),
    "accumulation": Mode({"training.accumulate": 2}),
    # No gain is ever large enough. The rate is lowered after the third epoch and the fifth; the
    # patience of both is spent in part at the cut, and that of the second after the seventh.
    "plateau and early stop": Mode(
        {
            "training.epochs": 9,
            "callbacks.early_stopping_patience": 6,
            "callbacks.reduce_patience": 2,
            "callbacks.minimum_gain": 10.0,
        },
        at=4,
        telling=_is_lowered,
    ),
    "best epoch before the cut": Mode({}, telling=_is_best_before, spoiled=True),
    "adversarial after": Mode({**ADVERSARIAL, "refiner.use": "after"}, in_refiner=True),
    "adversarial together": Mode({**ADVERSARIAL, "refiner.use": "together"}),
    "bfloat16": Mode({"runtime.precision": "bfloat16"}),
    "AdamW, warm-up, cosine, clipping": Mode(
        {
            "training.optimizer": "adamw",
            "training.weight_decay": 0.01,
            "training.clip_norm": 0.5,
            "training.schedule": "cosine",
            "training.warmup": 0.3,
        }
    ),
    "objects": Mode(
        {
            "model.objects": "both",
            "model.output": "softmax",
            "loss.terms": {"sparse_categorical_crossentropy": 1.0},
        }
    ),
    # Each fold trains on four images: two steps, too.
    "folds": Mode(
        {"training.folds": 2, "training.batch_size": 2, "callbacks.early_stopping": "none"}
    ),
    # So large that it never ends the training, whose weights the clock would decide then.
    "budget": Mode({"training.budget": 600.0}, telling=_is_counted),
    "a rate of the encoder's own": Mode({"training.encoder_rate": 0.1}),
    "encoder set free after an epoch": Mode(
        {
            "model.encoder": "mobilenetv2",
            "model.width": 0.35,
            "model.depth": 2,
            "model.weights": WEIGHTS,
            "model.freeze": "all",
            "training.encoder_rate": 0.1,
            "training.unfreeze_after": 1,
        }
    ),
    "validation every second epoch": Mode(
        {"training.epochs": 5, "training.validate_every": 2},
        at=3,
        telling=_is_between_validations,
    ),
    # In the last epoch: the search is left to the resumption.
    "search of settings": Mode({"post.tune": True}, at=2, telling=_is_searched),
}


def main() -> None:
    if sys.argv[1] == RESUME:
        mode = MODES[sys.argv[3]]
        train(discs(), to=sys.argv[2], resume=True, callbacks=mode.callbacks())
        return
    folder, backend = Path(sys.argv[1]).resolve(), keras.backend.backend()
    whole = _Whole(folder)

    def try_one(case: str) -> Row:
        _, name, moment = case.split(": ")
        return resumed(name, (MODES[name].at, MOMENTS[moment]), folder / "cut", whole.of(name))

    cases = [f"{backend}: {mode}: {moment}" for mode in MODES for moment in MOMENTS]
    conclude(go_on("resume-matrix", cases, try_one, part=backend), "trainings that were resumed")


def discs() -> Dataset:
    """Return the data; a search needs five validation images at the least."""
    images, masks, instances = make_discs(15)
    splits = ["train"] * 8 + ["validation"] * 5 + ["test"] * 2
    return Dataset.from_arrays(images, masks, instances=instances, splits=splits, name="discs")


class _Whole:
    """The training of one mode that nothing cuts short, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._outcome: dict[str, dict[str, Any]] = {}

    def of(self, name: str) -> dict[str, Any]:
        """Return what a mode comes to."""
        if name not in self._outcome:
            place = self.folder / "whole"
            shutil.rmtree(place, ignore_errors=True)
            recipe = recipe_of(name, self.folder)
            train(discs(), recipe, to=place, callbacks=MODES[name].callbacks())
            self._outcome = {name: outcome_of(place)}
        return self._outcome[name]


def recipe_of(name: str, folder: Path) -> Recipe:
    """Return the recipe of a mode, whose weights lie in a folder."""
    said = {**TINY, **MODES[name].settings}
    if "model.weights" in said:
        said["model.weights"] = str(_weights(folder / WEIGHTS))
    return Recipe().override(said)


def _weights(path: Path) -> Path:
    """Return random weights of the smallest MobileNetV2, made where they are not there yet."""
    if not path.is_file():
        keras.utils.set_random_seed(3)
        path.parent.mkdir(parents=True, exist_ok=True)
        keras.applications.MobileNetV2(
            include_top=False, weights=None, alpha=0.35, input_shape=(None, None, 3)
        ).save_weights(path)
    return path


def resumed(name: str, at: tuple[int, int], cut: Path, whole: Mapping[str, Any]) -> Row:
    """Cut a training short, go on with it in another process, and return what became of it.

    Args:
        name: The mode.
        at: The epoch and step after which it is cut short, from 0.
        cut: The run folder.
        whole: What the mode comes to where nothing cuts it short.
    """
    mode = MODES[name]
    shutil.rmtree(cut, ignore_errors=True)
    stopped = _is_cut(mode, recipe_of(name, cut.parent), cut, at)
    points = points_of(cut)
    # That of the training that was cut: its network may have ended before, or another fold not begun.
    before = [place for place, point in points.items() if point == (at[0] + 1, at[1] + 2)]
    point = checkpoint.load(before[0] / "last") if before else None
    code, said = ended(start_python("-m", "tests.campaigns.resume_matrix", RESUME, cut, name))
    differs = ["all"] if code or not before else differences(whole, outcome_of(cut))
    row = {
        "stopped": stopped,
        "stood": bool(before),
        "resumed": code == 0,
        "telling": code == 0 and point is not None and mode.telling(point, Run(cut)),
        "went_on": all_went_on(points),
        "equal": not differs,
        **({"differs": differs} if differs else {}),
        **({"said": said[-500:]} if code else {}),
    }
    return judged(row, RIGHT)


def _is_cut(mode: Mode, recipe: Recipe, folder: Path, at: tuple[int, int]) -> bool:
    """Return whether a training was cut short at an epoch and step of it, or of its refiner."""
    called = [] if mode.in_refiner else [Terminator(at)]
    real, left = AdversarialStepper.step, [2 * at[0] + at[1] + 1]

    def step(self: AdversarialStepper, images: Any, masks: Any) -> dict[str, float]:
        found = real(self, images, masks)
        left[0] -= 1
        if left[0] == 0 and mode.in_refiner:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    try:
        with patch.object(AdversarialStepper, "step", step):
            train(discs(), recipe, to=folder, callbacks=[*mode.callbacks(), *called])
    except KeyboardInterrupt:
        return True
    return False


if __name__ == "__main__":
    main()
