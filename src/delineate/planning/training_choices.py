"""How fast and in which arithmetic, and how the weights move: chosen by the machine."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from delineate.errors import RecipeError
from delineate.models.build import build_network, stride_of, without_weights
from delineate.models.costs import count_values
from delineate.models.machine import compilations, device, is_compiled, machine
from delineate.models.probe import Pace, Trial, paces_of
from delineate.planning.choice import Choice, Choices, Said, values_of
from delineate.planning.fingerprint import Fingerprint
from delineate.planning.time_choices import epochs_that_fit, time_choices
from delineate.recipe import Recipe

# Precision, and whether a step is compiled.
Way = tuple[str, bool]

# A difference below this is chance, and the simpler of two choices stands.
WORTH = 1.2
# Pixels of a batch, 8 windows of 256×256; on a GPU, which a small one would leave idle, more.
BATCH_PIXELS, ON_GPU = 2**19, 8
SMALLEST_BATCH, LARGEST_BATCH = 4, 64
# Sides of the tiles in which large images are predicted: usual, and smallest.
TILE, SMALLEST_TILE = 1024, 256
# Bytes that a step takes for each number that a layer gives: itself, its gradient and what
# convolutions lay beside them; and the share of the memory that a step may take.
BYTES_PER_VALUE, SHARE_OF_MEMORY = 8, 0.4
# A prediction has no gradients.
OF_PREDICTION = 0.5
# Twice the channels take four times as long, and are worth it from so many epochs on.
COST_OF_WIDTH, ENOUGH = 4, 40


def training_choices(found: Fingerprint, recipe: Recipe, said: Said) -> Choices:
    """Return the choices of the sections `[training]`, `[callbacks]`, `[post]` and `[runtime]`.

    And of what else depends on the machine: the tiles of large images. A plain network is made
    wider here, where this machine is fast enough for that.

    Args:
        found: What the data set is.
        recipe: What has been chosen so far: the network and its windows, and what has been said.
        said: What the user has said already.

    Raises:
        RecipeError: Not even one window fits the memory, or not the batch that was said.
    """
    tried = _try(found, recipe, said)
    wider = _wider(found, recipe, said, tried)
    if wider:
        recipe = recipe.override(values_of(wider))
        tried = _try(found, recipe, said)
    return {
        **wider,
        "data.tile": _tile(found, recipe),
        "training.batch_size": tried.batch,
        **tried.arithmetic,
        **time_choices(found, recipe, said, batch_size=tried.batch_size, pace=tried.pace),
        **_optimizer(),
        **_watching(),
    }


@dataclass(frozen=True)
class _Tried:
    """A network as it was tried.

    Attributes:
        batch: The size of a batch that is chosen.
        arithmetic: What is chosen of precision and compilation.
        batch_size: The one that is used: chosen, or said.
        pace: With that, in the arithmetic that is used.
    """

    batch: Choice
    arithmetic: Choices
    batch_size: int
    pace: Pace


def _try(found: Fingerprint, recipe: Recipe, said: Said) -> _Tried:
    batch, settled = _batch_size(found, recipe), "training.batch_size" in said
    size = recipe.training.batch_size if settled else int(str(batch.value))
    while (paces := _paces(found, recipe, size)) is None:
        if settled or size == 1:
            raise _too_large(recipe, size)
        batch = Choice(size // 2, f"{size} windows in a step take more memory than there is")
        size //= 2
    arithmetic = _arithmetic(paces, recipe)
    chosen = recipe.override(values_of(arithmetic) | dict(said)).runtime
    return _Tried(batch, arithmetic, size, paces[chosen.precision, is_compiled(chosen)])


def _too_large(recipe: Recipe, size: int) -> RecipeError:
    height, width = recipe.data.size
    return RecipeError(
        f"A step of {size} windows of {height}×{width} takes more memory than there is "
        f"(training.batch_size = {size}, data.size = [{height}, {width}]).",
        hint="Lower training.batch_size, data.size or the channels of the network.",
    )


def _wider(found: Fingerprint, recipe: Recipe, said: Said, tried: _Tried) -> Choices:
    """Return twice the channels of a plain network, where the time is enough for those."""
    keys = ("model.filters", "model.largest_filters")
    if recipe.model.encoder != "plain" or any(key in said for key in keys):
        return {}
    fit = epochs_that_fit(found, recipe, batch_size=tried.batch_size, pace=tried.pace)
    epochs = fit / COST_OF_WIDTH
    if epochs < ENOUGH:
        return {}
    why = f"twice the usual, since some {epochs:.0f} epochs of it fit the time"
    settings = recipe.model
    return {
        "model.filters": Choice(2 * settings.filters, why),
        "model.largest_filters": Choice(2 * settings.largest_filters, why),
    }


def _batch_size(found: Fingerprint, recipe: Recipe) -> Choice:
    height, width = recipe.data.size
    pixels = BATCH_PIXELS * (1 if device() == "cpu" else ON_GPU)
    count = min(max(round(pixels / (height * width)), SMALLEST_BATCH), LARGEST_BATCH)
    memory = machine()["memory_gib"]
    if device() == "cpu" and memory is not None:
        each = _gib_of_a_window(found, recipe)
        most = max(1, int(SHARE_OF_MEMORY * memory / each))
        if most < count:
            return Choice(most, f"a window takes {each:.2g} GiB of the {memory:g} in a step")
    used = f"{count * height * width:,} pixels"
    return Choice(count, f"about {used} of {height}×{width} windows in a step")


def _tile(found: Fingerprint, recipe: Recipe) -> Choice:
    """Return the side of the tiles of large images: as large as there is memory for."""
    if recipe.data.fit == "resize":
        return Choice(TILE, "of no effect: whole images are resized")
    memory = machine()["memory_gib"]
    if device() != "cpu" or memory is None:
        return Choice(TILE, "large enough that little is predicted twice where tiles overlap")
    height, width = recipe.data.size
    of_a_pixel = OF_PREDICTION * _gib_of_a_window(found, recipe) / (height * width)
    side = TILE
    while side > SMALLEST_TILE and side**2 * of_a_pixel > SHARE_OF_MEMORY * memory:
        side //= 2
    gib = side**2 * of_a_pixel
    return Choice(side, f"a tile takes at most some {gib:.2g} GiB of the {memory:g}")


def _gib_of_a_window(found: Fingerprint, recipe: Recipe) -> float:
    """Return how much memory a step of training takes for each window of its batch."""
    height, width = recipe.data.size
    network = build_network(
        without_weights(recipe.model),
        classes=len(found.classes),
        channels=recipe.data.channels or found.channels,
        size=recipe.data.size,
    )
    stride = stride_of(recipe.model)
    side = math.ceil(math.sqrt(height * width) / stride) * stride
    values = count_values(network.model, size=side)
    return values * BYTES_PER_VALUE / 2**30


def _paces(found: Fingerprint, recipe: Recipe, batch_size: int) -> Mapping[Way, Pace] | None:
    """Return the pace of each way to compute, the simplest first; None: there is too little memory.

    Both arithmetics are tried, and what the recipe says or the backend allows of compilation: a
    compiler that is not there, or cannot do it, is only left out.
    """
    trial = Trial(
        recipe.model,
        classes=len(found.classes),
        channels=recipe.data.channels or found.channels,
        size=recipe.data.size,
        batch_size=batch_size,
        fused=recipe.runtime.fused,
        threads=recipe.runtime.threads,
        deterministic=recipe.runtime.deterministic,
    )
    paces: dict[Way, Pace] = {}
    for compiled in _compilations(recipe):
        ways = [(precision, compiled) for precision in ("float32", "bfloat16")]
        trials = [replace(trial, precision=way[0], compiled=compiled) for way in ways]
        try:
            paces |= zip(ways, paces_of(trials), strict=True)
        except MemoryError:
            break
        except Exception:
            if not paces:
                raise
    return paces or None


def _compilations(recipe: Recipe) -> tuple[bool, ...]:
    if recipe.runtime.compiled is not None:
        return (is_compiled(recipe.runtime),)
    return compilations(recipe.runtime)[0]


def _arithmetic(paces: Mapping[Way, Pace], recipe: Recipe) -> Choices:
    """Return the choices of precision and compilation: a way that is much faster than a simpler."""
    speeds = {way: pace.images_per_second for way, pace in paces.items()}
    chosen, *others = speeds
    for way in others:
        if speeds[way] > WORTH * speeds[chosen]:
            chosen = way
    precision, compiled = chosen
    of_precision = (
        f"{speeds['float32', compiled]:.1f} images per second in float32, "
        f"{speeds['bfloat16', compiled]:.1f} in bfloat16, measured here"
    )
    of_compilation = compilations(recipe.runtime)[1] or "the backend's compiler cannot do it here"
    if (precision, not compiled) in speeds:
        of_compilation = (
            f"{speeds[precision, False]:.1f} images per second without, "
            f"{speeds[precision, True]:.1f} with it, measured here"
        )
    return {
        "runtime.precision": Choice(precision, of_precision),
        "runtime.compiled": Choice(compiled, of_compilation),
    }


def _optimizer() -> Choices:
    return {
        "training.optimizer": Choice("adamw", "forgives a learning rate that is a little off"),
        "training.learning_rate": Choice(1e-3, "as high as both networks bear with AdamW"),
        "training.weight_decay": Choice(0.0, "gains nothing in trainings of this length"),
        "training.warmup": Choice(0.03, "the first steps of Adam know little of the gradients"),
        "training.schedule": Choice("cosine", "down to zero when the time is over"),
        "training.average": Choice(0.0, "gains nothing where the rate falls to zero"),
        "training.clip_norm": Choice(1.0, "one odd batch cannot undo the others"),
        "training.accumulate": Choice(1, "more steps rather than smoother ones"),
    }


def _watching() -> Choices:
    scores = ["mean_iou", "accuracy", "dice"]
    return {
        "training.metrics": Choice(scores, "followed while training"),
        "callbacks.best": Choice("last", "the newest: validation images choose no epoch"),
        "callbacks.early_stopping": Choice("none", "the learning rate falls to zero by the end"),
    }
