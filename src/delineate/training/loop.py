"""The loop: epochs, their steps, and what follows each of them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import numpy as np

from delineate.errors import OutOfMemoryError
from delineate.interrupt import StopRequest
from delineate.models.machine import is_memory_full
from delineate.training.afterwards import seconds_afterwards
from delineate.training.broken import (
    refuse_infinite,
    refuse_infinite_validation,
    refuse_infinite_weights,
)
from delineate.training.faults import SMALLER_BATCH, SMALLER_TILE, memory_told
from delineate.training.feeding import feed
from delineate.training.session import Session
from delineate.training.tally import Tally
from delineate.training.watching import Pace, Progress, Watch


class _Leaving(Exception):  # noqa: N818
    """There is no time to score an epoch; a resumption begins with that."""


def run_epochs(sessions: Sequence[Session], stop: StopRequest, watch: Watch | None) -> None:
    """Train one network to its end, or two side by side, of which the first one leads.

    Args:
        sessions: The training of a network, and that of its refiner where both go together.
        stop: Whether somebody wants it to end; heeded between two steps.
        watch: Called a few times a second, and after each epoch.

    Raises:
        KeyboardInterrupt: A stop was asked for; everything is saved.
        RunError: A loss or a weight is not finite, a step does not fit into the memory, or the run
            folder has gone.
    """
    leader = sessions[0]
    if stop.asked and not leader.finished:
        # Asked for in the last steps of the stage before, which is saved.
        stop.heed()
    for session in sessions:
        session.callbacks.on_train_begin()
    if leader.budget and leader.budget.reserve is None and not leader.finished:
        with memory_told("The prediction of an image", hint=SMALLER_TILE):
            leader.budget.reserve = seconds_afterwards(
                leader.parts, leader.stepper, leader.recipe, budget=leader.budget.seconds
            )
    try:
        _run_all(sessions, stop, watch)
        leader.background.wait()
    except BaseException:
        # What has been handed over is whole and counts; once the caller knows, nothing is written.
        with suppress(Exception):
            leader.background.wait()
        leader.background.close()
        raise
    for session in sessions:
        session.callbacks.on_train_end()


def _run_all(sessions: Sequence[Session], stop: StopRequest, watch: Watch | None) -> None:
    leader = sessions[0]
    # In mid-epoch there may be no step left, but the end of the epoch.
    while not leader.finished and (leader.done < leader.all_steps or leader.step):
        if leader.budget and leader.budget.begin_epoch(leader.done):
            leader.note_steps()
        _run_epoch(sessions, stop, watch)
        finished = leader.stepper.model.stop_training or leader.done >= leader.all_steps
        for session in sessions:
            session.finished = finished
            session.next_epoch()
        _save(sessions)
        if stop.asked and not finished:
            _interrupt(sessions, stop)


def _run_epoch(sessions: Sequence[Session], stop: StopRequest, watch: Watch | None) -> None:
    leader = sessions[0]
    for session in sessions:
        session.callbacks.on_epoch_begin(session.epoch)
    pace = Pace()
    _run_steps(sessions, pace, stop, watch)
    leader.require_folder()
    for session in sessions:
        refuse_infinite_weights(session)
    speed = {
        "seconds": round(pace.seconds, 3),
        "images_per_second": round(pace.images_per_second, 2),
    }
    try:
        with leader.stepper.shown():
            # All are scored before any of it counts, so that scoring may be left.
            found = [session.tally.scores() | _validate(session, stop) for session in sessions]
            leader.require_folder()
            if stop.urgent:
                # Pictures and the model may take longer than there is time; a resumption has it.
                raise _Leaving
            for session, scores in zip(sessions, found, strict=True):
                logs = {**scores, **speed, "learning_rate": float(session.learning_rate())}
                if watch:
                    watch(_progress(session, pace, logs, epoch_done=True))
                session.callbacks.on_epoch_end(session.epoch, logs)
                if leader.stepper.model.stop_training and not _is_validated(session):
                    # Nobody has looked at this epoch, and there will be no other.
                    session.keep_best(_scores_of_validation(session))
    except _Leaving:
        # With the weights that are stepped, not those that are shown.
        _interrupt(sessions, stop)


def _run_steps(
    sessions: Sequence[Session], pace: Pace, stop: StopRequest, watch: Watch | None
) -> None:
    """Make the steps of an epoch that are not done yet, as far as there is time for them."""
    leader, recipe = sessions[0], sessions[0].recipe
    if leader.done >= leader.all_steps:
        return
    batches = leader.batches
    todo = range(leader.step, batches.steps)
    for images, masks in feed(batches, leader.epoch, todo, recipe.runtime.workers):
        for session in sessions:
            _step(session, images, masks)
        pace.step(len(images))
        if watch and pace.due():
            watch(_progress(leader, pace, leader.tally.scores()))
        if leader.budget and leader.budget.count(leader.done):
            leader.note_steps()
        if leader.done >= leader.all_steps:
            break
        if stop.asked and leader.step < batches.steps:
            _interrupt(sessions, stop)
        if leader.step < batches.steps and leader.is_due():
            for session in sessions:
                refuse_infinite_weights(session)
            _save(sessions)


def _step(session: Session, images: np.ndarray, masks: np.ndarray) -> None:
    stepper = session.stepper
    stepper.set_learning_rate(session.learning_rate())
    session.callbacks.on_train_batch_begin(session.step)
    try:
        # The step: Keras's compiled train function moves all weights by one batch.
        losses = stepper.step(images, masks)
    except Exception as error:
        if not is_memory_full(error):
            raise
        raise _too_large(images) from error
    refuse_infinite(losses, session)
    session.tally.add(losses, len(images), stepper.scores.table())
    session.callbacks.on_train_batch_end(session.step, losses)
    session.step += 1


def _validate(session: Session, stop: StopRequest) -> dict[str, float]:
    """Return the scores of the validation images; none between two validations."""
    return _scores_of_validation(session, stop) if _is_validated(session) else {}


def _is_validated(session: Session) -> bool:
    done = session.epoch + 1
    return done % session.recipe.training.validate_every == 0 or done == session.epochs


def _scores_of_validation(session: Session, stop: StopRequest | None = None) -> dict[str, float]:
    batches, stepper = session.parts.validation, session.stepper
    if batches is None:
        return {}
    tally = Tally(stepper.scores.classes, stepper.scores.summarise)
    for images, masks in feed(batches, 0, range(batches.steps), session.recipe.runtime.workers):
        if stop and stop.urgent:
            raise _Leaving
        with memory_told("A batch of the validation", hint=SMALLER_BATCH, kind=OutOfMemoryError):
            losses = stepper.test(images, masks)
        tally.add(losses, len(images), stepper.scores.table())
    scores = tally.scores("val_")
    refuse_infinite_validation(scores, session)
    return scores


def _save(sessions: Sequence[Session]) -> None:
    # The leader last: where it has a resume point, the others have the same one.
    for session in reversed(sessions):
        session.save()


def _interrupt(sessions: Sequence[Session], stop: StopRequest) -> NoReturn:
    for session in reversed(sessions):
        session.interrupt()
    stop.heed()


def _too_large(images: np.ndarray) -> OutOfMemoryError:
    count, height, width = images.shape[:3]
    windows = "1 window" if count == 1 else f"{count} windows"
    hint = "Choose a smaller data.size, or a smaller network."
    if count > 1:
        hint = f"Train with --set training.batch_size={count // 2}, into another --to."
    return OutOfMemoryError(
        f"A step of {windows} of {height}×{width} does not fit into the memory.", hint=hint
    )


def _progress(
    session: Session, pace: Pace, scores: dict[str, float], *, epoch_done: bool = False
) -> Progress:
    return Progress(
        epoch=session.epoch + 1,
        epochs=session.epochs,
        step=session.step,
        steps=session.batches.steps,
        scores=scores,
        images_per_second=pace.images_per_second,
        seconds_left=pace.seconds_left(session.all_steps - session.done),
        epoch_done=epoch_done,
        stage=session.stepper.stage,
    )
