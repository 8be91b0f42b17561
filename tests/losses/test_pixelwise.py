"""The cross-entropies against scikit-learn and PyTorch, and where their numbers are hard."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from delineate.losses import IGNORE, LossOptions, SegmentationLoss
from tests.losses.cases import gradient_of, make_case

CATEGORICAL = ["categorical_crossentropy", "sparse_categorical_crossentropy"]
WEIGHTS = (0.5, 2.0, 0.7, 1.25)


def value(name, truth, logits, output, **options):
    loss = SegmentationLoss({name: 1.0}, output=output, options=LossOptions(**options))
    return float(loss(truth, logits))


@pytest.mark.parametrize("weights", [None, (0.5, 2.0)])
def test_the_binary_crossentropy_is_the_log_loss_of_scikit_learn(weights):
    truth, logits = make_case("random", 1)
    counted = truth != IGNORE
    labels = truth[counted]
    sample_weight = None if weights is None else np.array(weights)[labels]
    expected = log_loss(
        labels, expit(logits[..., 0].astype(float))[counted], sample_weight=sample_weight
    )
    found = value("binary_crossentropy", truth, logits, "sigmoid", class_weights=weights)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS[:3]])
def test_the_binary_crossentropy_of_channels_is_the_mean_of_each_against_the_rest(weights):
    truth, logits = make_case("random", 3)
    counted = truth != IGNORE
    labels, shares = truth[counted], expit(logits[counted].astype(float))
    sample_weight = None if weights is None else np.array(weights)[labels]
    losses = [
        log_loss(labels == number, shares[:, number], sample_weight=sample_weight)
        for number in range(3)
    ]
    found = value("binary_crossentropy", truth, logits, "sigmoid", class_weights=weights)
    assert found == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("name", CATEGORICAL)
def test_the_categorical_crossentropies_are_the_log_loss_of_scikit_learn(name, weights):
    truth, logits = make_case("random", 4)
    counted = truth != IGNORE
    labels = truth[counted]
    sample_weight = None if weights is None else np.array(weights)[labels]
    shares = softmax(logits.astype(float), axis=-1)[counted]
    expected = log_loss(labels, shares, labels=range(4), sample_weight=sample_weight)
    found = value(name, truth, logits, "softmax", class_weights=weights)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("name", CATEGORICAL)
def test_the_categorical_crossentropies_are_that_of_pytorch(name, weights, share):
    torch = pytest.importorskip("torch")
    truth, logits = make_case("random", 4)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits).permute(0, 3, 1, 2),
        torch.tensor(truth),
        weight=None if weights is None else torch.tensor(weights),
        ignore_index=IGNORE,
        label_smoothing=share,
    )
    options = {"class_weights": weights, "label_smoothing": share}
    found = value(name, truth, logits, "softmax", **options)
    assert found == pytest.approx(expected.item(), rel=1e-5)


def test_smoothed_labels_of_a_sigmoid_are_those_of_keras():
    truth, logits = make_case("random", 1)
    counted = truth != IGNORE
    reference = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)
    expected = reference(truth[counted][:, np.newaxis], logits[counted])
    found = value("binary_crossentropy", truth, logits, "sigmoid", label_smoothing=0.2)
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_the_focal_loss_without_its_exponent_is_the_crossentropy():
    for output, name, channels in (
        ("sigmoid", "binary_crossentropy", 3),
        ("softmax", "categorical_crossentropy", 4),
    ):
        truth, logits = make_case("random", channels)
        options = {"class_weights": WEIGHTS[:channels], "label_smoothing": 0.1, "focal_gamma": 0.0}
        found = value("focal", truth, logits, output, **options)
        assert found == pytest.approx(value(name, truth, logits, output, **options), rel=1e-6)


def test_the_focal_loss_is_worked_out_by_hand():
    truth = np.array([[[1, 0]]])
    logits = np.log(np.array([0.9 / 0.1, 0.3 / 0.7])).reshape(1, 1, 2, 1)
    expected = (0.1**2 * -np.log(0.9) + 0.3**2 * -np.log(0.7)) / 2
    assert value("focal", truth, logits, "sigmoid") == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_the_binary_crossentropy_is_right_where_a_logit_is_zero():
    """A black image gives logits of exactly 0 to a new network without biases."""
    loss = SegmentationLoss({"binary_crossentropy": 1.0}, output="sigmoid")
    found = gradient_of(loss, np.array([[[0, 1]]]), np.zeros((1, 1, 2, 1)))
    np.testing.assert_allclose(found.ravel(), [0.25, -0.25], rtol=1e-6)


def test_the_binary_crossentropy_stays_finite_for_huge_logits():
    truth = np.array([[[0, 1]]])
    logits = np.array([3e4, -3e4]).reshape(1, 1, 2, 1)
    assert value("binary_crossentropy", truth, logits, "sigmoid") == pytest.approx(3e4)


@pytest.mark.parametrize("name", CATEGORICAL)
def test_the_categorical_crossentropies_stay_finite_for_huge_logits(name):
    truth = np.array([[[0, 1]]])
    logits = np.array([[[[-3e4, 3e4], [3e4, -3e4]]]])
    assert value(name, truth, logits, "softmax") == pytest.approx(6e4)


def test_logits_of_half_precision_are_counted_in_float32():
    truth, logits = make_case("random", 1)
    half = ops.cast(logits, "bfloat16")
    exact = np.asarray(ops.convert_to_numpy(ops.cast(half, "float32")))
    found = value("binary_crossentropy", truth, half, "sigmoid")
    assert found == pytest.approx(value("binary_crossentropy", truth, exact, "sigmoid"), rel=1e-5)
