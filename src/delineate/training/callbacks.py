"""What watches the scores: the best epoch, early stopping, the learning rate.

Each is a Keras callback whose ``get_state`` and ``set_state`` make it resume exactly. Any other
Keras callback may be added to a training; one that has these two methods resumes exactly as well.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras

Logs = dict[str, float]
NEWEST = "last"


class Watched:
    """The best value so far of one score, and for how many epochs it has not been beaten.

    Args:
        monitor: The score's name; losses and errors are to fall, all others to rise. "last": each
            epoch is the best so far.
        minimum_gain: Smaller gains count as none.
    """

    def __init__(self, monitor: str, minimum_gain: float = 0.0) -> None:
        self.monitor = monitor
        self.sign = -1.0 if monitor.endswith(("loss", "error")) else 1.0
        self.minimum_gain = minimum_gain
        self.best: float | None = None
        self.waited = 0

    def improves(self, logs: Mapping[str, float]) -> bool:
        """Return whether this epoch's value is the best so far, and remember it.

        An epoch without a validation has none: it neither gains nor counts as one without a gain.
        """
        if self.monitor == NEWEST:
            return True
        value = logs.get(self.monitor)
        if value is None:
            return False
        gain = math.inf if self.best is None else self.sign * (value - self.best)
        if math.isnan(value) or gain <= self.minimum_gain:
            self.waited += 1
            return False
        self.best, self.waited = value, 0
        return True

    def stagnates(self, logs: Mapping[str, float], patience: int) -> bool:
        """Return whether this epoch is one too many without a gain, and remember its value."""
        known = self.monitor in logs
        return not self.improves(logs) and known and self.waited >= patience

    def get_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"best": self.best, "waited": self.waited}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`get_state` returned."""
        self.best, self.waited = state["best"], state["waited"]


class KeepBest(keras.callbacks.Callback):
    """Saves the model after each epoch that is the best so far.

    Args:
        watched: The score.
        save: Called with the epoch's scores.
    """

    def __init__(self, watched: Watched, save: Callable[[Logs], None]) -> None:
        super().__init__()
        self.watched = watched
        self.save = save

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save the model if this epoch is the best so far."""
        if self.watched.improves(logs or {}):
            self.save(logs or {})

    def get_state(self) -> dict[str, Any]:
        """Return plain values."""
        return self.watched.get_state()

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`get_state` returned."""
        self.watched.set_state(state)


class EarlyStopping(keras.callbacks.Callback):
    """Stops the training when a score has not gained for some epochs.

    Args:
        watched: The score.
        patience: Epochs without a gain that are borne; those without a value do not count.
    """

    def __init__(self, watched: Watched, patience: int) -> None:
        super().__init__()
        self.watched = watched
        self.patience = patience

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Ask the training to stop once the patience is spent."""
        if self.watched.stagnates(logs or {}, self.patience):
            self.model.stop_training = True

    def get_state(self) -> dict[str, Any]:
        """Return plain values."""
        return self.watched.get_state()

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`get_state` returned."""
        self.watched.set_state(state)


class ReduceOnPlateau(keras.callbacks.Callback):
    """Lowers the learning rate when a score has not gained for some epochs.

    Attributes:
        scale: What the scheduled learning rate is multiplied with.

    Args:
        watched: The score.
        patience: Epochs without a gain that are borne; those without a value do not count.
        factor: On the learning rate, each time.
    """

    def __init__(self, watched: Watched, patience: int, factor: float) -> None:
        super().__init__()
        self.watched = watched
        self.patience = patience
        self.factor = factor
        self.scale = 1.0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Lower the learning rate once the patience is spent."""
        if self.watched.stagnates(logs or {}, self.patience):
            self.scale *= self.factor
            self.watched.waited = 0

    def get_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.watched.get_state(), "scale": self.scale}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`get_state` returned."""
        self.watched.set_state(state)
        self.scale = state["scale"]
