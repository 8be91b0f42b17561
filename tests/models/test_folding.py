"""Folded normalisation computes what it did, learns what it did, and nothing of it is saved."""

import keras
import numpy as np
import pytest

from delineate.models.fast import exchange_kernels
from delineate.models.folding import fold_frozen, validating

as_array = keras.ops.convert_to_numpy


def network(seed=0, *, bias=False):
    """Convolutions of both kinds before batch normalisation with statistics of its own."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(6, 3, padding="same", use_bias=bias)(image)
    features = keras.layers.BatchNormalization(name="first")(features)
    features = keras.layers.DepthwiseConv2D(
        3, strides=2, padding="same", depth_multiplier=2, use_bias=bias
    )(keras.layers.ReLU()(features))
    features = keras.layers.BatchNormalization(name="second", scale=False)(features)
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(features))
    rng = np.random.default_rng(seed)
    for name in ("first", "second"):
        layer = model.get_layer(name)
        layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
        layer.trainable = False
    return model


def compiled(*, folded, **options):
    model = network(**options)
    if folded:
        exchange_kernels(model)
        assert fold_frozen(model) == 2
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    return model


IMAGES = np.random.default_rng(1).normal(size=(4, 8, 8, 3)).astype(np.float32)
WANTED = np.random.default_rng(2).normal(size=(4, 4, 4, 2)).astype(np.float32)


@pytest.mark.parametrize("bias", [False, True])
def test_steps_give_the_same_weights(bias):
    models = [compiled(folded=folded, bias=bias) for folded in (False, True)]
    for _ in range(3):
        losses = [model.train_on_batch(IMAGES, WANTED) for model in models]
        assert np.allclose(*losses, rtol=1e-4)
    for first, second in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_a_normalisation_that_is_thawed_works_as_before():
    models = [compiled(folded=folded) for folded in (False, True)]
    for model in models:
        model.get_layer("first").trainable = True
        model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
        model.train_on_batch(IMAGES, WANTED)
    for first, second in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_a_validation_folds_what_is_trained_and_the_next_step_does_not():
    models = [compiled(folded=folded) for folded in (False, True)]
    for model in models:
        for name in ("first", "second"):
            model.get_layer(name).trainable = True
        model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    usual, quick = models
    calls = []
    normalise = quick.get_layer("first").call

    def counted(inputs, training=None, mask=None):
        found = normalise(inputs, training=training, mask=mask)
        calls.append(found is inputs)
        return found

    quick.get_layer("first").call = counted
    for _ in range(2):
        usual.train_on_batch(IMAGES, WANTED)
        quick.train_on_batch(IMAGES, WANTED)
        with validating():
            found = quick.test_on_batch(IMAGES, WANTED)
        assert np.allclose(found, usual.test_on_batch(IMAGES, WANTED), rtol=1e-4)
    # The step came first; some call after it has left normalisation out.
    assert not calls[0]
    assert any(calls)
    for first, second in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_what_is_saved_computes_the_same_without_it(tmp_path):
    model = compiled(folded=True)
    model.train_on_batch(IMAGES, WANTED)
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(
        opened.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), rtol=1e-4, atol=1e-5
    )


def test_a_convolution_that_others_read_too_is_left_alone():
    image = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(3, 3, padding="same")(image)
    normal = keras.layers.BatchNormalization()(features)
    assert fold_frozen(keras.Model(image, keras.layers.Add()([features, normal]))) == 0
    assert fold_frozen(keras.Model(image, [features, normal])) == 0


def test_a_convolution_with_an_activation_is_left_alone():
    image = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(3, 3, padding="same", activation="relu")(image)
    assert fold_frozen(keras.Model(image, keras.layers.BatchNormalization()(features))) == 0


def test_layers_that_are_used_in_several_places_are_left_alone():
    image = keras.Input((8, 8, 3))
    convolution, normalisation = keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization()
    twice = keras.layers.Concatenate(axis=1)(
        [normalisation(convolution(image)), convolution(image)]
    )
    assert fold_frozen(keras.Model(image, twice), predicting=True) == 0
    other = keras.layers.Conv2D(3, 3)
    twice = [normalisation(convolution(image)), normalisation(other(image))]
    assert fold_frozen(keras.Model(image, twice), predicting=True) == 0


def test_all_is_folded_for_prediction_and_stays_to_be_trained():
    models = [network() for _ in range(2)]
    for model in models:
        model.get_layer("first").trainable = True
    weights = len(models[1].trainable_weights)
    assert fold_frozen(models[1], predicting=True) == 2
    assert len(models[1].trainable_weights) == weights
    # First, since a step of training moves the statistics.
    usual = as_array(models[0](IMAGES, training=False))
    before, after = (as_array(model(IMAGES, training=True)) for model in models)
    np.testing.assert_allclose(after, usual, rtol=1e-4, atol=1e-4)
    assert np.abs(before - usual).max() > 0.1
