"""From a dataset and a recipe to all that a training consists of."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import keras
import numpy as np

from delineate.bundle import Card, Category, Member
from delineate.data.batches import Batches
from delineate.data.dataset import Dataset
from delineate.data.pipeline import TrainingWindows, ValidationWindows, require_channels
from delineate.errors import RecipeError
from delineate.losses import SegmentationLoss
from delineate.metrics import Scores
from delineate.models.build import build_model, logits_model, stride_of
from delineate.normalisation import require_fitting
from delineate.prediction.predictor import Predictor
from delineate.prediction.runtimes.keras import KerasRuntime
from delineate.recipe import Recipe
from delineate.training.devices import versions


@dataclass(frozen=True)
class Parts:
    """All that a training consists of.

    Attributes:
        dataset: The samples, each with its split.
        model: The network that is saved: it ends in probabilities.
        trainer: The same layers up to the logits, compiled: what is stepped.
        scores: The trainer's metric.
        batches: The training batches.
        validation: The validation batches, None without a validation part.
        card: The card of the bundles to come.
    """

    dataset: Dataset
    model: keras.Model
    trainer: keras.Model
    scores: Scores
    batches: Batches
    validation: Batches | None
    card: Card

    def predictor(self) -> Predictor:
        """Return a predictor of the present weights."""
        return Predictor(self.card, [KerasRuntime(self.model)])


def assemble(dataset: Dataset, recipe: Recipe) -> Parts:
    """Return the parts of a training; nothing has been trained yet.

    Args:
        dataset: The samples, each with its split.
        recipe: All settings.

    Raises:
        UsageError: A name is not in its table, or settings do not go together.
        DataError: The images are not alike, or have other channels than the recipe says.
    """
    classes = len(dataset.classes)
    channels = recipe.data.channels or dataset.channels
    require_fitting(recipe.data.normalise, channels=channels, dtype=dataset.dtype)
    for record, facts in zip(dataset.records, dataset.facts, strict=True):
        require_channels(facts.channels, channels, record.name)
    card = make_card(dataset, recipe, channels)
    model = build_model(
        classes=classes,
        channels=channels,
        seed=recipe.runtime.seed,
        precision=recipe.runtime.precision,
        **recipe.model.model_dump(exclude={"input_scale"}),
        input_scale=recipe.model.input_scale or 1 / np.iinfo(dataset.dtype).max,
    )
    scores = Scores(classes, recipe.training.metrics, threshold=recipe.post.threshold)
    trainer = logits_model(model)
    trainer.compile(
        optimizer=make_optimizer(recipe),
        loss=SegmentationLoss(recipe.loss.terms, output=recipe.model.output),
        metrics=[scores],
    )
    return Parts(
        dataset,
        model,
        trainer,
        scores,
        _training_batches(dataset.split("train"), recipe, channels),
        _validation_batches(dataset, recipe, channels),
        card,
    )


def make_optimizer(recipe: Recipe) -> keras.Optimizer:
    """Return the optimizer.

    Raises:
        RecipeError: Keras knows none of that name.
    """
    options: dict[str, Any] = {"learning_rate": recipe.training.learning_rate}
    if recipe.training.weight_decay:
        options["weight_decay"] = recipe.training.weight_decay
    name = recipe.training.optimizer
    try:
        return keras.optimizers.get({"class_name": name, "config": options})
    except (ValueError, TypeError) as error:
        raise RecipeError(
            f"training.optimizer = '{name}' is none that Keras knows.",
            hint="Use the name of a Keras optimizer: adam, adamw, sgd, rmsprop, …",
        ) from error


def make_card(dataset: Dataset, recipe: Recipe, channels: int) -> Card:
    """Return the card of the bundles that a training makes; scores and files come later."""
    categories = zip(dataset.classes, dataset.colours, strict=True)
    return Card(
        members=(Member(file="model.keras"),),
        classes=tuple(Category(name=name, colour=colour) for name, colour in categories),
        channels=channels,
        dtype=str(dataset.dtype),  # type: ignore[arg-type]
        normalisation=recipe.data.normalise,
        fit=recipe.data.fit,
        size=recipe.data.size,
        stride=stride_of(recipe.model),
        output=recipe.model.output,
        threshold=recipe.post.threshold,
        precision=recipe.runtime.precision,
        data_hash=sha256("".join(sorted(dataset.hashes)).encode()).hexdigest(),
        versions=versions(),
        licences={"code": "MIT", "weights": "trained from nothing on the user's data"},
    )


def _training_batches(dataset: Dataset, recipe: Recipe, channels: int) -> Batches:
    windows = TrainingWindows(
        dataset,
        recipe.data.size,
        recipe.data.fit,
        channels,
        recipe.augment,
        seed=recipe.runtime.seed,
        per_image=recipe.data.crops_per_image if recipe.data.fit == "crop" else 1,
        normalise=recipe.data.normalise,
    )
    return Batches(
        windows, batch_size=recipe.training.batch_size, seed=recipe.runtime.seed, shuffle=True
    )


def _validation_batches(dataset: Dataset, recipe: Recipe, channels: int) -> Batches | None:
    if "validation" not in dataset.splits:
        return None
    windows = ValidationWindows(
        dataset.split("validation"),
        recipe.data.size,
        recipe.data.fit,
        channels,
        normalise=recipe.data.normalise,
    )
    return Batches(windows, batch_size=recipe.training.batch_size)
