"""What was taken out of a file."""

from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Taken:
    """An encoder's model, and what a file said of it.

    Attributes:
        model: The encoder's model, with weights.
        convention: The convention of its weights; None: that of the encoder.
        left_out: What the file holds besides.
    """

    model: keras.Model
    convention: str | None
    left_out: list[str]
