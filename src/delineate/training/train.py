"""The training, from top to bottom."""

import gc
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras

from delineate.data.dataset import Dataset
from delineate.data.records import Record
from delineate.errors import OutOfMemoryError
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.tune import settle, tune
from delineate.files import write_whole
from delineate.hold import hold
from delineate.interrupt import StopRequest
from delineate.models.machine import set_up
from delineate.models.weights import have_weights
from delineate.planning.plan import Plan
from delineate.recipe import Post, Recipe
from delineate.runs import ENDED, Run
from delineate.training import checkpoint
from delineate.training.afterwards import seconds_of_report
from delineate.training.beginning import (
    Reading,
    describe,
    existing,
    fresh,
    settled,
    split,
    without_unreadable,
)
from delineate.training.budget import Budget
from delineate.training.chosen import chosen_callbacks
from delineate.training.faults import SMALLER_TILE, disk_told, held, memory_told, smaller
from delineate.training.first_batch import draw_first_batch
from delineate.training.folds import train_folds, whole_run
from delineate.training.loop import run_epochs
from delineate.training.parts import Parts, assemble
from delineate.training.refining import begin_after, keep_what_gains, refiner_session
from delineate.training.refusing import refuse_lost_points
from delineate.training.resuming import inexact
from delineate.training.session import Session
from delineate.training.thawing import plain_stepper
from delineate.training.watching import Watch


@dataclass(frozen=True)
class _Onlookers:
    """Who is called while a training runs: the arguments of :func:`train` of these names."""

    callbacks: Sequence[keras.callbacks.Callback]
    watch: Watch | None
    download: Reading | None


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

    With a budget, how many steps there are depends on the clock, and so do the weights in the end.
    With folds, each is a training of its own, and the same callbacks act in all.

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
        # For a moment only, to refuse what another training has before minutes are spent.
        with disk_told(run), hold(run.folder):
            chosen = Recipe.load(run.recipe)
    else:
        run = fresh(dataset, to)
        chosen, reasons = settled(dataset, recipe, progress)
    lost: list[Record] = []
    if chosen.data.unreadable == "skip":
        dataset, lost = without_unreadable(dataset, run, progress, resume=resume)
    if chosen.training.folds > 1:
        one = partial(train, callbacks=callbacks, watch=watch, download=download)
        with disk_told(run), held(run, resume=resume):
            if not run.dataset.is_file():
                describe(run, whole_run(dataset, chosen), chosen, reasons)
            return train_folds(dataset, chosen, run, one, begun=begun)
    with_whom = _Onlookers(callbacks, watch, download)
    while True:
        try:
            return _train_one(
                dataset, chosen, run, reasons, with_whom, resume=resume, lost=lost, begun=begun
            )
        except OutOfMemoryError as error:
            with disk_told(run), held(run, resume=True):
                chosen, resume = smaller(run, chosen, reasons, error), True
        # Out here, where the error no longer holds what was in the memory.
        keras.backend.clear_session()
        gc.collect()


def _train_one(
    dataset: Dataset,
    recipe: Recipe,
    run: Run,
    reasons: Mapping[str, str],
    onlookers: _Onlookers,
    *,
    resume: bool,
    lost: Sequence[Record],
    begun: float,
) -> Run:
    """Train one network, or go on with it, from the first step to the report."""
    dataset = split(dataset, recipe, run, resume=resume, lost=lost)
    have_weights(recipe.model, onlookers.download)
    set_up(recipe.runtime)
    parts = assemble(dataset, recipe)
    session, refiner = _sessions(run, parts, recipe, onlookers.callbacks, begun)
    with disk_told(run), held(run, resume=resume), closing(session.background):
        if checkpoint.exists(run.last):
            _restore(session, refiner, lost)
        else:
            refuse_lost_points(run)
            _begin(session, reasons)
        if not session.journal.has(ENDED):
            _train_all(session, refiner, onlookers.watch)
        with memory_told("The prediction of an image", hint=SMALLER_TILE):
            session.require_folder()
            _retile(session)
            _tune(session)
            if recipe.evaluation.report and run.best.is_dir() and not run.report.is_file():
                evaluate(run, dataset, split=parts.reported)
        session.require_folder()
        spent = {} if session.budget is None else {"spent": round(session.budget.spent, 3)}
        session.journal.note_once(ENDED, **spent)
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


def _begin(session: Session, reasons: Mapping[str, str]) -> None:
    """Write down what is trained, and show its first batch; or again, if that was all there was."""
    run, parts = session.run, session.parts
    # What one has learnt beside a network that begins anew.
    shutil.rmtree(run.refiner.folder, ignore_errors=True)
    describe(run, parts.dataset, session.recipe, reasons)
    dataset = parts.dataset
    write_whole(run.batch, draw_first_batch(parts.batches, dataset.colours, names=dataset.classes))


def _restore(session: Session, refiner: Session | None, lost: Sequence[Record]) -> None:
    why = inexact(session.run, session.recipe, lost=len(lost))
    if refiner and session.recipe.refiner.use == "together":
        at = checkpoint.newest_of_both(session.run.last, refiner.run.last)
        for each in (session, refiner):
            each.restore(at=at, inexact=why)
    else:
        session.restore(inexact=why)


def _train_all(session: Session, refiner: Session | None, watch: Watch | None) -> None:
    """Train the network and its refiner, and decide whether that is kept."""
    together = session.recipe.refiner.use == "together"
    with StopRequest() as stop:
        if refiner is None or not together:
            run_epochs([session], stop, watch)
        else:
            run_epochs([session, refiner], stop, watch)
        if refiner and not together:
            begin_after(session, refiner)
            run_epochs([refiner], stop, watch)
    if stop.asked:
        # Asked for in the last steps. What follows takes time, too; a resumption does it.
        stop.heed()
    if refiner:
        keep_what_gains(session, refiner)


def _budget(parts: Parts, recipe: Recipe, begun: float) -> Budget | None:
    settings = recipe.training
    if settings.budget is None:
        return None
    most = settings.epochs * parts.batches.steps
    return Budget(60 * settings.budget, most=most, begun=begun)


def _retile(session: Session) -> None:
    """Give the best bundle the recipe's tile, which may be smaller now than when it was saved."""
    if session.run.best.is_dir() and not session.journal.has(ENDED):
        settle(session.run.folder, tile=session.recipe.data.tile)


def _tune(session: Session) -> None:
    """Search the settings of the best bundle on the validation images, if that is asked for.

    What was found is noted before it is put on the card: a search after that would find others.
    """
    run, journal = session.run, session.journal
    if journal.has(ENDED):
        return
    if not journal.has("tuned"):
        _search(session)
    for event in journal.events:
        if event["event"] == "tuned":
            settle(run.folder, post=Post.model_validate(event["settings"]))


def _search(session: Session) -> None:
    """Note the settings that are best on the validation images, if there is time to find them."""
    run, recipe, parts = session.run, session.recipe, session.parts
    if not recipe.post.tune or parts.validation is None:
        return
    left = None
    if session.budget:
        # The report has to fit, too.
        left = session.budget.left
        if recipe.evaluation.report:
            left -= seconds_of_report(parts.predictor(), parts.dataset.split(parts.reported))
        if left <= 0:
            return
    part = parts.dataset.split("validation")
    found = tune(run.folder, part, recipe.augment, seconds=left)
    session.journal.note(
        "tuned",
        objective=found.objective,
        before=found.before,
        after=found.after,
        settings=found.post.model_dump(mode="json"),
        tried=list(found.tried),
    )
