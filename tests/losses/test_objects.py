"""The loss of what is said of objects, against scikit-learn and by hand."""

import keras
import numpy as np
import pytest
from scipy.special import expit, logit

from delineate.data.classes import IGNORE
from delineate.losses import SegmentationLoss
from delineate.losses.objects import object_loss


def example(seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 255, (2, 5, 6, 2)).astype(np.int32)
    targets[rng.random(targets.shape) < 0.2] = IGNORE
    return targets, rng.normal(0, 3, targets.shape).astype(np.float32)


def by_hand(targets, logits):
    total = 0.0
    for channel in range(targets.shape[-1]):
        wanted, said = (
            targets[..., channel].ravel(),
            expit(logits[..., channel].astype(float)).ravel(),
        )
        counted = wanted != IGNORE
        share = wanted[counted] / 254
        losses = -(share * np.log(said[counted]) + (1 - share) * np.log(1 - said[counted]))
        total += losses.sum()
    return total / (targets != IGNORE).sum() * targets.shape[-1]


def value(loss):
    return float(keras.ops.convert_to_numpy(loss))


def test_it_is_the_cross_entropy_of_soft_targets_over_what_counts():
    targets, logits = example()
    assert value(object_loss(targets, logits)) == pytest.approx(by_hand(targets, logits), rel=1e-5)


def test_it_is_least_where_the_probability_is_the_target():
    targets = np.full((1, 3, 3, 1), 127, np.int32)
    right = np.full(targets.shape, logit(127 / 254), np.float32)
    least = value(object_loss(targets, right))
    assert all(value(object_loss(targets, right + off)) > least for off in (-0.5, 0.5))


def test_where_all_is_ignored_it_is_nothing():
    targets = np.full((1, 3, 3, 2), IGNORE, np.int32)
    assert value(object_loss(targets, np.ones(targets.shape, np.float32))) == 0


@pytest.mark.parametrize("outputs", [1, 2])
def test_it_is_added_to_the_loss_of_the_classes_by_its_weight(outputs):
    targets, object_logits = example()
    rng = np.random.default_rng(1)
    mask = rng.integers(0, 3, targets.shape[:3]).astype(np.int32)
    class_logits = rng.normal(size=(*mask.shape, 3 * outputs)).astype(np.float32)
    terms = {"sparse_categorical_crossentropy": 1.0}
    plain = SegmentationLoss(terms, output="softmax", outputs=outputs)
    both = SegmentationLoss(terms, output="softmax", outputs=outputs, objects=2, objects_weight=0.5)
    truth = np.concatenate([mask[..., None], targets], axis=-1)
    found = value(both(truth, np.concatenate([class_logits, object_logits], axis=-1)))
    wanted = value(plain(mask, class_logits)) + 0.5 * by_hand(targets, object_logits)
    assert found == pytest.approx(wanted, rel=1e-5)
