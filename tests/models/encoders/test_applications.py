"""Each family gives what keras.applications gives for the same image and weights."""

import keras
import numpy as np
import pytest

from delineate.catalog import ENCODERS, find
from delineate.models.summary import trace
from tests.models.encoders.making import encoder_model, picture, randomise

applications = keras.applications
TENSORFLOW = keras.backend.backend() == "tensorflow"
# The graph is the same on each backend; what is slow to compile is compared on one of them.
SLOW = pytest.mark.skipif(not TENSORFLOW, reason="compared on TensorFlow: slow to compile here")


def efficientnet_b0():
    # With its ImageNet weights it divides by the deviation, in two steps; here in one.
    model = applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    layer = model.get_layer(index=2)
    assert isinstance(layer, keras.layers.Normalization)
    layer.mean, layer.variance = (
        keras.ops.convert_to_tensor(values.reshape(1, 1, 1, 3), "float32")
        for values in (mean, deviation**2)
    )
    return model


# For each family: how keras.applications makes it, its preprocessing, and its features: the output
# of a layer, or what goes into one (">"), as some layers have no name of their own.
FAMILIES = {
    "mobilenetv2": (
        lambda: applications.MobileNetV2(
            include_top=False, weights=None, input_shape=(None, None, 3), alpha=0.35
        ),
        applications.mobilenet_v2.preprocess_input,
        "block_1_expand_relu block_3_expand_relu block_6_expand_relu block_13_expand_relu block_16_project_BN",
    ),
    "mobilenetv3small": (
        lambda: applications.MobileNetV3Small(
            include_top=False, weights=None, input_shape=(None, None, 3), alpha=0.75
        ),
        applications.mobilenet_v3.preprocess_input,
        ">expanded_conv_depthwise_pad >expanded_conv_1_depthwise_pad >expanded_conv_3_depthwise_pad >expanded_conv_8_depthwise_pad expanded_conv_10_add",
    ),
    "densenet121": (
        lambda: applications.DenseNet121(
            include_top=False, weights=None, input_shape=(None, None, 3)
        ),
        applications.densenet.preprocess_input,
        "conv1_relu conv2_block6_concat conv3_block12_concat conv4_block24_concat conv5_block16_concat",
    ),
    "resnet50": (
        lambda: applications.ResNet50(include_top=False, weights=None, input_shape=(None, None, 3)),
        applications.resnet.preprocess_input,
        "conv1_relu conv2_block3_out conv3_block4_out conv4_block6_out conv5_block3_out",
    ),
    "resnet50v2": (
        lambda: applications.ResNet50V2(
            include_top=False, weights=None, input_shape=(None, None, 3)
        ),
        applications.resnet_v2.preprocess_input,
        "conv1_conv conv2_block3_preact_relu conv3_block4_preact_relu conv4_block6_preact_relu post_relu",
    ),
    "efficientnetb0": (
        efficientnet_b0,
        applications.efficientnet.preprocess_input,
        "block2a_expand_activation block3a_expand_activation block4a_expand_activation block6a_expand_activation block7a_project_bn",
    ),
    "efficientnetv2b0": (
        lambda: applications.EfficientNetV2B0(
            include_top=False, weights=None, input_shape=(None, None, 3)
        ),
        applications.efficientnet_v2.preprocess_input,
        "block1a_project_activation block2b_add block4a_expand_activation block6a_expand_activation block6h_add",
    ),
    "convnexttiny": (
        lambda: applications.ConvNeXtTiny(
            include_top=False, weights=None, input_shape=(None, None, 3)
        ),
        applications.convnext.preprocess_input,
        ">convnext_tiny_downsampling_block_0 >convnext_tiny_downsampling_block_1 >convnext_tiny_downsampling_block_2 ",
    ),
    "vgg16": (
        lambda: applications.VGG16(include_top=False, weights=None, input_shape=(None, None, 3)),
        applications.vgg16.preprocess_input,
        "block1_conv2 block2_conv2 block3_conv3 block4_conv3 block5_conv3 block5_pool",
    ),
}
WIDTHS = {"mobilenetv2": 0.35, "mobilenetv3small": 0.75}
QUICK = ("mobilenetv2", "vgg16")


def tensor_of(model, place):
    if not place:
        return model.output
    return model.get_layer(place[1:]).input if place[0] == ">" else model.get_layer(place).output


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=SLOW) for name in FAMILIES]
)
def test_each_feature_is_that_of_the_application_on_its_own_preprocessing(name, tmp_path):
    make, preprocess, places = FAMILIES[name]
    theirs = make()
    randomise(theirs)
    theirs.save_weights(tmp_path / "random.weights.h5")
    tensors = [tensor_of(theirs, place) for place in places.split(" ")]
    image = picture()
    # Called as it is, since compiling costs more than this one image.
    expected = keras.Model(theirs.input, tensors)(preprocess(image.copy()), training=False)
    ours = encoder_model(
        name, weights=str(tmp_path / "random.weights.h5"), width=WIDTHS.get(name, 1.0)
    )
    found = ours(image / 255, training=False)
    assert len(found) == len(expected)
    for tensor, reference in zip(found, expected, strict=True):
        one, other = (keras.ops.convert_to_numpy(each) for each in (tensor, reference))
        assert one.std() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3 * np.abs(other).max())


@pytest.mark.parametrize("name", ["mobilenetv2", "mobilenetv3small"])
def test_each_width_can_be_built_and_another_number_of_channels_comes_of_it(name):
    widths = find("encoders", name).widths or (0.2, 0.35, 0.6, 1.0, 1.7)
    counts = [
        sum(int(np.prod(weight.shape)) for weight in find("encoders", name).make(width).weights)
        for width in widths
    ]
    assert counts == sorted(set(counts))


def test_families_are_tables_of_the_same_kind_of_object():
    from delineate.models.encoders.encoder import Encoder

    for name in ENCODERS:
        encoder = find("encoders", name)
        assert name == "plain" or (isinstance(encoder, Encoder) and encoder.name == name)


def test_what_is_padded_for_the_next_layer_is_no_feature():
    for name in ("mobilenetv2", "resnet18"):
        graph = trace(encoder_model(name, width=0.35 if name == "mobilenetv2" else 1.0), 64)
        sizes = [tuple(output.shape[1:3]) for output in graph.outputs]
        assert sizes == [(64 // stride,) * 2 for stride in (2, 4, 8, 16, 32)]
