import keras
import numpy as np
import pytest
from keras import layers

from delineate.models.costs import Demand, count_multiply_adds, demand_of
from delineate.models.summary import trace


def model_of(layer, shape=(8, 6, 3)):
    image = keras.Input(shape)
    return keras.Model(image, layer(image))


def demanded(model, size=10):
    return demand_of(trace(model, size))


@pytest.mark.parametrize(
    ("layer", "by_hand"),
    [
        # Places of the output × kernel × channels in × channels out.
        (layers.Conv2D(5, 3, padding="same"), 8 * 6 * 3 * 3 * 3 * 5),
        (layers.Conv2D(5, 3, padding="valid"), 6 * 4 * 3 * 3 * 3 * 5),
        (layers.Conv2D(5, 3, strides=2, padding="same"), 4 * 3 * 3 * 3 * 3 * 5),
        (layers.Conv2D(5, 3, dilation_rate=2, padding="same"), 8 * 6 * 3 * 3 * 3 * 5),
        (layers.Conv2D(6, 1, groups=3), 8 * 6 * 6),
        (layers.DepthwiseConv2D(3, padding="same"), 8 * 6 * 3 * 3 * 3),
        (layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), 8 * 6 * 3 * 3 * 3 * 2),
        (layers.SeparableConv2D(5, 3, padding="same"), 8 * 6 * (3 * 3 * 3 + 3 * 5)),
        # Places of the input: each is spread by the kernel.
        (layers.Conv2DTranspose(5, 4, strides=2, padding="same"), 8 * 6 * 4 * 4 * 3 * 5),
        (layers.Dense(5), 8 * 6 * 3 * 5),
        (layers.BatchNormalization(), 0),
        (layers.UpSampling2D(2), 0),
    ],
    ids=str,
)
def test_a_layer_costs_what_is_counted_by_hand(layer, by_hand):
    assert count_multiply_adds(model_of(layer)) == by_hand


def test_attention_costs_its_projections_and_two_products_of_all_pairs():
    image = keras.Input((8, 4, 6))
    smaller = layers.AveragePooling2D(2)(image)
    attention = layers.MultiHeadAttention(2, key_dim=3, attention_axes=(1, 2))
    model = keras.Model(image, attention(image, smaller))
    queries, values, channels = 8 * 4, 4 * 2, 6
    projections = 2 * (queries + values) * channels * channels
    assert count_multiply_adds(model) == projections + 2 * queries * values * channels


def test_the_side_counts_where_the_model_leaves_it_open():
    model = model_of(layers.Conv2D(5, 1), (None, None, 3))
    assert count_multiply_adds(model, size=10) == 10 * 10 * 15
    assert count_multiply_adds(model, size=20) == 20 * 20 * 15


def test_a_layer_that_is_called_twice_costs_twice_and_a_model_inside_costs_its_layers():
    convolve = layers.Conv2D(3, 1)
    inside = keras.Sequential([layers.Conv2D(3, 1), layers.MaxPooling2D(2)])
    image = keras.Input((8, 6, 3))
    model = keras.Model(image, inside(convolve(convolve(image))))
    assert count_multiply_adds(model) == 3 * 8 * 6 * 9


def test_published_networks_cost_what_their_authors_say():
    # MobileNetV2 1.0 at 224×224: 300 million (Sandler and others, CVPR 2018, table 4).
    mobile = keras.applications.MobileNetV2(weights=None, input_shape=(224, 224, 3))
    assert count_multiply_adds(mobile) == pytest.approx(300e6, rel=0.01)


def test_the_largest_tensor_is_that_of_the_widest_place():
    image = keras.Input((None, None, 3))
    wide = layers.Conv2D(7, 1)(layers.UpSampling2D(2)(image))
    model = keras.Model(image, layers.MaxPooling2D(2)(wide))
    assert demanded(model).largest == 20 * 20 * 7


def test_the_largest_tensor_may_be_within_a_model_within():
    inside = keras.Sequential([layers.ZeroPadding2D(10), layers.Cropping2D(10)])
    image = keras.Input((8, 6, 3))
    assert demanded(keras.Model(image, inside(image))).largest == 28 * 26 * 3


def test_attention_needs_a_number_for_each_pair_of_places_and_head():
    image = keras.Input((8, 4, 6))
    attention = layers.MultiHeadAttention(2, key_dim=3, attention_axes=(1, 2))
    model = keras.Model(image, attention(image, image))
    pairs, projected = 2 * (8 * 4) ** 2, 2 * 3 * 8 * 4
    assert demanded(model).largest == pairs
    # Before and after the softmax; queries, keys, values and what comes of them; and the end.
    assert demanded(model).values == 2 * pairs + 4 * projected + 8 * 4 * 6


def test_all_tensors_count_together_each_time_that_they_are_made():
    inside = keras.Sequential([layers.ReLU(), layers.UpSampling2D(2)])
    image = keras.Input((8, 6, 3))
    model = keras.Model(image, layers.Add()([inside(image), inside(image)]))
    once = 8 * 6 * 3
    assert demanded(model) == Demand(4 * once, 2 * (once + 4 * once) + 4 * once, 0)


def test_a_convolution_by_channel_gives_a_tensor_before_it_is_mixed():
    model = model_of(layers.SeparableConv2D(5, 3, strides=2, padding="same", depth_multiplier=4))
    # It is larger than the image with its padding, which PyTorch makes.
    assert demanded(model).largest == max(4 * 3 * (3 * 4), 9 * 7 * 3)
    assert demanded(model).values == 4 * 3 * (3 * 4) + 4 * 3 * 5


@pytest.mark.parametrize("layer", [layers.Resizing(2, 20), layers.AdaptiveMaxPooling2D((2, 20))])
def test_what_is_resized_along_one_axis_only_counts(layer):
    assert demanded(model_of(layer)).values == 3 * (2 * 6 + 8 * 20 + 2 * 20)


@pytest.mark.parametrize("pool", [layers.MaxPooling2D, layers.AveragePooling2D])
def test_pooling_looks_at_each_value_of_each_window(pool):
    model = model_of(pool((4, 2), strides=1, padding="same"))
    assert demanded(model).steps == 8 * 6 * 3 * 4 * 2
    assert count_multiply_adds(model) == 0


def test_multiply_adds_are_steps():
    model = model_of(layers.Conv2D(5, 3, padding="same"))
    assert demanded(model).steps == count_multiply_adds(model)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Rescaling(np.ones(3)),
        layers.Rescaling([1.0, 2.0, 3.0], offset=[[0.0]]),
        layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0] * 3),
        layers.LayerNormalization(),
        layers.LayerNormalization(scale=False, center=False),
        layers.RMSNormalization(),
        layers.BatchNormalization(),
        layers.GroupNormalization(1),
        layers.PReLU(shared_axes=(1, 2)),
        layers.PReLU(),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_scale_by_as_many_numbers_as_there_are_channels_have_their_shape(layer):
    assert demanded(model_of(layer)) == Demand(8 * 6 * 3, 8 * 6 * 3, 0)


@pytest.mark.parametrize("name", ["scale", "offset"])
@pytest.mark.parametrize("numbers", [[1.0] * 1000, [[[[1.0]] * 6]] * 2, [1.0, 2.0]])
def test_a_layer_that_would_repeat_the_image_is_refused(name, numbers):
    """Keras says of it that it gives what it takes."""
    model = model_of(layers.Rescaling(**{"scale": 1.0, "offset": 0.0, name: numbers}), (8, 6, 1))
    with pytest.raises(ValueError, match="would repeat what it takes"):
        demanded(model)


def test_a_layer_that_was_built_for_more_channels_than_it_takes_is_refused():
    normalise = layers.LayerNormalization()
    normalise.build((None, 8, 6, 1000))
    with pytest.raises(ValueError, match="would repeat what it takes"):
        demanded(model_of(normalise, (8, 6, 1)))


@pytest.mark.parametrize(
    ("layer", "by_hand"),
    [
        # The windows of all rows, and of all columns: what they begin with, and reach.
        (layers.MaxPooling2D(99, padding="same"), 99 * 99 * 3),
        (layers.AveragePooling2D((99, 3), strides=1, padding="same"), (7 + 99) * (5 + 3) * 3),
        (layers.Conv2D(1, 2, dilation_rate=99, padding="same"), (7 + 100) * (5 + 100) * 3),
        (layers.Conv2D(1, 99, strides=4, padding="same"), (4 + 99) * (4 + 99) * 3),
        (layers.DepthwiseConv2D(99, padding="same"), (7 + 99) * (5 + 99) * 3),
        (layers.SeparableConv2D(1, 99, padding="same"), (7 + 99) * (5 + 99) * 3),
        # What comes of each place, and is cut: as many channels as come out.
        (layers.Conv2DTranspose(2, 9, strides=2, padding="same"), (14 + 9) * (10 + 9) * 2),
        (layers.Conv2DTranspose(2, 2, dilation_rate=99), (7 + 100) * (5 + 100) * 2),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_what_pytorch_pads_is_a_tensor(layer, by_hand):
    model = model_of(layer)
    assert demanded(model).largest == by_hand
    # It is gone before the next one is made.
    assert demanded(model).values < by_hand or isinstance(layer, layers.Conv2DTranspose)


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaxPooling2D(2),
        layers.MaxPooling2D(2, padding="same"),
        layers.Conv2D(1, 3),
        layers.Conv2D(1, 1, padding="same"),
    ],
    ids=lambda layer: layer.name,
)
def test_where_nothing_is_padded_there_is_no_larger_tensor(layer):
    assert demanded(model_of(layer)).largest <= 8 * 6 * 3
