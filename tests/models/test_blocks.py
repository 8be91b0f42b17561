"""The pieces of networks, one by one."""

import keras
import numpy as np
import pytest

from delineate.models.blocks import (
    Style,
    add,
    block,
    convolution,
    double,
    drop,
    enlarge,
    filters_at,
    halve,
    join,
    normalise,
    project,
    separable,
    transposed,
    value_at,
)
from delineate.recipe import Model


@pytest.fixture
def image():
    return keras.Input((8, 8, 6))


def layers_of(image, output):
    """Return the layers by name, the input left out."""
    return {layer.name: layer for layer in keras.Model(image, output).layers[1:]}


def numbers(style, name, shape=(3, 3, 2, 4)):
    return keras.ops.convert_to_numpy(style.initialiser_of(name)(shape))


def test_a_name_always_gives_the_same_initial_numbers():
    np.testing.assert_array_equal(numbers(Style(), "a"), numbers(Style(), "a"))


def test_other_names_and_other_seeds_give_other_initial_numbers():
    assert not np.array_equal(numbers(Style(), "a"), numbers(Style(), "b"))
    assert not np.array_equal(numbers(Style(), "a"), numbers(Style(seed=1), "a"))


def test_seed_and_name_are_not_confused():
    assert Style(seed=1).seed_of("1 a") != Style(seed=11).seed_of(" a")


def test_the_initialiser_is_the_one_asked_for():
    found = numbers(Style(initialiser="random_uniform"), "a", (50, 50))
    assert np.abs(found).max() <= 0.05
    assert found.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.1)


def test_an_initialiser_without_randomness_needs_no_seed():
    assert (numbers(Style(initialiser="ones"), "a") == 1).all()


def test_a_convolution_is_followed_by_normalisation_and_activation(image):
    style = Style(activation="elu", kernel_size=5)
    found = layers_of(image, convolution(image, 4, style=style, name="a", strides=2))
    assert list(found) == ["a", "a_normalise", "a_activate"]
    assert (found["a"].kernel_size, found["a"].strides, found["a"].filters) == ((5, 5), (2, 2), 4)
    assert found["a_activate"].activation is keras.activations.elu
    assert found["a_activate"].output.shape == (None, 4, 4, 4)


@pytest.mark.parametrize(("kind", "bias"), [("none", True), ("batch", False), ("group", False)])
def test_a_convolution_has_a_bias_only_where_no_normalisation_has_one(image, kind, bias):
    style = Style(normalisation=kind)
    found = layers_of(image, convolution(image, 4, style=style, name="a"))
    assert found["a"].use_bias == bias
    assert ("a_normalise" in found) != bias


def test_batch_normalisation_settles_within_tens_of_steps(image):
    found = layers_of(image, normalise(image, style=Style(), name="a"))["a"]
    assert isinstance(found, keras.layers.BatchNormalization)
    assert found.momentum == 0.9


@pytest.mark.parametrize(
    ("channels", "groups"), [(1, 1), (3, 3), (6, 6), (8, 8), (9, 3), (11, 1), (16, 8), (20, 5)]
)
def test_groups_divide_the_channels_and_are_eight_at_most(channels, groups):
    image = keras.Input((4, 4, channels))
    found = layers_of(image, normalise(image, style=Style(normalisation="group"), name="a"))["a"]
    assert isinstance(found, keras.layers.GroupNormalization)
    assert found.groups == groups


def test_a_block_has_its_dropout_after_the_first_convolution(image):
    style = Style(convolutions=3, normalisation="none")
    found = layers_of(image, block(image, 4, style=style, dropout=0.25, name="a"))
    assert [name for name in found if not name.endswith("activate")] == [
        "a_convolve1",
        "a_dropout",
        "a_convolve2",
        "a_convolve3",
    ]
    assert found["a_dropout"].rate == 0.25


def test_a_block_without_dropout_has_no_such_layer(image):
    found = layers_of(image, block(image, 4, style=Style(), dropout=0.0, name="a"))
    assert "a_dropout" not in found


def test_dropout_has_a_seed_of_its_own_by_name_and_seed(image):
    def seed(name, number):
        output = block(image, 4, style=Style(seed=number), dropout=0.5, name=name)
        return layers_of(image, output)[f"{name}_dropout"].seed

    assert seed("a", 0) == seed("a", 0)
    assert len({seed("a", 0), seed("b", 0), seed("a", 1)}) == 3


@pytest.mark.parametrize(("how", "value"), [("max", 7.0), ("average", 4.0)])
def test_halving_takes_the_largest_or_the_mean_of_each_four(how, value):
    square = np.array([[1, 3], [5, 7]], np.float32).reshape(1, 2, 2, 1)
    found = halve(square, how=how, style=Style(), name="a")
    assert keras.ops.convert_to_numpy(found).ravel().tolist() == [value]


def test_halving_by_a_convolution_keeps_the_channels(image):
    output = halve(image, how="convolution", style=Style(), name="a")
    assert output.shape == (None, 4, 4, 6)
    assert layers_of(image, output)["a"].strides == (2, 2)


def test_doubling_by_a_transposed_convolution_is_one_layer(image):
    output = double(image, 3, how="transposed", style=Style(), name="a")
    assert output.shape == (None, 16, 16, 3)
    assert list(layers_of(image, output)) == ["a"]


def test_doubling_bilinearly_mixes_the_channels_first(image):
    output = double(image, 3, how="bilinear", style=Style(), name="a")
    found = layers_of(image, output)
    assert output.shape == (None, 16, 16, 3)
    assert found["a"].interpolation == "bilinear"
    assert found["a_convolve"].kernel_size == (1, 1)
    assert found["a_convolve"].output.shape == (None, 8, 8, 3)


@pytest.mark.parametrize("how", ["max", "convolution"])
def test_every_layer_has_the_precision_of_the_style(image, how):
    style = Style(dtype="mixed_bfloat16", normalisation="group")
    output = halve(image, how=how, style=style, name="halve")
    output = block(output, 4, style=style, dropout=0.5, name="block")
    output = double(output, 4, how="bilinear", style=style, name="double")
    found = layers_of(image, output)
    assert {layer.dtype_policy.name for layer in found.values()} == {"mixed_bfloat16"}


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_enlarging_images_of_open_size_is_bilinear_to_the_border_and_at_each_size(factor):
    image = keras.Input((None, None, 2))
    model = keras.Model(image, enlarge(image, factor, style=Style(), name="a"))
    assert model.layers[-1].name == "a"
    # TensorFlow makes one graph for all sizes from the second size on.
    for size in ((5, 7), (1, 3), (8, 2)):
        values = np.random.default_rng(0).normal(size=(1, *size, 2)).astype(np.float32)
        larger = (size[0] * factor, size[1] * factor)
        expected = keras.ops.image.resize(values, larger, interpolation="bilinear")
        expected = keras.ops.convert_to_numpy(expected)
        np.testing.assert_allclose(model.predict_on_batch(values), expected, rtol=1e-4, atol=1e-5)


def test_enlarging_images_of_known_size_is_one_layer_of_keras(image):
    found = layers_of(image, enlarge(image, 4, style=Style(), name="a"))
    assert [layer.interpolation for layer in found.values()] == ["bilinear"]
    assert found["a"].output.shape == (None, 32, 32, 6)


def test_enlarging_by_repeating_keeps_the_values():
    square = np.array([[1, 2], [3, 4]], np.float32).reshape(1, 2, 2, 1)
    found = enlarge(square, 2, style=Style(), name="a", interpolation="nearest")
    expected = square.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), expected)


def test_what_has_nothing_to_do_adds_no_layer(image):
    style = Style()
    assert enlarge(image, 1, style=style, name="a") is image
    assert join([image], style=style, name="a") is image
    assert add([image], style=style, name="a") is image
    assert drop(image, 0.0, style=style, name="a") is image


def test_images_are_joined_along_their_channels_and_added_pixel_by_pixel(image):
    other = keras.Input((8, 8, 6))
    assert join([image, other], style=Style(), name="a").shape == (None, 8, 8, 12)
    assert add([image, other], style=Style(), name="a").shape == (None, 8, 8, 6)


def test_a_separable_convolution_is_one_by_channel_and_one_of_a_single_pixel(image):
    found = layers_of(image, separable(image, 4, style=Style(), name="a", dilation=3))
    assert isinstance(found["a"], keras.layers.DepthwiseConv2D)
    assert (found["a"].dilation_rate, found["a"].kernel_size) == ((3, 3), (3, 3))
    assert (found["a_mix"].filters, found["a_mix"].kernel_size) == (4, (1, 1))
    assert [name for name in found if name.endswith(("normalise", "activate"))] == [
        "a_normalise",
        "a_activate",
        "a_mix_normalise",
        "a_mix_activate",
    ]


def test_a_transposed_convolution_is_normalised_and_begins_as_is_asked(image):
    zeros = keras.initializers.Zeros()
    output = transposed(image, 4, style=Style(), name="a", kernel_size=3, initialiser=zeros)
    found = layers_of(image, output)
    assert list(found) == ["a", "a_normalise", "a_activate"]
    assert output.shape == (None, 16, 16, 4)
    assert (found["a"].kernel_size, found["a"].use_bias) == ((3, 3), False)
    assert not np.array(found["a"].get_weights()[0]).any()


def test_a_projection_has_a_bias_and_nothing_after_it(image):
    found = layers_of(image, project(image, 4, style=Style(), name="a"))
    assert list(found) == ["a"]
    assert (found["a"].use_bias, found["a"].kernel_size) == (True, (1, 1))


def test_channels_double_at_each_depth_up_to_the_largest():
    settings = Model(filters=16, largest_filters=50)
    assert [filters_at(depth, settings) for depth in range(4)] == [16, 32, 50, 50]


def test_the_last_value_holds_for_all_deeper_ones_and_no_value_at_all_is_zero():
    assert value_at(2, ()) == 0.0
    assert value_at(2, (0.1, 0.2)) == 0.2
    assert value_at(0, (0.1, 0.2)) == 0.1
