"""How many epochs, and how often they are validated, drawn and saved: by the time there is."""

import math

from delineate.models.probe import Pace
from delineate.planning.choice import Choice, Choices, Said
from delineate.planning.fingerprint import Fingerprint
from delineate.recipe import Recipe

# Minutes, where nobody has said how many.
USUAL = 30.0
# As many as a recipe may have.
MOST_EPOCHS = 100_000
# A prediction costs so much of a step.
PREDICTING = 1 / 3
# Share of the time that validation may take, and how often it is done at the most.
SHARE_OF_LOOKS, MOST_LOOKS = 0.04, 12
# Share of an epoch that its pictures may take, and how many there are at the most.
SHARE_OF_PICTURES, MOST_PICTURES = 0.05, 4
# Seconds of training that may be lost.
SAVED_EVERY = 180.0


def time_choices(
    found: Fingerprint, recipe: Recipe, said: Said, *, batch_size: int, pace: Pace
) -> Choices:
    """Return the choices that follow from how long an epoch takes.

    Args:
        found: What the data set is.
        recipe: What has been chosen so far: the network and its windows, and what has been said.
        said: What the user has said already.
        batch_size: Windows in a step.
        pace: Of a step with those.
    """
    fit = epochs_that_fit(found, recipe, batch_size=batch_size, pace=pace)
    # A refiner's training has no budget, and shares none.
    timed = recipe.refiner.use == "none" and said.get("training.budget", USUAL) is not None
    made = fit if timed else float(max(1, round(fit)))
    if "training.epochs" in said:
        made = min(fit, recipe.training.epochs) if timed else recipe.training.epochs
    return {
        **_length(recipe, fit, pace, timed=timed),
        **_looks(found, recipe, made),
        "callbacks.save_steps": _saves(found, recipe, batch_size, pace),
    }


def epochs_that_fit(found: Fingerprint, recipe: Recipe, *, batch_size: int, pace: Pace) -> float:
    """Return how many epochs of one network fit the time.

    Args:
        found: What the data set is.
        recipe: What has been chosen so far.
        batch_size: Windows in a step.
        pace: Of a step with those.
    """
    seconds = max(0.0, 60 * _minutes(recipe) - pace.compiling)
    steps = seconds * pace.images_per_second / batch_size
    return steps / _steps_of_epoch(found, recipe, batch_size)


def _minutes(recipe: Recipe) -> float:
    """Return the minutes there are for one network."""
    return (recipe.training.budget or USUAL) / recipe.training.folds


def _windows(found: Fingerprint, recipe: Recipe) -> int:
    """Return how many windows an epoch has."""
    each = recipe.data.crops_per_image if recipe.data.fit == "crop" else 1
    return max(1, found.training * each)


def _steps_of_epoch(found: Fingerprint, recipe: Recipe, batch_size: int) -> int:
    return math.ceil(_windows(found, recipe) / batch_size)


def _tiles(found: Fingerprint, recipe: Recipe) -> int:
    """Return how many windows a middling image is predicted in."""
    if recipe.data.fit == "resize":
        return 1
    height, width = recipe.data.size
    return math.ceil(found.height / height) * math.ceil(found.width / width)


def _length(recipe: Recipe, fit: float, pace: Pace, *, timed: bool) -> Choices:
    whole = max(1, round(fit))
    count = f"{fit:.0f}" if fit >= 10 else f"{fit:.1f}"
    folds = "each fold's " if recipe.training.folds > 1 else ""
    why = f"about {count} fit {folds}{_minutes(recipe):g} minutes at "
    why += f"{pace.images_per_second:.1f} images per second"
    if not timed:
        if recipe.refiner.use != "none":
            why += "; the refiner's come on top"
        return {"training.epochs": Choice(min(whole, MOST_EPOCHS), why)}
    most = min(2 * whole, MOST_EPOCHS)
    return {
        "training.epochs": Choice(most, f"at most; {why}, and the budget decides"),
        "training.budget": Choice(USUAL, "nobody said how long: long enough for a good start"),
    }


def _looks(found: Fingerprint, recipe: Recipe, epochs: float) -> Choices:
    """Return what is done with validation images, seldom enough to cost little."""
    validated = found.images - found.training
    if not validated:
        none = "there are no validation images"
        return {
            "training.validate_every": Choice(1, none),
            "callbacks.pictures": Choice(0, none),
            "post.tune": Choice(False, none),
        }
    windows, tiles = _windows(found, recipe), _tiles(found, recipe)
    affordable = SHARE_OF_LOOKS * epochs * windows / (PREDICTING * validated * tiles)
    looks = round(min(max(affordable, 1), MOST_LOOKS))
    every = min(max(1, round(epochs / looks)), MOST_EPOCHS)
    seen = f"some {max(1, epochs / every):.0f} looks at {validated} validation images"
    tuned = "averaging, thresholds and how objects are told apart, by the validation images"
    return {
        "training.validate_every": Choice(every, f"{seen}, each {_of_windows(tiles)}"),
        "callbacks.pictures": _pictures(windows, tiles),
        "post.tune": Choice(True, tuned),
    }


def _pictures(windows: int, tiles: int) -> Choice:
    affordable = int(SHARE_OF_PICTURES * windows / (PREDICTING * tiles))
    share = f"{SHARE_OF_PICTURES:.0%} of the time of an epoch of {windows} windows"
    if not affordable:
        return Choice(0, f"one, {_of_windows(tiles)}, would take more than {share}")
    return Choice(min(affordable, MOST_PICTURES), f"each {_of_windows(tiles)}: at most {share}")


def _of_windows(tiles: int) -> str:
    return "of one window" if tiles == 1 else f"of {tiles} windows"


def _saves(found: Fingerprint, recipe: Recipe, batch_size: int, pace: Pace) -> Choice:
    step = batch_size / pace.images_per_second
    epoch = step * _steps_of_epoch(found, recipe, batch_size)
    if epoch <= SAVED_EVERY:
        return Choice(0, f"each epoch is saved, and takes {epoch:.0f} seconds")
    why = f"an epoch takes {epoch / 60:.0f} minutes: no more than {SAVED_EVERY / 60:.0f} are lost"
    return Choice(max(1, round(SAVED_EVERY / step)), why)
