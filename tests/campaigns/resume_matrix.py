"""Every way to train, cut short at the end of an epoch and in the middle of one, and resumed.

Usage: python -m tests.campaigns.resume_matrix FOLDER
KERAS_BACKEND says on which backend. What has its row already is not done again.
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import keras

from delineate.bundle import Bundle
from delineate.data.dataset import Dataset
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training.adversarial import AdversarialStepper
from delineate.training.train import train
from tests.campaigns.record import Row, conclude, go_on, judged, point_of, weights_hash, went_on
from tests.training.conftest import TINY, make_discs

ADVERSARIAL = {
    "callbacks.early_stopping": "none",
    "refiner.epochs": 2,
    "refiner.filters": 4,
    "refiner.depth": 1,
    "refiner.critic_filters": 4,
    "refiner.critic_depth": 1,
    "refiner.learning_rate": 0.01,
}
MODES: dict[str, dict[str, object]] = {
    "shuffling, augmentation, dropout": {"augment.elastic": 2.0},
    "moving average": {"training.average": 0.9},
    "accumulation": {"training.accumulate": 2},
    "plateau and early stop": {
        "training.epochs": 6,
        "callbacks.early_stopping_patience": 2,
        "callbacks.reduce_patience": 1,
        "callbacks.minimum_gain": 10.0,
    },
    "adversarial after": {**ADVERSARIAL, "refiner.use": "after"},
    "adversarial together": {**ADVERSARIAL, "refiner.use": "together"},
    "bfloat16": {"runtime.precision": "bfloat16"},
    "AdamW, warm-up, cosine, clipping": {
        "training.optimizer": "adamw",
        "training.weight_decay": 0.01,
        "training.clip_norm": 0.5,
        "training.schedule": "cosine",
        "training.warmup": 0.3,
    },
    "objects": {"model.objects": "both", "model.output": "softmax"},
    "folds": {"training.folds": 2, "callbacks.early_stopping": "none"},
}
# Of an epoch of two steps. With the last one, SIGTERM leaves the epoch's scores to the resumption.
RIGHT = ("stopped", "went_on", "equal")
MOMENTS = {"in the middle of an epoch": (1, 0), "at the end of an epoch": (1, 1)}


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


def main() -> None:
    folder, backend = Path(sys.argv[1]), keras.backend.backend()
    images, masks, instances = make_discs()
    splits = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    data = Dataset.from_arrays(images, masks, instances=instances, splits=splits, name="discs")
    terms = {"loss.terms": {"binary_crossentropy": 1.0}}

    def try_one(case: str) -> Row:
        _, mode, moment = case.split(": ")
        said = {**TINY, **terms, **MODES[mode]}
        if mode == "objects":
            said["loss.terms"] = {"sparse_categorical_crossentropy": 1.0}
        recipe = Recipe().override(said)
        runs = [folder / name for name in ("whole", "cut")]
        for each in runs:
            shutil.rmtree(each, ignore_errors=True)
        train(data, recipe, to=runs[0])
        cut = _cut_in_refiner if mode == "adversarial after" else _cut
        stopped = cut(data, recipe, runs[1], MOMENTS[moment])
        points = {part.folder: point_of(part.folder) for part in _parts(runs[1])}
        train(data, to=runs[1], resume=True)
        ended = [went_on(place, point) for place, point in points.items() if point is not None]
        equal = _outcome(runs[0]) == _outcome(runs[1])
        row = {"stopped": stopped, "went_on": bool(ended) and all(ended), "equal": equal}
        return judged(row, RIGHT)

    cases = [f"{backend}: {mode}: {moment}" for mode in MODES for moment in MOMENTS]
    conclude(go_on("resume-matrix", cases, try_one, part=backend), "trainings that were resumed")


def _cut(data: Dataset, recipe: Recipe, folder: Path, moment: tuple[int, int]) -> bool:
    """Return whether a training was cut short at an epoch and step."""
    try:
        train(data, recipe, to=folder, callbacks=[Terminator(moment)])
    except KeyboardInterrupt:
        return True
    return False


def _cut_in_refiner(data: Dataset, recipe: Recipe, folder: Path, moment: tuple[int, int]) -> bool:
    """Return whether a training was cut short at an epoch and step of its refiner."""
    real, left = AdversarialStepper.step, [2 * moment[0] + moment[1] + 1]

    def step(self: AdversarialStepper, images: Any, masks: Any) -> dict[str, float]:
        found = real(self, images, masks)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    AdversarialStepper.step = step  # type: ignore[method-assign]
    try:
        train(data, recipe, to=folder)
    except KeyboardInterrupt:
        return True
    finally:
        AdversarialStepper.step = real  # type: ignore[method-assign]
    return False


def _parts(folder: Path) -> list[Run]:
    """Return the trainings in a run folder that have resume points."""
    run = Run(folder)
    return [part for part in (run, run.refiner, run.fold(1), run.fold(2)) if part.last.is_dir()]


def _outcome(folder: Path) -> Any:
    """Return all that has to be the same: weights, scores and decisions of all trainings in it."""
    parts = _parts(folder)
    hashes = [weights_hash(each.folder) for each in parts]
    passing = ("seconds", "images_per_second")
    rows = [
        {key: value for key, value in row.items() if key not in passing}
        for each in parts
        for row in each.rows
    ]
    card = Bundle.open(folder).card
    return hashes, rows, card.post, card.scores if not rows else None


if __name__ == "__main__":
    main()
