"""A network with what a training has to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
from keras import layers


@dataclass(frozen=True)
class Network:
    """A network and its parts; all share their layers.

    Attributes:
        model: What is saved: from the image to ``probabilities``.
        trainer: What is stepped: from the image to the logits, followed along the channels by
            those of the decoder's inner outputs where they are supervised, and by those of objects.
        outputs: How many groups of logits of the classes the trainer gives.
        encoder: By stride, finest first: the layers that lead from the image to that feature.
        provenance: Sentences: which weights the encoder begins with, and their licence; None where
            it begins with random ones.
        objects: How many channels say something of objects: the last ones of both.
    """

    model: keras.Model
    trainer: keras.Model
    outputs: int
    encoder: Mapping[int, tuple[layers.Layer, ...]]
    provenance: str | None = None
    objects: int = 0

    @property
    def encoder_layers(self) -> tuple[layers.Layer, ...]:
        """All layers of the encoder."""
        everything = {id(layer): layer for stage in self.encoder.values() for layer in stage}
        return tuple(everything.values())

    def freeze(self, until: str | int, *, statistics: str = "trained") -> None:
        """Choose which layers of the encoder are trained; all others always are.

        Args:
            until: "none", "all", or the stride up to whose feature nothing is trained.
            statistics: "frozen": the encoder's batch normalisation stays in inference mode, as it
                does in all layers that are not trained.
        """
        frozen: set[int] = set()
        for stride, stage in self.encoder.items():
            if until == "all" or (isinstance(until, int) and stride <= until):
                frozen.update(id(layer) for layer in stage)
        for layer in self.encoder_layers:
            still = statistics == "frozen" and isinstance(layer, layers.BatchNormalization)
            layer.trainable = id(layer) not in frozen and not still
