"""A training in progress: where it stands, and how it is saved and restored."""

import math
import time
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import keras

from delineate.background import Background
from delineate.bundle import recover
from delineate.errors import RunError
from delineate.hold import refuse_vanished
from delineate.recipe import Recipe, Training
from delineate.runs import LEFT_OUT, Run, left_out_of
from delineate.training import checkpoint
from delineate.training.budget import Budget
from delineate.training.callbacks import KeepBest, ReduceOnPlateau
from delineate.training.parts import Parts
from delineate.training.recorders import Journal
from delineate.training.steppers import Stepper
from delineate.training.tally import Tally

TALLY = "tally"
BUDGET = "budget"


class Session:
    """Where a training stands.

    Attributes:
        epoch: The present epoch, from 0.
        step: The next step of this epoch, from 0.
        finished: Whether all epochs are done, or the training has been stopped for good.
        background: Where its resume points are written.
        owner: The run whose folder all of it lies in.

    Args:
        run: The run.
        parts: What is trained with what.
        recipe: All settings.
        callbacks: In the order in which they act.
        stepper: What moves the weights.
        budget: Decides how many steps there are; None: those of the recipe's epochs.
        beside: The training of the network that this one refines: its folder lies in the other's,
            and the resume points of both come in one order.
    """

    def __init__(
        self,
        run: Run,
        parts: Parts,
        recipe: Recipe,
        callbacks: Sequence[keras.callbacks.Callback],
        stepper: Stepper,
        *,
        budget: Budget | None = None,
        beside: "Session | None" = None,
    ) -> None:
        self.background: Background = beside.background if beside else Background()
        self.owner: Run = beside.owner if beside else run
        self.run, self.parts, self.recipe = run, parts, recipe
        self.stepper, self.batches, self.budget = stepper, parts.batches, budget
        self.epoch, self.step, self.finished = 0, 0, False
        self.tally = self._new_tally()
        stepper.model.stop_training = False
        self._list = list(callbacks)
        self.callbacks = keras.callbacks.CallbackList(
            self._list,
            model=stepper.model,
            epochs=recipe.training.epochs,
            steps=self.batches.steps,
            verbose=0,
        )
        self.journal = next(item for item in self._list if isinstance(item, Journal))
        self._plateau = next(
            (item for item in self._list if isinstance(item, ReduceOnPlateau)), None
        )
        self._seconds = 0.0
        self._begun = self._saved = time.monotonic()

    @property
    def done(self) -> int:
        """Steps done, all epochs together."""
        return self.epoch * self.batches.steps + self.step

    @property
    def all_steps(self) -> int:
        """Steps in all: those of the recipe's epochs, or what fits the time."""
        if self.budget is not None:
            return self.budget.steps
        return self.recipe.training.epochs * self.batches.steps

    @property
    def epochs(self) -> int:
        """Epochs in all; the last one may be cut short."""
        return math.ceil(self.all_steps / self.batches.steps)

    def learning_rate(self) -> float:
        """Return the learning rate of the next step: schedule × plateau, not below the floor."""
        settings = self.recipe.training
        rate = settings.learning_rate * _share_of(settings, self.done, self.all_steps)
        if self._plateau is None:
            return rate
        return max(rate * self._plateau.scale, min(rate, self.recipe.callbacks.reduce_floor))

    def keep_best(self, scores: dict[str, float]) -> None:
        """Save the model if these scores of the present epoch are the best so far."""
        keeper = next(item for item in self._list if isinstance(item, KeepBest))
        keeper.on_epoch_end(self.epoch, scores)

    def next_epoch(self) -> None:
        """Move to the next epoch's first step."""
        self.epoch, self.step = self.epoch + 1, 0
        if not self.finished:
            self.stepper.begin_epoch(self.epoch)
        self.tally = self._new_tally()

    def is_due(self) -> bool:
        """Return whether a resume point is to be written after this step, in mid-epoch."""
        settings = self.recipe.callbacks
        by_steps = settings.save_steps and self.step % settings.save_steps == 0
        minutes = (time.monotonic() - self._saved) / 60
        return bool(by_steps or (settings.save_minutes and minutes >= settings.save_minutes))

    def save(self) -> None:
        """Write the resume point of now, while the training goes on.

        Raises:
            RunError: The run folder has gone, or what was to be saved before was not finite.
            OSError: What was to be saved before could not be written.
        """
        self.require_folder()
        self._saved = time.monotonic()
        seconds = self._seconds + time.monotonic() - self._begun
        self._note_left_out()
        states = {name: item.get_state() for name, item in self._stateful().items()}
        states[TALLY] = self.tally.get_state()
        point = checkpoint.ResumePoint(
            epoch=self.epoch,
            step=self.step,
            finished=self.finished,
            seconds=seconds,
            # Copied, since callbacks of the user's may give what they go on to change.
            states=deepcopy(states),
            events=[dict(event) for event in self.journal.events],
            arrays=checkpoint.values_of(self.stepper.variables),
        )
        self.background.do(partial(checkpoint.save, self.run.last, point))

    def restore(self, *, at: tuple[int, int] | None = None, inexact: Sequence[str] = ()) -> None:
        """Go to the newest resume point, or to the one of an epoch and step.

        Args:
            at: That epoch and step, from 0.
            inexact: Why the weights may become others than those of the uninterrupted training;
                none: they will be the same, bit for bit.

        Raises:
            RunError: There is none, or it belongs to another network or to other callbacks.
        """
        point = checkpoint.load(self.run.last, at=at)
        # A training that has ended never began the epoch that would come next.
        self.stepper.begin_epoch(point.epoch - point.finished)
        checkpoint.restore(self.stepper.variables, point.arrays)
        self.epoch, self.step, self.finished = point.epoch, point.step, point.finished
        stateful = self._stateful()
        if {*stateful, TALLY} != {*point.states}:
            raise RunError(
                f"The resume point in {self.run.last} has the states of "
                f"{', '.join(point.states)}; the callbacks now are {', '.join(stateful)}.",
                hint="Resume with the callbacks that the run was begun with.",
            )
        for name, item in stateful.items():
            item.set_state(point.states[name])
        self.tally.set_state(point.states[TALLY])
        self.journal.events = [dict(event) for event in point.events]
        written = self.run.events()
        if self.finished and len(written) >= len(self.journal.events):
            # What came after the last step, such as a search, is in the journal only.
            self.journal.events = written
        self._seconds = point.seconds
        # Now that it is known that this one can be gone on with.
        later = checkpoint.forget_after(self.run.last, epoch=point.epoch, step=point.step)
        recover(self.run.best)
        if self.finished and self.owner.has_ended():
            # Nothing is gone on with.
            return
        # No step is made any more where the training has ended.
        why = [] if self.finished else list(inexact)
        told: dict[str, Any] = {"exact": not why, "why": why}
        if later and self.run is self.owner:
            told["damaged"] = later
        self.journal.note("resumed", epoch=self.epoch + 1, step=self.step + 1, **told)

    def require_folder(self) -> None:
        """Refuse to go on where the run folder was taken away: it would be made anew, in part.

        Raises:
            RunError: It is not there any more.
        """
        try:
            refuse_vanished(self.owner.folder)
            self.owner.recipe.stat()
        except FileNotFoundError as error:
            raise RunError(
                f"The run folder {self.owner.folder} was moved or deleted while it was trained "
                "into.",
                hint="Put it back, or name the place it has now as --to, and go on with --resume.",
            ) from error

    def note_steps(self) -> None:
        """Write down how many steps the time allows.

        Raises:
            RunError: The run folder has gone.
        """
        self.require_folder()
        self.journal.note("budget", steps=self.all_steps)

    def _note_left_out(self) -> None:
        """Write down which images have become unreadable since this was done last."""
        told = left_out_of(self.journal.events)
        new = [sentence for sentence in list(self.batches.left_out) if sentence not in told]
        if new:
            self.journal.note(LEFT_OUT, why=new)

    def interrupt(self) -> None:
        """Save everything, and end.

        Raises:
            RunError: The run folder has gone.
        """
        self.require_folder()
        self.journal.note("interrupted", epoch=self.epoch + 1, step=self.step + 1)
        self.save()
        self.background.wait()
        self.callbacks.on_train_end()

    def _stateful(self) -> dict[str, Any]:
        """Return what resumes exactly, by name: the class, with a number from the second one on."""
        named: dict[str, Any] = {}
        for item in self._list:
            if hasattr(item, "get_state"):
                kind = type(item).__name__
                count = sum(type(other).__name__ == kind for other in named.values())
                named[f"{kind}{count + 1}" if count else kind] = item
        return named if self.budget is None else {**named, BUDGET: self.budget}

    def _new_tally(self) -> Tally:
        return Tally(self.stepper.scores.classes, self.stepper.scores.summarise)


def _share_of(settings: Training, done: int, steps: int) -> float:
    """Return which share of the highest learning rate the next step has: warm-up, then schedule."""
    rising = settings.warmup * steps
    if done < rising:
        return (done + 1) / (rising + 1)
    if settings.schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * (done - rising) / max(steps - rising, 1))) / 2
