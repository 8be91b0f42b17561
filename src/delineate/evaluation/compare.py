"""Two bundles on the same images: which one is better, and how sure that is."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.data.dataset import Dataset
from delineate.data.pipeline import require_channels
from delineate.errors import DataError
from delineate.evaluation.choose import known_splits, run_of
from delineate.evaluation.paired import Difference, paired_difference, paired_tables
from delineate.evaluation.tally import (
    POOLED,
    Progress,
    Scored,
    groups_of,
    object_scores,
    score_of,
    score_part,
    scores_per_image,
)
from delineate.evaluation.wording import OBJECTS, SCORES
from delineate.prediction.predictor import Predictor
from delineate.report import Finding, Section, Table
from delineate.runs import Run

# All other scores are the better the higher they are.
LOWER_IS_BETTER = ("count_error",)


@dataclass(frozen=True)
class Rival:
    """The bundle that a run is compared with.

    Attributes:
        folder: Where it is.
        predictor: The open bundle.
    """

    folder: Path
    predictor: Predictor

    @classmethod
    def open(cls, run: Run | str | Path, here: Predictor) -> "Rival":
        """Return the bundle.

        Args:
            run: A run, or the folder of a run or of a bundle.
            here: The bundle that is compared with it.

        Raises:
            BundleError: There is no bundle.
            DataError: It has other classes, or takes images of another depth.
        """
        folder = run.folder if isinstance(run, Run) else Path(run)
        there = Predictor.open(folder)
        if there.card.names != here.card.names:
            raise DataError(
                f"{folder} has the classes {', '.join(there.card.names)}, and what it is compared "
                f"with has {', '.join(here.card.names)}.",
                hint="Compare runs that were trained on the same classes.",
            )
        if there.card.dtype != here.card.dtype:
            raise DataError(
                f"{folder} takes {there.card.dtype} images, and what it is compared with "
                f"{here.card.dtype} ones.",
                hint="Compare runs that were trained on images of the same depth.",
            )
        return cls(folder, there)

    def require_fit(self, part: Dataset) -> None:
        """Refuse images that the bundle cannot take, before hours are spent on the other one.

        Args:
            part: The images.

        Raises:
            DataError: One has other channels.
        """
        for record, facts in zip(part.records, part.facts, strict=True):
            try:
                require_channels(facts.channels, self.predictor.card.channels, record.name)
            except DataError as error:
                raise DataError(
                    f"{self.folder} cannot be compared: {error.message}",
                    hint="Compare with a run that was trained on images of these channels.",
                ) from error


def compare_with(
    rival: Rival,
    part: Dataset,
    here: Sequence[Scored],
    *,
    boundary: bool,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return how a rival differs on images that are scored already, by the names in the JSON.

    Args:
        rival: The other bundle.
        part: The images and their truth.
        here: Their scores by the bundle that is compared with it.
        boundary: Whether to score the boundaries too.
        progress: Called with (done, all) after each image.

    Returns:
        ``run``, the rival's folder; ``engine``, what has predicted for it; ``seen``, how many of
        the images are in which part of its own training data; and ``scores``, as from
        :func:`compare_scores`.

    Raises:
        DataError: The data does not fit the rival.
        RunError: The rival's ``dataset.json`` is damaged.
    """
    seen = Counter(known_splits(part, run_of(rival.folder)).values())
    there = score_part(rival.predictor, part, boundary=boundary, progress=progress)
    return {
        "run": str(rival.folder),
        "engine": rival.predictor.engine,
        "seen": dict(sorted(seen.items())),
        "scores": compare_scores(here, there, groups_of(part.records)),
    }


def compare_scores(
    here: Sequence[Scored],
    there: Sequence[Scored],
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Return how the scores of two bundles on the same images differ, by the names of the scores.

    Args:
        here: The scores of each image by one bundle.
        there: Those by the other, in the same order.
        groups: What each image is resampled with, as from
            :func:`~delineate.evaluation.tally.groups_of`.
        seed: Of the resampling.

    Returns:
        For each score: ``here``, ``there``, ``difference`` (here less there), its 95 %
        ``interval``, ``there_better``, the share of the resamples in which the other is better,
        and ``p_value``. What is not defined is None.
    """
    rng = np.random.default_rng(seed)
    tables, others = (np.stack([image.table for image in images]) for images in (here, there))
    found = {
        key: paired_tables(tables, others, score_of(key), rng, groups=groups) for key in POOLED
    }
    values, against = (scores_per_image(images) | object_scores(images) for images in (here, there))
    found |= {
        key: paired_difference(values[key], against[key], rng, groups=groups) for key in values
    }
    ordered = sorted(found, key=lambda key: [*SCORES, *OBJECTS, key].index(key))
    return {key: _told(key, found[key]) for key in ordered}


def comparison_findings(compared: dict[str, Any], split: str) -> tuple[Finding, ...]:
    """Return why a comparison is not a fair one, where it is not.

    Args:
        compared: As from :func:`compare_with`.
        split: The name of the part that was scored.
    """
    run, trained = compared["run"], compared["seen"].get("train", 0)
    chosen = compared["seen"].get("validation", 0)
    if trained:
        found = Finding(
            "compared-on-trained",
            "warning",
            f"{run} was trained on {trained:,} of these images, so the comparison flatters it.",
            "Compare on images that neither has seen, such as those of another data set, or train "
            "both on the same split.",
        )
    elif chosen and split not in ("train", "validation"):
        found = Finding(
            "compared-on-validation",
            "note",
            f"Settings of {run}, such as its best epoch, were chosen by {chosen:,} of these "
            "images, so the comparison flatters it a little.",
            "Train both on the same split.",
        )
    else:
        return ()
    return (found,)


def comparison_section(compared: dict[str, Any]) -> Section:
    """Return the part of the report that compares two bundles.

    Args:
        compared: As from :func:`compare_with`.
    """
    columns = ("score", "here", "there", "difference", "from", "to", "there better", "p")
    rows = tuple(_row(key, scores) for key, scores in compared["scores"].items())
    text = (
        f"There: {compared['run']}, which was scored on the very same images. The difference is "
        "what this one has more; from and to are its 95 % interval. Where 0 lies outside, the "
        "difference is more than the choice of the images explains."
    )
    note = (
        "There better: in which share of the resampled sets of images the other one is better; of "
        "the count error, less is better. p: how often two networks that are as good as each other "
        "would differ by as much. Of many scores one is easily below 0.05 by chance: decide which "
        "one counts before you look. Another training of the same network differs as well, which "
        "none of this says."
    )
    table = Table("On the same images", columns, rows, note)
    return Section("Compared with another", text, (table,))


def _told(key: str, found: Difference) -> dict[str, Any]:
    higher = found.second_higher
    better = round(1 - higher, 6) if higher is not None and key in LOWER_IS_BETTER else higher
    return {
        "here": found.first,
        "there": found.second,
        "difference": found.difference,
        "interval": None if found.interval is None else list(found.interval),
        "there_better": better,
        "p_value": found.p_value,
    }


def _row(key: str, scores: dict[str, Any]) -> tuple[object, ...]:
    name = (SCORES | OBJECTS).get(key, (key,))[0]
    low, high = scores["interval"] or (None, None)
    numbers = (scores[column] for column in ("here", "there", "difference"))
    return (name, *numbers, low, high, scores["there_better"], scores["p_value"])
