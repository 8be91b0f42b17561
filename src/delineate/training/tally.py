"""The running scores of an epoch: exact sums, which a resume point keeps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class Tally:
    """Sums of the loss and of the confusion table over the batches so far.

    Args:
        classes: Number of classes.
        summarise: Returns the scores of an int64 confusion table.
    """

    def __init__(self, classes: int, summarise: Callable[[np.ndarray], dict[str, float]]) -> None:
        self._summarise = summarise
        self.loss = 0.0
        self.windows = 0
        self.table = np.zeros((classes, classes), np.int64)

    def add(self, loss: float, windows: int, table: np.ndarray) -> None:
        """Add a batch: its mean loss, how many windows it had, and its confusion table."""
        self.loss += loss * windows
        self.windows += windows
        self.table += table

    def scores(self, prefix: str = "") -> dict[str, float]:
        """Return the loss and the scores of all batches so far, each name with a prefix."""
        mean = self.loss / max(self.windows, 1)
        values = {"loss": mean, **self._summarise(self.table)}
        return {prefix + name: value for name, value in values.items()}

    def get_state(self) -> dict[str, Any]:
        """Return plain values from which :meth:`set_state` restores the tally exactly."""
        return {"loss": self.loss, "windows": self.windows, "table": self.table.tolist()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`get_state` returned."""
        self.loss, self.windows = state["loss"], state["windows"]
        self.table = np.array(state["table"], np.int64)
