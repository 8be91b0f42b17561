"""The live display of a training."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from delineate.cli.output import duration, line, say

if TYPE_CHECKING:
    from delineate.training.watching import Progress

SHOWN = ("loss", "accuracy", "dice", "mean_iou")


class Display:
    """A line that moves on a terminal, and a line for each epoch everywhere.

    Args:
        heading: Lines that are said once the training has begun: until then it may be refused.
    """

    def __init__(self, heading: Sequence[str] = ()) -> None:
        self._heading = list(heading)
        self._last = 0.0

    def show(self, progress: "Progress") -> None:
        """Show a moment of a training."""
        while self._heading:
            say(self._heading.pop(0))
        if progress.epoch_done:
            if sys.stderr.isatty():
                line("")
            say(epoch_line(progress))
        elif sys.stderr.isatty() and time.monotonic() - self._last > 0.2:
            self._last = time.monotonic()
            line(step_line(progress))


def step_line(progress: "Progress") -> str:
    """Return the line that moves."""
    filled = 20 * progress.step // max(progress.steps, 1)
    return (
        f"{_stage(progress)}epoch {progress.epoch}/{progress.epochs} "
        f"[{'#' * filled}{'.' * (20 - filled)}] "
        f"{progress.step}/{progress.steps}  {_scores(progress, '')}  "
        f"{progress.images_per_second:.1f} images/s  {duration(progress.seconds_left)} left"
    )


def epoch_line(progress: "Progress") -> str:
    """Return the line of a finished epoch."""
    validation = _scores(progress, "val_")
    return (
        f"{_stage(progress)}epoch {progress.epoch}/{progress.epochs}  {_scores(progress, '')}"
        + (f"  | validation {validation}" if validation else "")
        + f"  {progress.images_per_second:.1f} images/s  {duration(progress.seconds_left)} left"
    )


def _stage(progress: "Progress") -> str:
    return f"{progress.stage}: " if progress.stage else ""


def _scores(progress: "Progress", prefix: str) -> str:
    found = {name: progress.scores.get(prefix + name) for name in SHOWN}
    return " ".join(f"{name} {value:.3f}" for name, value in found.items() if value is not None)
