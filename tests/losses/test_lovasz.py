"""The Lovász losses against a sort, for many pixels, and what they see."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import jaccard_score

from delineate.losses import IGNORE, SegmentationLoss
from tests.losses.cases import gradient_of


def value(truth, logits, output):
    return float(SegmentationLoss({"lovasz": 1.0}, output=output)(truth, logits))


def sorted_extension(errors, inside):
    """The extension of 1 - IoU as a sum over sorted errors, and what each of them adds."""
    order = np.argsort(-errors, kind="stable")
    inside = inside[order].astype(float)
    left = inside.sum() - inside.cumsum()
    costs = 1 - left / (inside.sum() + (1 - inside).cumsum())
    steps = np.empty_like(costs)
    steps[order] = np.diff(costs, prepend=0.0)
    return errors @ steps, steps


def many(channels):
    rng = np.random.default_rng(3)
    truth = np.kron(rng.integers(0, max(channels, 2), (2, 6, 8)), np.ones((1, 16, 16), int))
    truth[:, :5] = IGNORE
    return truth, rng.normal(0, 2, (*truth.shape, channels)).astype(np.float32)


def test_the_loss_of_many_pixels_is_that_of_a_sort():
    truth, logits = many(4)
    counted = truth != IGNORE
    shares = softmax(logits[counted].astype(float), axis=-1)
    losses = []
    for number in range(4):
        inside = truth[counted] == number
        losses.append(sorted_extension(np.abs(inside - shares[:, number]), inside)[0])
    assert value(truth, logits, "softmax") == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_hinge_of_many_pixels_and_its_slopes_are_those_of_a_sort():
    truth, logits = many(1)
    counted = truth != IGNORE
    inside = truth[counted] == 1
    signs = np.where(inside, 1.0, -1.0)
    errors = np.maximum(1 - logits[counted][:, 0].astype(float) * signs, 0)
    expected, steps = sorted_extension(errors, inside)
    assert value(truth, logits, "sigmoid") == pytest.approx(expected, rel=1e-5)
    found = gradient_of(SegmentationLoss({"lovasz": 1.0}, output="sigmoid"), truth, logits)
    slopes = -signs * steps * (errors > 0)
    np.testing.assert_allclose(found[counted][:, 0], slopes, rtol=1e-2, atol=1e-7)


def test_of_hard_masks_the_loss_is_what_the_mean_iou_lacks():
    rng = np.random.default_rng(4)
    truth, found = rng.integers(0, 3, (2, 1, 12, 12))
    logits = 60.0 * np.eye(3)[found]
    expected = 1 - jaccard_score(truth.ravel(), found.ravel(), average="macro")
    assert value(truth, logits, "softmax") == pytest.approx(expected, rel=1e-5)


def test_equal_errors_share_what_they_add():
    """A black image gives the same logits to each pixel."""
    truth = np.repeat([0, 1], [12, 4]).reshape(1, 4, 4)
    logits = np.zeros((1, 4, 4, 2))
    assert value(truth, logits, "softmax") == pytest.approx(0.5)
    found = gradient_of(SegmentationLoss({"lovasz": 1.0}, output="softmax"), truth, logits)
    for number in (0, 1):
        assert len(np.unique(found[truth == number], axis=0)) == 1


def test_of_a_class_that_is_not_there_the_hinge_sees_the_worst_pixel():
    truth = np.zeros((1, 1, 3), int)
    logits = np.array([-4.0, 0.5, -0.5]).reshape(1, 1, 3, 1)
    assert value(truth, logits, "sigmoid") == pytest.approx(1.5)
    found = gradient_of(SegmentationLoss({"lovasz": 1.0}, output="sigmoid"), truth, logits)
    np.testing.assert_allclose(found.ravel(), [0, 1, 0])


def test_a_loss_of_what_is_not_a_number_is_none():
    truth, logits = many(3)
    logits[0, 20, 20, 1] = np.nan
    assert np.isnan(value(truth, logits, "softmax"))
