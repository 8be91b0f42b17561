"""What an encoder with pretrained weights gives; any other may give a plain dictionary."""

from collections.abc import Mapping
from typing import Any

Tensor = Any


class Features(dict[int, Tensor]):
    """An encoder's tensors by stride, finest first.

    Attributes:
        provenance: Sentences: which weights the encoder begins with, and their licence. None where
            it begins with random ones.
    """

    def __init__(self, tensors: Mapping[int, Tensor], provenance: str | None = None) -> None:
        super().__init__(tensors)
        self.provenance = provenance
