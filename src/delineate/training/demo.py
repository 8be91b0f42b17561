"""The whole way on a data set that is made from code: data, check, training, scores."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from delineate.data.checking.check import check, write_report
from delineate.data.dataset import Dataset
from delineate.data.synthetic.nuclei import make_nuclei
from delineate.evaluation.evaluate import evaluate
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training.train import train
from delineate.training.watching import Watch


def demo(
    to: str | Path = "delineate-demo",
    *,
    say: Callable[[str], None] | None = None,
    watch: Watch | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Make data, check it, train, evaluate on the test part, and return scores and places.

    Args:
        to: The folder to make.
        say: Called with a sentence before each stage.
        watch: Called after each step and epoch.
        progress: Called with (done, all) while reading.

    Raises:
        RunError: The folder exists already.
    """
    tell = say or (lambda _: None)
    begun = time.monotonic()
    folder = Path(to)
    Run.refuse_existing(folder)
    tell(f"1 of 4: making pictures of nuclei in {folder / 'nuclei'}")
    make_nuclei(folder / "nuclei")
    dataset = Dataset.open(folder / "nuclei")
    tell("2 of 4: checking them")
    write_report(check(dataset, progress=progress), folder / "check")
    tell("3 of 4: training a small U-Net")
    run = train(dataset, Recipe.load("demo"), to=folder / "run", watch=watch)
    tell("4 of 4: scoring it on the test pictures")
    report = evaluate(run, dataset, split="test")
    return {
        "folder": str(folder),
        "run": str(run.folder),
        "report": str(run.report),
        "check": str(folder / "check" / "report.html"),
        "dice_per_image": report.values["dice_per_image"],
        "mean_iou": report.values["mean_iou"],
        "seconds": round(time.monotonic() - begun, 1),
    }
