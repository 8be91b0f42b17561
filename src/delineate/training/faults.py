"""What may go wrong around a training: the disk, another process, the memory."""

import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from delineate.errors import BundleError, DelineateError, OutOfMemoryError, RunError
from delineate.files import write_whole
from delineate.hold import hold
from delineate.models.machine import is_memory_full
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe
from delineate.runs import Run
from delineate.training import checkpoint
from delineate.training.resuming import tidy

_log = logging.getLogger(__name__)

# What to do, all in one go with --resume.
SMALLER_TILE = "Set data.tile to 512, or less, in the run's recipe.toml; then go on with --resume."
SMALLER_BATCH = "Train with half the training.batch_size."

# By the system's number: what happened, and what to do before the training goes on.
DISK = {
    errno.ENOSPC: ("The disk is full: {} could not be written.", "Free some space"),
    errno.EDQUOT: (
        "The quota of the disk is used up: {} could not be written.",
        "Delete something",
    ),
    errno.EFBIG: ("{} has become larger than files may be.", "Raise the limit of their size"),
    errno.EROFS: ("{} could not be written: its disk is read-only.", "Make it writable"),
    errno.EACCES: ("{} may not be written.", "Give yourself the permission"),
    errno.EPERM: ("{} may not be written.", "Give yourself the permission"),
    errno.ENOENT: ("{} is not there any more.", "Put it back"),
    **dict.fromkeys(
        (
            *(errno.ESTALE, errno.ENODEV, errno.ENXIO),
            *(errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT),
        ),
        ("{} is not there any more.", "Connect its disk again"),
    ),
    errno.EIO: (
        "The disk failed: {} could not be read or written.",
        "Copy the run to another disk",
    ),
}


@contextmanager
def disk_told(run: Run) -> Iterator[None]:
    """Turn an error of the disk into one with a hint; what is saved stays.

    Raises:
        RunError: Something in the run folder could not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK:
            raise
        sentence, what = DISK[error.errno]
        raise RunError(
            sentence.format(error.filename or run.folder),
            hint=f"{what}, then go on with --resume.",
        ) from error


@contextmanager
def memory_told(what: str, *, hint: str, kind: type[RunError] = RunError) -> Iterator[None]:
    """Turn a backend's error about full memory into one with a hint.

    Args:
        what: What does not fit.
        hint: What to do.
        kind: Of the error; OutOfMemoryError where a smaller batch would help.

    Raises:
        RunError: It does not fit.
    """
    try:
        yield
    except Exception as error:
        # A model out of a file fails with an error of its own, of which this is the cause.
        cause = error.__cause__ if isinstance(error, BundleError) else error
        if cause is None or isinstance(cause, DelineateError) or not is_memory_full(cause):
            raise
        raise kind(f"{what} does not fit into the memory.", hint=hint) from error


@contextmanager
def held(run: Run, *, resume: bool) -> Iterator[None]:
    """Have a run folder for this training alone; it is made, or tidied up where it exists.

    Raises:
        RunError: Another training has it, or it cannot be made.
    """
    if resume:
        # It may have been moved meanwhile, and would be made anew.
        Run.open(run.folder)
    else:
        Run.create(run.folder)
    with hold(run.folder):
        if resume:
            Run.open(run.folder)
            tidy(run)
        else:
            # Another training may have been quicker, and have ended.
            Run.refuse_existing(run.folder)
        yield


def smaller(
    run: Run, recipe: Recipe, reasons: Mapping[str, str], error: OutOfMemoryError
) -> Recipe:
    """Return the recipe with half the batch, to begin anew with; it is the run's from now on.

    Args:
        run: The run, which has begun.
        recipe: All settings.
        reasons: Those of a plan, by "section.key".
        error: That a step does not fit into the memory.

    Raises:
        OutOfMemoryError: That error, where the recipe does not allow it, something is saved
            already, or the batch is of one window.
    """
    count = recipe.training.batch_size
    if not recipe.training.smaller_batch or count == 1 or checkpoint.exists(run.last):
        raise error
    _log.warning("%s It begins anew with %d.", error.message, count // 2)
    recipe = recipe.override({"training.batch_size": count // 2})
    told = {key: why for key, why in reasons.items() if key != "training.batch_size"}
    write_whole(run.recipe, write_recipe(recipe, reasons=told))
    return recipe
