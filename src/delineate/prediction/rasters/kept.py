"""The newest of the parts that were decoded, since the next tile mostly needs them again."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

import numpy as np


class Kept:
    """Arrays by their keys, of which the oldest go. Several threads may use it.

    Args:
        most: Bytes in all; a single array may be larger.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, key: Hashable) -> np.ndarray | None:
        """Return an array, None where it is not kept."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
            return self._arrays.get(key)

    def put(self, key: Hashable, values: np.ndarray) -> None:
        """Keep an array."""
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = values
                self.bytes += values.nbytes
            while self.bytes > self._most and len(self._arrays) > 1:
                _, oldest = self._arrays.popitem(last=False)
                self.bytes -= oldest.nbytes
