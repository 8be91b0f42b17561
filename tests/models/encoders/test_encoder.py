"""Depths, widths, channels, seeds, names and precision of encoders."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from delineate.catalog import find
from delineate.errors import RecipeError
from delineate.models.blocks import Style
from delineate.models.conventions import CAFFE, TORCH, UNIT
from tests.models.encoders.making import encoder_model, picture, randomise


def values_of(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def strides_of(model):
    features = model.compute_output_shape((1, 64, 64, model.input.shape[-1]))
    return [64 // shape[1] for shape in features]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_the_depth_is_the_number_of_halvings(depth):
    model = encoder_model("mobilenetv2", width=0.35, depth=depth)
    assert strides_of(model) == [2**power for power in range(1, depth + 1)]


def test_what_is_below_the_depth_is_not_built():
    shallow, deep = (encoder_model("resnet18", depth=depth) for depth in (2, 3))
    assert len(shallow.layers) < len(deep.layers)
    assert max(shallow.weights, key=lambda each: np.prod(each.shape)).shape[-1] == 64


@pytest.mark.parametrize(("name", "depth"), [("mobilenetv2", 6), ("resnet18", 8), ("mitb0", 1)])
def test_a_depth_that_an_encoder_has_not_is_refused(name, depth):
    with pytest.raises(RecipeError, match=f"'{name}' has no feature of stride") as refused:
        encoder_model(name, depth=depth)
    assert "model.depth" in refused.value.hint


def test_a_depth_is_refused_before_weights_are_looked_for(tmp_path):
    with pytest.raises(RecipeError, match="no feature of stride 64"):
        encoder_model("mobilenetv2", depth=6, weights=str(tmp_path / "none.weights.h5"))


@pytest.mark.parametrize(
    ("name", "width"), [("mobilenetv3small", 0.4), ("resnet18", 0.5), ("mitb0", 2.0)]
)
def test_a_width_that_an_encoder_has_not_is_refused(name, width):
    with pytest.raises(RecipeError, match=f"{width:g} is none of the encoder '{name}'") as refused:
        encoder_model(name, width=width)
    assert "1" in refused.value.hint


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_an_encoder_takes_any_number_of_channels(channels):
    model = encoder_model("mobilenetv2", width=0.35, depth=2, channels=channels)
    found = model(picture(channels=channels) / 255, training=False)
    assert [tuple(each.shape[1:3]) for each in found] == [(32, 32), (16, 16)]


def test_a_grey_image_gives_with_pretrained_weights_what_its_three_equal_channels_give(tmp_path):
    # Exactly so where the convention takes red, green and blue alike.
    application = find("encoders", "mobilenetv2").make(0.35)
    randomise(application)
    path = str(tmp_path / "random.weights.h5")
    application.save_weights(path)
    settings = {"depth": 1, "width": 0.35, "weights": path}
    grey, colour = (encoder_model("mobilenetv2", channels=count, **settings) for count in (1, 3))
    image = picture(channels=1) / 255
    found = grey(image, training=False), colour(np.repeat(image, 3, axis=-1), training=False)
    one, other = (keras.ops.convert_to_numpy(each[-1]) for each in found)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


# --- seeds and names ------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights_and_another_one_others():
    one, same, other = (
        values_of(encoder_model("mobilenetv2", width=0.35, style=Style(seed=seed)))
        for seed in (1, 1, 2)
    )
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    kernels = [(a, b) for a, b in zip(one, other, strict=True) if a.ndim > 1]
    assert all((a != b).any() for a, b in kernels)


ANOTHER_PROCESS = """
import json
import keras
from tests.models.encoders.test_encoder import told_of

keras.layers.Add()  # the counts of unnamed layers are other ones here
print(json.dumps([told_of("mitb0", 2), told_of("mobilenetv3small", 2)]))
"""


def told_of(name, depth):
    """Return the names of an encoder's operations, and a number for each of its weights."""
    model = encoder_model(name, depth=depth)
    sums = [float(np.abs(weight).astype(np.float64).sum()) for weight in values_of(model)]
    return [[operation.name for operation in model.operations], sums]


def test_names_and_weights_are_the_same_in_each_process_and_in_each_build():
    here = [told_of("mitb0", 2), told_of("mobilenetv3small", 2)]
    assert here == [told_of("mitb0", 2), told_of("mobilenetv3small", 2)]
    elsewhere = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(elsewhere.splitlines()[-1]) == here


def test_no_two_layers_of_an_encoder_draw_the_same_numbers():
    kernels = [each for each in values_of(encoder_model("resnet18")) if each.ndim == 4]
    begins = {tuple(np.round(each.ravel()[:4] / each.std(), 5)) for each in kernels}
    assert len(begins) == len(kernels)


def test_the_dropout_of_an_encoder_has_seeds():
    found = []
    for _ in range(2):
        model = encoder_model("efficientnetb0", depth=3)
        drops = [each for each in model.layers if isinstance(each, keras.layers.Dropout)]
        assert drops
        assert len({each.seed for each in drops}) == len(drops)
        outputs = model(picture() / 255, training=True)
        found.append(keras.ops.convert_to_numpy(outputs[-1]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)


# --- precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mobilenetv2", "mitb0"])
def test_all_layers_but_the_first_compute_in_the_precision_of_the_style(name):
    model = encoder_model(name, depth=2, style=Style(dtype="mixed_bfloat16"))
    types = {
        layer.name: layer.compute_dtype
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    }
    assert types.pop("encoder_convention") == "float32"
    assert set(types.values()) == {"bfloat16"}
    assert {weight.dtype for weight in model.weights} == {"float32"}


# --- conventions ----------------------------------------------------------------------------------


def test_factors_are_those_of_red_green_and_blue_over_and_over():
    scale, offset = TORCH.factors(5)
    assert scale[:2] == scale[3:]
    value = np.array([0.2, 0.5, 0.9, 0.2, 0.5])
    mean, deviation = np.array([0.485, 0.456, 0.406] * 2), np.array([0.229, 0.224, 0.225] * 2)
    np.testing.assert_allclose(value * scale + offset, (value - mean[:5]) / deviation[:5])
    assert UNIT.factors(1) == ([1.0], [0.0])
    assert CAFFE.factors(1) == ([255.0], [pytest.approx(-114.8, abs=0.01)])
