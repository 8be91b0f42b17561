"""A training whose numbers are no longer finite: it ends, and what it was stepping is kept."""

import io
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from delineate.errors import DataError, RunError
from delineate.files import write_whole
from delineate.training.checkpoint import is_finite, values_of
from delineate.training.first_batch import draw_batch
from delineate.training.session import Session

# Names of images that a sentence has.
NAMED = 3
# Batches before the one named that are kept, at the most.
MOST = 8


def refuse_infinite(losses: Mapping[str, float], session: Session) -> None:
    """End a training whose loss is infinite or NaN, and keep the batch.

    Args:
        losses: Of the step that has just been made.
        session: The training, whose ``step`` is that step.

    Raises:
        RunError: A loss is not finite. The batch, and those before it whose gradients may have
            done it, are below ``broken/`` in the run folder.
    """
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise RunError(
                f"The {name} is {loss} in epoch {session.epoch + 1}, step {session.step + 1} "
                f"({_named(session)}).",
                hint=_hint(session),
            )


def refuse_infinite_weights(session: Session) -> None:
    """End a training whose weights are infinite or NaN, before they are scored or kept.

    So are gradients that wait to be added up, and what the optimizer knows of earlier ones.

    Args:
        session: The training, whose ``step`` is the one after the last one made.

    Raises:
        RunError: A number is not finite.
    """
    if all(map(is_finite, values_of(session.stepper.variables))):
        return
    session.step -= 1
    raise RunError(
        f"The network's weights are not finite after epoch {session.epoch + 1}, step "
        f"{session.step + 1} ({_named(session)}), or what its optimizer keeps is not.",
        hint=_hint(session),
    )


def refuse_infinite_validation(scores: Mapping[str, float], session: Session) -> None:
    """End a training whose loss on the validation images is infinite or NaN.

    The weights are finite, but no epoch with such a loss is ever the best one.

    Args:
        scores: Of the validation.
        session: The training.

    Raises:
        RunError: It is.
    """
    for name, value in scores.items():
        if name.endswith("loss") and not math.isfinite(value):
            section = _section(session)
            raise RunError(
                f"The {name} is {value} after epoch {session.epoch + 1}: as in prediction, the "
                "network's numbers grow without bounds.",
                hint=f"Lower {section}.learning_rate in the run's recipe.toml, or set "
                "runtime.precision to float32 there, and go on with --resume.",
            )


def _hint(session: Session) -> str:
    section = _section(session)
    kept = _keep_batches(session)
    look = f"Look at the images in {kept}; " if kept else ""
    return (
        f"{look}lower {section}.learning_rate in the run's recipe.toml, or set training.clip_norm, "
        "and go on with --resume: what was saved before is whole."
    )


def _section(session: Session) -> str:
    """Return the section of the recipe with the learning rate."""
    return session.stepper.stage or "training"


def _named(session: Session) -> str:
    """Return the names of a step's images, in short."""
    names = list(dict.fromkeys(_names(session, session.step)))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _names(session: Session, step: int) -> list[str]:
    batches = session.batches
    indices = batches.indices(session.epoch, step).tolist()
    return [batches.windows.name(session.epoch, index) for index in indices]


def _keep_batches(session: Session) -> Path | None:
    """Write a step's batch and those before it; return where, None where that failed, too."""
    folder = session.run.broken
    # Their gradients have moved the weights in one go.
    before = min(session.recipe.training.accumulate, MOST)
    with suppress(OSError, RunError, DataError):
        session.require_folder()
        for step in range(max(0, session.step - before), session.step + 1):
            images, masks = session.batches.batch(session.epoch, step)
            stem = folder / f"epoch{session.epoch + 1:04d}-step{step + 1:06d}"
            content = io.BytesIO()
            names = np.array(_names(session, step))
            np.savez(content, allow_pickle=False, images=images, masks=masks, names=names)
            write_whole(stem.with_suffix(".npz"), content.getvalue())
            dataset = session.parts.dataset
            sheet = draw_batch(
                session.batches, session.epoch, step, dataset.colours, names=dataset.classes
            )
            write_whole(stem.with_suffix(".png"), sheet)
        return folder
    return None
