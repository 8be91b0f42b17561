"""What the optimizer is told: warm-up, clipping, accumulation, and the moving average of weights."""

import keras
import numpy as np
import pytest

from delineate.training.parts import assemble
from delineate.training.session import _share_of
from delineate.training.thawing import plain_stepper
from delineate.training.train import train
from tests.training.test_resume import Bell, Bomb, Killed, weights_hash

SGD = {"training.optimizer": "sgd", "training.learning_rate": 0.5, "model.normalisation": "none"}


@pytest.fixture(scope="module")
def plain(recipe):
    """A recipe whose steps are simple enough to do them by hand."""
    return recipe.override({**SGD, "model.dropout": [0.0], "training.schedule": "constant"})


def stepped(discs, recipe, steps):
    """Return the stepper and the weights after each step, the first ones before any."""
    parts = assemble(discs, recipe)
    stepper = plain_stepper(parts, recipe)
    seen = [parts.trainer.get_weights()]
    for step in steps:
        stepper.set_learning_rate(recipe.training.learning_rate)
        stepper.step(*parts.batches.batch(0, step))
        seen.append(parts.trainer.get_weights())
    return parts, stepper, seen


def change(seen, number):
    """Return by how much all weights changed in a step, as one vector."""
    pairs = zip(seen[number], seen[number + 1], strict=True)
    return np.concatenate([(after - before).ravel() for before, after in pairs])


def test_a_long_gradient_is_cut_to_the_length_and_keeps_its_direction(discs, plain):
    free = change(stepped(discs, plain, [0])[2], 0)
    length = np.linalg.norm(free) / 0.5
    clipped = change(stepped(discs, plain.override({"training.clip_norm": length / 4}), [0])[2], 0)
    np.testing.assert_allclose(clipped, free / 4, rtol=1e-3, atol=1e-7)
    short = change(stepped(discs, plain.override({"training.clip_norm": length * 2}), [0])[2], 0)
    np.testing.assert_allclose(short, free, rtol=1e-4, atol=1e-7)


def test_two_accumulated_batches_step_by_their_mean_gradient(discs, plain):
    both = plain.override({"training.accumulate": 2})
    seen = stepped(discs, both, [0, 1])[2]
    assert not change(seen, 0).any(), "nothing moves before the second batch"
    first = change(stepped(discs, plain, [0])[2], 0)
    second = change(stepped(discs, plain, [1])[2], 0)
    np.testing.assert_allclose(change(seen, 1), (first + second) / 2, rtol=1e-3, atol=1e-6)


def test_the_average_is_shown_and_the_stepped_weights_come_back(discs, plain):
    kept = 0.75
    parts, stepper, seen = stepped(discs, plain.override({"training.average": kept}), [0, 1, 0])
    wanted = seen[1]
    for weights in seen[2:]:
        pairs = zip(wanted, weights, strict=True)
        wanted = [kept * mean + (1 - kept) * new for mean, new in pairs]
    with stepper.shown():
        shown = parts.trainer.get_weights()
    for one, other in zip(shown, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    for one, other in zip(parts.trainer.get_weights(), seen[-1], strict=True):
        assert np.array_equal(one, other)


def test_what_is_shown_may_be_tested_and_stepped_after(discs, plain):
    # On JAX a function that is given weights may take them for good.
    parts, stepper, _ = stepped(discs, plain.override({"training.average": 0.5}), [0])
    for step in (1, 0):
        with stepper.shown():
            stepper.test(*parts.batches.batch(0, 1))
            parts.predictor().predict(discs[0].image)
        stepper.step(*parts.batches.batch(0, step))
    assert all(np.isfinite(weight).all() for weight in parts.trainer.get_weights())


def test_before_any_step_the_weights_themselves_are_shown(discs, plain):
    parts, stepper, seen = stepped(discs, plain.override({"training.average": 0.9}), [])
    with stepper.shown():
        assert all(map(np.array_equal, parts.trainer.get_weights(), seen[0]))


def _distance(some, others):
    array = keras.ops.convert_to_numpy
    pairs = zip(some, others, strict=True)
    return sum(float(np.abs(array(one) - array(other)).sum()) for one, other in pairs)


def test_the_average_is_what_is_saved(discs, plain, tmp_path):
    recipe = plain.override({"training.average": 0.999, "callbacks.best": "last"})
    run = train(discs, recipe, to=tmp_path / "run")
    last = train(discs, recipe.override({"training.average": 0.0}), to=tmp_path / "plain")
    saved, stepped_last = (
        keras.saving.load_model(each.best / "model.keras").trainable_variables
        for each in (run, last)
    )
    # Statistics of the batch normalisation are not averaged; the average begins at the first step.
    first = stepped(discs, recipe, [0])[0].model.trainable_variables
    moved, far = (_distance(weights, first) for weights in (saved, stepped_last))
    assert 0 < moved < far / 10, "a slow average lags behind the weights"


@pytest.mark.parametrize(
    "settings",
    [
        {"training.average": 0.9},
        {"training.accumulate": 3},
        {"training.average": 0.9, "training.encoder_rate": 0.1, "training.clip_norm": 0.5},
        {"training.warmup": 0.4, "training.schedule": "cosine"},
    ],
)
def test_each_of_them_resumes_exactly(discs, recipe, tmp_path, settings):
    recipe = recipe.override({"callbacks.save_steps": 1, **settings})
    whole = train(discs, recipe, to=tmp_path / "whole")
    with pytest.raises(Killed):
        train(discs, recipe, to=tmp_path / "cut", callbacks=[Bomb(1, 1)])
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)


def test_an_interrupted_training_saves_what_is_stepped_and_not_the_average(discs, recipe, tmp_path):
    recipe = recipe.override({"training.average": 0.9})
    whole = train(discs, recipe, to=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(discs, recipe, to=tmp_path / "cut", callbacks=[Bell(0, 1)])
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)


def test_the_rate_rises_and_then_follows_the_schedule(recipe):
    settings = recipe.override({"training.warmup": 0.1, "training.schedule": "cosine"}).training
    rates = [_share_of(settings, done, 100) for done in range(100)]
    rising = [(done + 1) / 11 for done in range(10)]
    falling = [(1 + np.cos(np.pi * done / 90)) / 2 for done in range(90)]
    assert np.allclose(rates, rising + falling)


def test_without_a_schedule_the_rate_stays_after_the_warm_up(recipe):
    settings = recipe.override({"training.warmup": 0.5}).training
    rates = [_share_of(settings, done, 4) for done in range(4)]
    assert np.allclose(rates, [1 / 3, 2 / 3, 1, 1])
