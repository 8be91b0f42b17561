"""From PyTorch's tensors to a Keras model that computes the same features."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from delineate.errors import WeightsError
from delineate.models.conventions import SYMMETRIC, TORCH, UNIT, Convention
from delineate.models.weights.rewriting import TENSORFLOW, Rewriting, rewrite, rewritings_of
from delineate.models.weights.taken import Taken
from delineate.models.weights.tensors import (
    Tensor,
    fill,
    leaves_of,
    other_architecture,
    variables_of,
)
from delineate.models.weights.torch_accounts import account, encoder_of
from delineate.models.weights.torch_files import State
from delineate.models.weights.torch_names import is_timm, naming_of
from delineate.models.weights.torch_segformer import from_segformer

# Bytes of a config.json: timm writes one or two kilobytes.
_MOST_CONFIG = 2**20
_NORMALISATION = ("weight", "bias", "running_mean", "running_var")
# torchvision up to 0.2 wrote norm.1 for norm1, and its files are still in use.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
_MEAN: dict[tuple[float, ...], Convention] = {
    (0.485, 0.456, 0.406): TORCH,
    (0.5, 0.5, 0.5): SYMMETRIC,
    (0.0, 0.0, 0.0): UNIT,
}


def from_torch(path: Path, state: State, application: keras.Model, *, encoder: str) -> Taken:
    """Return an encoder that computes what the PyTorch model with these tensors does.

    Args:
        path: Of the file; its name and a ``config.json`` beside it say what the tensors do not.
        state: The tensors.
        application: The encoder's model of RGB images, without classifier.
        encoder: Its name.

    Raises:
        WeightsError: The architecture is another one, or it cannot be converted.
    """
    state, beside = encoder_of(state)
    convert = from_segformer if encoder.startswith("mit") else _from_convolutions
    taken = convert(path, state, application, encoder=encoder)
    return replace(taken, left_out=[*taken.left_out, *beside])


def _from_convolutions(
    path: Path, state: State, application: keras.Model, *, encoder: str
) -> Taken:
    naming = naming_of(encoder)
    if naming is None:
        raise WeightsError(
            f"PyTorch tensors ({path}) cannot be converted for the encoder '{encoder}'.",
            hint="Convert a MobileNetV2, DenseNet, ResNet (18, 34, 50, 101), EfficientNet (B0 to "
            "B7) or Mix Transformer, or pass Keras weights.",
        )
    state = {_OLD_DENSENET.sub(r"\1\2.", name): value for name, value in state.items()}
    weighty = [str(layer.name) for layer in leaves_of(application) if layer.weights]
    names = naming(weighty, is_timm(state))
    if not any(f"{module}.weight" in state for module in names.values()):
        raise other_architecture(path, encoder, list(state))
    architecture, mean = _config(path)
    model = rewrite(application, _rewriting(path, state, encoder, architecture))
    # Which tensors a module has to have follows from its first: a normalisation has four.
    wanted = [f"{module}.{part}" for module in names.values() for part in _parts(module, state)]
    biases = [f"{module}.bias" for module in names.values()]
    left_out = account(path, state, wanted, optional=biases, encoder=encoder)
    leaves = [layer for layer in leaves_of(model) if layer.weights]
    stored = {str(leaf.name): _tensors(leaf, names[leaf.name], state) for leaf in leaves}
    fill(model, stored, file=path, encoder=encoder)
    return Taken(model, _convention(path, architecture, mean), left_out)


def _parts(module: str, state: State) -> Sequence[str]:
    weight = state.get(f"{module}.weight")
    return _NORMALISATION if weight is not None and weight.ndim == 1 else ("weight",)


def _tensors(layer: layers.Layer, module: str, state: State) -> list[Tensor]:
    if isinstance(layer, layers.BatchNormalization):
        return [_tensor(f"{module}.{part}", state[f"{module}.{part}"]) for part in _NORMALISATION]
    name = f"{module}.weight"
    weight = state[name]
    if weight.ndim == 4:
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        weight = weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    tensors = [_tensor(name, weight)]
    if len(variables_of(layer)) > 1:
        # Keras's ResNets have a bias before the normalisation, PyTorch's have none.
        bias = state.get(f"{module}.bias", np.zeros(weight.shape[-1], np.float32))
        tensors.append(_tensor(f"{module}.bias", bias))
    elif f"{module}.bias" in state:
        tensors.append(_tensor(f"{module}.bias", state[f"{module}.bias"]))
    return tensors


def _tensor(name: str, value: np.ndarray) -> Tensor:
    return Tensor(name, value.shape, partial(np.asarray, value))


# What the tensors do not say


def _config(path: Path) -> tuple[str, tuple[float, ...] | None]:
    """Return the name of the architecture in lower case, and the mean that its images have.

    Both are in the ``config.json`` that timm keeps beside its files; else the file's name counts.
    """
    beside = path.with_name("config.json")
    try:
        if beside.stat().st_size > _MOST_CONFIG or not beside.is_file():
            raise ValueError("it is too large for a configuration")
        config = json.loads(beside.read_text(encoding="utf-8"))
        mean = config.get("pretrained_cfg", {}).get("mean")
        return str(config["architecture"]).lower(), None if mean is None else tuple(mean)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return path.stem.lower(), None


def _rewriting(path: Path, state: State, encoder: str, architecture: str) -> Rewriting:
    usual, *others = rewritings_of(encoder)
    if not others:
        return usual
    if not is_timm(state):
        # torchvision normalises its larger EfficientNets with another epsilon.
        return (
            others[0]
            if encoder in ("efficientnetb5", "efficientnetb6", "efficientnetb7")
            else usual
        )
    if "efficientnet" not in architecture:
        raise WeightsError(
            f"{path} does not say whether its EfficientNet pads as TensorFlow does: timm has both, "
            "and their tensors have the same names.",
            hint="Give the file the name that timm has for it, such as efficientnet_b0.safetensors "
            "or tf_efficientnet_b0.safetensors, or put its config.json beside it.",
        )
    return TENSORFLOW if architecture.startswith("tf_") else usual


def _convention(path: Path, architecture: str, mean: Any) -> Convention:
    if mean is None:
        # These were learnt from pictures in [-1, 1].
        of_adversarial = re.match(r"tf_efficientnet_b\d[._]ap(?![a-z0-9])", architecture)
        return SYMMETRIC if of_adversarial else TORCH
    found = _MEAN.get(tuple(round(float(each), 3) for each in mean))
    if found is None:
        raise WeightsError(
            f"The config.json beside {path} says that its images have the mean {tuple(mean)}, "
            "which is not known here.",
            hint="Take weights that expect the mean of ImageNet, (0.485, 0.456, 0.406).",
        )
    return found
