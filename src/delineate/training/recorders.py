"""What is written down after each epoch: the journal, the curves, the pictures."""

import time
from collections.abc import Callable
from typing import Any

import keras

from delineate.data.dataset import Dataset
from delineate.evaluation.curves import draw_curves
from delineate.evaluation.describe import triptych
from delineate.evaluation.figures import triptychs
from delineate.files import write_whole
from delineate.prediction.predictor import Predictor
from delineate.runs import Run, epochs_of
from delineate.training.faults import SMALLER_TILE, memory_told

Logs = dict[str, float]

# Of the time, at the most, goes into drawing the curves while a training goes on.
_SHARE = 0.01


class Journal(keras.callbacks.Callback):
    """Keeps the run's events, and writes them after each epoch, and the curves in the end.

    In between the curves are drawn as often as takes no more than a hundredth of the time.

    Attributes:
        events: All events so far; a resumed training puts the earlier ones here.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.events: list[dict[str, Any]] = []
        self._next = 0.0

    def note(self, event: str, **values: Any) -> None:
        """Add an event and write the journal."""
        self.events.append({"event": event, "time": round(time.time(), 3), **values})
        self.run.write_events(self.events)

    def has(self, event: str) -> bool:
        """Return whether there has been such an event."""
        return any(each["event"] == event for each in self.events)

    def note_once(self, event: str, **values: Any) -> None:
        """Add an event and write the journal, unless there has been such an event."""
        if not self.has(event):
            self.note(event, **values)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the epoch's row, and draw the curves if it is time."""
        self.note("epoch", scores={"epoch": epoch + 1, **(logs or {})})
        if time.monotonic() >= self._next:
            self._draw()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Draw the curves."""
        self._draw()

    def _draw(self) -> None:
        begun = time.monotonic()
        rows = epochs_of(self.events)
        if rows:
            write_whole(self.run.curves, draw_curves(rows, title=self.run.folder.name))
        done = time.monotonic()
        self._next = done + (done - begun) / _SHARE


class Pictures(keras.callbacks.Callback):
    """Draws image, truth and prediction of a few samples after each epoch.

    Args:
        run: The run.
        dataset: The samples.
        predictor: Returns a predictor of the present weights.
    """

    def __init__(self, run: Run, dataset: Dataset, predictor: Callable[[], Predictor]) -> None:
        super().__init__()
        self.run = run
        self.dataset = dataset
        self.predictor = predictor

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Draw the samples."""
        predictor, count = self.predictor(), len(self.dataset)
        with memory_told("The prediction of an image", hint=SMALLER_TILE):
            rows = [triptych(predictor, self.dataset, index) for index in range(count)]
        path = self.run.pictures / f"epoch{epoch + 1:04d}.png"
        write_whole(path, triptychs(rows, predictor.card.colours))
