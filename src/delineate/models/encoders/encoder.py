"""What an encoder with a known architecture is, and its features by stride."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from delineate.errors import RecipeError, WeightsError
from delineate.models.blocks import Style
from delineate.models.conventions import Convention
from delineate.models.encoders.features import Features
from delineate.models.encoders.graft import graft
from delineate.models.summary import trace
from delineate.models.weights import load_weights
from delineate.recipe import Model, depth_of

Tensor = Any
# All these architectures end at this stride.
COARSEST = 32


@dataclass(frozen=True)
class Encoder:
    """An architecture from elsewhere, whose features are found by measuring strides.

    Attributes:
        name: Its name in the table of encoders.
        make: Takes the width; returns a functional model of one RGB image of any size, with
            random weights and without a classifier.
        convention: The values that its published weights expect.
        licence: Of its published weights, as their publisher states it. The pictures of ImageNet
            may be used for research only; whether that bears on weights learnt from them is an
            open question, which no licence of the weights settles.
        taps: Names of the layers whose outputs are the features. Empty: the last feature map of
            each stride.
        head: Name of the layer with which the classifier's part begins, where there is one.
        widths: Factors on its channels that are allowed; None: any.
        least_stride: Of its finest feature.
    """

    name: str
    make: Callable[[float], keras.Model]
    convention: Convention
    licence: str
    taps: tuple[str, ...] = ()
    head: str | None = None
    widths: tuple[float, ...] | None = (1.0,)
    least_stride: int = 2

    def __call__(self, image: Tensor, *, settings: Model, style: Style) -> Features:
        """Return the features by stride, from the finest to 2^depth.

        Args:
            image: (batch, height, width, channels) in [0, 1].
            settings: The recipe's section `[model]`.
            style: What all blocks have in common.

        Raises:
            RecipeError: There is no such width or depth.
            WeightsError: The weights do not fit, or end before the coarsest feature.
        """
        self.refuse(settings)
        application, convention = self.make(settings.width), self.convention
        loaded = None
        if settings.weights is not None:
            loaded = load_weights(
                application, settings.weights, encoder=self.name, width=settings.width
            )
            application, convention = loaded.model, loaded.convention or convention
        features = self.pyramid(application, depth_of(settings))
        self._refuse_shallow(features, settings)
        scale, offset = convention.factors(image.shape[-1])
        values = layers.Rescaling(scale, offset, dtype="float32", name="encoder_convention")(image)
        tensors = graft(
            keras.Model(application.inputs, list(features.values())),
            values,
            style=style,
            pretrained=loaded is not None,
            reverse=convention.reverse and loaded is not None,
            first_kernel=loaded.first_kernel if loaded else None,
        )
        return Features(
            dict(zip(features, tensors, strict=True)), loaded.provenance if loaded else None
        )

    def pyramid(self, application: keras.Model, depth: int) -> dict[int, Tensor]:
        """Return the tensors of the application that are its features, by stride.

        Args:
            application: What ``make`` has made.
            depth: The coarsest stride is 2^depth.
        """
        graph = trace(application, 256)
        found: dict[int, Tensor] = {}
        for call in graph.calls:
            if call.layer.name == self.head:
                break
            if call.feature_map is None or (self.taps and call.layer.name not in self.taps):
                continue
            stride = graph.stride_of(call.feature_map)
            if stride >= self.least_stride and (not stride % 1) and not _pads(call.layer):
                found[int(stride)] = call.layer.output
        return {stride: found[stride] for stride in sorted(found) if stride <= 2**depth}

    def _refuse_shallow(self, features: Mapping[int, Tensor], settings: Model) -> None:
        """Refuse weights out of a network that ends before the features that are needed."""
        if max(features) < 2 ** depth_of(settings):
            raise WeightsError(
                f"The weights {settings.weights} end at stride {max(features)}; the network is to "
                f"have features up to stride {2 ** depth_of(settings)}.",
                hint=f"Set model.depth={max(features).bit_length() - 1}, or take other weights.",
            )

    def refuse(self, settings: Model) -> None:
        """Raise a RecipeError for a width or depth that it has not."""
        if self.widths is not None and settings.width not in self.widths:
            known = ", ".join(f"{each:g}" for each in self.widths)
            raise RecipeError(
                f"model.width = {settings.width:g} is none of the encoder '{self.name}'.",
                hint=f"Set model.width to {known}.",
            )
        if not self.least_stride <= 2 ** depth_of(settings) <= COARSEST:
            depths = range(max(1, self.least_stride.bit_length() - 1), COARSEST.bit_length())
            raise RecipeError(
                f"The encoder '{self.name}' has no feature of stride {2 ** depth_of(settings)}.",
                hint=f"Set model.depth to {' or '.join(map(str, depths))}, or leave it unset.",
            )


def _pads(layer: layers.Layer) -> bool:
    return isinstance(layer, layers.ZeroPadding2D | keras.Sequential)
