"""The training of a refiner: how it begins, and whether what it has learnt is kept."""

from dataclasses import replace
from math import lcm
from pathlib import Path
from typing import Any

import keras
import numpy as np

from delineate.bundle import Bundle, Refinement, copy_bundle, recover
from delineate.errors import RecipeError, RunError
from delineate.evaluation.refinement import DECIDES, refinement_scores
from delineate.metrics import Scores
from delineate.models.blocks import policy_of
from delineate.models.machine import is_compiled
from delineate.models.network import Network
from delineate.models.receptive_field import receptive_field
from delineate.models.refiner import build_critic, build_refiner, join, patch_of
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training import checkpoint
from delineate.training.adversarial import AdversarialStepper, Distance
from delineate.training.callbacks import NEWEST
from delineate.training.chosen import chosen_callbacks
from delineate.training.loss import make_loss
from delineate.training.parts import Parts
from delineate.training.refusing import refuse_lost_points
from delineate.training.resuming import inexact
from delineate.training.session import Session


def refiner_session(session: Session) -> Session | None:
    """Return the training of the refiner that a recipe asks for, not begun; None where it does not.

    It has its own folder in the run's, in which it is a run like any other, and shares the data and
    the layers of the network that is refined.

    Args:
        session: The training of the network that is refined.

    Raises:
        RecipeError: The recipe's section `[refiner]` makes no sense with the rest.
    """
    recipe, parts = session.recipe, session.parts
    if recipe.refiner.use == "none":
        return None
    _refuse_misfits(recipe, parts)
    own = _recipe_of_refiner(recipe)
    scores = Scores(parts.scores.classes, own.training.metrics, threshold=own.post.threshold)
    refiner, stepper = _networks(parts, recipe, scores)
    joined = join(parts.model, refiner)
    changes = {
        "stride": lcm(parts.card.stride, 2**recipe.refiner.depth),
        "receptive_field": receptive_field(joined),
    }
    refined = replace(
        parts,
        network=Network(joined, stepper.model, outputs=1, encoder={}),
        scores=scores,
        card=parts.card.model_copy(update=changes),
    )
    run = session.run.refiner
    called = chosen_callbacks(run, refined, own, ())
    return Session(run, refined, own, called, stepper, beside=session)


def begin_after(session: Session, refiner: Session) -> None:
    """Give a network its best weights, which stay, and bring its refiner to where it stood.

    Args:
        session: The training of the network, which has ended.
        refiner: That of its refiner.

    Raises:
        RunError: The refiner's resume points are damaged, or belong to another network.
    """
    _keep_first(session.run)
    session.parts.model.load_weights(session.run.refiner.first / "model.keras")
    if checkpoint.exists(session.run.refiner.last):
        try:
            refiner.restore(inexact=inexact(session.run, session.recipe))
        except RunError as error:
            raise RunError(
                error.message,
                hint=f"Delete {session.run.refiner.folder}, and resume: only the refiner is then "
                "trained again.",
            ) from error
    else:
        refuse_lost_points(session.run.refiner)


def keep_what_gains(session: Session, refiner: Session) -> None:
    """Score the network with and without its refiner, and make the better one the run's best.

    Both are scored on the validation images at their own size, each with the weights of its best
    epoch. The refiner is kept only where the mean IoU is higher with it.

    Args:
        session: The training of the network.
        refiner: That of its refiner, which has ended.
    """
    run = session.run
    known = Bundle.open(run.best).card.refiner
    if known is not None:
        # Decided before, by a process that may have ended before it was noted.
        session.journal.note_once("refined", kept=known.kept, scores=known.scores)
        return
    _keep_first(run)
    part = session.parts.dataset.split("validation")
    found = refinement_scores(run, part, boundary=session.recipe.evaluation.boundary)
    before, after = (found[name][DECIDES] or 0.0 for name in ("without", "with"))
    decided = Refinement(kept=after > before, decided_by=DECIDES, scores=found)
    source = run.refiner.best if decided.kept else run.refiner.first
    _copy(source, run.best, refiner=decided)
    session.journal.note("refined", kept=decided.kept, scores=found)


def _refuse_misfits(recipe: Recipe, parts: Parts) -> None:
    settings, size = recipe.refiner, recipe.data.size
    if parts.validation is None:
        raise RecipeError(
            f"refiner.use = '{settings.use}' needs a validation part, and there is none.",
            hint="Set data.validation: by its images it is decided whether the refiner is kept.",
        )
    stride = 2**settings.depth
    if any(side % stride for side in size):
        raise RecipeError(
            f"data.size {list(size)} does not divide by the refiner's stride {stride}.",
            hint=f"Lower refiner.depth = {settings.depth}, or choose sides that divide.",
        )
    if 2**settings.critic_depth > min(size):
        raise RecipeError(
            f"The critic of refiner.critic_depth = {settings.critic_depth} judges patches of "
            f"{patch_of(settings.critic_depth)} pixels, and the windows have {list(size)}.",
            hint="Lower refiner.critic_depth; 3 is usual.",
        )
    if not settings.adversarial_weight and not settings.fidelity_weight:
        raise RecipeError(
            "refiner.adversarial_weight and refiner.fidelity_weight are both 0.",
            hint="Give one of them a weight, or set refiner.use=none.",
        )


def _recipe_of_refiner(recipe: Recipe) -> Recipe:
    """Return the settings of the refiner's training, in the places where a training has them."""
    settings, metrics = recipe.refiner, recipe.training.metrics
    together = settings.use == "together"
    return recipe.override(
        {
            "training.epochs": recipe.training.epochs if together else settings.epochs,
            "training.learning_rate": settings.learning_rate,
            "training.schedule": "constant",
            "training.warmup": 0.0,
            "training.unfreeze_after": None,
            "training.metrics": tuple(dict.fromkeys([*metrics, DECIDES])),
            "callbacks.best": NEWEST if recipe.callbacks.best == NEWEST else f"val_{DECIDES}",
            # The losses of two adversaries rise and fall with each other: they say nothing.
            "callbacks.early_stopping": None,
            "callbacks.reduce_on_plateau": None,
        }
    )


def _networks(
    parts: Parts, recipe: Recipe, scores: Scores
) -> tuple[keras.Model, AdversarialStepper]:
    """Return a new refiner, and what steps it against a new critic."""
    new: dict[str, Any] = {
        "channels": parts.model.input.shape[-1],
        "classes": parts.model.output.shape[-1],
        "settings": recipe.refiner,
        "largest": float(np.iinfo(parts.dataset.dtype).max),
        "seed": recipe.runtime.seed,
        "dtype": policy_of(recipe.runtime.precision),
    }
    refiner = build_refiner(output=recipe.model.output, **new)
    stepper = AdversarialStepper(
        parts.model,
        refiner,
        build_critic(**new),
        scores,
        settings=recipe.refiner,
        fidelity=_fidelity(parts, recipe),
        compiled=is_compiled(recipe.runtime),
    )
    return refiner, stepper


def _fidelity(parts: Parts, recipe: Recipe) -> keras.losses.Loss:
    output, settings, fidelity = recipe.model.output, recipe.loss, recipe.refiner.fidelity
    if fidelity == "l1":
        return Distance(output=output)
    if fidelity == "crossentropy":
        name = "binary_crossentropy" if output == "sigmoid" else "sparse_categorical_crossentropy"
        settings = settings.model_copy(update={"terms": {name: 1.0}})
    return make_loss(settings, parts.dataset.split("train"), output=output)


def _keep_first(run: Run) -> None:
    """Copy the network's best bundle to where it stays, whatever becomes of the refiner."""
    recover(run.refiner.first)
    if not run.refiner.first.is_dir():
        _copy(run.best, run.refiner.first)


def _copy(source: Path, target: Path, *, refiner: Refinement | None = None) -> None:
    bundle = Bundle.open(source)
    copy_bundle(bundle, target, bundle.card.model_copy(update={"refiner": refiner}))
