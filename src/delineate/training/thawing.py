"""What steps a network whose encoder may be frozen for some epochs."""

from functools import partial

from delineate.errors import RecipeError
from delineate.recipe import Recipe
from delineate.training.parts import Parts, compile_network
from delineate.training.steppers import PlainStepper


def plain_stepper(parts: Parts, recipe: Recipe) -> PlainStepper:
    """Return what steps a network; it sets the encoder free when the recipe says so.

    The weights that are trained then have a new optimizer, which knows nothing of the steps before.

    Args:
        parts: What is trained with what.
        recipe: All settings.

    Raises:
        RecipeError: Nothing is frozen that could be set free.
    """
    settings, after = recipe.training, recipe.training.unfreeze_after
    plain = partial(
        PlainStepper,
        parts.trainer,
        parts.scores,
        encoder_rate=settings.encoder_rate,
        averaged=bool(settings.average),
    )
    if after is None:
        return plain()
    if recipe.model.freeze == "none":
        raise RecipeError(
            f"training.unfreeze_after = {after}, but model.freeze = none: nothing is frozen.",
            hint="Set model.freeze=all, or leave training.unfreeze_after unset.",
        )
    loss = parts.trainer.loss
    thaw = partial(compile_network, parts.network, recipe, loss, parts.scores, freeze="none")
    return plain(thaw=thaw, thaw_after=after)
