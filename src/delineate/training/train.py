"""The training, from top to bottom."""

import errno
import json
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from delineate.data.checking.check import find_faults, refuse_errors
from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.data.splitting.partition import describe_splits, partition, partition_as
from delineate.errors import RunError
from delineate.evaluation.evaluate import evaluate
from delineate.files import write_whole
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe
from delineate.runs import Run, next_folder
from delineate.training.chosen import chosen_callbacks
from delineate.training.devices import environment, set_up
from delineate.training.feeding import feed
from delineate.training.first_batch import draw_first_batch
from delineate.training.interrupt import StopRequest
from delineate.training.parts import Parts, assemble
from delineate.training.session import Session
from delineate.training.tally import Tally
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
) -> Run:
    """Train a model and return its run.

    Ctrl-C (SIGINT) and SIGTERM end it between two steps with everything saved; with ``resume`` it
    then goes on, and on a CPU ends with the weights of the uninterrupted training, bit for bit.

    Args:
        dataset: The images and masks.
        recipe: All settings; unset: the recipe "unet". A resumed run has its own.
        to: The run folder; unset: a new one below ``runs/``.
        resume: Go on with the run in ``to``.
        callbacks: Any Keras callbacks.
        watch: Called a few times a second, and after each epoch.
        progress: Called with (done, all) while the data is read.

    Raises:
        DelineateError: The data, the recipe or the run folder is not as it has to be.
        KeyboardInterrupt: A stop was asked for; everything is saved.
    """
    dataset.require_pairs()
    if not resume:
        _look_for_faults(dataset, recipe or Recipe.load("unet"), progress)
    run, dataset, recipe = _begin(dataset, recipe, to, resume=resume)
    set_up(recipe.runtime)
    parts = assemble(dataset, recipe)
    session = Session(run, parts, recipe, chosen_callbacks(run, parts, recipe, callbacks))
    try:
        if resume:
            session.restore()
        else:
            _describe(Run.create(run.folder), parts, recipe)
        _run_epochs(session, watch)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise RunError(
            f"The disk is full: {error.filename or run.folder} could not be written.",
            hint="Free some space, then go on with --resume.",
        ) from error
    if recipe.evaluation.report and run.best.is_dir() and not run.report.is_file():
        split = "validation" if parts.validation else "train"
        evaluate(run, dataset, split=split)
    return run


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


def _run_epochs(session: Session, watch: Watch | None) -> None:
    epochs = session.recipe.training.epochs
    session.callbacks.on_train_begin()
    with StopRequest() as stop:
        while session.epoch < epochs and not session.finished:
            logs = _run_epoch(session, stop, watch)
            session.callbacks.on_epoch_end(session.epoch, logs)
            session.finished = session.trainer.stop_training or session.epoch + 1 == epochs
            session.next_epoch()
            session.save()
            if stop.asked and not session.finished:
                session.interrupt()
    session.callbacks.on_train_end()


def _run_epoch(session: Session, stop: StopRequest, watch: Watch | None) -> dict[str, float]:
    recipe, trainer, batches = session.recipe, session.trainer, session.batches
    tally = session.tally
    session.callbacks.on_epoch_begin(session.epoch)
    pace = Pace(batches.steps, recipe.training.epochs)
    todo = range(session.step, batches.steps)
    for images, masks in feed(batches, session.epoch, todo, recipe.runtime.workers):
        trainer.optimizer.learning_rate = session.learning_rate()
        session.callbacks.on_train_batch_begin(session.step)
        # The step: Keras's compiled train function moves all weights by one batch.
        loss = float(trainer.train_on_batch(images, masks, return_dict=True)["loss"])
        _refuse_infinite(loss, session)
        tally.add(loss, len(images), session.scores.table())
        pace.step(len(images))
        session.callbacks.on_train_batch_end(session.step, {"loss": loss})
        session.step += 1
        if watch and pace.due():
            watch(_progress(session, pace, tally.scores()))
        if stop.asked and session.step < batches.steps:
            session.interrupt()
        if recipe.callbacks.save_steps and session.step % recipe.callbacks.save_steps == 0:
            session.save()
    speed = {
        "seconds": round(pace.seconds, 3),
        "images_per_second": round(pace.images_per_second, 2),
    }
    logs = tally.scores() | _validate(session) | speed
    logs["learning_rate"] = float(session.learning_rate())
    if watch:
        watch(_progress(session, pace, logs, epoch_done=True))
    return logs


def _validate(session: Session) -> dict[str, float]:
    batches = session.parts.validation
    if batches is None:
        return {}
    tally = Tally(session.scores.classes, session.scores.summarise)
    for images, masks in feed(batches, 0, range(batches.steps), session.recipe.runtime.workers):
        loss = session.trainer.test_on_batch(images, masks, return_dict=True)["loss"]
        tally.add(float(loss), len(images), session.scores.table())
    return tally.scores("val_")


def _refuse_infinite(loss: float, session: Session) -> None:
    if not math.isfinite(loss):
        raise RunError(
            f"The loss is {loss} in epoch {session.epoch + 1}, step {session.step + 1}.",
            hint="Lower training.learning_rate; the last saved epoch is untouched.",
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
    )


def _begin(
    dataset: Dataset, recipe: Recipe | None, to: str | Path | None, *, resume: bool
) -> tuple[Run, Dataset, Recipe]:
    """Return the run, the data set with its splits, and the recipe; nothing is written yet."""
    if resume:
        if to is None:
            raise RunError("Which run to resume is not said.", hint="Pass the run folder as --to.")
        run = Run.open(to)
        stored = Recipe.load(run.recipe)
        return run, partition_as(dataset, run.read_json(run.dataset)), stored
    recipe = recipe or Recipe.load("unet")
    folder = Path(to) if to is not None else next_folder(dataset.name, "run")
    Run.refuse_existing(folder)
    return Run(folder), partition(dataset, recipe.data, seed=recipe.runtime.seed), recipe


def _describe(run: Run, parts: Parts, recipe: Recipe) -> None:
    dataset = parts.dataset
    write_whole(run.environment, json.dumps(environment(), indent=2) + "\n")
    write_whole(run.dataset, json.dumps(describe_splits(dataset), indent=1) + "\n")
    write_whole(run.recipe, write_recipe(recipe))
    sheet = draw_first_batch(parts.batches, dataset.colours, names=dataset.classes)
    write_whole(run.batch, sheet)
