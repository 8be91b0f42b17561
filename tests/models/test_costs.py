import keras
import pytest
from keras import layers

from delineate.models.costs import count_multiply_adds, largest_tensor


def model_of(layer, shape=(8, 6, 3)):
    image = keras.Input(shape)
    return keras.Model(image, layer(image))


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
    assert largest_tensor(model, size=10) == 20 * 20 * 7


def test_the_largest_tensor_may_be_within_a_model_within():
    inside = keras.Sequential([layers.ZeroPadding2D(10), layers.Cropping2D(10)])
    image = keras.Input((8, 6, 3))
    assert largest_tensor(keras.Model(image, inside(image))) == 28 * 26 * 3


def test_attention_needs_a_number_for_each_pair_of_places_and_head():
    image = keras.Input((8, 4, 6))
    attention = layers.MultiHeadAttention(2, key_dim=3, attention_axes=(1, 2))
    model = keras.Model(image, attention(image, image))
    assert largest_tensor(model) == 2 * (8 * 4) ** 2
