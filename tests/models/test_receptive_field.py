"""The bound of how far a network looks: never too small, and no larger than it has to be."""

import keras
import numpy as np
import pytest
from keras import layers

from delineate.models.build import build_network
from delineate.models.receptive_field import receptive_field
from delineate.recipe import Model

SIDE = 256


def looked(model, place):
    """Return how far from a pixel of the image its change reaches in what the network says."""
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    other = image.copy()
    other[0, place, place] += 1e6
    changed = np.abs(model.predict_on_batch(image) - model.predict_on_batch(other)).max((0, 3)) > 0
    rows, columns = np.nonzero(changed)
    return max(abs(rows - place).max(), abs(columns - place).max())


def farthest(model):
    """Return the same for all pixels, at each place within a stride of 16."""
    return max(looked(model, SIDE // 2 + step) for step in range(16))


def linear(*stack):
    """Return a network of layers without activations whose every weight counts."""
    return keras.Sequential([layers.Input((SIDE, SIDE, 3)), *stack])


STACKS = {
    "a convolution": lambda: [layers.Conv2D(1, 5, padding="same")],
    "a dilated one": lambda: [layers.Conv2D(1, 3, padding="same", dilation_rate=4)],
    "an even one": lambda: [layers.Conv2D(1, 4, padding="same")],
    "by channels": lambda: [layers.DepthwiseConv2D(7, padding="same")],
    "strided and enlarged": lambda: [
        layers.Conv2D(2, 3, strides=2, padding="same"),
        layers.UpSampling2D(2),
    ],
    "pooled and transposed": lambda: [
        layers.AveragePooling2D(2),
        layers.Conv2D(2, 3, padding="same"),
        layers.Conv2DTranspose(1, 2, strides=2, padding="same"),
    ],
    "transposed with overlap": lambda: [
        layers.AveragePooling2D(2),
        layers.Conv2DTranspose(1, 4, strides=2, padding="same"),
    ],
    "padded by itself": lambda: [
        layers.ZeroPadding2D(((0, 1), (0, 1))),
        layers.Conv2D(2, 3, strides=2),
        layers.UpSampling2D(2),
        layers.Dense(1),
    ],
    "bilinear": lambda: [
        layers.AveragePooling2D(4),
        layers.UpSampling2D(4, interpolation="bilinear"),
    ],
    # Strides that begin with padding look back, and so does the enlargement.
    "padded and bilinear": lambda: [
        *(layers.ZeroPadding2D(1), layers.Conv2D(2, 3, strides=2)),
        *(layers.ZeroPadding2D(1), layers.Conv2D(2, 3, strides=2)),
        layers.UpSampling2D(4, interpolation="bilinear"),
    ],
}


@pytest.mark.parametrize("name", STACKS)
def test_the_bound_holds_for_each_layer_and_is_tight(name):
    model = linear(*STACKS[name]())
    found, true = receptive_field(model), farthest(model)
    assert true <= found <= true + (4 if "bilinear" in name else 0)


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
@pytest.mark.parametrize("downsampling", ["max", "average", "convolution"])
def test_the_bound_holds_for_a_u_net(upsampling, downsampling):
    settings = Model(
        depth=2,
        filters=4,
        upsampling=upsampling,
        downsampling=downsampling,
        activation="linear",
        output="sigmoid",
    )
    network = build_network(settings, classes=3, channels=3, size=(SIDE, SIDE))
    end = keras.Model(network.model.input, network.model.get_layer("logits").output)
    bound = receptive_field(network.model)
    assert 20 < farthest(end) <= bound < 40


def test_the_bound_of_a_pretrained_encoder_is_known():
    settings = Model(encoder="mobilenetv2", width=0.35)
    network = build_network(settings, classes=2, channels=3, size=(SIDE, SIDE))
    assert 200 < receptive_field(network.model) < 1000


@pytest.mark.parametrize(
    "stack",
    [
        lambda: [layers.GlobalAveragePooling2D(keepdims=True), layers.UpSampling2D(SIDE)],
        lambda: [layers.MaxPooling2D((2, 4)), layers.UpSampling2D((2, 4))],
        lambda: [layers.Conv2DTranspose(2, 3, padding="same", dilation_rate=2)],
        lambda: [layers.GroupNormalization(1)],
        lambda: [layers.LayerNormalization(axis=(1, 2))],
        lambda: [layers.Softmax(axis=1)],
    ],
)
def test_what_sees_the_whole_image_has_no_bound(stack):
    assert receptive_field(linear(*stack())) is None


def test_branches_of_unlike_strides_have_no_bound():
    image = layers.Input((SIDE, SIDE, 3))
    small = layers.AveragePooling2D(2)(image)
    model = keras.Model(image, layers.Multiply()([image, layers.Resizing(SIDE, SIDE)(small)]))
    assert receptive_field(model) is None
