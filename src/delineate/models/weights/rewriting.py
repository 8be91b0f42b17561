"""A Keras application's graph, changed so that it computes what its PyTorch namesake does.

The two differ where the eye does not look: in the epsilon of batch normalisation; in the padding of
strided convolutions, which Keras puts below and to the right only; in the ResNets' stride, which
PyTorch has in the 3 × 3 convolution (v1.5) and Keras in the 1 × 1 before it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from delineate.models.graph import replay
from delineate.models.weights.tensors import prepares

# The first block of each of the ResNets' stages that halve.
_HALVING = re.compile(r"conv[345]_block1_([12])_conv")

Config = dict[str, Any]


@dataclass(frozen=True)
class Rewriting:
    """What is changed in a graph.

    Attributes:
        epsilon: That of batch normalisation.
        symmetric: Whether strided convolutions pad all four sides alike.
        late_stride: Whether a ResNet's stride is in the 3 × 3 convolutions.
    """

    epsilon: float
    symmetric: bool = True
    late_stride: bool = False


_TORCH = Rewriting(1e-5)
_TORCH_RESNET = Rewriting(1e-5, late_stride=True)
# What was converted from TensorFlow to PyTorch keeps the ways of TensorFlow.
TENSORFLOW = Rewriting(1e-3, symmetric=False)
_LARGE_EFFICIENTNET = Rewriting(1e-3)


def rewritings_of(encoder: str) -> tuple[Rewriting, ...]:
    """Return the rewritings that PyTorch checkpoints of an encoder may ask for, the usual first."""
    if encoder in ("resnet50", "resnet101"):
        return (_TORCH_RESNET,)
    if encoder.startswith("efficientnetb"):
        return _TORCH, _LARGE_EFFICIENTNET, TENSORFLOW
    as_it_is = encoder in ("mobilenetv2", "resnet18", "resnet34")
    return (_TORCH,) if as_it_is or encoder.startswith("densenet") else ()


def rewrite(application: keras.Model, rewriting: Rewriting) -> keras.Model:
    """Return an application's graph, changed, with layers of its own and random weights.

    Layers that normalise the image are left out; all others keep their names.
    """

    def operation(old: Any) -> Callable[..., Any]:
        if not isinstance(old, layers.Layer) or isinstance(old, layers.InputLayer):
            return old  # type: ignore[no-any-return]
        if prepares(old):
            return lambda image: image
        return _remade(old, rewriting)

    image = layers.Input(application.inputs[0].shape[1:], name="rgb")
    (features,) = replay(application, [image], operation)
    return keras.Model(image, features, name=application.name)


def changes(layer: layers.Layer, rewriting: Rewriting) -> Config:
    """Return what a rewriting changes in a layer's configuration."""
    if isinstance(layer, layers.BatchNormalization):
        return {"epsilon": rewriting.epsilon}
    if rewriting.late_stride and (found := _HALVING.fullmatch(layer.name)):
        return {"strides": (1, 1)} if found[1] == "1" else {"strides": (2, 2), "padding": "valid"}
    if not rewriting.symmetric:
        return {}
    if isinstance(layer, layers.ZeroPadding2D):
        return {"padding": tuple((max(sides), max(sides)) for sides in layer.padding)}
    return {"padding": "valid"} if _pads_one_side(layer) else {}


def _remade(old: layers.Layer, rewriting: Rewriting) -> Callable[..., Any]:
    changed = changes(old, rewriting)
    new = type(old).from_config(old.get_config() | changed)
    if changed.get("padding") != "valid":
        return new  # type: ignore[no-any-return]
    pad = layers.ZeroPadding2D(
        old.kernel_size[0] // 2, dtype=old.dtype_policy, name=f"{old.name}_pad"
    )
    return lambda image: new(pad(image))


def _pads_one_side(layer: layers.Layer) -> bool:
    convolves = isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)
    return bool(
        convolves
        and layer.padding == "same"
        and tuple(layer.strides) == (2, 2)
        and layer.kernel_size[0] > 1
    )
