"""From a dataset and a recipe to all that a training consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import keras
import numpy as np

from delineate.bundle import Card, Category, Member
from delineate.data.batches import Batches
from delineate.data.dataset import Dataset
from delineate.data.pipeline import TrainingWindows, ValidationWindows, require_channels
from delineate.data.splitting.kinds import kinds
from delineate.data.splitting.prints import fingerprints_of
from delineate.errors import DataError, RecipeError
from delineate.metrics import Scores
from delineate.models.build import build_network, stride_of
from delineate.models.enlarging import enlarge_at_once
from delineate.models.fast import exchange_kernels
from delineate.models.folding import fold_frozen
from delineate.models.machine import is_compiled, versions
from delineate.models.network import Network
from delineate.models.pairing import works_at_one_size
from delineate.models.receptive_field import receptive_field
from delineate.normalisation import require_fitting
from delineate.prediction.predictor import Predictor
from delineate.prediction.runtimes.keras import KerasRuntime
from delineate.recipe import Recipe, object_targets_of
from delineate.training.loss import make_loss
from delineate.training.optimizers import make_optimizer


@dataclass(frozen=True)
class Parts:
    """All that a training consists of.

    Attributes:
        dataset: The samples, each with its split.
        network: The network; its trainer is compiled.
        scores: The trainer's metric.
        batches: The training batches.
        validation: The validation batches, None without a validation part.
        card: The card of the bundles to come.
    """

    dataset: Dataset
    network: Network
    scores: Scores
    batches: Batches
    validation: Batches | None
    card: Card

    @property
    def model(self) -> keras.Model:
        """What is saved: it ends in probabilities."""
        return self.network.model

    @property
    def trainer(self) -> keras.Model:
        """The same layers up to the logits, compiled: what is stepped."""
        return self.network.trainer

    @property
    def reported(self) -> str:
        """The part that is scored when the training has ended."""
        return "validation" if self.validation else "train"

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
    _require_objects(dataset, recipe)
    _require_classes(recipe.post.largest_only, dataset.classes)
    # Before the network, whose weights may have to be downloaded: it may be refused.
    loss = make_loss(recipe.loss, dataset.split("train"), output=recipe.model.output)
    scale = recipe.model.input_scale or 1 / np.iinfo(dataset.dtype).max
    network = build_network(
        recipe.model.model_copy(update={"input_scale": scale}),
        classes=classes,
        channels=channels,
        size=recipe.data.size,
        seed=recipe.runtime.seed,
        precision=recipe.runtime.precision,
    )
    scores = Scores(
        classes,
        recipe.training.metrics,
        threshold=recipe.post.threshold,
        outputs=network.outputs,
        objects=network.objects,
    )
    loss.outputs, loss.objects = network.outputs, network.objects
    if recipe.runtime.fused:
        exchange_kernels(network.trainer)
        fold_frozen(network.trainer)
        enlarge_at_once(network.trainer, compiled=is_compiled(recipe.runtime))
    compile_network(network, recipe, loss, scores, freeze=recipe.model.freeze)
    return Parts(
        dataset,
        network,
        scores,
        _training_batches(dataset.split("train"), recipe, channels),
        _validation_batches(dataset, recipe, channels),
        make_card(dataset, recipe, channels, network),
    )


def compile_network(
    network: Network,
    recipe: Recipe,
    loss: keras.losses.Loss,
    scores: Scores,
    *,
    freeze: str | int,
) -> None:
    """Freeze a part of the encoder, and compile the trainer with a new optimizer.

    Args:
        network: The network.
        recipe: All settings.
        loss: What is minimised.
        scores: The trainer's metric.
        freeze: As ``model.freeze``.
    """
    network.freeze(freeze, statistics=recipe.model.statistics)
    paths = {weight.path for layer in network.encoder_layers for weight in layer.weights}
    optimizer = make_optimizer(recipe.training, paths)
    network.trainer.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=[scores],
        # Not Keras's own choice, which compiles on TensorFlow with a GPU whenever it can.
        jit_compile=is_compiled(recipe.runtime),
    )


def make_card(dataset: Dataset, recipe: Recipe, channels: int, network: Network) -> Card:
    """Return the card of the bundles that a training makes; scores and files come later.

    Args:
        dataset: The samples.
        recipe: All settings.
        channels: Of the images.
        network: The network.
    """
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
        tile=recipe.data.tile,
        receptive_field=receptive_field(network.model),
        fixed_size=works_at_one_size(recipe.model),
        output=recipe.model.output,
        objects=object_targets_of(recipe.model),
        post=recipe.post,
        pixel_size=dataset.description.pixel_size,
        pixel_unit=dataset.description.unit or "µm",
        precision=recipe.runtime.precision,
        data_hash=sha256("".join(sorted(dataset.hashes)).encode()).hexdigest(),
        versions=versions(),
        licences={"code": "MIT", "weights": _origin(network.provenance)},
    )


def _origin(provenance: str | None) -> str:
    if provenance is None:
        return "trained from nothing on the user's data"
    return f"trained on the user's data; the encoder began with {provenance}"


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
        oversample=recipe.data.oversample,
        oversample_kinds=recipe.data.oversample_kinds,
        kinds=_kinds(dataset, recipe),
        targets=object_targets_of(recipe.model),
    )
    return Batches(
        windows, batch_size=recipe.training.batch_size, seed=recipe.runtime.seed, shuffle=True
    )


def _kinds(dataset: Dataset, recipe: Recipe) -> tuple[int, ...]:
    """Return the kind of picture of each sample, none where nothing goes by it."""
    if not (recipe.augment.copy_paste or recipe.data.oversample_kinds):
        return ()
    return tuple(kinds(fingerprints_of(dataset)))


def _validation_batches(dataset: Dataset, recipe: Recipe, channels: int) -> Batches | None:
    if "validation" not in dataset.splits:
        return None
    windows = ValidationWindows(
        dataset.split("validation"),
        recipe.data.size,
        recipe.data.fit,
        channels,
        normalise=recipe.data.normalise,
        targets=object_targets_of(recipe.model),
    )
    return Batches(windows, batch_size=recipe.training.batch_size)


def _require_classes(ids: Sequence[int], classes: Sequence[str]) -> None:
    unknown = [number for number in ids if number >= len(classes)]
    if unknown:
        raise RecipeError(
            f"post.largest_only names the class {unknown[0]}, and there are {len(classes)}.",
            hint=f"Name ids from 1 to {len(classes) - 1}.",
        )


def _require_objects(dataset: Dataset, recipe: Recipe) -> None:
    """Refuse to learn of objects, or to paste them, where the data has none."""
    wanted = {
        "model.objects": recipe.model.objects if recipe.model.objects != "none" else None,
        "augment.copy_paste": recipe.augment.copy_paste or None,
    }
    lacking = [
        record.name
        for record, facts in zip(dataset.records, dataset.facts, strict=True)
        if facts.objects is None
    ]
    for key, value in wanted.items():
        if value is not None and lacking:
            raise DataError(
                f"{key} = {value} needs objects, and {lacking[0]} of {dataset.name} has classes "
                "only.",
                hint=f"Give masks in which each object is a file or a number, or unset {key}.",
            )
