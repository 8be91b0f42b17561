"""How a training begins: with which recipe, in which folder, on which images."""

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from delineate.data.checking.check import TOLD, heed_faults
from delineate.data.checking.inspection import heeded, inspect
from delineate.data.dataset import Dataset
from delineate.data.records import Record
from delineate.data.splitting.partition import (
    describe_splits,
    partition,
    partition_as,
    stored_hashes,
)
from delineate.errors import DataError, ImageError, RunError
from delineate.files import sha256, write_whole
from delineate.models.machine import environment
from delineate.models.weights import weights_path
from delineate.planning.plan import Plan, plan
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe
from delineate.runs import Run, next_folder
from delineate.training.refusing import refuse_lost_weights, refuse_settings
from delineate.training.resuming import RECIPE

_log = logging.getLogger(__name__)

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
        found = inspect(dataset, progress, recipe=recipe)
        heed_faults(heeded(found, recipe.data), recipe.data.check)
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


def without_unreadable(
    dataset: Dataset, run: Run, progress: Reading | None, *, resume: bool
) -> tuple[Dataset, list[Record]]:
    """Return the data set without the images that cannot be read, which are named.

    Of a run that exists only those are looked at that are no longer what they were.

    Args:
        dataset: The images and masks.
        run: The run.
        progress: Called with (done, all) while the data is read.
        resume: Whether it exists, and says which images it was begun with.

    Returns:
        The data set, and the images that the run was begun with and that cannot be read any longer.

    Raises:
        RunError: What it says is damaged.
        DataError: No image can be read.
    """
    lost: list[Record] = []
    if resume and run.dataset.exists():
        hashes = stored_hashes(run.read_json(run.dataset))
        lost = _lost(dataset, hashes)
        names = hashes.keys() - {record.name for record in lost}
    else:
        found = inspect(dataset, progress)
        for record, error in found.failures[:TOLD]:
            _log.warning("%s is left out: %s", record.name, error.message)
        if len(found.failures) > TOLD:
            _log.warning("and %d more are left out", len(found.failures) - TOLD)
        names = {record.name for record in found.readable.records}
    kept = [index for index, record in enumerate(dataset.records) if record.name in names]
    if not kept and resume:
        # Other data, which is refused with what it was to be.
        return dataset, []
    if not kept:
        raise DataError(
            f"None of the images of {dataset.name} can be read.",
            hint="Run 'delineate check' on the folder.",
        )
    # Without the whole data set beside it, whose facts are those of the others, too.
    if len(kept) == len(dataset):
        return dataset, lost
    return replace(dataset.subset(kept), whole=None), lost


def _lost(dataset: Dataset, hashes: Mapping[str, str]) -> list[Record]:
    """Return the images that are not what they were, and cannot be read any longer.

    Args:
        dataset: The images and masks.
        hashes: What their content hashes were, by name.
    """
    found = []
    for index, record in enumerate(dataset.records):
        try:
            if hashes.get(record.name) not in (None, dataset.content_hash(index)):
                dataset.decoded(index)
        except ImageError as error:
            _log.warning("%s is left out from now on: %s", record.name, error.message)
            found.append(record)
    return found


def split(
    dataset: Dataset, recipe: Recipe, run: Run, *, resume: bool, lost: Collection[Record] = ()
) -> Dataset:
    """Return the data set with its splits; nothing is written yet.

    Args:
        dataset: The images and masks.
        recipe: All settings.
        run: The run.
        resume: Whether it exists, and says which image is in which split, unless it ended before.
        lost: Images that are left out from now on.

    Raises:
        DataError: The images cannot be split.
        RunError: The data, or the file of the weights, is not what it was.
    """
    if resume:
        refuse_lost_weights(run, recipe)
        if run.dataset.exists():
            return partition_as(dataset, run.read_json(run.dataset), without=lost)
    return partition(dataset, recipe.data, seed=recipe.runtime.seed)


def describe(
    run: Run, dataset: Dataset, recipe: Recipe, reasons: Mapping[str, str] | None = None
) -> None:
    """Write what a run is before anything is trained: recipe, environment and splits.

    The recipe first, since with it the rest can be made again. A recipe and splits that are there
    already stay.

    Args:
        run: The run, whose folder exists.
        dataset: The images, each with its split.
        recipe: All settings.
        reasons: Those of a plan, by "section.key".
    """
    if not run.recipe.is_file():
        write_whole(run.recipe, write_recipe(recipe, reasons=reasons))
    where = {**environment(), RECIPE: sha256(run.recipe)}
    write_whole(run.environment, json.dumps(where, indent=2) + "\n")
    if not run.dataset.is_file():
        write_whole(run.dataset, json.dumps(describe_splits(dataset), indent=1) + "\n")


def _with_whole_path(recipe: Recipe) -> Recipe:
    """Return the recipe with the path of its weights from the root, to be resumed from anywhere."""
    path = weights_path(recipe.model)
    return recipe if path is None else recipe.override({"model.weights": str(path.resolve())})
