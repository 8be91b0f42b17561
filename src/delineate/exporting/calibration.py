"""What int8 is made by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Calibration:
    """What int8 is made by.

    Attributes:
        samples: Inputs of the network, each float32 (1, height, width, channels).
        spared: So many convolutions, from the image on, stay in floating point: what the first
            one loses no later one brings back.
    """

    samples: Sequence[np.ndarray] = ()
    spared: int = 0


NOTHING = Calibration()
"""For all other precisions."""
