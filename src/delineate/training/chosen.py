"""The callbacks that a recipe asks for."""

from collections.abc import Sequence

import keras

from delineate.bundle import Bundle
from delineate.errors import RecipeError, near_miss
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training.callbacks import NEWEST, EarlyStopping, KeepBest, ReduceOnPlateau, Watched
from delineate.training.parts import Parts
from delineate.training.recorders import Journal, Pictures
from delineate.training.tensorboard import TensorBoard


def chosen_callbacks(
    run: Run, parts: Parts, recipe: Recipe, extra: Sequence[keras.callbacks.Callback]
) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a training in the order in which they act.

    Args:
        run: The run.
        parts: What is trained with what.
        recipe: All settings.
        extra: The caller's own, which act last.

    Raises:
        RecipeError: A setting watches a score that there is not.
    """
    settings = recipe.callbacks

    def watched(key: str, score: str, gain: float = settings.minimum_gain) -> Watched:
        if (key, score) != ("best", NEWEST):
            _refuse_unknown(key, score, parts)
        return Watched(score, gain)

    best = watched("best", settings.best, 0.0)
    chosen: list[keras.callbacks.Callback] = [
        KeepBest(best, lambda scores: _save_best(run, parts, scores))
    ]
    if settings.reduce_on_plateau:
        plateau = watched("reduce_on_plateau", settings.reduce_on_plateau)
        chosen.append(ReduceOnPlateau(plateau, settings.reduce_patience, settings.reduce_factor))
    if settings.early_stopping:
        stopping = watched("early_stopping", settings.early_stopping)
        chosen.append(EarlyStopping(stopping, settings.early_stopping_patience))
    if settings.pictures and parts.validation:
        samples = parts.dataset.split("validation").evenly(settings.pictures)
        chosen.append(Pictures(run, samples, parts.predictor))
    chosen.append(Journal(run))
    if settings.tensorboard:
        chosen.append(TensorBoard(run.tensorboard, run.pictures))
    return [*chosen, *extra]


def _refuse_unknown(key: str, score: str, parts: Parts) -> None:
    known = ["loss", *parts.scores.scores]
    if parts.validation is not None:
        known += [f"val_{name}" for name in known]
    if score not in known:
        missing = "" if parts.validation else " There is no validation part."
        raise RecipeError(
            f"callbacks.{key} = '{score}' is no score of this training.{missing}"
            f"{near_miss(score, known)}",
            hint=f"Use one of: {', '.join(known)}.",
        )


def _save_best(run: Run, parts: Parts, scores: dict[str, float]) -> None:
    card = parts.card.model_copy(update={"scores": scores})
    Bundle.save(run.best, card, lambda folder: parts.model.save(folder / "model.keras"))
