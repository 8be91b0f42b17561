"""Trainings that hold out one fold after the other, and the one bundle that they make together."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from delineate.bundle import Bundle, Card, Member
from delineate.data.dataset import Dataset
from delineate.data.splitting.partition import partition_folds
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.tune import Tuning, outputs_of, search, some_of, ways_of
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training.beginning import describe


class TrainFold(Protocol):
    """What trains one fold."""

    def __call__(self, dataset: Dataset, recipe: Recipe, *, to: Path, resume: bool) -> Run:
        """Return the run, trained to its end."""
        ...


def train_folds(
    dataset: Dataset, recipe: Recipe, run: Run, train: TrainFold, *, resume: bool
) -> Run:
    """Train each fold in a folder of its own, join the best bundles to one, and return the run.

    A fold that has ended is not trained again, and one that was interrupted goes on. Settings are
    searched, if the recipe asks for it, on all folds together, each image predicted by the network
    that has not seen it. The members of the bundle have seen all images but those of the test.

    Args:
        dataset: The images and masks.
        recipe: All settings; a budget is shared out evenly.
        run: Where it all goes.
        train: Trains one fold.
        resume: Whether the run exists already.

    Raises:
        DataError: There are too few images for so many folds.
    """
    count, seed = recipe.training.folds, recipe.runtime.seed
    parts = partition_folds(dataset, recipe.data, folds=count, seed=seed)
    own = _recipe_of_fold(recipe)
    if not resume:
        describe(Run.create(run.folder), _as_trained_on(parts[0]), recipe)
    runs = []
    for number, part in enumerate(parts, 1):
        fold = run.fold(number)
        begun = fold.recipe.is_file()
        if not _has_ended(fold):
            train(part, own, to=fold.folder, resume=begun)
        runs.append(fold)
    found = _tuned(runs, parts, recipe) if recipe.post.tune else None
    join(runs, run, found)
    if recipe.evaluation.report and "test" in parts[0].splits:
        evaluate(run, dataset, split="test")
    return run


def join(runs: Sequence[Run], run: Run, found: Tuning | None) -> Bundle:
    """Return one bundle of the best bundles of several runs, their probabilities averaged.

    Args:
        runs: The runs, of one recipe.
        run: Where the bundle goes.
        found: The settings that it gets; None: those of the first run.
    """
    bundles = [Bundle.open(each.best) for each in runs]
    names = [f"model-{number}.keras" for number in range(1, len(bundles) + 1)]

    def write(folder: Path) -> None:
        for bundle, name in zip(bundles, names, strict=True):
            shutil.copyfile(bundle.folder / bundle.card.members[0].file, folder / name)

    changes: dict[str, Any] = {
        "members": tuple(Member(file=name) for name in names),
        "scores": _mean_scores([bundle.card for bundle in bundles]),
    }
    if found is not None:
        changes["post"] = found.post
    return Bundle.save(run.best, bundles[0].card.model_copy(update=changes), write)


def _recipe_of_fold(recipe: Recipe) -> Recipe:
    settings = recipe.training
    budget = settings.budget and settings.budget / settings.folds
    return recipe.override(
        {
            "training.folds": 1,
            "training.budget": budget,
            "post.tune": False,
            # What was found in the data has been told.
            "data.check": "none",
        }
    )


def _has_ended(fold: Run) -> bool:
    return any(event["event"] == "ended" for event in fold.events())


def _tuned(runs: Sequence[Run], parts: Sequence[Dataset], recipe: Recipe) -> Tuning:
    """Return the settings that are best for images that each network has not seen."""
    ways = ways_of(recipe.augment)
    outputs: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    held: list[str] = []
    for run, part in zip(runs, parts, strict=True):
        own = some_of(part.split("validation"))
        held += [record.name for record in own.records]
        for way, found in outputs_of(Predictor.open(run), own, ways).items():
            outputs[way] += found
    whole = parts[0]
    places = {record.name: index for index, record in enumerate(whole.records)}
    seen = whole.subset([places[name] for name in held])
    return search(Bundle.open(runs[0].best).card, seen, outputs)


def _mean_scores(cards: Sequence[Card]) -> dict[str, float | None]:
    keys = [key for key in cards[0].scores if all(key in card.scores for card in cards)]
    rows = {key: [card.scores[key] for card in cards] for key in keys}
    return {
        key: float(np.mean([value for value in row if value is not None]))
        for key, row in rows.items()
        if all(value is not None for value in row)
    }


def _as_trained_on(first: Dataset) -> Dataset:
    """Return the images with those of all folds in the training part: none validates the run."""
    splits = {
        record.name: "train" if record.split == "validation" else str(record.split)
        for record in first.records
    }
    return first.with_splits(splits)
