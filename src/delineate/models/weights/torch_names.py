"""How PyTorch names the layers of Keras's applications: one table for each architecture and source.

The names are those of torchvision and of timm; a Keras layer has the tensors of one PyTorch module.
"""

import re
from collections.abc import Callable, Collection

# Blocks of each stage of MobileNetV2.
_MOBILENET_STAGES = (1, 2, 3, 4, 3, 3, 1)
# The module's name in torchvision's MobileNetV2 and in timm's, by what it does in Keras.
_MOBILENET_FIRST = {
    "depthwise": ("conv.0.0", "conv_dw"),
    "depthwise_BN": ("conv.0.1", "bn1"),
    "project": ("conv.1", "conv_pw"),
    "project_BN": ("conv.2", "bn2"),
}
_MOBILENET_OTHERS = {
    "expand": ("conv.0.0", "conv_pw"),
    "expand_BN": ("conv.0.1", "bn1"),
    "depthwise": ("conv.1.0", "conv_dw"),
    "depthwise_BN": ("conv.1.1", "bn2"),
    "project": ("conv.2", "conv_pwl"),
    "project_BN": ("conv.3", "bn3"),
}
_MOBILENET_ENDS = {
    "Conv1": ("features.0.0", "conv_stem"),
    "bn_Conv1": ("features.0.1", "bn1"),
    "Conv_1": ("features.18.0", "conv_head"),
    "Conv_1_bn": ("features.18.1", "bn2"),
}
# By what it does in Keras: with an expansion, without; in torchvision and in timm.
_EFFICIENTNET_PLAIN = {
    "dwconv": ("block.0.0", "conv_dw"),
    "bn": ("block.0.1", "bn1"),
    "se_reduce": ("block.1.fc1", "se.conv_reduce"),
    "se_expand": ("block.1.fc2", "se.conv_expand"),
    "project_conv": ("block.2.0", "conv_pw"),
    "project_bn": ("block.2.1", "bn2"),
}
_EFFICIENTNET_EXPANDED = {
    "expand_conv": ("block.0.0", "conv_pw"),
    "expand_bn": ("block.0.1", "bn1"),
    "dwconv": ("block.1.0", "conv_dw"),
    "bn": ("block.1.1", "bn2"),
    "se_reduce": ("block.2.fc1", "se.conv_reduce"),
    "se_expand": ("block.2.fc2", "se.conv_expand"),
    "project_conv": ("block.3.0", "conv_pwl"),
    "project_bn": ("block.3.1", "bn3"),
}
_EFFICIENTNET_ENDS = {
    "stem_conv": ("features.0.0", "conv_stem"),
    "stem_bn": ("features.0.1", "bn1"),
    "top_conv": ("features.8.0", "conv_head"),
    "top_bn": ("features.8.1", "bn2"),
}
_EFFICIENTNET_BLOCK = re.compile(r"block(\d)([a-z])_(\w+)")
_DENSENET_LAYER = re.compile(r"conv(\d)_block(\d+)_([012])_(bn|conv)")
_DENSENET_TRANSITION = re.compile(r"pool([234])_(bn|conv)")
_DENSENET_ENDS = {
    "conv1_conv": "features.conv0",
    "conv1_bn": "features.norm0",
    "bn": "features.norm5",
}
_DENSENET_INNER = {
    ("0", "bn"): "norm1",
    ("1", "conv"): "conv1",
    ("1", "bn"): "norm2",
    ("2", "conv"): "conv2",
}
_RESNET_LAYER = re.compile(r"conv(\d)_block(\d+)_([0123])_(bn|conv)")
_RESNET_ENDS = {"conv1_conv": "conv1", "conv1_bn": "bn1"}

# Takes the names of an encoder's layers that have weights, and whether the source is timm.
Naming = Callable[[Collection[str], bool], dict[str, str]]


def is_timm(tensors: Collection[str]) -> bool:
    """Return whether the tensors of a MobileNetV2 or EfficientNet have timm's names."""
    return "conv_stem.weight" in tensors


def naming_of(encoder: str) -> Naming | None:
    """Return what names an encoder's layers in PyTorch; None: it cannot be converted."""
    for start, naming in _NAMINGS.items():
        if re.fullmatch(start, encoder):
            return naming
    return None


def _mobilenet_v2(layers: Collection[str], timm: bool) -> dict[str, str]:
    names = {layer: pair[timm] for layer, pair in _MOBILENET_ENDS.items()}
    places = [(stage, n) for stage, count in enumerate(_MOBILENET_STAGES) for n in range(count)]
    for number, (stage, inside) in enumerate(places):
        above = f"blocks.{stage}.{inside}" if timm else f"features.{number + 1}"
        block = f"block_{number}_" if number else "expanded_conv_"
        parts = _MOBILENET_OTHERS if number else _MOBILENET_FIRST
        names |= {f"{block}{part}": f"{above}.{pair[timm]}" for part, pair in parts.items()}
    return {layer: names[layer] for layer in layers if layer in names}


def _efficientnet(layers: Collection[str], timm: bool) -> dict[str, str]:
    names = {layer: pair[timm] for layer, pair in _EFFICIENTNET_ENDS.items()}
    for layer in layers:
        if not (found := _EFFICIENTNET_BLOCK.fullmatch(layer)):
            continue
        stage, letter, part = int(found[1]), ord(found[2]) - ord("a"), found[3]
        expanded = f"block{found[1]}{found[2]}_expand_conv" in layers
        parts = _EFFICIENTNET_EXPANDED if expanded else _EFFICIENTNET_PLAIN
        above = f"blocks.{stage - 1}" if timm else f"features.{stage}"
        names[layer] = f"{above}.{letter}.{parts[part][timm]}"
    return names


def _densenet(layers: Collection[str], timm: bool) -> dict[str, str]:
    # Both sources have the same names.
    names = dict(_DENSENET_ENDS)
    for layer in layers:
        if found := _DENSENET_LAYER.fullmatch(layer):
            above = f"features.denseblock{int(found[1]) - 1}.denselayer{found[2]}"
            names[layer] = f"{above}.{_DENSENET_INNER[found[3], found[4]]}"
        elif found := _DENSENET_TRANSITION.fullmatch(layer):
            part = "norm" if found[2] == "bn" else "conv"
            names[layer] = f"features.transition{int(found[1]) - 1}.{part}"
    return names


def _resnet(layers: Collection[str], timm: bool) -> dict[str, str]:
    # Both sources have the same names.
    names = dict(_RESNET_ENDS)
    for layer in layers:
        if found := _RESNET_LAYER.fullmatch(layer):
            above = f"layer{int(found[1]) - 1}.{int(found[2]) - 1}"
            shortcut = f"downsample.{0 if found[4] == 'conv' else 1}"
            names[layer] = f"{above}.{shortcut if found[3] == '0' else found[4] + found[3]}"
    return names


_NAMINGS: dict[str, Naming] = {
    "mobilenetv2": _mobilenet_v2,
    r"densenet\d+": _densenet,
    "resnet(18|34|50|101)": _resnet,
    r"efficientnetb\d": _efficientnet,
}
