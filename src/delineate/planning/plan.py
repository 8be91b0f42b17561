"""The plan: a recipe for a data set on this machine, in which every value bears its reason."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from delineate.catalog import find
from delineate.data.checking.check import heed_faults
from delineate.data.checking.inspection import Inspection, heeded, inspect
from delineate.data.dataset import Dataset
from delineate.data.splitting.partition import partition, partition_folds
from delineate.planning.choice import Choice, reasons_of, values_of
from delineate.planning.data_choices import data_choices, split_choices
from delineate.planning.fingerprint import Fingerprint, fingerprint_of
from delineate.planning.model_choices import model_choices
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """A recipe, and the reason of each of its values.

    Attributes:
        recipe: All settings.
        reasons: By "section.key"; what nobody chose has none.
        fingerprint: What the data set is.
        machine: What the machine is, plain values.
        seconds: What making it took, which is part of a budget.
    """

    recipe: Recipe
    reasons: Mapping[str, str]
    fingerprint: Fingerprint
    machine: Mapping[str, Any]
    seconds: float = 0.0

    def text(self) -> str:
        """Return the recipe as TOML, each value with its reason; it can be edited and trained."""
        return write_recipe(self.recipe, reasons=self.reasons)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "reasons": dict(self.reasons),
            "fingerprint": self.fingerprint.to_json(),
            "machine": dict(self.machine),
        }


def plan(
    dataset: Dataset,
    *,
    budget: float | None = None,
    settings: Mapping[str, object] | None = None,
    refuse: Callable[[Recipe], None] | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Return a recipe for a data set, chosen by what it is and by how fast this machine is.

    Args:
        dataset: The images and masks.
        budget: Minutes that the training may take; unset: 30.
        settings: What is settled already, by "section.key": the other choices go by it.
        refuse: Called with all settings but those that depend on how fast this machine is, before
            that is measured; may raise where they make no sense.
        progress: Called with (done, all) while the data is read.

    Raises:
        DataError: The data set holds errors, or cannot be understood.
        UsageError: An encoder, decoder or loss that does not exist.
        RecipeError: A setting is unknown or has a bad value; or the memory is too small.
    """
    # Measuring needs Keras, reading what the data set is does not.
    from delineate.models.machine import machine, set_up
    from delineate.planning.training_choices import training_choices

    begun = time.monotonic()
    given = dict(settings or {}) | ({} if budget is None else {"training.budget": budget})
    choices = split_choices(len(dataset), list(dataset.splits))
    asked = Recipe().override(values_of(choices) | given)
    # As the recipe has it: "none" may stand for unset.
    said = {key: attrgetter(key)(asked) for key in given}
    _refuse_unknown(asked)
    inspection = inspect(dataset, progress)
    heed_faults(heeded(inspection, asked.data), asked.data.check)
    found = fingerprint_of(_without_test(inspection, asked))
    choices |= {**data_choices(found, said), **model_choices(found, said)}
    told = {key: Choice(value, "as you said") for key, value in said.items()}
    recipe = Recipe().override(values_of(choices | told))
    # Threads and determinism have to be those of the training, and stay for good.
    set_up(asked.runtime)
    if refuse is not None:
        refuse(recipe)
    choices |= training_choices(found, recipe, said)
    recipe = Recipe().override(values_of(choices | told))
    seconds = time.monotonic() - begun
    return Plan(recipe, reasons_of(choices | told), found, machine(), seconds)


def _refuse_unknown(asked: Recipe) -> None:
    """Refuse names that are in no table, before the data is read."""
    find("encoders", asked.model.encoder)
    find("decoders", asked.model.decoder)
    for name in asked.loss.terms:
        find("losses", name)


def _without_test(inspection: Inspection, asked: Recipe) -> Inspection:
    """Return the images that are trained on and validated, each with its split.

    Nothing is chosen by the images of the test, not even the size of a window. With folds, the
    splits are those of the first.
    """
    parted = _parted(inspection.readable, asked)
    kept = [index for index, record in enumerate(parted.records) if record.split != "test"]
    parted = parted.subset(kept)
    names = (record.name for record in inspection.readable.records)
    look_of = dict(zip(names, inspection.looks, strict=True))
    looks = tuple(look_of[record.name] for record in parted.records)
    return replace(inspection, readable=parted, looks=looks)


def _parted(dataset: Dataset, asked: Recipe) -> Dataset:
    folds, seed = asked.training.folds, asked.runtime.seed
    if folds == 1:
        return partition(dataset, asked.data, seed=seed)
    return partition_folds(dataset, asked.data, folds=folds, seed=seed)[0]
