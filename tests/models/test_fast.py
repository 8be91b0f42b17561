"""The backends' own kernels do what Keras's steps do, and nothing of them is saved."""

import keras
import numpy as np
import pytest

from delineate.models.build import build_model
from delineate.models.fast import exchange_kernels

HAS_KERNEL = keras.backend.backend() in ("tensorflow", "torch")


def compiled(*, exchanged, precision="float32", **settings):
    model = build_model(classes=3, depth=2, filters=4, precision=precision, **settings)
    if exchanged:
        count = exchange_kernels(model)
        assert count == (10 if HAS_KERNEL else 0)
    # Not the sparse one of Keras: PyTorch has no gradient of it for outputs in channels-last memory.
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="categorical_crossentropy")
    return model


def batch(seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (4, 16, 16, 3)).astype(np.float32)
    return images, np.eye(3, dtype=np.float32)[rng.integers(0, 3, (4, 16, 16))]


def test_a_few_steps_give_the_same_weights_and_statistics():
    models = [compiled(exchanged=exchanged) for exchanged in (False, True)]
    for seed in range(3):
        losses = [model.train_on_batch(*batch(seed)) for model in models]
        assert np.allclose(*losses, rtol=1e-5)
    for first, second in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_predictions_are_equal_to_the_last_bit():
    plain, fast = (compiled(exchanged=exchanged) for exchanged in (False, True))
    fast.set_weights(plain.get_weights())
    images, _ = batch()
    assert np.array_equal(plain.predict(images, verbose=0), fast.predict(images, verbose=0))


def test_bfloat16_steps_stay_near_those_of_keras():
    models = [compiled(exchanged=exchanged, precision="bfloat16") for exchanged in (False, True)]
    losses = [[model.train_on_batch(*batch(seed)) for seed in range(4)] for model in models]
    np.testing.assert_allclose(*losses, rtol=0.02)


def test_what_is_saved_is_the_same_file_of_plain_layers(tmp_path):
    fast = compiled(exchanged=True)
    fast.train_on_batch(*batch())
    fast.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    images, _ = batch(1)
    assert np.array_equal(fast.predict(images, verbose=0), opened.predict(images, verbose=0))
    assert "call" not in vars(
        opened.get_layer(next(n.name for n in opened.layers if "norm" in n.name))
    )


@pytest.mark.skipif(not HAS_KERNEL, reason="this backend has no kernel of its own")
def test_a_frozen_layer_keeps_its_statistics():
    model = compiled(exchanged=True)
    frozen = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in frozen:
        layer.trainable = False
    model.compile(optimizer="sgd", loss="categorical_crossentropy")
    before = [layer.get_weights() for layer in frozen]
    model.train_on_batch(*batch())
    after = [layer.get_weights() for layer in frozen]
    assert all(
        np.array_equal(a, b)
        for one, other in zip(before, after, strict=True)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.skipif(not HAS_KERNEL, reason="this backend has no kernel of its own")
def test_layers_of_other_kinds_stay_as_they_are():
    image = keras.Input((8, 4))
    vector = keras.layers.BatchNormalization()(image)
    bare = keras.layers.BatchNormalization(scale=False)(keras.layers.Reshape((8, 2, 2))(vector))
    assert exchange_kernels(keras.Model(image, bare)) == 0


def test_a_single_value_per_channel_is_left_to_keras():
    image = keras.Input((1, 1, 4))
    layer = keras.layers.BatchNormalization()
    model = keras.Model(image, layer(image))
    exchange_kernels(model)
    model.compile(optimizer="sgd", loss="mse")
    loss = model.train_on_batch(
        np.ones((1, 1, 1, 4), np.float32), np.zeros((1, 1, 1, 4), np.float32)
    )
    assert np.isfinite(loss)


def depthwise(precision, *, stride=2, size=3, **settings):
    image = keras.Input((None, None, 4), dtype=precision)
    layer = keras.layers.DepthwiseConv2D(
        size, strides=stride, use_bias=False, depth_multiplier=2, dtype=precision, **settings
    )
    return keras.Model(image, layer(image))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's kernels")
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("sides", [(9, 9), (10, 9), (11, 12), (17, 16)])
def test_a_strided_depthwise_convolution_has_the_gradients_that_tensorflow_gives(
    sides, size, stride
):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images = tf.cast(rng.normal(size=(2, *sides, 4)), tf.bfloat16)
    models = [depthwise("bfloat16", stride=stride, size=size) for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    assert exchange_kernels(models[1]) == 1
    found = []
    for model in models:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=True)
            # Of each value another weight, so that no two gradients are alike.
            weights = tf.reshape(tf.range(tf.size(outputs)) % 7 - 3, tf.shape(outputs))
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * tf.cast(weights, tf.float32))
        gradients = tape.gradient(loss, [images, model.trainable_weights[0].value])
        found.append([np.asarray(each, np.float32) for each in (outputs, *gradients)])
    for plain, exchanged in zip(*found, strict=True):
        assert np.abs(plain).max() > 0
        np.testing.assert_allclose(exchanged, plain, rtol=0.02, atol=0.05)


@pytest.mark.parametrize(
    ("precision", "settings"),
    [
        ("float32", {}),
        ("bfloat16", {"padding": "same"}),
        ("bfloat16", {"stride": 1}),
        ("bfloat16", {"activation": "relu"}),
    ],
)
def test_other_depthwise_convolutions_stay_as_they_are(precision, settings):
    assert exchange_kernels(depthwise(precision, **settings)) == 0
