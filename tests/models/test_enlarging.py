"""Enlargements at once compute what their layers do, learn the same, and nothing of it is saved."""

import keras
import numpy as np
import pytest

from delineate.models.blocks import Style, enlarge
from delineate.models.enlarging import enlarge_at_once

HAS_KERNEL = keras.backend.backend() in ("tensorflow", "torch")
IMAGES = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)


def network(*, exchanged, factor=2, precision="float32", size=(None, None)):
    """Two enlargements after a convolution of the same weights each time."""
    keras.utils.set_random_seed(0)
    image = keras.Input((*size, 3))
    style = Style(dtype="float32" if precision == "float32" else "mixed_bfloat16")
    found = keras.layers.Conv2D(4, 3, padding="same", dtype=style.dtype)(image)
    found = enlarge(found, factor, style=style, name="first")
    found = keras.layers.Conv2D(2, 1, dtype=style.dtype)(found)
    found = enlarge(found, 2, style=style, name="second")
    model = keras.Model(image, keras.layers.Activation("linear", dtype="float32")(found))
    if exchanged:
        assert enlarge_at_once(model) == (2 if HAS_KERNEL and size[0] is None else 0)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    return model


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_outputs_are_the_same_up_to_rounding(factor):
    plain, fast = (network(exchanged=exchanged, factor=factor) for exchanged in (False, True))
    first, second = (keras.ops.convert_to_numpy(model(IMAGES)) for model in (plain, fast))
    assert first.shape == (2, 10 * factor, 14 * factor, 2)
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4])
def test_steps_give_the_same_weights(factor):
    models = [network(exchanged=exchanged, factor=factor) for exchanged in (False, True)]
    wanted = np.random.default_rng(1).normal(size=(2, 10 * factor, 14 * factor, 2))
    for _ in range(3):
        losses = [model.train_on_batch(IMAGES, wanted.astype(np.float32)) for model in models]
        assert np.allclose(*losses, rtol=1e-5)
    for first, second in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)


def test_bfloat16_stays_near():
    plain, fast = (network(exchanged=each, precision="bfloat16") for each in (False, True))
    first, second = (keras.ops.convert_to_numpy(model(IMAGES)) for model in (plain, fast))
    np.testing.assert_allclose(first, second, rtol=0.05, atol=0.03)


def test_what_is_saved_is_the_same_file_of_plain_layers(tmp_path):
    fast = network(exchanged=True)
    fast.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    first, second = (keras.ops.convert_to_numpy(model(IMAGES)) for model in (fast, opened))
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert not any("call" in vars(layer) for layer in opened.layers)


def test_images_of_one_size_have_a_layer_of_keras_and_are_left_alone():
    assert len(network(exchanged=True, size=(5, 7)).layers) < len(network(exchanged=False).layers)


@pytest.mark.parametrize("how", ["kind", "settings", "order"])
def test_layers_that_do_something_else_under_these_names_are_left_alone(how):
    image = keras.Input((None, None, 3))
    repeated = keras.layers.UpSampling2D(2, name="own_repeat")(image)
    found = repeated
    for slope, window in (("own_rows", (3, 1)), ("own", (1, 3))):
        mean = keras.layers.AveragePooling2D(window, 1, "same", name=f"{slope}_mean3")(found)
        if how == "kind" and slope == "own":
            mean = keras.layers.MaxPooling2D(window, 1, "same", name="max")(mean)
        share = 0.7 if how == "settings" else 0.75
        parts = [
            keras.layers.Rescaling(share, name=f"{slope}_weigh3")(mean),
            keras.layers.Rescaling(0.25, name=f"{slope}_weigh1")(
                repeated if how == "order" else found
            ),
        ]
        found = keras.layers.Add(name=slope)(parts)
    model = keras.Model(image, found)
    wanted = keras.ops.convert_to_numpy(model(IMAGES))
    assert enlarge_at_once(model) == 0
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(IMAGES)), wanted)


def test_a_layer_of_that_name_alone_is_left_alone():
    image = keras.Input((None, None, 3))
    layer = keras.layers.UpSampling2D(2, name="own_repeat")
    model = keras.Model(image, layer(image))
    assert enlarge_at_once(model) == 0
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model(IMAGES)), IMAGES.repeat(2, axis=1).repeat(2, axis=2)
    )
