"""The training, from top to bottom."""

import errno
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np

from delineate.data.dataset import Dataset
from delineate.errors import RunError
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.tune import tune
from delineate.files import write_whole
from delineate.models.machine import set_up
from delineate.models.weights import have_weights
from delineate.planning.plan import Plan
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training.afterwards import seconds_afterwards
from delineate.training.beginning import Reading, describe, existing, fresh, settled, split
from delineate.training.budget import Budget
from delineate.training.chosen import chosen_callbacks
from delineate.training.feeding import feed
from delineate.training.first_batch import draw_first_batch
from delineate.training.folds import train_folds, whole_run
from delineate.training.interrupt import StopRequest
from delineate.training.parts import Parts, assemble
from delineate.training.refining import begin_after, keep_what_gains, refiner_session
from delineate.training.session import Session
from delineate.training.tally import Tally
from delineate.training.thawing import plain_stepper
from delineate.training.watching import Pace, Progress, Watch


def train(
    dataset: Dataset,
    recipe: Recipe | Plan | None = None,
    *,
    to: str | Path | None = None,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    watch: Watch | None = None,
    progress: Reading | None = None,
    download: Reading | None = None,
) -> Run:
    """Train a model and return its run.

    Ctrl-C (SIGINT) and SIGTERM end it between two steps with everything saved; with ``resume`` it
    then goes on, and on a CPU ends with the weights of the uninterrupted training, bit for bit.

    With a budget, how many steps there are depends on the clock; what is resumed after that was
    decided is exact. With folds, each is a training of its own, and the same callbacks act in all.

    Args:
        dataset: The images and masks.
        recipe: All settings, or a plan; unset: what :func:`delineate.plan` says. A resumed run
            has its own.
        to: The run folder; unset: a new one below ``runs/``.
        resume: Go on with the run in ``to``.
        callbacks: Any Keras callbacks; they act on the network, not on its refiner.
        watch: Called a few times a second, and after each epoch.
        progress: Called with (done, all) while the data is read.
        download: Called with bytes done and bytes in all while ImageNet weights are downloaded.

    Raises:
        DelineateError: The data, the recipe or the run folder is not as it has to be.
        KeyboardInterrupt: A stop was asked for; everything is saved.
    """
    # What a plan has taken is part of its budget.
    begun = time.monotonic() - (recipe.seconds if isinstance(recipe, Plan) else 0.0)
    dataset.require_pairs()
    reasons: Mapping[str, str] = {}
    if resume:
        run = existing(to)
        chosen = Recipe.load(run.recipe)
    else:
        run = fresh(dataset, to)
        chosen, reasons = settled(dataset, recipe, progress)
    if chosen.training.folds > 1:
        one = partial(train, callbacks=callbacks, watch=watch, download=download)
        if not resume:
            describe(Run.create(run.folder), whole_run(dataset, chosen), chosen, reasons)
        return train_folds(dataset, chosen, run, one, begun=begun)
    dataset = split(dataset, chosen, run, resume=resume)
    have_weights(chosen.model, download)
    set_up(chosen.runtime)
    parts = assemble(dataset, chosen)
    session, refiner = _sessions(run, parts, chosen, callbacks, begun)
    with _full_disk_told(run):
        if resume:
            _restore(session, refiner)
        else:
            describe(Run.create(run.folder), dataset, chosen, reasons)
            sheet = draw_first_batch(parts.batches, dataset.colours, names=dataset.classes)
            write_whole(run.batch, sheet)
        _train_all(session, refiner, watch)
        _tune(session)
        if chosen.evaluation.report and run.best.is_dir() and not run.report.is_file():
            evaluate(run, dataset, split=parts.reported)
        session.journal.note_once("ended")
    return run


def _sessions(
    run: Run,
    parts: Parts,
    recipe: Recipe,
    callbacks: Sequence[keras.callbacks.Callback],
    begun: float,
) -> tuple[Session, Session | None]:
    """Return the training of the network, and that of its refiner if there is one; not begun."""
    called = chosen_callbacks(run, parts, recipe, callbacks)
    stepper = plain_stepper(parts, recipe)
    budget = _budget(parts, recipe, begun)
    session = Session(run, parts, recipe, called, stepper, budget=budget)
    return session, refiner_session(session)


def _restore(session: Session, refiner: Session | None) -> None:
    session.restore()
    if refiner and session.recipe.refiner.use == "together":
        refiner.restore(at=(session.epoch, session.step))


def _train_all(session: Session, refiner: Session | None, watch: Watch | None) -> None:
    """Train the network and its refiner, and decide whether that is kept."""
    together = session.recipe.refiner.use == "together"
    with StopRequest() as stop:
        if refiner is None or not together:
            _run_epochs([session], stop, watch)
        else:
            _run_epochs([session, refiner], stop, watch)
        if refiner and not together:
            begin_after(session, refiner)
            _run_epochs([refiner], stop, watch)
    if refiner:
        keep_what_gains(session, refiner)


def _budget(parts: Parts, recipe: Recipe, begun: float) -> Budget | None:
    settings = recipe.training
    if settings.budget is None:
        return None
    most = settings.epochs * parts.batches.steps
    return Budget(60 * settings.budget, most=most, begun=begun)


def _tune(session: Session) -> None:
    """Search the settings of the best bundle on the validation images, if that is asked for."""
    run, recipe, parts = session.run, session.recipe, session.parts
    if session.journal.has("tuned") or not recipe.post.tune or parts.validation is None:
        return
    found = tune(run.folder, parts.dataset.split("validation"), recipe.augment)
    session.journal.note(
        "tuned",
        objective=found.objective,
        before=found.before,
        after=found.after,
        settings=found.post.model_dump(mode="json"),
        tried=list(found.tried),
    )


@contextmanager
def _full_disk_told(run: Run) -> Iterator[None]:
    """Turn the error of a full disk into one with a hint; what is saved stays."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise RunError(
            f"The disk is full: {error.filename or run.folder} could not be written.",
            hint="Free some space, then go on with --resume.",
        ) from error


def _run_epochs(sessions: Sequence[Session], stop: StopRequest, watch: Watch | None) -> None:
    """Train one network to its end, or two side by side, of which the first one leads."""
    leader = sessions[0]
    if stop.asked and not leader.finished:
        # Asked for in the last steps of the stage before, which is saved.
        raise KeyboardInterrupt
    for session in sessions:
        session.callbacks.on_train_begin()
    if leader.budget and leader.budget.reserve is None and not leader.finished:
        leader.budget.reserve = seconds_afterwards(leader.parts, leader.stepper, leader.recipe)
    while leader.done < leader.all_steps and not leader.finished:
        if leader.budget and leader.budget.begin_epoch(leader.done):
            leader.journal.note("budget", steps=leader.all_steps)
        _run_epoch(sessions, stop, watch)
        finished = leader.stepper.model.stop_training or leader.done >= leader.all_steps
        for session in sessions:
            session.finished = finished
            session.next_epoch()
        _save(sessions)
        if stop.asked and not finished:
            _interrupt(sessions)
    for session in sessions:
        session.callbacks.on_train_end()


def _run_epoch(sessions: Sequence[Session], stop: StopRequest, watch: Watch | None) -> None:
    leader = sessions[0]
    for session in sessions:
        session.callbacks.on_epoch_begin(session.epoch)
    pace = Pace()
    _run_steps(sessions, pace, stop, watch)
    speed = {
        "seconds": round(pace.seconds, 3),
        "images_per_second": round(pace.images_per_second, 2),
    }
    with leader.stepper.shown():
        for session in sessions:
            logs = session.tally.scores() | _validate(session) | speed
            logs["learning_rate"] = float(session.learning_rate())
            if watch:
                watch(_progress(session, pace, logs, epoch_done=True))
            session.callbacks.on_epoch_end(session.epoch, logs)
            if leader.stepper.model.stop_training and not _is_validated(session):
                # Nobody has looked at this epoch, and there will be no other.
                session.keep_best(_scores_of_validation(session))


def _run_steps(
    sessions: Sequence[Session], pace: Pace, stop: StopRequest, watch: Watch | None
) -> None:
    """Make the steps of an epoch that are not done yet, as far as there is time for them."""
    leader, recipe = sessions[0], sessions[0].recipe
    batches = leader.batches
    todo = range(leader.step, batches.steps)
    for images, masks in feed(batches, leader.epoch, todo, recipe.runtime.workers):
        for session in sessions:
            _step(session, images, masks)
        pace.step(len(images))
        if watch and pace.due():
            watch(_progress(leader, pace, leader.tally.scores()))
        if leader.budget and leader.budget.count(leader.done):
            leader.journal.note("budget", steps=leader.all_steps)
        if leader.done >= leader.all_steps:
            break
        if stop.asked and leader.step < batches.steps:
            _interrupt(sessions)
        if recipe.callbacks.save_steps and leader.step % recipe.callbacks.save_steps == 0:
            _save(sessions)


def _step(session: Session, images: np.ndarray, masks: np.ndarray) -> None:
    stepper = session.stepper
    stepper.set_learning_rate(session.learning_rate())
    session.callbacks.on_train_batch_begin(session.step)
    # The step: Keras's compiled train function moves all weights by one batch.
    losses = stepper.step(images, masks)
    _refuse_infinite(losses, session)
    session.tally.add(losses, len(images), stepper.scores.table())
    session.callbacks.on_train_batch_end(session.step, losses)
    session.step += 1


def _validate(session: Session) -> dict[str, float]:
    """Return the scores of the validation images; none between two validations."""
    return _scores_of_validation(session) if _is_validated(session) else {}


def _is_validated(session: Session) -> bool:
    done = session.epoch + 1
    return done % session.recipe.training.validate_every == 0 or done == session.epochs


def _scores_of_validation(session: Session) -> dict[str, float]:
    batches, stepper = session.parts.validation, session.stepper
    if batches is None:
        return {}
    tally = Tally(stepper.scores.classes, stepper.scores.summarise)
    for images, masks in feed(batches, 0, range(batches.steps), session.recipe.runtime.workers):
        losses = stepper.test(images, masks)
        tally.add(losses, len(images), stepper.scores.table())
    return tally.scores("val_")


def _save(sessions: Sequence[Session]) -> None:
    # The leader last: where it has a resume point, the others have the same one.
    for session in reversed(sessions):
        session.save()


def _interrupt(sessions: Sequence[Session]) -> NoReturn:
    for session in reversed(sessions):
        session.interrupt()
    raise KeyboardInterrupt


def _refuse_infinite(losses: Mapping[str, float], session: Session) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            section = session.stepper.stage or "training"
            raise RunError(
                f"The {name} is {loss} in epoch {session.epoch + 1}, step {session.step + 1}.",
                hint=f"Lower {section}.learning_rate; the last saved epoch is untouched.",
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
