"""The training, from top to bottom."""

import errno
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np

from delineate.data.checking.check import find_faults, refuse_errors
from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.data.splitting.partition import describe_splits, partition, partition_as
from delineate.errors import RunError
from delineate.evaluation.evaluate import evaluate
from delineate.files import write_whole
from delineate.models.weights import have_weights, weights_path
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe
from delineate.runs import Run, next_folder
from delineate.training.chosen import chosen_callbacks
from delineate.training.devices import environment, set_up
from delineate.training.feeding import feed
from delineate.training.first_batch import draw_first_batch
from delineate.training.interrupt import StopRequest
from delineate.training.parts import Parts, assemble
from delineate.training.refining import begin_after, keep_what_gains, refiner_session
from delineate.training.refusing import refuse_lost_weights, refuse_settings
from delineate.training.session import Session
from delineate.training.tally import Tally
from delineate.training.thawing import plain_stepper
from delineate.training.watching import Pace, Progress, Watch

Reading = Callable[[int, int], None]
FINDINGS_TOLD = 5

_log = logging.getLogger(__name__)


def train(
    dataset: Dataset,
    recipe: Recipe | None = None,
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

    Args:
        dataset: The images and masks.
        recipe: All settings; unset: the recipe "unet". A resumed run has its own.
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
    dataset.require_pairs()
    recipe = recipe or Recipe.load("unet")
    if not resume:
        refuse_settings(recipe)
        _look_for_faults(dataset, recipe, progress)
    run, dataset, recipe = _begin(dataset, recipe, to, resume=resume)
    have_weights(recipe.model, download)
    set_up(recipe.runtime)
    parts = assemble(dataset, recipe)
    chosen = chosen_callbacks(run, parts, recipe, callbacks)
    stepper = plain_stepper(parts, recipe)
    session = Session(run, parts, recipe, chosen, stepper)
    refiner = refiner_session(session)
    together = [refiner] if refiner and recipe.refiner.use == "together" else []
    with _full_disk_told(run):
        if resume:
            session.restore()
            for other in together:
                other.restore(at=(session.epoch, session.step))
        else:
            _describe(Run.create(run.folder), parts, recipe)
        with StopRequest() as stop:
            _run_epochs([session, *together], stop, watch)
            if refiner and not together:
                begin_after(session, refiner)
                _run_epochs([refiner], stop, watch)
        if refiner:
            keep_what_gains(session, refiner)
    if recipe.evaluation.report and run.best.is_dir() and not run.report.is_file():
        split = "validation" if parts.validation else "train"
        evaluate(run, dataset, split=split)
    return run


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


def _look_for_faults(dataset: Dataset, recipe: Recipe, progress: Reading | None) -> None:
    if recipe.data.check == "none":
        return
    findings = find_faults(inspect(dataset, progress, recipe=recipe))
    if recipe.data.check == "refuse":
        refuse_errors(findings)
    told = [finding for finding in findings if finding.level != "note"]
    for finding in told[:FINDINGS_TOLD]:
        _log.warning("%s %s: %s", finding.level, finding.code, finding.message)
    if len(told) > FINDINGS_TOLD:
        _log.warning("and %d more; 'delineate check' shows all", len(told) - FINDINGS_TOLD)


def _run_epochs(sessions: Sequence[Session], stop: StopRequest, watch: Watch | None) -> None:
    """Train one network to its end, or two side by side, of which the first one leads."""
    leader = sessions[0]
    epochs = leader.recipe.training.epochs
    if stop.asked and not leader.finished:
        # Asked for in the last steps of the stage before, which is saved.
        raise KeyboardInterrupt
    for session in sessions:
        session.callbacks.on_train_begin()
    while leader.epoch < epochs and not leader.finished:
        _run_epoch(sessions, stop, watch)
        finished = leader.stepper.model.stop_training or leader.epoch + 1 == epochs
        for session in sessions:
            session.finished = finished
            session.next_epoch()
        _save(sessions)
        if stop.asked and not finished:
            _interrupt(sessions)
    for session in sessions:
        session.callbacks.on_train_end()


def _run_epoch(sessions: Sequence[Session], stop: StopRequest, watch: Watch | None) -> None:
    leader, recipe = sessions[0], sessions[0].recipe
    batches = leader.batches
    for session in sessions:
        session.callbacks.on_epoch_begin(session.epoch)
    pace = Pace(batches.steps, recipe.training.epochs)
    todo = range(leader.step, batches.steps)
    for images, masks in feed(batches, leader.epoch, todo, recipe.runtime.workers):
        for session in sessions:
            _step(session, images, masks)
        pace.step(len(images))
        if watch and pace.due():
            watch(_progress(leader, pace, leader.tally.scores()))
        if stop.asked and leader.step < batches.steps:
            _interrupt(sessions)
        if recipe.callbacks.save_steps and leader.step % recipe.callbacks.save_steps == 0:
            _save(sessions)
    speed = {
        "seconds": round(pace.seconds, 3),
        "images_per_second": round(pace.images_per_second, 2),
    }
    for session in sessions:
        logs = session.tally.scores() | _validate(session) | speed
        logs["learning_rate"] = float(session.learning_rate())
        if watch:
            watch(_progress(session, pace, logs, epoch_done=True))
        session.callbacks.on_epoch_end(session.epoch, logs)
        if leader.stepper.model.stop_training and not _is_validated(session):
            # Nobody has looked at this epoch, and there will be no other.
            session.keep_best(_scores_of_validation(session))


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
    settings, done = session.recipe.training, session.epoch + 1
    return done % settings.validate_every == 0 or done == settings.epochs


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
        epochs=session.recipe.training.epochs,
        step=session.step,
        steps=session.batches.steps,
        scores=scores,
        images_per_second=pace.images_per_second,
        seconds_left=pace.seconds_left(session.epoch, session.step),
        epoch_done=epoch_done,
        stage=session.stepper.stage,
    )


def _begin(
    dataset: Dataset, recipe: Recipe, to: str | Path | None, *, resume: bool
) -> tuple[Run, Dataset, Recipe]:
    """Return the run, the data set with its splits, and the recipe; nothing is written yet."""
    if resume:
        if to is None:
            raise RunError("Which run to resume is not said.", hint="Pass the run folder as --to.")
        run = Run.open(to)
        stored = Recipe.load(run.recipe)
        refuse_lost_weights(run, stored)
        return run, partition_as(dataset, run.read_json(run.dataset)), stored
    recipe = _with_whole_path(recipe)
    folder = Path(to) if to is not None else next_folder(dataset.name, "run")
    Run.refuse_existing(folder)
    return Run(folder), partition(dataset, recipe.data, seed=recipe.runtime.seed), recipe


def _with_whole_path(recipe: Recipe) -> Recipe:
    """Return the recipe with the path of its weights from the root, to be resumed from anywhere."""
    path = weights_path(recipe.model)
    return recipe if path is None else recipe.override({"model.weights": str(path.resolve())})


def _describe(run: Run, parts: Parts, recipe: Recipe) -> None:
    dataset = parts.dataset
    write_whole(run.environment, json.dumps(environment(), indent=2) + "\n")
    write_whole(run.dataset, json.dumps(describe_splits(dataset), indent=1) + "\n")
    write_whole(run.recipe, write_recipe(recipe))
    sheet = draw_first_batch(parts.batches, dataset.colours, names=dataset.classes)
    write_whole(run.batch, sheet)
