"""Each loss with each option against its reference, and its gradient in every case."""

import keras
import numpy as np
import pytest
from keras import layers

from delineate.catalog import LOSSES
from delineate.losses import IGNORE, LossOptions, SegmentationLoss
from tests.losses.cases import (
    CASES,
    LOSS_CASES,
    NETWORKS,
    WEIGHTS,
    goes_with,
    gradient_of,
    make_case,
)
from tests.losses.references import REFERENCES

SMOOTHED = [name for name in LOSSES if "crossentropy" in name or name == "focal"]


def options_for(channels, weighted=True, share=0.0, **others):
    weights = WEIGHTS[: max(channels, 2)] if weighted else None
    return LossOptions(class_weights=weights, label_smoothing=share, **others)


def value(name, truth, logits, output, options):
    return float(SegmentationLoss({name: 1.0}, output=output, options=options)(truth, logits))


@pytest.mark.parametrize(("name", "output", "channels", "case"), LOSS_CASES)
def test_each_loss_with_class_weights_is_that_of_its_reference(name, output, channels, case):
    truth, logits = make_case(case, channels)
    options = options_for(channels)
    expected = 0.0
    if case != "all ignored":
        expected = REFERENCES[name](truth, logits, output, options)
    found = value(name, truth, logits, output, options)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "output", "channels", "case"), [row for row in LOSS_CASES if row[0] in SMOOTHED]
)
def test_each_loss_of_pixels_with_smoothed_labels_is_that_of_its_reference(
    name, output, channels, case, weighted
):
    truth, logits = make_case(case, channels)
    options = options_for(channels, weighted, 0.1)
    expected = 0.0
    if case != "all ignored":
        expected = REFERENCES[name](truth, logits, output, options)
    found = value(name, truth, logits, output, options)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - set(SMOOTHED)))
def test_a_loss_of_sets_is_not_changed_by_label_smoothing(name):
    truth, logits = make_case("random", 4)
    smooth = value(name, truth, logits, "softmax", LossOptions(label_smoothing=0.3))
    assert smooth == value(name, truth, logits, "softmax", LossOptions())


@pytest.mark.parametrize("name", LOSSES)
def test_only_the_ratios_of_class_weights_matter(name):
    output = "softmax" if goes_with(name, "softmax") else "sigmoid"
    truth, logits = make_case("random", 3)
    found = [
        value(name, truth, logits, output, LossOptions(class_weights=weights))
        for weights in ((1.0, 2.0, 0.5), (100.0, 200.0, 50.0))
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_whose_classes_all_have_the_weight_0_has_a_finite_loss(name):
    output = "softmax" if goes_with(name, "softmax") else "sigmoid"
    truth, logits = make_case("random", 3)
    truth = np.where(truth == IGNORE, IGNORE, 0)
    options = LossOptions(class_weights=(0.0, 1.0, 0.0), label_smoothing=0.1)
    loss = SegmentationLoss({name: 1.0}, output=output, options=options)
    found = float(loss(truth, logits))
    assert np.isfinite(found)
    assert np.isfinite(gradient_of(loss, truth, logits)).all()
    assert found == 0 or name not in SMOOTHED


@pytest.mark.parametrize(("name", "output", "channels", "case"), LOSS_CASES)
def test_each_gradient_is_finite_and_0_where_ignored(name, output, channels, case):
    truth, logits = make_case(case, channels)
    # Powers below 1 are those without a slope at 0.
    options = options_for(channels, share=0.1, focal_gamma=0.5, focal_tversky_exponent=0.5)
    loss = SegmentationLoss({name: 1.0}, output=output, options=options)
    found = gradient_of(loss, truth, logits)
    assert np.isfinite(found).all()
    assert (found[truth == IGNORE] == 0).all()


@pytest.mark.parametrize(
    ("name", "output", "channels"),
    [(*row[:3],) for row in LOSS_CASES if row[3] == "random"],
)
def test_each_gradient_is_the_slope_of_the_reference(name, output, channels):
    truth, logits = (part[:, :3, :4] for part in make_case("random", channels))
    options = options_for(channels, share=0.1 if name in SMOOTHED else 0.0)
    loss = SegmentationLoss({name: 1.0}, output=output, options=options)
    exact = logits.astype(np.float64)
    expected = np.zeros_like(exact)
    for place in np.ndindex(exact.shape):
        values = []
        for step in (1e-5, -1e-5):
            moved = exact.copy()
            moved[place] += step
            values.append(REFERENCES[name](truth, moved, output, options))
        expected[place] = (values[0] - values[1]) / 2e-5
    np.testing.assert_allclose(gradient_of(loss, truth, logits), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("output", "channels"), NETWORKS)
def test_a_network_is_trained_with_all_losses_at_once_on_batches_of_every_kind(output, channels):
    """Compiled, with the sizes unknown when the network is built."""
    image = layers.Input((None, None, channels))
    logits = layers.Dense(channels, kernel_initializer="identity")(image)
    model = keras.Model(image, logits)
    terms = {name: 1.0 for name in LOSSES if goes_with(name, output)}
    options = options_for(channels, share=0.1)
    loss = SegmentationLoss(terms, output=output, options=options)
    model.compile(keras.optimizers.SGD(1e-3), loss)
    for case in CASES:
        truth, images = make_case(case, channels)
        before = [np.array(weight) for weight in model.get_weights()]
        found = float(model.train_on_batch(images, truth))
        expected = 0.0
        if case != "all ignored":
            assert found > 0
            moved = images.astype(np.float64) @ before[0] + before[1]
            expected = sum(REFERENCES[name](truth, moved, output, options) for name in terms)
        assert found == pytest.approx(expected, rel=1e-3)
        assert all(np.isfinite(weight).all() for weight in model.get_weights())
    truth, images = make_case("random", channels, size=(9, 4))
    assert np.isfinite(float(model.train_on_batch(images[:1], truth[:1])))
