"""The time for what comes after the last step, and a training that keeps its budget."""

import time

import pytest

from delineate.bundle import Bundle
from delineate.evaluation.tune import Tuning
from delineate.recipe import Post
from delineate.training import afterwards
from delineate.training.afterwards import DRAWING, SHARE, seconds_afterwards
from delineate.training.budget import Budget
from delineate.training.parts import assemble
from delineate.training.thawing import plain_stepper
from delineate.training.train import train
from tests.training.test_resume import Bell, weights_hash


@pytest.fixture
def second_each(monkeypatch):
    """Each thing that is timed takes a second."""
    monkeypatch.setattr(afterwards, "_timed", lambda work: (work(), 1.0)[1])


@pytest.mark.usefixtures("second_each")
def test_validation_search_and_report_are_all_counted(discs, recipe):
    parts = assemble(discs, recipe)
    stepper = plain_stepper(parts, recipe)
    windows = parts.validation.steps
    bare = seconds_afterwards(parts, stepper, recipe)
    assert bare == windows
    told = recipe.override({"evaluation.report": True})
    assert seconds_afterwards(parts, stepper, told) == windows + 2 * 2 + DRAWING
    searched = told.override({"post.tune": True})
    assert seconds_afterwards(parts, stepper, searched) > windows + 2 * (1 + 8) + DRAWING
    short = seconds_afterwards(parts, stepper, searched, budget=10)
    assert short == windows + 2 * 2 + DRAWING + SHARE * 10, "no budget goes into a search"


@pytest.mark.usefixtures("second_each")
def test_a_search_gets_time_for_what_it_will_try(discs, recipe, monkeypatch):
    searched = recipe.override({"post.tune": True})
    parts = assemble(discs, searched)
    stepper = plain_stepper(parts, searched)
    found = []
    for count in (0, 10):
        monkeypatch.setattr(afterwards, "trials_of", lambda card, part, count=count: count)
        found.append(seconds_afterwards(parts, stepper, searched))
    images = len(discs.split("validation"))
    assert found[1] - found[0] == images * 10 / 2, "half a second for each trial of each image"


@pytest.mark.parametrize(("report", "is_tuned"), [(3000.0, True), (4000.0, False)])
def test_the_search_leaves_time_for_the_report(
    discs, recipe, tmp_path, monkeypatch, report, is_tuned
):
    told = []

    def tune(run, part, augment, *, seconds):
        told.append(seconds)
        return Tuning(Post(), "dice_per_image", 0.0, 0.0, ())

    monkeypatch.setattr("delineate.training.train.tune", tune)
    monkeypatch.setattr("delineate.training.train.seconds_of_report", lambda *_: report)
    # An hour, since one epoch has to fit beside the report on the slowest machine, too.
    asked = {"training.budget": 60.0, "post.tune": True, "evaluation.report": True}
    train(discs, recipe.override(asked | {"training.epochs": 1}), to=tmp_path / "run")
    assert len(told) == is_tuned
    assert all(0 < seconds < 3600 - report for seconds in told)


def test_looking_ahead_changes_no_weight(discs, recipe):
    parts = assemble(discs, recipe)
    stepper = plain_stepper(parts, recipe)
    before = [weight.copy() for weight in parts.trainer.get_weights()]
    seconds_afterwards(parts, stepper, recipe)
    after = parts.trainer.get_weights()
    assert all((one == other).all() for one, other in zip(before, after, strict=True))


class Slow(Budget):
    """A clock that runs a second with each look at it, so that the test takes none."""

    now = 0.0

    def __init__(self, seconds, *, most, begun):
        super().__init__(seconds, most=most, begun=0.0, clock=self.tick)

    @classmethod
    def tick(cls):
        cls.now += 0.5
        return cls.now


@pytest.fixture
def slow(monkeypatch):
    Slow.now = 0.0
    monkeypatch.setattr("delineate.training.train.Budget", Slow)


@pytest.mark.usefixtures("slow")
def test_a_budget_cuts_the_last_epoch_short_and_validates_it(discs, recipe, tmp_path):
    budgeted = recipe.override(
        {
            "training.budget": 0.5,
            "training.epochs": 1000,
            "training.batch_size": 1,
            "training.schedule": "cosine",
            "callbacks.early_stopping": "none",
            "callbacks.reduce_on_plateau": "none",
            "callbacks.best": "last",
        }
    )
    run = train(discs, budgeted, to=tmp_path / "run")
    assert 1 < len(run.rows) < 1000
    assert "val_loss" in run.rows[-1]
    assert run.rows[-1]["learning_rate"] == pytest.approx(0, abs=1e-4)
    decided = [event["steps"] for event in run.events() if event["event"] == "budget"]
    assert decided
    assert Bundle.open(run.best).card.scores["val_loss"] == run.rows[-1]["val_loss"]


def test_a_resumed_budget_goes_on_with_what_was_decided(discs, recipe, tmp_path):
    # The budget is never reached, so that both trainings make all steps.
    ample = recipe.override({"training.budget": 600.0})
    whole = train(discs, ample, to=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(discs, ample, to=tmp_path / "cut", callbacks=[Bell(1, 0)])
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)


def test_a_training_ends_in_its_time(discs, recipe, tmp_path):
    budgeted = recipe.override(
        {
            "training.budget": 0.25,
            "training.epochs": 100_000,
            "training.batch_size": 1,
            "callbacks.early_stopping": "none",
            "callbacks.reduce_on_plateau": "none",
            "callbacks.best": "last",
        }
    )
    begun = time.monotonic()
    train(discs, budgeted, to=tmp_path / "run")
    # On a busy machine more than the 5 % of the measurements: nothing here is long enough to be even.
    assert time.monotonic() - begun < 25
