"""The optimizer, with a learning rate of its own for the encoder."""

from collections.abc import Set
from typing import Any

import keras

from delineate.errors import RecipeError
from delineate.recipe import Training

ENCODER, REST = "encoder", "rest"


def make_optimizer(settings: Training, encoder: Set[str] = frozenset()) -> keras.Optimizer:
    """Return the optimizer.

    Args:
        settings: The recipe's section `[training]`.
        encoder: The paths of the encoder's weights.

    Raises:
        RecipeError: Keras knows none of that name.
    """
    if settings.encoder_rate == 1:
        return _single(settings, settings.optimizer)
    # Both see all steps; each keeps the moments of its own weights.
    rest, own = _single(settings, REST), _single(settings, ENCODER)
    return keras.optimizers.MultiOptimizer(lambda weight: own if weight.path in encoder else rest)


def set_learning_rate(optimizer: keras.Optimizer, rate: float, *, encoder_rate: float) -> None:
    """Set the learning rate of the next step.

    Args:
        optimizer: What :func:`make_optimizer` has made.
        rate: Of all weights but the encoder's.
        encoder_rate: What it is multiplied with for those.
    """
    if not isinstance(optimizer, keras.optimizers.MultiOptimizer):
        optimizer.learning_rate = rate
        return
    for part in optimizer.optimizers:
        part.learning_rate = rate * encoder_rate if part.name == ENCODER else rate


def _single(settings: Training, name: str) -> keras.Optimizer:
    options: dict[str, Any] = {"learning_rate": settings.learning_rate, "name": name}
    if settings.weight_decay:
        options["weight_decay"] = settings.weight_decay
    if settings.clip_norm:
        options["global_clipnorm"] = settings.clip_norm
    if settings.accumulate > 1:
        options["gradient_accumulation_steps"] = settings.accumulate
    if settings.average:
        # Keras averages after each batch, also after one whose gradient is only kept.
        kept = settings.average ** (1 / settings.accumulate)
        options |= {"use_ema": True, "ema_momentum": kept}
    try:
        keras.optimizers.get(settings.optimizer)
        made = keras.optimizers.get({"class_name": settings.optimizer, "config": options})
    except (ValueError, TypeError) as error:
        raise RecipeError(
            f"training.optimizer = '{settings.optimizer}' is none that Keras knows.",
            hint="Use the name of a Keras optimizer: adam, adamw, sgd, rmsprop, …",
        ) from error
    if made.weight_decay:
        # Some decay unless they are told not to: AdamW by 0.004.
        made.weight_decay = settings.weight_decay
    return made
