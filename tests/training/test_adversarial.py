"""One adversarial step: who is moved by what, and what never counts."""

import numpy as np
import pytest

from delineate.losses import SegmentationLoss
from delineate.metrics import Scores
from delineate.models.build import build_model
from delineate.models.machine import is_compiled
from delineate.models.refiner import build_critic, build_refiner
from delineate.recipe import Refiner, Runtime
from delineate.training.adversarial import AdversarialStepper, Distance, Verdict

SMALL = Refiner(
    filters=4, depth=1, critic_filters=4, critic_depth=1, learning_rate=0.01, fidelity_weight=10.0
)
CHANNELS = {"softmax": 2, "sigmoid": 1}


def make_stepper(output="softmax", settings=SMALL):
    first = build_model(
        classes=2, channels=1, depth=1, filters=4, output=output, dropout=(0.5,), seed=1
    )
    made = {"channels": 1, "classes": CHANNELS[output], "settings": settings, "largest": 255.0}
    name = "binary_crossentropy" if output == "sigmoid" else "sparse_categorical_crossentropy"
    refiner, critic = build_refiner(output=output, **made), build_critic(**made)
    stepper = AdversarialStepper(
        first,
        refiner,
        critic,
        Scores(2),
        settings=settings,
        fidelity=SegmentationLoss({name: 1.0}, output=output),
        compiled=is_compiled(Runtime()),
    )
    return stepper, first, refiner, critic


def batch(seed=0, ignored=np.s_[:0]):
    rng = np.random.default_rng(seed)
    masks = np.zeros((2, 16, 16), np.int32)
    masks[:, 4:12, 4:12] = 1
    images = (masks[..., None] * 120 + rng.uniform(0, 100, (2, 16, 16, 1))).astype(np.float32)
    masks[ignored] = 255
    return images, masks


def moved(model, step):
    """Whether a step changes any weight of a model."""
    before = model.get_weights()
    step()
    pairs = zip(before, model.get_weights(), strict=True)
    return any((old != new).any() for old, new in pairs)


def test_a_step_moves_refiner_and_critic_and_nothing_of_the_network():
    stepper, first, refiner, critic = make_stepper()
    for _ in range(2):
        before = [first.get_weights(), refiner.get_weights(), critic.get_weights()]
        losses = stepper.step(*batch())
        after = [first.get_weights(), refiner.get_weights(), critic.get_weights()]
        changed = [
            any((a != b).any() for a, b in zip(*pair, strict=True))
            for pair in zip(before, after, strict=True)
        ]
        assert changed == [False, True, True]
    assert set(losses) == {"loss", "fidelity", "adversarial", "critic"}
    expected = 10 * losses["fidelity"] + losses["adversarial"]
    assert losses["loss"] == pytest.approx(expected, rel=1e-5)


def test_each_of_the_two_is_moved_by_its_own_optimizer_alone():
    stepper, _, refiner, critic = make_stepper()
    stepper.step(*batch())
    stepper.model.optimizer.learning_rate = 0.0
    assert not moved(refiner, lambda: stepper.step(*batch()))
    assert moved(critic, lambda: stepper.step(*batch()))
    stepper.set_learning_rate(0.01)
    stepper._judge.optimizer.learning_rate = 0.0
    assert not moved(critic, lambda: stepper.step(*batch()))
    assert moved(refiner, lambda: stepper.step(*batch()))


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_where_all_is_ignored_the_refiner_learns_nothing(output):
    stepper, _, refiner, _ = make_stepper(output)
    images, masks = batch()
    assert not moved(refiner, lambda: stepper.step(images, np.full_like(masks, 255)))
    assert moved(refiner, lambda: stepper.step(images, masks))


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_critic_is_shown_the_same_where_the_truth_is_ignored(output):
    stepper, *_ = make_stepper(output)
    images, masks = batch()
    refined = np.random.default_rng(1).uniform(0, 1, (2, 16, 16, CHANNELS[output]))
    refined = refined.astype(np.float32)
    found = stepper._judge.predict_on_batch([images, np.full_like(masks, 255), refined])
    np.testing.assert_array_equal(found["real"], found["refined"])
    found = stepper._judge.predict_on_batch([images, masks, refined])
    assert (found["real"] != found["refined"]).any()


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_refiner_that_is_right_everywhere_shows_the_critic_the_truth(output):
    stepper, *_ = make_stepper(output)
    images, masks = batch(ignored=np.s_[:, :3])
    truth = np.stack([masks == 0, masks == 1], axis=-1)[..., -CHANNELS[output] :]
    found = stepper._judge.predict_on_batch([images, masks, truth.astype(np.float32)])
    np.testing.assert_array_equal(found["real"], found["refined"])


def test_the_network_works_as_in_prediction_without_dropout():
    stepper, *_ = make_stepper()
    assert stepper.test(*batch()) == stepper.test(*batch())
    assert set(stepper.test(*batch())) == {"loss", "fidelity", "adversarial"}


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_refined_masks_come_nearer_to_the_truth_and_are_counted(output):
    stepper, *_ = make_stepper(output)
    losses = [stepper.step(*batch(seed)) for seed in range(16)]
    assert losses[-1]["fidelity"] < 0.8 * losses[0]["fidelity"]
    assert stepper.scores.table().sum() == 2 * 16 * 16


def test_a_resume_point_holds_all_that_a_step_changes():
    from delineate.training import checkpoint

    stepper, *_ = make_stepper()
    stepper.step(*batch(0))
    kept = checkpoint.values_of(stepper.variables)
    expected = [stepper.step(*batch(seed)) for seed in (1, 2)]
    other, *_ = make_stepper(settings=SMALL)
    other.step(*batch(5))
    checkpoint.restore(other.variables, kept)
    assert [other.step(*batch(seed)) for seed in (1, 2)] == expected


@pytest.mark.parametrize("real", [True, False])
def test_the_verdict_is_the_cross_entropy_of_scikit_learn(real):
    from sklearn.metrics import log_loss

    logits = np.random.default_rng(0).normal(0, 3, (2, 4, 4, 1)).astype(np.float32)
    found = Verdict(real=real)(np.zeros((2, 16, 16)), logits)
    sure = 1 / (1 + np.exp(-logits.ravel().astype(np.float64)))
    expected = log_loss(np.full(32, int(real)), np.stack([1 - sure, sure], -1), labels=[0, 1])
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("output", "channels"), [("softmax", 3), ("sigmoid", 1), ("sigmoid", 3)])
def test_the_distance_is_the_mean_absolute_error_of_numpy(output, channels):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (2, 8, 8, channels)).astype(np.float32)
    truth = rng.integers(0, max(channels, 2), (2, 8, 8))
    truth[0, :3] = 255
    odds = np.exp(logits.astype(np.float64))
    sure = odds / odds.sum(-1, keepdims=True) if output == "softmax" else odds / (1 + odds)
    right = np.stack([truth == number for number in range(max(channels, 2))], -1)[..., -channels:]
    expected = np.abs(sure - right)[truth != 255].mean()
    assert float(Distance(output=output)(truth, logits)) == pytest.approx(expected, rel=1e-5)


def test_the_distance_of_nothing_but_ignored_pixels_is_zero():
    logits = np.ones((1, 4, 4, 2), np.float32)
    assert float(Distance(output="softmax")(np.full((1, 4, 4), 255), logits)) == 0


def test_the_first_step_of_either_order_gathers_the_right_weights():
    """On TensorFlow the functions are traced once: a test before the first step must not matter."""
    stepper, _, refiner, critic = make_stepper()
    stepper.test(*batch())
    assert len(stepper.model.optimizer._trainable_variables) == len(refiner.trainable_variables)
    assert len(stepper._judge.optimizer._trainable_variables) == len(critic.trainable_variables)
    assert moved(critic, lambda: stepper.step(*batch()))
    assert critic.trainable
