"""An application's graph, grown anew on another tensor."""

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from delineate.models.blocks import MOMENTUM, Style
from delineate.models.graph import replay
from delineate.models.weights import adapt_first_kernel

Tensor = Any


def graft(
    application: keras.Model,
    image: Tensor,
    *,
    style: Style,
    pretrained: bool,
    reverse: bool,
    first_kernel: np.ndarray | None = None,
) -> list[Tensor]:
    """Return the outputs that an application's layers, made anew, give for an image.

    The new layers have the names of the old ones, the style's dtype, and, unless their weights are
    copied, initialisers with seeds of their own. Layers that normalise the image are left out.

    Args:
        application: A functional model of one image.
        image: (batch, height, width, channels), as the application's weights expect it.
        style: What all blocks have in common.
        pretrained: Whether the weights are copied. The first kernel is adapted to the channels.
        reverse: Whether the application's first kernel expects blue first.
        first_kernel: float (height, width, channels, filters), instead of the application's.
    """
    shoots = _Shoots(style, pretrained, reverse, first_kernel)
    return replay(application, [image], shoots.operation)


class _Shoots:
    """The new layers, one for each old one."""

    def __init__(
        self, style: Style, pretrained: bool, reverse: bool, first_kernel: np.ndarray | None
    ) -> None:
        self.style, self.pretrained, self.reverse = style, pretrained, reverse
        self.first_kernel = first_kernel
        self.first = True
        self.unnamed: dict[str, int] = {}

    def operation(self, old: Any) -> Callable[..., Any]:
        if isinstance(old, layers.Rescaling | layers.Normalization):
            return lambda image, **_: image
        if isinstance(old, keras.Sequential):
            steps = [self.operation(layer) for layer in old.layers]
            return lambda image, **_: _in_turn(steps, image)
        if isinstance(old, layers.Layer):
            return self._grow(old)
        # An operation without weights, such as the sum that `+` makes.
        return type(old).from_config(old.get_config() | {"name": self._name(old)})  # type: ignore[no-any-return]

    def _grow(self, old: layers.Layer) -> Callable[..., Any]:
        new = self._like(old)

        def call(*values: Any, **named: Any) -> Any:
            result = new(*values, **named)
            if self.pretrained and old.weights:
                new.set_weights(self._values(old, new))
            elif isinstance(new, layers.MultiHeadAttention):
                self._reseed(new)
            self.first = self.first and not old.weights
            return result

        return call

    def _like(self, old: layers.Layer) -> layers.Layer:
        name = self._name(old)
        if type(old).__name__ == "LayerScale":
            # ConvNeXt's own layer, which plain Keras would not open: a factor for each channel.
            return layers.DepthwiseConv2D(
                1,
                use_bias=False,
                depthwise_initializer=keras.initializers.Constant(old.init_values),
                dtype=self.style.dtype,
                name=name,
            )
        config = old.get_config() | {"name": name, "dtype": self.style.dtype}
        if "seed" in config:
            config["seed"] = self.style.seed_of(name)
        if "momentum" in config and not self.pretrained:
            config["momentum"] = MOMENTUM
        for key, value in config.items():
            if key.endswith("initializer") and value and "seed" in value.get("config", {}):
                config[key] = _seeded(value, self.style.seed_of(f"{name} {key}"))
        return type(old).from_config(config)

    def _reseed(self, attention: layers.MultiHeadAttention) -> None:
        """Draw the kernels anew: Keras draws those of all projections with one seed."""
        for projection in ("query", "key", "value", "output"):
            dense = getattr(attention, f"{projection}_dense")
            initialiser = keras.initializers.serialize(dense.kernel_initializer)
            seed = self.style.seed_of(f"{attention.name} {projection}")
            draw = keras.initializers.deserialize(_seeded(initialiser, seed))
            dense.kernel.assign(draw(dense.kernel.shape))

    def _values(self, old: layers.Layer, new: layers.Layer) -> list[np.ndarray]:
        values = [np.asarray(value) for value in old.get_weights()]
        if self.first:
            kernel = values[0][:, :, ::-1] if self.reverse else values[0]
            if self.first_kernel is not None:
                kernel = self.first_kernel
            values[0] = adapt_first_kernel(kernel, new.weights[0].shape[2])
        if type(old).__name__ == "LayerScale":
            return [value.reshape(1, 1, -1, 1) for value in values]
        return values

    def _name(self, old: Any) -> str:
        """Return the layer's name, or one that is the same in each process if it has none."""
        kind = type(old).__name__.lower()
        if re.sub(r"_\d+$", "", old.name).replace("_", "") != kind:
            return str(old.name)
        self.unnamed[kind] = self.unnamed.get(kind, 0) + 1
        return f"encoder_{kind}{self.unnamed[kind]}"


def _in_turn(steps: list[Callable[..., Any]], image: Tensor) -> Tensor:
    for step in steps:
        image = step(image)
    return image


def _seeded(initialiser: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**initialiser, "config": {**initialiser["config"], "seed": seed}}
