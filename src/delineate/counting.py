"""Counting ids, on each backend."""

from typing import Any

import keras
from keras import ops

Tensor = Any


def count_ids(ids: Tensor, length: int) -> Tensor:
    """Return how often each id occurs, int32 (length,).

    Args:
        ids: int32 (count,), from 0 to length - 1.
        length: One more than the largest id.
    """
    # XLA needs a fixed length, which only the segment sum has; PyTorch's segment sum is slow.
    if keras.backend.backend() == "torch":
        return ops.cast(ops.bincount(ids, minlength=length), "int32")
    return ops.segment_sum(ops.ones_like(ids), ids, num_segments=length)
