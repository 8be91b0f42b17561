"""Trainings that hold out one fold after the other, and the one bundle that they make together."""

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from delineate.bundle import Bundle, Card, Member
from delineate.data.dataset import Dataset
from delineate.data.splitting.partition import partition_as, partition_folds
from delineate.errors import RunError
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.said import Said
from delineate.evaluation.tune import Tuning, search, some_of, trials_of, wishes_of
from delineate.hold import refuse_vanished
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe
from delineate.runs import ENDED, Run, resumptions_of
from delineate.training import checkpoint
from delineate.training.afterwards import seconds_of_report, seconds_of_search_and_report
from delineate.training.refusing import refuse_lost_points
from delineate.training.session import BUDGET

# The minutes of a fold at the least.
LEAST = 0.1
# Share of a budget for what comes after all folds, until a network of the first one can tell.
AFTER = 0.05
BEGUN = "begun"


class TrainFold(Protocol):
    """What trains one fold."""

    def __call__(self, dataset: Dataset, recipe: Recipe, *, to: Path, resume: bool) -> Run:
        """Return the run, trained to its end."""
        ...


def whole_run(dataset: Dataset, recipe: Recipe) -> Dataset:
    """Return the images of a run of folds: all that are trained on, and those of the test.

    Args:
        dataset: The images and masks.
        recipe: All settings.

    Raises:
        DataError: There are too few images for so many folds.
    """
    return _as_trained_on(_folds_of(dataset, recipe)[0])


def train_folds(
    dataset: Dataset, recipe: Recipe, run: Run, train: TrainFold, *, begun: float
) -> Run:
    """Train each fold in a folder of its own, join the best bundles to one, and return the run.

    A fold that has ended is not trained again, one that was interrupted goes on, and one that came
    to nothing begins anew. Settings are searched, if the recipe asks for it, on all folds together,
    each image predicted by the network that has not seen it. The members of the bundle have seen
    all images but those of the test.

    Args:
        dataset: The images and masks.
        recipe: All settings; the time of a budget that is left is shared out before each fold.
        run: Where it all goes; its folder and its description exist.
        train: Trains one fold.
        begun: When the command began, by ``time.monotonic``.

    Raises:
        DataError: There are too few images for so many folds.
        RunError: The data is not what the run was begun with.
        FileNotFoundError: The run folder was moved or deleted meanwhile.
    """
    if run.has_ended():
        return run
    parts = _folds_of(dataset, recipe)
    partition_as(_as_trained_on(parts[0]), run.read_json(run.dataset))
    runs = [run.fold(number) for number in range(1, len(parts) + 1)]
    clock = _Clock(recipe, before=_seconds_before(run, runs), begun=begun)
    if not run.events():
        _note(run, BEGUN, spent=round(clock.spent, 3))
    for number, (fold, part) in enumerate(zip(runs, parts, strict=True)):
        refuse_vanished(run.folder)
        if fold.has_ended():
            continue
        resumed = checkpoint.exists(fold.last)
        if not resumed:
            refuse_lost_points(fold)
            shutil.rmtree(fold.folder, ignore_errors=True)
        after = _seconds_after(runs[:number], parts, recipe)
        own = _recipe_of_fold(recipe, clock.share(len(runs) - number, after=after))
        train(part, own, to=fold.folder, resume=resumed)
    refuse_vanished(run.folder)
    _note_resumptions(run, runs)
    found = _tuned(runs, parts, recipe, clock.left) if recipe.post.tune else None
    join(runs, run, found)
    if _is_reported(parts, recipe):
        evaluate(run, dataset, split="test")
    _note(run, ENDED)
    return run


def _note_resumptions(run: Run, runs: Sequence[Run]) -> None:
    """Note which folds were resumed, and whether exactly, once: the report of all says it."""
    if any(event.get("event") == "resumed" for event in run.events()):
        return
    for number, fold in enumerate(runs, 1):
        found = resumptions_of(fold.events())
        if found is not None:
            _note(run, "resumed", fold=number, exact=found["exact"], why=found["why"])


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
    ours = all(bundle.ours for bundle in bundles)
    return Bundle.save(run.best, bundles[0].card.model_copy(update=changes), write, ours=ours)


def _folds_of(dataset: Dataset, recipe: Recipe) -> list[Dataset]:
    return partition_folds(
        dataset, recipe.data, folds=recipe.training.folds, seed=recipe.runtime.seed
    )


class _Clock:
    """The time of a run of folds.

    Args:
        recipe: All settings.
        before: Seconds spent before a resumption.
        begun: When this command began, by ``time.monotonic``.
    """

    def __init__(self, recipe: Recipe, *, before: float, begun: float) -> None:
        budget = recipe.training.budget
        self._seconds = math.inf if budget is None else 60 * budget
        self._before, self._begun = before, begun

    @property
    def spent(self) -> float:
        """Seconds spent so far."""
        return self._before + time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds that are left; infinite without a budget."""
        return self._seconds - self.spent

    def share(self, folds: int, *, after: float | None) -> float | None:
        """Return the minutes of each of so many folds; None without a budget.

        Args:
            folds: Those that have not ended.
            after: Seconds that are needed when all have; None: not known yet.
        """
        if self._seconds == math.inf:
            return None
        reserve = AFTER * self._seconds if after is None else after
        return max(LEAST, (self.left - reserve) / folds / 60)


def _recipe_of_fold(recipe: Recipe, minutes: float | None) -> Recipe:
    """Return the recipe of a fold, with its share of the time."""
    return recipe.override(
        {
            "training.folds": 1,
            "training.budget": minutes,
            "post.tune": False,
            # What was found in the data has been told.
            "data.check": "none",
        }
    )


def _seconds_before(run: Run, folds: Sequence[Run]) -> float:
    """Return what a run has taken before it was interrupted, as far as its budget is to know."""
    planned = next((each["spent"] for each in run.events() if each["event"] == BEGUN), 0.0)
    return float(planned + sum(map(_seconds_of, folds)))


def _seconds_of(fold: Run) -> float:
    """Return what a fold has taken of the budget so far, its report included."""
    ended = [event for event in fold.events() if event["event"] == ENDED]
    if ended:
        return float(ended[-1].get("spent", 0.0))
    try:
        return float(checkpoint.load(fold.last).states.get(BUDGET, {}).get("spent", 0.0))
    except RunError:
        return 0.0


def _note(run: Run, event: str, **values: Any) -> None:
    run.write_events([*run.events(), {"event": event, "time": round(time.time(), 3), **values}])


def _is_reported(parts: Sequence[Dataset], recipe: Recipe) -> bool:
    return recipe.evaluation.report and "test" in parts[0].splits


def _seconds_after(done: Sequence[Run], parts: Sequence[Dataset], recipe: Recipe) -> float | None:
    """Return how long what comes after all folds will take; None while no network can tell.

    Args:
        done: The folds that have ended.
        parts: The images of each fold, by what they are for.
        recipe: All settings.
    """
    if not done or recipe.training.budget is None:
        return None
    predictor = Predictor.open(done[0])
    return seconds_of_search_and_report(
        predictor,
        members=len(parts),
        reported=parts[0].split("test") if _is_reported(parts, recipe) else None,
        searched=_searched(parts, predictor.card)[1] if recipe.post.tune else None,
        augment=recipe.augment,
        budget=60 * recipe.training.budget,
    )


def _searched(parts: Sequence[Dataset], card: Card) -> tuple[list[Dataset], Dataset]:
    """Return the images of the search: those that each fold has held out, and all together."""
    held = [part.split("validation") for part in parts]
    held = [some_of(part, card, share=1 / len(parts)) for part in held]
    places = {record.name: index for index, record in enumerate(parts[0].records)}
    return held, parts[0].subset([places[each.name] for part in held for each in part.records])


def _tuned(
    runs: Sequence[Run], parts: Sequence[Dataset], recipe: Recipe, seconds: float
) -> Tuning | None:
    """Return the settings that are best for images that each network has not seen.

    Args:
        runs: One for each fold.
        parts: The images of each, by what they are for.
        recipe: All settings.
        seconds: The time there is for it, and for the report on the test images.

    Returns:
        None where there is no time for it.
    """
    predictors = [Predictor.open(run, runtime="keras") for run in runs]
    card = predictors[0].card
    held, seen = _searched(parts, card)
    again = 0.0
    if _is_reported(parts, recipe):
        tests = parts[0].split("test")
        again = len(tests) * len(runs) / len(seen)
        seconds -= seconds_of_report(predictors[0], tests)
    if seconds <= 0:
        return None
    said = Said(
        list(zip(predictors, held, strict=True)),
        seconds=seconds,
        again=again,
        between=trials_of(card, seen) // 2,
    )
    wishes = wishes_of(card.post, recipe.augment)
    return search(card, seen, said, wishes, is_over=said.is_over)


def _mean_scores(cards: Sequence[Card]) -> dict[str, float | None]:
    keys = [key for key in cards[0].scores if all(key in card.scores for card in cards)]
    rows = {key: [card.scores[key] for card in cards] for key in keys}
    return {
        key: float(np.mean([value or 0.0 for value in row]))
        for key, row in rows.items()
        if None not in row
    }


def _as_trained_on(first: Dataset) -> Dataset:
    """Return the images with those of all folds in the training part: none validates the run."""
    splits = {
        record.name: "train" if record.split == "validation" else str(record.split)
        for record in first.records
    }
    return first.with_splits(splits)
