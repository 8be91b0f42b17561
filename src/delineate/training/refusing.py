"""What is refused whatever the data is: settings that make no sense, weights that are gone."""

import keras

from delineate.errors import RecipeError, RunError
from delineate.losses import LossOptions, SegmentationLoss
from delineate.metrics import Scores
from delineate.models.pairing import refuse_pairing
from delineate.models.trial import try_decoder
from delineate.models.weights import weights_path
from delineate.models.weights.downloads import BY_NAME, published
from delineate.prediction.separation import NEEDED
from delineate.recipe import Recipe, object_targets_of
from delineate.runs import ENDED, Run
from delineate.training.optimizers import make_optimizer
from delineate.training.tensorboard import event_writer

# What a journal has only after a resume point: of the search, the decision on a refiner, the end.
POINTED = {"resumed", "tuned", "refined", ENDED}
# So many epochs may be noted before the first resume point is whole.
BEFORE_FIRST = 2


def refuse_settings(recipe: Recipe) -> None:
    """Refuse a recipe before any data is read, anything is downloaded or a network is built.

    Raises:
        UsageError: An encoder, decoder, loss or score that does not exist.
        RecipeError: Settings that do not go together.
        MissingExtraError: A package that is asked for is not installed.
    """
    _refuse_misfits(recipe)
    refuse_pairing(recipe.model, recipe.data.size)
    if recipe.model.weights == BY_NAME:
        published(recipe.model.encoder, recipe.model.width)
    try_decoder(recipe.model, recipe.data.size)
    options = LossOptions.of(recipe.loss)
    SegmentationLoss(recipe.loss.terms, output=recipe.model.output, options=options)
    make_optimizer(recipe.training)
    Scores(2, recipe.training.metrics)
    if recipe.callbacks.tensorboard:
        event_writer()


def _refuse_misfits(recipe: Recipe) -> None:
    refined = recipe.refiner.use != "none"
    if refined and recipe.training.budget is not None:
        raise RecipeError(
            f"training.budget = {recipe.training.budget} does not go with refiner.use = "
            f"{recipe.refiner.use}: how the time is to be shared is not said.",
            hint="Unset training.budget, and set training.epochs and refiner.epochs.",
        )
    if refined and recipe.model.objects != "none":
        raise RecipeError(
            f"model.objects = {recipe.model.objects} does not go with refiner.use = "
            f"{recipe.refiner.use}: a refiner corrects classes only.",
            hint="Set refiner.use=none, or model.objects=none.",
        )
    if refined and recipe.training.folds > 1:
        raise RecipeError(
            f"training.folds = {recipe.training.folds} does not go with refiner.use = "
            f"{recipe.refiner.use}: each fold would decide for itself whether to keep one.",
            hint="Set refiner.use=none, or training.folds=1.",
        )
    said = object_targets_of(recipe.model)
    if recipe.runtime.compiled and not _may_compile(recipe):
        raise RecipeError(
            "runtime.compiled = true does not go with runtime.deterministic = true on TensorFlow, "
            "whose compiler has no deterministic form of all that is needed.",
            hint="Set runtime.deterministic=false, or leave runtime.compiled unset.",
        )
    missing = [name for name in NEEDED[recipe.post.objects_by or "connected"] if name not in said]
    if missing:
        raise RecipeError(
            f"post.objects_by = {recipe.post.objects_by} needs the {missing[0]} of objects, of "
            f"which model.objects = {recipe.model.objects} says nothing.",
            hint="Set model.objects=both, or leave post.objects_by unset.",
        )
    if recipe.data.oversample and recipe.data.fit == "resize":
        raise RecipeError(
            f"data.oversample = {recipe.data.oversample} does not go with data.fit = resize, where "
            "each window is the whole image.",
            hint="Set data.fit=crop, or data.oversample=0.",
        )


def _may_compile(recipe: Recipe) -> bool:
    return keras.backend.backend() != "tensorflow" or not recipe.runtime.deterministic


def refuse_lost_points(run: Run) -> None:
    """Raise a RunError where a run has had resume points, none of which is there any more.

    It would begin anew otherwise, and its best model would go. The first resume point may still be
    in work when the second epoch is noted; the first epochs are therefore no sign of one.

    Args:
        run: The run, which has no resume point.
    """
    events = [event["event"] for event in run.events() if "event" in event]
    if POINTED.isdisjoint(events) and events.count("epoch") <= BEFORE_FIRST:
        return
    raise RunError(
        f"{run.last} holds no resume point any more, and {run.folder} has been trained further "
        "than to its first one.",
        hint="Copy the folder again if it is a copy; its best model stays as it is, and can be "
        "scored with 'delineate evaluate'. Train again with another --to.",
    )


def refuse_lost_weights(run: Run, recipe: Recipe) -> None:
    """Raise a RunError where the file that a run's encoder began with is gone."""
    path = weights_path(recipe.model)
    if path is not None and not path.exists():
        raise RunError(
            f"The weights {path}, with which the encoder of {run.folder} began, are not there "
            "any more.",
            hint=f"Put them back, or write where they are now into model.weights in {run.recipe}: "
            "of them only the architecture is needed.",
        )
