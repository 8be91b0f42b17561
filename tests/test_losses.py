"""The losses against references of their own, their gradients, and what they refuse."""

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.metrics import log_loss

from delineate.errors import RecipeError, UsageError
from delineate.losses import SegmentationLoss

IGNORE = 255


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def value(terms, truth, logits, output, ignore=IGNORE):
    if isinstance(terms, str):
        terms = {terms: 1.0}
    return float(SegmentationLoss(terms, output=output, ignore=ignore)(truth, logits))


def gradient(loss, truth, logits):
    logits = np.asarray(logits, np.float32)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        variable = tf.Variable(logits)
        with tf.GradientTape() as tape:
            result = loss(truth, variable)
        return tape.gradient(result, variable).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(lambda given: loss(truth, given))(logits))
    import torch

    given = torch.tensor(logits, requires_grad=True)
    loss(truth, given).backward()
    return given.grad.numpy()


def some(rng, channels, classes, ignored=0.2):
    truth = rng.integers(0, classes, (2, 5, 7))
    truth[rng.random(truth.shape) < ignored] = IGNORE
    return truth, rng.normal(0, 2, (2, 5, 7, channels)).astype(np.float32)


def softmax(logits):
    exponents = np.exp(logits.astype(np.float64))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def test_the_binary_crossentropy_is_the_log_loss_of_scikit_learn(rng):
    truth, logits = some(rng, 1, 2)
    counted = truth != IGNORE
    expected = log_loss(truth[counted], sigmoid(logits[..., 0])[counted])
    assert value("binary_crossentropy", truth, logits, "sigmoid") == pytest.approx(expected)


def test_the_binary_crossentropy_of_several_channels_is_the_mean_of_each_against_the_rest(rng):
    truth, logits = some(rng, 3, 3)
    counted = truth != IGNORE
    expected = np.mean(
        [
            log_loss(truth[counted] == channel, sigmoid(logits[..., channel])[counted])
            for channel in range(3)
        ]
    )
    assert value("binary_crossentropy", truth, logits, "sigmoid") == pytest.approx(expected)


@pytest.mark.parametrize("name", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_categorical_crossentropies_are_the_log_loss_of_scikit_learn(rng, name, classes):
    truth, logits = some(rng, classes, classes)
    counted = truth != IGNORE
    expected = log_loss(truth[counted], softmax(logits)[counted], labels=range(classes))
    assert value(name, truth, logits, "softmax") == pytest.approx(expected, rel=1e-5)


def test_dice_is_worked_out_by_hand_for_one_channel():
    truth = np.array([[[1, 1, 0, IGNORE]]])
    shares = np.array([0.9, 0.4, 0.2, 0.7])
    logits = np.log(shares / (1 - shares)).reshape(1, 1, 4, 1)
    expected = 1 - (2 * (0.9 + 0.4) + 1) / (2 + (0.9 + 0.4 + 0.2) + 1)
    assert value("dice", truth, logits, "sigmoid") == pytest.approx(expected)


def test_dice_leaves_the_background_out_and_takes_the_mean_over_the_other_classes(rng):
    truth, logits = some(rng, 3, 3)
    shares = softmax(logits)
    counted = truth != IGNORE
    scores = []
    for number in (1, 2):
        inside = (truth == number)[counted].astype(float)
        share = shares[..., number][counted]
        scores.append((2 * (inside * share).sum() + 1) / (inside.sum() + share.sum() + 1))
    expected = 1 - np.mean(scores)
    assert value("dice", truth, logits, "softmax") == pytest.approx(expected, rel=1e-5)


def test_dice_takes_the_sigmoid_of_each_channel_where_the_network_does(rng):
    truth, logits = some(rng, 3, 3)
    assert value("dice", truth, logits, "sigmoid") != value("dice", truth, logits, "softmax")


def test_a_class_that_is_neither_there_nor_predicted_costs_no_dice():
    truth = np.zeros((1, 4, 4), int)
    logits = np.full((1, 4, 4, 1), -60.0)
    assert value("dice", truth, logits, "sigmoid") == pytest.approx(0)


def test_several_losses_are_added_by_their_weights(rng):
    truth, logits = some(rng, 1, 2)
    both = value({"binary_crossentropy": 0.25, "dice": 3.0}, truth, logits, "sigmoid")
    single = [value(name, truth, logits, "sigmoid") for name in ("binary_crossentropy", "dice")]
    assert both == pytest.approx(0.25 * single[0] + 3 * single[1])


@pytest.mark.parametrize(
    ("name", "output", "channels"),
    [
        ("binary_crossentropy", "sigmoid", 1),
        ("binary_crossentropy", "sigmoid", 3),
        ("categorical_crossentropy", "softmax", 3),
        ("sparse_categorical_crossentropy", "softmax", 3),
        ("dice", "softmax", 3),
        ("dice", "sigmoid", 1),
    ],
)
def test_ignored_pixels_have_no_gradient_and_all_others_have_one(rng, name, output, channels):
    truth, logits = some(rng, channels, max(channels, 2))
    found = gradient(SegmentationLoss({name: 1.0}, output=output), truth, logits)
    ignored = truth == IGNORE
    assert ignored.any()
    assert (found[ignored] == 0).all()
    assert (np.abs(found[~ignored]).sum(axis=-1) > 0).all()


def test_what_is_predicted_at_ignored_pixels_changes_nothing(rng):
    truth, logits = some(rng, 3, 3)
    others = np.where((truth == IGNORE)[..., np.newaxis], logits + 5, logits)
    terms = {"sparse_categorical_crossentropy": 1.0, "dice": 1.0}
    assert value(terms, truth, logits, "softmax") == value(terms, truth, others, "softmax")


def test_another_ignore_value_may_be_chosen(rng):
    truth, logits = some(rng, 3, 3)
    moved = np.where(truth == IGNORE, 9, truth)
    name = "sparse_categorical_crossentropy"
    expected = value(name, truth, logits, "softmax")
    assert value(name, moved, logits, "softmax", ignore=9) == pytest.approx(expected)


def test_the_gradient_of_the_binary_crossentropy_is_right_where_a_logit_is_zero():
    """A black image gives logits of exactly 0 to a new network without biases."""
    loss = SegmentationLoss({"binary_crossentropy": 1.0}, output="sigmoid")
    found = gradient(loss, np.array([[[0, 1]]]), np.zeros((1, 1, 2, 1)))
    np.testing.assert_allclose(found.ravel(), [0.25, -0.25], rtol=1e-6)


def test_the_binary_crossentropy_stays_finite_for_huge_logits():
    truth = np.array([[[0, 1]]])
    logits = np.array([3e4, -3e4]).reshape(1, 1, 2, 1)
    assert value("binary_crossentropy", truth, logits, "sigmoid") == pytest.approx(3e4)


def test_logits_of_half_precision_are_counted_in_float32(rng):
    truth, logits = some(rng, 1, 2)
    half = ops.cast(logits, "bfloat16")
    exact = np.asarray(ops.convert_to_numpy(ops.cast(half, "float32")))
    found = value("binary_crossentropy", truth, half, "sigmoid")
    assert found == pytest.approx(value("binary_crossentropy", truth, exact, "sigmoid"), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("binary_crossentropy", "softmax"),
        ("categorical_crossentropy", "sigmoid"),
        ("sparse_categorical_crossentropy", "sigmoid"),
    ],
)
def test_a_loss_that_does_not_go_with_the_output_is_refused(name, output):
    with pytest.raises(RecipeError, match=f"'{name}' does not go with model.output = {output}"):
        SegmentationLoss({name: 1.0, "dice": 1.0}, output=output)


def test_no_loss_at_all_is_refused():
    with pytest.raises(RecipeError, match="names no loss"):
        SegmentationLoss({}, output="softmax")


def test_an_unknown_loss_is_refused_with_its_near_miss():
    with pytest.raises(UsageError, match="Did you mean 'dice'"):
        SegmentationLoss({"dise": 1.0}, output="softmax")


def constant(truth, logits, *, output, ignore):
    return ops.cast(ignore, "float32") + ops.mean(logits) * 0


def test_a_loss_of_the_users_own_is_found_by_its_module_and_name():
    terms = {f"{__name__}:constant": 2.0}
    assert value(terms, np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 2)), "softmax") == 2 * IGNORE
