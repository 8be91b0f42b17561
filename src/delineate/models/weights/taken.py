"""What was taken out of a file."""

from dataclasses import dataclass

import keras
import numpy as np

from delineate.models.conventions import Convention


@dataclass(frozen=True)
class Taken:
    """An encoder's model, and what a file said of it.

    Attributes:
        model: The encoder's model, with weights.
        convention: The convention of its weights; None: that of the encoder.
        left_out: What the file holds besides.
        first_kernel: float (height, width, channels, filters), where the file's has other channels
            than the three of the model: the model then has what comes nearest.
    """

    model: keras.Model
    convention: Convention | None
    left_out: list[str]
    first_kernel: np.ndarray | None = None
