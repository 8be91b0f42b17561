"""What a decoder is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delineate.models.blocks import Style
from delineate.recipe import Model

Tensor = Any


@dataclass(frozen=True)
class Decoder:
    """A way from features by stride to one tensor.

    Attributes:
        build: Takes (features, *, settings, style); returns the tensor that the logits are made
            of, at any stride, or several: the main one, then those for deep supervision.
        strides: At which it needs features; it takes others as it finds them.
        fixed_size: Whether the network works at one size only, so that images are tiled.
        supervised: Whether it can return several tensors.
        narrows: Whether it obeys ``model.skip_filters``.
    """

    build: Callable[..., Tensor | Sequence[Tensor]]
    strides: tuple[int, ...] = ()
    fixed_size: bool = False
    supervised: bool = False
    narrows: bool = False

    def __call__(
        self, features: Mapping[int, Tensor], *, settings: Model, style: Style
    ) -> Tensor | Sequence[Tensor]:
        """Return what ``build`` makes of an encoder's features by stride."""
        return self.build(features, settings=settings, style=style)


def from_stride(stride: int, features: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Return the features of a stride and above, the deepest one in any case."""
    deepest = max(features)
    return {key: features[key] for key in sorted(features) if key >= min(stride, deepest)}
