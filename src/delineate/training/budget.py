"""How many steps fit a time."""

import time
from collections.abc import Callable, Mapping
from typing import Any

# Steps of a process that are not measured: they compile.
COMPILING = 4
# Steps until the first decision, and between two looks at the clock.
LOOK = 24
# A smaller change of the number of steps is not worth another learning rate.
WORTH = 0.02


class Budget:
    """Decides, while a training runs, how many steps it has in all, so that it ends in time.

    The decision is made after the first steps, and again at the beginning of each epoch, when
    validation and pictures have been paid for too; between those it is only ever lowered, and where
    the time is over, the step is the last one. It is part of the resume point, and so is the time
    that has been spent.

    Attributes:
        steps: Steps in all, as now decided.
        reserve: Seconds that what comes after the last step will take; None: not known yet.

    Args:
        seconds: All the time that there is.
        most: Steps at most.
        begun: The clock's time when the command began.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        most: int,
        begun: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps = most
        self.reserve: float | None = None
        self._seconds, self._most = seconds, most
        self._begun, self._clock = begun, clock
        self._before = 0.0
        self._steps_here = 0
        self._marks: list[tuple[int, float]] = []

    @property
    def seconds(self) -> float:
        """All the time that there is."""
        return self._seconds

    @property
    def left(self) -> float:
        """Seconds that are left, below zero where it was not kept."""
        return self._seconds - self.spent

    @property
    def spent(self) -> float:
        """Seconds spent, those before a resumption included."""
        return self._before + self._clock() - self._begun

    def count(self, done: int) -> bool:
        """Count a step; return whether the number of steps in all has changed.

        Args:
            done: Steps done in all, with this one.
        """
        self._steps_here += 1
        if self._for_steps <= 0:
            ended, self.steps = done < self.steps, min(done, self.steps)
            return ended
        if self._steps_here == COMPILING:
            self._marks.append((done, self._clock()))
        if self._steps_here == LOOK:
            return self._decide(done, at_most=self._most)
        return self._steps_here % LOOK == 0 and self._decide(done, at_most=self.steps)

    def begin_epoch(self, done: int) -> bool:
        """Decide anew; return whether the number of steps in all has changed.

        Args:
            done: Steps done in all.
        """
        if self._for_steps <= 0:
            # A step at the least, so that there is an end of an epoch.
            ended, self.steps = done + 1 < self.steps, min(done + 1, self.steps)
            return ended
        return self._decide(done, at_most=self._most)

    def get_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"steps": self.steps, "spent": self.spent, "reserve": self.reserve}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`get_state` returned."""
        self.steps, self._before, self.reserve = state["steps"], state["spent"], state["reserve"]

    @property
    def _for_steps(self) -> float:
        """Seconds that are left for steps."""
        return self.left - (self.reserve or 0.0)

    def _decide(self, done: int, *, at_most: int) -> bool:
        if not self._marks or done <= self._marks[0][0]:
            return False
        now = self._clock()
        since, then = self._halfway(done)
        self._marks.append((done, now))
        pace = (now - then) / (done - since)
        steps = min(at_most, max(done + 1, done + int(self._for_steps / pace)))
        if abs(steps - self.steps) <= WORTH * self.steps and steps > done + 1:
            return False
        changed, self.steps = steps != self.steps, steps
        return changed

    def _halfway(self, done: int) -> tuple[int, float]:
        """Return when half of the measured steps were done: what was slow at first is over."""
        half = (done + self._marks[0][0]) / 2
        return [mark for mark in self._marks if mark[0] <= half][-1]
