"""The running scores of an epoch: exact sums, which a resume point keeps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class Tally:
    """Sums of the losses and of the confusion table over the batches so far.

    Args:
        classes: Number of classes.
        summarise: Returns the scores of an int64 confusion table.
    """

    def __init__(self, classes: int, summarise: Callable[[np.ndarray], dict[str, float]]) -> None:
        self._summarise = summarise
        self.losses: dict[str, float] = {}
        self.windows = 0
        self.table = np.zeros((classes, classes), np.int64)

    def add(self, losses: Mapping[str, float], windows: int, table: np.ndarray) -> None:
        """Add a batch: its mean losses, how many windows it had, and its confusion table."""
        for name, loss in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + loss * windows
        self.windows += windows
        self.table += table

    def scores(self, prefix: str = "") -> dict[str, float]:
        """Return the losses and the scores of all batches so far, each name with a prefix."""
        means = {name: total / self.windows for name, total in self.losses.items()}
        values = {"loss": 0.0, **means, **self._summarise(self.table)}
        return {prefix + name: value for name, value in values.items()}

    def get_state(self) -> dict[str, Any]:
        """Return plain values from which :meth:`set_state` restores the tally exactly."""
        return {"losses": self.losses, "windows": self.windows, "table": self.table.tolist()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`get_state` returned."""
        self.losses, self.windows = dict(state["losses"]), state["windows"]
        self.table = np.array(state["table"], np.int64)
