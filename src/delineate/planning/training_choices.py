"""How long, how fast and in which arithmetic: chosen by the machine and the time there is."""

from collections.abc import Mapping
from dataclasses import replace

from delineate.models.probe import Pace, Trial, pace_of
from delineate.planning.choice import Choice, Choices
from delineate.planning.fingerprint import Fingerprint
from delineate.recipe import Recipe

# Minutes, where nobody has said how many.
USUAL = 30.0
# A difference below this is chance, and the simpler of two choices stands.
WORTH = 1.2
# Pixels of a batch: 16 windows of 128×128, 8 of 256×256.
BATCH_PIXELS = 2**19
SMALLEST_BATCH, LARGEST_BATCH = 4, 32


def training_choices(found: Fingerprint, recipe: Recipe, budget: float | None) -> Choices:
    """Return the choices of the sections `[training]`, `[callbacks]`, `[post]` and `[runtime]`.

    Args:
        found: What the data set is.
        recipe: What has been chosen so far: the network and its windows.
        budget: Minutes; None: nobody has said.
    """
    batch = _batch_size(recipe)
    paces = _paces(found, recipe, int(str(batch.value)))
    precision = _precision(paces)
    pace = paces[str(precision.value)]
    return {
        "training.batch_size": batch,
        "runtime.precision": precision,
        **_duration(found, recipe, pace, budget),
        **_optimizer(recipe),
        **_watching(found),
        **_post(found),
    }


def _batch_size(recipe: Recipe) -> Choice:
    height, width = recipe.data.size
    count = round(BATCH_PIXELS / (height * width))
    count = min(max(count, SMALLEST_BATCH), LARGEST_BATCH)
    return Choice(count, f"about {BATCH_PIXELS:,} pixels of {height}×{width} windows in a step")


def _paces(found: Fingerprint, recipe: Recipe, batch_size: int) -> Mapping[str, Pace]:
    trial = Trial(
        recipe.model,
        classes=len(found.classes),
        channels=recipe.data.channels or found.channels,
        size=recipe.data.size,
        batch_size=batch_size,
    )
    return {
        precision: pace_of(replace(trial, precision=precision))
        for precision in ("float32", "bfloat16")
    }


def _precision(paces: Mapping[str, Pace]) -> Choice:
    plain, half = paces["float32"].images_per_second, paces["bfloat16"].images_per_second
    said = f"{plain:.1f} images per second in float32, {half:.1f} in bfloat16, measured here"
    return Choice("bfloat16" if half > WORTH * plain else "float32", said)


def _duration(found: Fingerprint, recipe: Recipe, pace: Pace, budget: float | None) -> Choices:
    minutes = budget or USUAL
    windows = max(1, found.training * recipe.data.crops_per_image)
    epochs = max(1, round(60 * minutes * pace.images_per_second / windows))
    asked = "as asked for" if budget else "nobody said how long: long enough for a good start"
    fit = (
        f"about {epochs} fit {minutes:g} minutes at {pace.images_per_second:.1f} images per second"
    )
    every = max(1, round(epochs / 12))
    return {
        "training.budget": Choice(minutes, asked),
        "training.epochs": Choice(2 * epochs, f"at most; {fit}, and the budget decides"),
        "training.validate_every": Choice(every, "some twelve looks at the validation images"),
    }


def _optimizer(recipe: Recipe) -> Choices:
    return {
        "training.optimizer": Choice("adamw", "forgives a learning rate that is a little off"),
        "training.learning_rate": Choice(1e-3, "as high as both networks bear with AdamW"),
        "training.weight_decay": Choice(1e-2, "against learning few images by heart"),
        "training.warmup": Choice(0.03, "the first steps of Adam know little of the gradients"),
        "training.schedule": Choice("cosine", "down to zero when the time is over"),
        "training.clip_norm": Choice(1.0, "one odd batch cannot undo the others"),
        "training.average": Choice(0.998, "the mean of some 500 steps scores better than the last"),
    }


def _watching(found: Fingerprint) -> Choices:
    scores = ["mean_iou", "accuracy", "dice"]
    return {
        "training.metrics": Choice(scores, "followed while training"),
        "callbacks.best": Choice(
            "last", "the validation images choose no epoch: it is by the time"
        ),
        "callbacks.early_stopping": Choice("none", "the learning rate falls to zero by the end"),
    }


def _post(found: Fingerprint) -> Choices:
    return {
        "post.tune": Choice(True, "averaging, thresholds and objects, by the validation images")
    }
