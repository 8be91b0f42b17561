"""The encoders of ``keras.applications``."""

from collections.abc import Callable
from typing import Any

import keras

from delineate.models.conventions import CAFFE, NEARLY_SYMMETRIC, SYMMETRIC, TORCH
from delineate.models.encoders.encoder import Encoder

Make = Callable[[float], keras.Model]


def _application(name: str, **options: Any) -> Make:
    def make(width: float) -> keras.Model:
        chosen = {"alpha": width} if name.startswith("MobileNet") else {}
        return getattr(keras.applications, name)(
            include_top=False, weights=None, input_shape=(None, None, 3), **options, **chosen
        )

    return make


def _densenet(name: str, blocks: tuple[int, int, int, int]) -> Encoder:
    joined = [f"conv{stage}_block{count}_concat" for stage, count in enumerate(blocks, start=2)]
    return Encoder(
        name.lower(),
        _application(name),
        TORCH,
        "BSD-3-Clause",
        taps=("conv1_relu", *joined),
    )


def _resnet(name: str) -> Encoder:
    return Encoder(name.lower(), _application(name), CAFFE, "MIT")


def _resnet_v2(name: str, blocks: tuple[int, int, int]) -> Encoder:
    # Its stages end with the block that halves: what goes into that block is still finer.
    last = [f"conv{stage}_block{count}_preact_relu" for stage, count in enumerate(blocks, start=2)]
    return Encoder(
        name.lower(), _application(name), SYMMETRIC, "MIT", taps=("conv1_conv", *last, "post_relu")
    )


def _efficientnet(name: str) -> Encoder:
    return Encoder(name.lower(), _application(name), TORCH, "Apache-2.0", head="top_conv")


def _efficientnet_v2(name: str) -> Encoder:
    convention = TORCH if "V2B" in name else NEARLY_SYMMETRIC
    make = _application(name, include_preprocessing=False)
    return Encoder(name.lower(), make, convention, "Apache-2.0", head="top_conv")


def _convnext(name: str) -> Encoder:
    make = _application(name, include_preprocessing=False)
    return Encoder(name.lower(), make, TORCH, "Apache-2.0", least_stride=4)


def _mobilenet_v3(name: str) -> Encoder:
    return Encoder(
        name.lower(),
        _application(name, include_preprocessing=False),
        SYMMETRIC,
        "Apache-2.0",
        head="conv_1",
        widths=(0.75, 1.0),
    )


MOBILENETV2 = Encoder(
    "mobilenetv2",
    _application("MobileNetV2"),
    SYMMETRIC,
    "Apache-2.0",
    head="Conv_1",
    widths=None,
)
MOBILENETV3SMALL = _mobilenet_v3("MobileNetV3Small")
MOBILENETV3LARGE = _mobilenet_v3("MobileNetV3Large")
DENSENET121 = _densenet("DenseNet121", (6, 12, 24, 16))
DENSENET169 = _densenet("DenseNet169", (6, 12, 32, 32))
DENSENET201 = _densenet("DenseNet201", (6, 12, 48, 32))
RESNET50 = _resnet("ResNet50")
RESNET101 = _resnet("ResNet101")
RESNET50V2 = _resnet_v2("ResNet50V2", (3, 4, 6))
RESNET101V2 = _resnet_v2("ResNet101V2", (3, 4, 23))
EFFICIENTNETB0 = _efficientnet("EfficientNetB0")
EFFICIENTNETB1 = _efficientnet("EfficientNetB1")
EFFICIENTNETB2 = _efficientnet("EfficientNetB2")
EFFICIENTNETB3 = _efficientnet("EfficientNetB3")
EFFICIENTNETB4 = _efficientnet("EfficientNetB4")
EFFICIENTNETB5 = _efficientnet("EfficientNetB5")
EFFICIENTNETB6 = _efficientnet("EfficientNetB6")
EFFICIENTNETB7 = _efficientnet("EfficientNetB7")
EFFICIENTNETV2B0 = _efficientnet_v2("EfficientNetV2B0")
EFFICIENTNETV2B1 = _efficientnet_v2("EfficientNetV2B1")
EFFICIENTNETV2B2 = _efficientnet_v2("EfficientNetV2B2")
EFFICIENTNETV2B3 = _efficientnet_v2("EfficientNetV2B3")
EFFICIENTNETV2S = _efficientnet_v2("EfficientNetV2S")
EFFICIENTNETV2M = _efficientnet_v2("EfficientNetV2M")
EFFICIENTNETV2L = _efficientnet_v2("EfficientNetV2L")
CONVNEXTTINY = _convnext("ConvNeXtTiny")
CONVNEXTSMALL = _convnext("ConvNeXtSmall")
CONVNEXTBASE = _convnext("ConvNeXtBase")
CONVNEXTLARGE = _convnext("ConvNeXtLarge")
CONVNEXTXLARGE = _convnext("ConvNeXtXLarge")
VGG16 = Encoder("vgg16", _application("VGG16"), CAFFE, "CC BY 4.0", least_stride=1)
