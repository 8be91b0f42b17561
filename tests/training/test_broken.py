"""A training whose numbers become infinite ends at once, and nothing good is lost."""

import keras
import numpy as np
import pytest

from delineate.errors import RunError
from delineate.training import checkpoint
from delineate.training.steppers import PlainStepper
from delineate.training.train import train


@pytest.fixture
def losses(monkeypatch):
    """Losses by (how many steps have been made), which a step gives instead of its own."""
    wanted, real = {}, PlainStepper.step

    def step(self, images, masks):
        self.counted = getattr(self, "counted", 0) + 1
        return real(self, images, masks) | wanted.get(self.counted, {})

    monkeypatch.setattr(PlainStepper, "step", step)
    return wanted


class Poison(keras.callbacks.Callback):
    """Makes a weight infinite after a step, as a gradient does that overflows."""

    def __init__(self, epoch, step):
        super().__init__()
        self.at, self.epoch = (epoch, step), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            weight = self.model.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.inf, np.float32))


def test_the_batch_and_the_one_before_are_named_and_kept(discs, recipe, losses, tmp_path):
    losses[4] = {"loss": float("nan")}
    with pytest.raises(RunError, match=r"loss is nan in epoch 2, step 2 \(.+\)") as told:
        train(discs, recipe, to=tmp_path / "run")
    assert "training.learning_rate" in told.value.hint
    assert "--resume" in told.value.hint
    folder = tmp_path / "run" / "broken"
    assert str(folder) in told.value.hint
    stems = [f"epoch0002-step00000{number}" for number in (1, 2)]
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{stem}.{ending}" for stem in stems for ending in ("npz", "png")
    ]
    with np.load(folder / f"{stems[1]}.npz", allow_pickle=False) as kept:
        assert kept["images"].shape == (4, 32, 32, 3)
        assert kept["masks"].shape == (4, 32, 32)
        assert len(kept["names"]) == 4
        assert str(kept["names"][0]) in told.value.message


def test_it_goes_on_from_before(discs, recipe, losses, tmp_path):
    whole = train(discs, recipe, to=tmp_path / "whole")
    losses[4] = {"loss": float("inf")}
    with pytest.raises(RunError, match="loss is inf"):
        train(discs, recipe, to=tmp_path / "run")
    losses.clear()
    run = train(discs, to=tmp_path / "run", resume=True)
    assert [row["loss"] for row in run.rows] == [row["loss"] for row in whole.rows]


@pytest.mark.parametrize("best", ["val_loss", "last"])
def test_infinite_weights_are_neither_scored_nor_kept(discs, recipe, tmp_path, best):
    wanted = recipe.override({"callbacks.best": best})
    with pytest.raises(RunError, match=r"weights are not finite after epoch 2, step 2 \("):
        train(discs, wanted, to=tmp_path / "run", callbacks=[Poison(1, 1)])
    point = checkpoint.load(tmp_path / "run" / "last")
    assert (point.epoch, point.step) == (1, 0)
    model = keras.saving.load_model(tmp_path / "run" / "best" / "model.keras")
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_resume_point_that_is_not_finite_is_not_written(discs, recipe, losses, tmp_path):
    # The loss stays finite, so that only who saves can notice.
    for number in range(1, 7):
        losses[number] = {"loss": 0.5}
    wanted = recipe.override({"callbacks.save_steps": 1})
    with pytest.raises(RunError, match=r"not finite after epoch 2, step 1 \("):
        train(discs, wanted, to=tmp_path / "run", callbacks=[Poison(1, 0)])
    assert (tmp_path / "run" / "broken" / "epoch0002-step000001.npz").is_file()
    point = checkpoint.load(tmp_path / "run" / "last")
    assert (point.epoch, point.step) == (1, 0)


@pytest.mark.parametrize(
    ("values", "finite"),
    [
        (np.array([1.0, np.nan], np.float32), False),
        (np.array([np.inf, -np.inf], np.float32), False),
        (np.full(4, 3e38, np.float32), True),
        (np.array([2**31 - 1], np.int32), True),
        (np.zeros((0, 3), np.float32), True),
    ],
    ids=str,
)
def test_what_is_finite(values, finite):
    assert checkpoint.is_finite(values) is finite


def test_a_loss_of_the_validation_that_is_not_finite_ends_it(discs, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(PlainStepper, "test", lambda *_: {"loss": float("nan")})
    with pytest.raises(RunError, match="The val_loss is nan after epoch 1") as told:
        train(discs, recipe, to=tmp_path / "run")
    assert "training.learning_rate" in told.value.hint
    assert not (tmp_path / "run" / "best").exists()


def test_of_gradients_that_are_added_up_all_batches_are_kept(discs, recipe, losses, tmp_path):
    losses[4] = {"loss": float("inf")}
    wanted = recipe.override({"training.accumulate": 3, "training.batch_size": 2})
    with pytest.raises(RunError, match="loss is inf in epoch 1, step 4"):
        train(discs, wanted, to=tmp_path / "run")
    kept = sorted(path.stem for path in (tmp_path / "run" / "broken").glob("*.npz"))
    assert kept == [f"epoch0001-step{number:06d}" for number in range(1, 5)]


def test_what_the_optimizer_keeps_is_looked_at_too(discs, recipe, tmp_path):
    class Overflow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            kept = self.model.optimizer.variables[-1]
            kept.assign(np.full(kept.shape, np.inf, np.float32))

    with pytest.raises(RunError, match="or what its optimizer keeps is not") as told:
        train(discs, recipe, to=tmp_path / "run", callbacks=[Overflow()])
    assert "training.clip_norm" in told.value.hint
