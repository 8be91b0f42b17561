"""How a training begins: with which recipe, in which folder, on which images."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from delineate.data.checking.check import heed_faults
from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.data.splitting.partition import describe_splits, partition, partition_as
from delineate.errors import RunError
from delineate.files import write_whole
from delineate.models.machine import environment
from delineate.models.weights import weights_path
from delineate.planning.plan import Plan, plan
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe
from delineate.runs import Run, next_folder
from delineate.training.refusing import refuse_lost_weights, refuse_settings

Reading = Callable[[int, int], None]


def settled(
    dataset: Dataset, recipe: Recipe | Plan | None, progress: Reading | None
) -> tuple[Recipe, Mapping[str, str]]:
    """Return the recipe, which makes sense, and the reasons of a plan; the data has no errors.

    Args:
        dataset: The images and masks.
        recipe: A recipe, a plan, or None: a plan is made.
        progress: Called with (done, all) while the data is read.

    Raises:
        DelineateError: The recipe makes no sense, or something in the data is an error.
    """
    if recipe is None:
        recipe = plan(dataset, progress=progress)
    if isinstance(recipe, Plan):
        refuse_settings(recipe.recipe)
        return _with_whole_path(recipe.recipe), recipe.reasons
    refuse_settings(recipe)
    if recipe.data.check != "none":
        heed_faults(inspect(dataset, progress, recipe=recipe), recipe.data.check)
    return _with_whole_path(recipe), {}


def existing(to: str | Path | None) -> Run:
    """Return the run to go on with.

    Raises:
        RunError: None is named, or there is none.
    """
    if to is None:
        raise RunError("Which run to resume is not said.", hint="Pass the run folder as --to.")
    return Run.open(to)


def fresh(dataset: Dataset, to: str | Path | None) -> Run:
    """Return a run whose folder is not there yet, or is empty.

    Raises:
        RunError: Something stands there already.
    """
    run = Run(Path(to) if to is not None else next_folder(dataset.name, "run"))
    Run.refuse_existing(run.folder)
    return run


def split(dataset: Dataset, recipe: Recipe, run: Run, *, resume: bool) -> Dataset:
    """Return the data set with its splits; nothing is written yet.

    Args:
        dataset: The images and masks.
        recipe: All settings.
        run: The run.
        resume: Whether it exists, and says which image is in which split.

    Raises:
        DataError: The images cannot be split.
        RunError: The data, or the file of the weights, is not what it was.
    """
    if resume:
        refuse_lost_weights(run, recipe)
        return partition_as(dataset, run.read_json(run.dataset))
    return partition(dataset, recipe.data, seed=recipe.runtime.seed)


def describe(
    run: Run, dataset: Dataset, recipe: Recipe, reasons: Mapping[str, str] | None = None
) -> None:
    """Write what a run is before anything is trained: environment, splits and recipe.

    Args:
        run: The run, whose folder exists.
        dataset: The images, each with its split.
        recipe: All settings.
        reasons: Those of a plan, by "section.key".
    """
    write_whole(run.environment, json.dumps(environment(), indent=2) + "\n")
    write_whole(run.dataset, json.dumps(describe_splits(dataset), indent=1) + "\n")
    write_whole(run.recipe, write_recipe(recipe, reasons=reasons))


def _with_whole_path(recipe: Recipe) -> Recipe:
    """Return the recipe with the path of its weights from the root, to be resumed from anywhere."""
    path = weights_path(recipe.model)
    return recipe if path is None else recipe.override({"model.weights": str(path.resolve())})
