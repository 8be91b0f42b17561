"""Bilinear enlargement by the backend's own kernel, exchanged in for the layers it is made of.

A network enlarges by plain layers that work at any size: it repeats pixels and takes means, which
reads and writes the large image some ten times, and as often again for the gradient. TensorFlow and
PyTorch have one kernel for all of it. JAX's compiler fuses the steps by itself.
"""

from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

import keras
from keras import layers, ops

from delineate.models.blocks import Style, enlarge, names_of_enlargement
from delineate.models.machine import device

Tensor = Any
Enlarge = Callable[[Tensor, int], Tensor]
_REPEAT = "_repeat"


def enlarge_at_once(model: keras.Model, *, compiled: bool = False) -> int:
    """Let the first layer of each enlargement do all of it, and the others pass it on.

    Only what layers do in this process changes: weights, configuration and what is saved stay as
    they are, and outputs up to rounding. To be called before the model is compiled. On a GPU, where
    the kernels' gradients are not deterministic, nothing changes.

    Args:
        model: A functional model.
        compiled: Whether a step becomes one program: TensorFlow's compiler, which fuses the steps,
            has no gradient of the kernel on a processor.

    Returns:
        How many enlargements have a kernel now: none on a backend without one.
    """
    backend = keras.backend.backend()
    kernel = _KERNELS.get(backend)
    if kernel is None or device() != "cpu" or (compiled and backend == "tensorflow"):
        return 0
    known = {layer.name: layer for layer in model.layers}
    found = [(layer, _rest(layer, known)) for layer in known.values() if _repeats(layer)]
    whole = [(layer, rest) for layer, rest in found if rest]
    for layer, rest in whole:
        layer.call = MethodType(_at_once(kernel), layer)
        for each in rest:
            each.call = MethodType(_passing, each)
    return len(whole)


def _repeats(layer: layers.Layer) -> bool:
    if type(layer) is not layers.UpSampling2D or not layer.name.endswith(_REPEAT):
        return False
    last = layer.data_format == "channels_last"
    return bool(last and layer.interpolation == "nearest" and layer.size[0] == layer.size[1])


def _rest(layer: Any, known: Mapping[str, layers.Layer]) -> list[layers.Layer]:
    """Return the layers that make a mean of repeated pixels, none where they do something else."""
    name, factor = layer.name.removesuffix(_REPEAT), layer.size[0]
    if factor < 2 or not all(each in known for each in names_of_enlargement(name, factor)):
        return []
    image = layers.Input((None, None, 1))
    enlarged = enlarge(image, factor, style=Style(dtype=layer.dtype_policy.name), name=name)
    wanted = keras.Model(image, enlarged).layers[2:]
    found = [known[each.name] for each in wanted]
    alike = all(_does(each) == _does(like) for each, like in zip(found, wanted, strict=True))
    return found if alike else []


def _does(layer: layers.Layer) -> tuple[Any, ...]:
    """Return what a layer does with what: a network from elsewhere may use any name for it."""
    # As often as the network is called, and each time with the same.
    nodes = layer._inbound_nodes
    calls = {tuple(each.operation.name for each in node.parent_nodes) for node in nodes}
    settings = {name: said for name, said in layer.get_config().items() if name != "trainable"}
    return type(layer), settings, calls


def _at_once(kernel: Enlarge) -> Callable[..., Tensor]:
    def call(self: layers.UpSampling2D, inputs: Tensor) -> Tensor:
        return ops.cast(kernel(inputs, self.size[0]), self.compute_dtype)

    return call


def _passing(_: layers.Layer, inputs: Tensor | list[Tensor]) -> Tensor:
    return inputs[0] if isinstance(inputs, list) else inputs


def _tensorflow(image: Tensor, factor: int) -> Tensor:
    import tensorflow as tf

    return tf.image.resize(image, factor * tf.shape(image)[1:3], "bilinear")


def _torch(image: Tensor, factor: int) -> Tensor:
    import torch

    enlarged = torch.nn.functional.interpolate(
        image.permute(0, 3, 1, 2), scale_factor=factor, mode="bilinear", align_corners=False
    )
    return enlarged.permute(0, 2, 3, 1)


_KERNELS: dict[str, Enlarge] = {"tensorflow": _tensorflow, "torch": _torch}
