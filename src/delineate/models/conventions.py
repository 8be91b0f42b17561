"""The values that published weights expect of an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np


@dataclass(frozen=True)
class Convention:
    """A factor and an offset for each of red, green and blue, on values in [0, 1].

    Attributes:
        name: What it is called in tables.
        scale: The factors.
        offset: What is added then.
        reverse: Whether the weights take blue first. The kernels are turned, not the image.
    """

    name: str
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    reverse: bool = False

    def factors(self, channels: int) -> tuple[list[float], list[float]]:
        """Return scale and offset for a number of channels: those of RGB over and over.

        A single channel takes their mean.
        """
        return _spread(self.scale, channels), _spread(self.offset, channels)

    def makes(self, scale: np.ndarray, offset: np.ndarray) -> bool:
        """Return whether these are its factors and offsets, (channels,) each."""
        return np.allclose([scale, offset], self.factors(len(scale)), rtol=1e-4)


_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

UNIT = Convention("[0, 1]", (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
SYMMETRIC = Convention("[-1, 1]", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))
# 255 / 128: what the authors of EfficientNetV2 took.
NEARLY_SYMMETRIC = Convention("[-1, 0.992]", (1.9921875,) * 3, (-1.0,) * 3)
TORCH = Convention(
    "[0, 1], standardised",
    (1 / _DEVIATION[0], 1 / _DEVIATION[1], 1 / _DEVIATION[2]),
    (-_MEAN[0] / _DEVIATION[0], -_MEAN[1] / _DEVIATION[1], -_MEAN[2] / _DEVIATION[2]),
)
CAFFE = Convention(
    "BGR [0, 255], centred",
    (255.0, 255.0, 255.0),
    (-123.68, -116.779, -103.939),
    reverse=True,
)
CONVENTIONS = (UNIT, SYMMETRIC, NEARLY_SYMMETRIC, TORCH, CAFFE)


def _spread(values: Sequence[float], channels: int) -> list[float]:
    if channels == 1:
        return [sum(values) / len(values)]
    return list(islice(cycle(values), channels))
