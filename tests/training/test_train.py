"""What a training writes, refuses and tells."""

import errno
import json

import keras
import numpy as np
import pytest

from delineate.bundle import Bundle
from delineate.data.dataset import Dataset
from delineate.errors import DataError, MissingExtraError, RecipeError, RunError, UsageError
from delineate.recipe import Recipe
from delineate.training import train as train_module
from delineate.training.train import train

EPOCH_KEYS = {
    "epoch",
    "loss",
    "accuracy",
    "mean_iou",
    "dice",
    "val_loss",
    "val_accuracy",
    "val_mean_iou",
    "val_dice",
    "seconds",
    "images_per_second",
    "learning_rate",
}


class Recorder(keras.callbacks.Callback):
    """A user's own callback: it records which hooks are called."""

    def __init__(self):
        super().__init__()
        self.called = []

    def on_train_begin(self, logs=None):
        self.called.append("train")

    def on_epoch_begin(self, epoch, logs=None):
        self.called.append(f"epoch {epoch}")

    def on_train_batch_end(self, batch, logs=None):
        assert np.isfinite(logs["loss"])
        self.called.append(f"batch {batch}")

    def on_train_end(self, logs=None):
        self.called.append("end")


@pytest.fixture(scope="module")
def trained(discs, recipe, tmp_path_factory):
    seen, recorder = [], Recorder()
    full = recipe.override(
        {
            "callbacks.pictures": 2,
            "callbacks.tensorboard": True,
            "evaluation.report": True,
            "callbacks.save_steps": 1,
        }
    )
    folder = tmp_path_factory.mktemp("trained") / "run"
    return train(discs, full, to=folder, watch=seen.append, callbacks=[recorder]), seen, recorder


def test_a_run_holds_all_that_the_design_names(trained):
    run = trained[0]
    for path in (run.recipe, run.environment, run.dataset, run.journal, run.results, run.curves):
        assert path.stat().st_size > 0
    for path in (run.report, run.report_json, run.confusion_matrix, run.best / "card.json"):
        assert path.stat().st_size > 0
    assert [path.name for path in sorted(run.pictures.iterdir())] == [
        "epoch0001.png",
        "epoch0002.png",
        "epoch0003.png",
    ]
    assert set(run.rows[0]) == EPOCH_KEYS
    stored = json.loads(run.dataset.read_text())
    assert {name: len(items) for name, items in stored["splits"].items()} == {
        "train": 8,
        "validation": 2,
        "test": 2,
    }
    assert json.loads(run.environment.read_text())["versions"]["keras"] == keras.__version__
    assert Recipe.load(run.recipe).callbacks.save_steps == 1


def test_the_best_model_opens_in_plain_keras_and_is_the_best_epoch(trained, discs):
    run = trained[0]
    model = keras.saving.load_model(run.best / "model.keras")
    card = json.loads((run.best / "card.json").read_text())
    best = min(run.rows, key=lambda row: row["val_loss"])
    assert card["scores"]["val_loss"] == best["val_loss"]
    images = np.stack([sample.image[:32, :32] for sample in discs]).astype("float32")
    assert model.predict(images, verbose=0).shape == (12, 32, 32, 1)


def test_any_keras_callback_is_called_at_each_hook(trained):
    assert trained[2].called == [
        "train",
        *(name for epoch in range(3) for name in (f"epoch {epoch}", "batch 0", "batch 1")),
        "end",
    ]


def test_an_onlooker_sees_each_epoch(trained):
    done = [progress for progress in trained[1] if progress.epoch_done]
    assert [(item.epoch, item.epochs, item.step, item.steps) for item in done] == [
        (1, 3, 2, 2),
        (2, 3, 2, 2),
        (3, 3, 2, 2),
    ]
    assert done[-1].seconds_left == 0
    assert all(item.images_per_second > 0 for item in done)


def test_tensorboard_events_hold_the_scores_and_the_pictures(trained):
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for part in ("train", "validation"):
        path = next((trained[0].tensorboard / part).iterdir())
        for event in read_events(path.read_bytes(), Event):
            for value in event.summary.value:
                found.setdefault((part, value.tag), []).append(value)
    rows = trained[0].rows
    losses = [value.simple_value for value in found["train", "loss"]]
    assert losses == pytest.approx([row["loss"] for row in rows])
    rates = [value.simple_value for value in found["train", "learning_rate"]]
    assert rates == pytest.approx([row["learning_rate"] for row in rows])
    assert len(found["validation", "dice"]) == 3
    assert found["validation", "predictions"][0].image.height > 32


def read_events(content, kind):
    """The records of a TensorFlow event file: length, checksum, data, checksum."""
    position = 0
    while position < len(content):
        length = int.from_bytes(content[position : position + 8], "little")
        event = kind()
        event.ParseFromString(content[position + 12 : position + 12 + length])
        yield event
        position += length + 16


def test_a_missing_tensorboard_extra_names_the_pip_line(discs, recipe, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    wanted = recipe.override({"callbacks.tensorboard": True})
    with pytest.raises(MissingExtraError) as caught:
        train(discs, wanted, to=tmp_path / "run")
    assert "delineate[tensorboard]" in caught.value.hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"callbacks.best": "val_dise"}, RecipeError, "val_dice"),
        ({"callbacks.early_stopping": "val_iou"}, RecipeError, "callbacks.early_stopping"),
        ({"loss.terms": {"sparse_categorical_crossentropy": 1.0}}, RecipeError, "does not go with"),
        ({"training.optimizer": "adamm"}, RecipeError, "training.optimizer"),
        ({"model.activation": "rellu"}, RecipeError, "model.activation"),
        ({"model.encoder": "plan"}, UsageError, "'plain'"),
        ({"model.decoder_filters": [8, 8, 8]}, RecipeError, "model.decoder_filters"),
        ({"training.metrics": ["dise"]}, UsageError, "'dice'"),
        ({"data.channels": 4}, DataError, "3 channels"),
    ],
)
def test_what_makes_no_sense_is_refused_and_no_folder_is_made(
    discs, recipe, tmp_path, changes, kind, told
):
    with pytest.raises(kind) as caught:
        train(discs, recipe.override(changes), to=tmp_path / "run")
    assert told in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_between_two_validations_there_are_no_scores_of_it_and_the_last_epoch_has_one(
    discs, recipe, tmp_path
):
    wanted = recipe.override({"training.validate_every": 2, "training.epochs": 3})
    run = train(discs, wanted, to=tmp_path / "run")
    assert ["val_loss" in row for row in run.rows] == [False, True, True]
    header, first, *_ = run.results.read_text().splitlines()
    assert len(first.split(",")) == len(header.split(","))
    assert run.best.is_dir()


class Stopper(keras.callbacks.Callback):
    """Stops the training after its first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


def test_a_training_that_is_stopped_between_two_validations_has_a_best_model(
    discs, recipe, tmp_path
):
    settings = {"training.validate_every": 3, "callbacks.best": "val_loss"}
    run = train(discs, recipe.override(settings), to=tmp_path / "run", callbacks=[Stopper()])
    assert len(run.rows) == 1
    assert Bundle.open(run.folder).card.scores["val_loss"] > 0


def test_without_a_validation_part_the_training_loss_may_be_watched(discs, recipe, tmp_path):
    alone = discs.with_splits({record.name: "train" for record in discs.records})
    none = {"data.validation": 0.0}
    with pytest.raises(RecipeError, match="no validation part"):
        train(alone, recipe.override(none), to=tmp_path / "run")
    watch_loss = none | {
        "callbacks.best": "loss",
        "callbacks.early_stopping": "none",
        "callbacks.reduce_on_plateau": "none",
        "training.epochs": 1,
        "training.schedule": "cosine",
        "evaluation.report": True,
    }
    run = train(alone, recipe.override(watch_loss), to=tmp_path / "run")
    assert "val_loss" not in run.rows[0]
    assert json.loads(run.report_json.read_text())["split"] == "train"


def test_a_cosine_schedule_ends_at_zero(discs, recipe, tmp_path):
    run = train(discs, recipe.override({"training.schedule": "cosine"}), to=tmp_path / "run")
    rates = [row["learning_rate"] for row in run.rows]
    expected = [0.01 * (1 + np.cos(np.pi * epoch / 3)) / 2 for epoch in (1, 2, 3)]
    assert rates == pytest.approx(expected)


def test_an_infinite_loss_ends_the_training_with_a_hint(discs, recipe, tmp_path):
    wild = recipe.override({"training.learning_rate": 10.0, "training.optimizer": "sgd"})
    wild = wild.override({"loss.terms": {"tests.training.test_train:explode": 1.0}})
    with pytest.raises(RunError, match="loss is inf") as caught:
        train(discs, wild, to=tmp_path / "run")
    assert "learning_rate" in caught.value.hint


def explode(truth, logits, *, output, ignore, options):
    return keras.ops.sum(logits) * 0.0 + float("inf")


def test_classes_of_more_than_two_train_with_a_softmax(recipe, tmp_path):
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (6, 32, 32), dtype=np.uint8)
    images = np.repeat((masks * 80)[..., None], 3, axis=3)
    dataset = Dataset.from_arrays(
        images, masks, classes=["ground", "a", "b"], splits=["train"] * 4 + ["validation"] * 2
    )
    settings = {
        "model.output": "softmax",
        "loss.terms": {"categorical_crossentropy": 1.0, "dice_per_class": 0.5},
        "training.epochs": 2,
    }
    run = train(dataset, recipe.override(settings), to=tmp_path / "run")
    card = json.loads((run.best / "card.json").read_text())
    assert [item["name"] for item in card["classes"]] == ["ground", "a", "b"]


def test_a_folder_that_may_not_be_written_is_told(discs, recipe, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(train_module, "describe", refuse)
    with pytest.raises(RunError, match="may not be written"):
        train(discs, recipe, to=tmp_path / "run")


def test_an_unset_folder_is_made_below_runs(discs, recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = recipe.override({"training.epochs": 1})
    assert str(train(discs, short).folder) == "runs/discs-run-1"
