"""The best epoch, early stopping and the learning rate, against plain loops over the values."""

import json
import math
from types import SimpleNamespace

import pytest

from delineate.training.callbacks import EarlyStopping, KeepBest, ReduceOnPlateau, Watched


def run_through(callback, values, name="val_loss"):
    """Give a callback one value per epoch; return the model that it may have stopped."""
    model = SimpleNamespace(stop_training=False)
    callback.set_model(model)
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {} if value is None else {name: value})
        if model.stop_training:
            return epoch
    return None


def test_the_best_loss_is_the_lowest_and_the_best_score_the_highest():
    values = [3.0, 2.0, 2.5, 1.0, 4.0]
    losses, scores = [], []
    run_through(KeepBest(Watched("val_loss"), losses.append), values)
    run_through(KeepBest(Watched("val_dice"), scores.append), values, "val_dice")
    assert [logs["val_loss"] for logs in losses] == [3.0, 2.0, 1.0]
    assert [logs["val_dice"] for logs in scores] == [3.0, 4.0]


def test_gains_below_the_minimum_do_not_count():
    saved = []
    run_through(KeepBest(Watched("val_loss", 0.5), saved.append), [2.0, 1.6, 1.4, 0.95])
    assert [logs["val_loss"] for logs in saved] == [2.0, 1.4]


def test_a_nan_is_never_the_best():
    saved = []
    run_through(KeepBest(Watched("val_loss"), saved.append), [math.nan, 2.0, math.nan, 1.0])
    assert [logs["val_loss"] for logs in saved] == [2.0, 1.0]


@pytest.mark.parametrize(("patience", "stopped"), [(1, 2), (2, 3), (5, None)])
def test_early_stopping_bears_as_many_epochs_as_its_patience(patience, stopped):
    callback = EarlyStopping(Watched("val_loss"), patience)
    assert run_through(callback, [2.0, 1.0, 1.0, 1.5, 1.2]) == stopped


@pytest.mark.parametrize(("patience", "stopped", "scale"), [(0, 4, 0.25), (2, 6, 0.5)])
def test_epochs_without_a_validation_are_neither_gains_nor_losses(patience, stopped, scale):
    values = [None, 2.0, None, 1.0, 1.5, None, 1.2]
    saved = []
    assert run_through(KeepBest(Watched("val_loss"), saved.append), values) is None
    assert [logs["val_loss"] for logs in saved] == [2.0, 1.0]
    assert run_through(EarlyStopping(Watched("val_loss"), patience), values) == stopped
    plateau = ReduceOnPlateau(Watched("val_loss"), patience, 0.5)
    run_through(plateau, values)
    assert plateau.scale == scale


def test_the_learning_rate_falls_after_each_plateau():
    callback = ReduceOnPlateau(Watched("val_loss"), patience=2, factor=0.5)
    scales = []
    for epoch, value in enumerate([1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.6]):
        callback.on_epoch_end(epoch, {"val_loss": value})
        scales.append(callback.scale)
    assert scales == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25]


@pytest.mark.parametrize(
    "make",
    [
        lambda: KeepBest(Watched("val_loss"), lambda logs: None),
        lambda: EarlyStopping(Watched("val_loss"), 3),
        lambda: ReduceOnPlateau(Watched("val_loss"), 2, 0.5),
    ],
)
def test_a_state_survives_json_and_goes_on_as_if_never_cut(make):
    values = [3.0, 2.0, 2.5, 2.6, 2.7, 1.0, 1.5, 1.6]
    whole, first, second = make(), make(), make()
    run_through(whole, values)
    run_through(first, values[:3])
    second.set_state(json.loads(json.dumps(first.get_state())))
    run_through(second, values[3:])
    assert second.get_state() == whole.get_state()
