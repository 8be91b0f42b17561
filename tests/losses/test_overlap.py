"""What tells the losses of overlap apart."""

import numpy as np
import pytest

from delineate.losses import IGNORE, LossOptions, SegmentationLoss
from tests.losses.cases import make_case


def value(name, truth, logits, output, **options):
    loss = SegmentationLoss({name: 1.0}, output=output, options=LossOptions(**options))
    return float(loss(truth, logits))


def logits_of(shares):
    """The logits of one channel whose probabilities these are."""
    shares = np.asarray(shares, float)
    return np.log(shares / (1 - shares))[..., np.newaxis]


def test_dice_is_worked_out_by_hand_for_one_channel():
    truth = np.array([[[1, 1, 0, IGNORE]]])
    logits = logits_of([[[0.9, 0.4, 0.2, 0.7]]])
    expected = 1 - (2 * (0.9 + 0.4) + 1) / (2 + (0.9 + 0.4 + 0.2) + 1)
    for name in ("dice_per_class", "dice_per_image", "dice_over_batch"):
        assert value(name, truth, logits, "sigmoid") == pytest.approx(expected)


def test_dice_takes_the_sigmoid_of_each_channel_where_the_network_does():
    truth, logits = make_case("random", 3)
    found = [value("dice_per_class", truth, logits, output) for output in ("sigmoid", "softmax")]
    assert found[0] != found[1]


@pytest.mark.parametrize(
    "name", ["dice_per_class", "dice_per_image", "dice_over_batch", "tversky", "focal_tversky"]
)
def test_a_class_that_is_neither_there_nor_predicted_costs_nothing(name):
    truth = np.zeros((1, 4, 4), int)
    logits = np.full((1, 4, 4, 1), -60.0)
    assert value(name, truth, logits, "sigmoid") == pytest.approx(0)


def image_of(pixels, found):
    """An image of 8 × 8 whose class 1 has some pixels, of which the first few are found."""
    truth = np.zeros(64, int)
    truth[:pixels] = 1
    return truth.reshape(8, 8), np.where(np.arange(64) < found, 60.0, -60.0).reshape(8, 8, 1)


def test_a_small_object_weighs_as_much_as_a_large_one_only_where_each_image_counts_by_itself():
    (small, none), (large, all_of_it) = image_of(4, 0), image_of(40, 40)
    truth, logits = np.stack([small, large]), np.stack([none, all_of_it])
    missed = 1 - 1 / 5
    assert value("dice_per_image", truth, logits, "sigmoid") == pytest.approx(missed / 2)
    pooled = 1 - (2 * 40 + 1) / (44 + 40 + 1)
    assert value("dice_per_class", truth, logits, "sigmoid") == pytest.approx(pooled)


def test_a_small_class_weighs_as_much_as_a_large_one_only_where_each_class_counts_by_itself():
    truth = np.repeat([0, 1, 2], [20, 40, 4]).reshape(1, 8, 8)
    found = np.repeat([0, 1, 0], [20, 40, 4]).reshape(1, 8, 8)
    logits = 60.0 * np.eye(3)[found]
    missed = 1 - 1 / 5
    assert value("dice_per_class", truth, logits, "softmax") == pytest.approx(missed / 2)
    pooled = 1 - (2 * 40 + 1) / (44 + 40 + 1)
    assert value("dice_over_batch", truth, logits, "softmax") == pytest.approx(pooled)


def test_an_ignored_image_does_not_dilute_the_mean_over_images():
    truth, logits = make_case("ignored image", 3)
    alone = value("dice_per_image", truth[:1], logits[:1], "softmax")
    assert value("dice_per_image", truth, logits, "softmax") == pytest.approx(alone)


def test_a_tversky_loss_with_two_halves_is_dice():
    truth, logits = make_case("random", 4)
    halves = {"tversky_false_positives": 0.5, "tversky_false_negatives": 0.5}
    found = value("tversky", truth, logits, "softmax", **halves)
    assert found == pytest.approx(value("dice_per_class", truth, logits, "softmax"), rel=1e-6)


def test_the_weights_of_false_positives_and_negatives_are_which_they_are_called():
    """Keras's own Tversky loss has them the other way round."""
    truth, too_much = image_of(10, 30)
    too_little = np.where(np.arange(64) < 2, 60.0, -60.0).reshape(8, 8, 1)
    alarms = {"tversky_false_positives": 1.0, "tversky_false_negatives": 0.0}
    misses = {"tversky_false_positives": 0.0, "tversky_false_negatives": 1.0}
    for logits, cheap, dear, wrong, hits in (
        (too_much, misses, alarms, 20, 10),
        (too_little, alarms, misses, 8, 2),
    ):
        pair = truth[np.newaxis], logits[np.newaxis], "sigmoid"
        assert value("tversky", *pair, **cheap) == pytest.approx(0)
        expected = wrong / (hits + wrong + 0.5)
        assert value("tversky", *pair, **dear) == pytest.approx(expected)


def test_the_exponent_of_the_focal_tversky_loss_is_that_of_each_class():
    truth, logits = make_case("random", 1)
    plain = value("tversky", truth, logits, "sigmoid")
    found = value("focal_tversky", truth, logits, "sigmoid", focal_tversky_exponent=0.75)
    assert found == pytest.approx(plain**0.75, rel=1e-5)
