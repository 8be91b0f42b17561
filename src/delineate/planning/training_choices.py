"""How long, how fast and in which arithmetic: chosen by the machine and the time there is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from delineate.models.build import build_network, without_weights
from delineate.models.costs import count_values
from delineate.models.machine import device, machine
from delineate.models.probe import Pace, Trial, pace_of
from delineate.planning.choice import Choice, Choices, values_of
from delineate.planning.fingerprint import Fingerprint
from delineate.recipe import Recipe

# Minutes, where nobody has said how many.
USUAL = 30.0
# A difference below this is chance, and the simpler of two choices stands.
WORTH = 1.2
# Pixels of a batch, 8 windows of 256×256; on a GPU, which a small one would leave idle, more.
BATCH_PIXELS, ON_GPU = 2**19, 8
SMALLEST_BATCH, LARGEST_BATCH = 4, 64
# Bytes that a step takes for each number that a layer gives: itself, its gradient and what
# convolutions lay beside them; and the share of the memory that a step may take.
BYTES_PER_VALUE, SHARE_OF_MEMORY = 8, 0.4
# Twice the channels take four times as long, and are worth it from so many epochs on.
COST_OF_WIDTH, ENOUGH = 4, 40
# Steps of which the moving average has forgotten all but exp(-20) at the end, and its longest.
FORGOTTEN, LONGEST_AVERAGE = 20, 0.998
# Share of the time that validation may take, and how often it is done.
SHARE_OF_LOOKS, FEWEST_LOOKS, MOST_LOOKS = 0.04, 3, 12
# As many as a recipe may have.
MOST_EPOCHS = 100_000


def training_choices(found: Fingerprint, recipe: Recipe, said: Mapping[str, object]) -> Choices:
    """Return the choices of the sections `[training]`, `[callbacks]`, `[post]` and `[runtime]`.

    A plain network is made wider here, where this machine is fast enough for that.

    Args:
        found: What the data set is.
        recipe: What has been chosen so far: the network and its windows, and what has been said.
        said: The keys of that, "section.key".
    """
    tried = _try(found, recipe, said)
    wider = _wider(found, recipe, said, tried.pace)
    if wider:
        recipe = recipe.override(values_of(wider))
        tried = _try(found, recipe, said)
    return {
        **wider,
        "training.batch_size": tried.batch,
        "runtime.precision": tried.precision,
        **_duration(found, recipe, tried),
        **_optimizer(),
        **_watching(),
        **_post(),
    }


@dataclass(frozen=True)
class _Tried:
    """A network as it was tried.

    Attributes:
        batch: The size of a batch that is chosen.
        precision: The arithmetic that is chosen.
        batch_size: The one that is used: chosen, or said.
        pace: With that, in the arithmetic that is used.
    """

    batch: Choice
    precision: Choice
    batch_size: int
    pace: Pace


def _try(found: Fingerprint, recipe: Recipe, said: Mapping[str, object]) -> _Tried:
    batch = _batch_size(found, recipe)
    size = recipe.training.batch_size if "training.batch_size" in said else int(str(batch.value))
    paces = _paces(found, recipe, size)
    precision = _precision(paces)
    used = recipe.runtime.precision if "runtime.precision" in said else str(precision.value)
    return _Tried(batch, precision, size, paces[used])


def _wider(found: Fingerprint, recipe: Recipe, said: Mapping[str, object], pace: Pace) -> Choices:
    """Return twice the channels of a plain network, where the time is enough for those."""
    keys = ("model.filters", "model.largest_filters")
    if recipe.model.encoder != "plain" or any(key in said for key in keys):
        return {}
    epochs = _epochs(found, recipe, pace) / COST_OF_WIDTH
    if epochs < ENOUGH:
        return {}
    why = f"twice the usual, since some {epochs:.0f} epochs of it fit the time"
    settings = recipe.model
    return {
        "model.filters": Choice(2 * settings.filters, why),
        "model.largest_filters": Choice(2 * settings.largest_filters, why),
    }


def _epochs(found: Fingerprint, recipe: Recipe, pace: Pace) -> float:
    """Return how many epochs fit the time."""
    windows = max(1, found.training * recipe.data.crops_per_image)
    return 60 * (recipe.training.budget or USUAL) * pace.images_per_second / windows


def _batch_size(found: Fingerprint, recipe: Recipe) -> Choice:
    height, width = recipe.data.size
    pixels = BATCH_PIXELS * (1 if device() == "cpu" else ON_GPU)
    count = min(max(round(pixels / (height * width)), SMALLEST_BATCH), LARGEST_BATCH)
    memory = machine()["memory_gib"]
    if device() == "cpu" and memory is not None:
        each = _gib_of_a_window(found, recipe)
        most = max(1, int(SHARE_OF_MEMORY * memory / each))
        if most < count:
            return Choice(most, f"a window takes {each:.2g} GiB of the {memory:.0f} in a step")
    return Choice(count, f"about {pixels:,} pixels of {height}×{width} windows in a step")


def _gib_of_a_window(found: Fingerprint, recipe: Recipe) -> float:
    """Return how much memory a step of training takes for each window of its batch."""
    height, width = recipe.data.size
    network = build_network(
        without_weights(recipe.model),
        classes=len(found.classes),
        channels=recipe.data.channels or found.channels,
        size=recipe.data.size,
    )
    values = count_values(network.model, size=round((height * width) ** 0.5 / 32) * 32)
    return values * BYTES_PER_VALUE / 2**30


def _paces(found: Fingerprint, recipe: Recipe, batch_size: int) -> Mapping[str, Pace]:
    trial = Trial(
        recipe.model,
        classes=len(found.classes),
        channels=recipe.data.channels or found.channels,
        size=recipe.data.size,
        batch_size=batch_size,
        fused=recipe.runtime.fused,
        threads=recipe.runtime.threads,
    )
    return {
        precision: pace_of(replace(trial, precision=precision))
        for precision in ("float32", "bfloat16")
    }


def _precision(paces: Mapping[str, Pace]) -> Choice:
    plain, half = paces["float32"].images_per_second, paces["bfloat16"].images_per_second
    said = f"{plain:.1f} images per second in float32, {half:.1f} in bfloat16, measured here"
    return Choice("bfloat16" if half > WORTH * plain else "float32", said)


def _duration(found: Fingerprint, recipe: Recipe, tried: _Tried) -> Choices:
    said, pace = recipe.training.budget, tried.pace
    minutes = said or USUAL
    windows = max(1, found.training * recipe.data.crops_per_image)
    epochs = max(1, round(_epochs(found, recipe, pace)))
    steps = max(1, round(60 * minutes * pace.images_per_second / tried.batch_size))
    speed = f"{pace.images_per_second:.1f} images per second"
    fit = f"about {epochs} fit {minutes:g} minutes at {speed}"
    asked = "as asked for" if said else "nobody said how long: long enough for a good start"
    average = round(max(0.0, min(LONGEST_AVERAGE, 1 - FORGOTTEN / steps)), 4)
    why = f"scores better than the last; of some {steps} steps the first are forgotten by the end"
    chosen = {
        "training.epochs": Choice(
            min(2 * epochs, MOST_EPOCHS), f"at most; {fit}, and the budget decides"
        ),
        "training.validate_every": _looks(found, epochs, windows),
        "training.average": Choice(average, why),
    }
    if recipe.refiner.use != "none":
        chosen["training.epochs"] = Choice(
            min(epochs, MOST_EPOCHS), f"{fit}; the refiner's come on top"
        )
        return chosen
    return chosen | {"training.budget": Choice(minutes, asked)}


def _looks(found: Fingerprint, epochs: int, windows: int) -> Choice:
    """Return how often the validation images are looked at: seldom enough to cost little."""
    validated = max(1, found.images - found.training)
    # A prediction costs a third of a step.
    affordable = SHARE_OF_LOOKS * epochs * windows / (validated / 3)
    looks = round(min(max(affordable, FEWEST_LOOKS), MOST_LOOKS))
    every = min(max(1, round(epochs / looks)), MOST_EPOCHS)
    return Choice(every, f"some {looks} looks at {validated} validation images")


def _optimizer() -> Choices:
    return {
        "training.optimizer": Choice("adamw", "forgives a learning rate that is a little off"),
        "training.learning_rate": Choice(1e-3, "as high as both networks bear with AdamW"),
        "training.weight_decay": Choice(1e-2, "against learning few images by heart"),
        "training.warmup": Choice(0.03, "the first steps of Adam know little of the gradients"),
        "training.schedule": Choice("cosine", "down to zero when the time is over"),
        "training.clip_norm": Choice(1.0, "one odd batch cannot undo the others"),
    }


def _watching() -> Choices:
    scores = ["mean_iou", "accuracy", "dice"]
    return {
        "training.metrics": Choice(scores, "followed while training"),
        "callbacks.best": Choice("last", "the newest: validation images choose no epoch"),
        "callbacks.early_stopping": Choice("none", "the learning rate falls to zero by the end"),
    }


def _post() -> Choices:
    why = "averaging, thresholds and how objects are told apart, by the validation images"
    return {"post.tune": Choice(True, why)}
