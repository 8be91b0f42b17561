"""An hour of training, scoring and predicting: does memory grow, is anything left behind?

Usage: python -m tests.campaigns.long_run FOLDER [MINUTES]
"""

import gc
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from delineate.data.dataset import Dataset
from delineate.evaluation.evaluate import evaluate
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe
from delineate.training.train import train
from tests.campaigns.record import write
from tests.training.conftest import TINY, make_discs

# Of the memory, at the most.
GROWTH = 0.02


def main() -> None:
    folder = Path(sys.argv[1])
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    data, recipe = prepared()
    begun, rows = time.monotonic(), []
    while (spent := time.monotonic() - begun) < 60 * minutes:
        one_round(data, recipe, folder)
        # As between two trainings of one program: Keras keeps the names of all layers otherwise.
        keras.backend.clear_session()
        gc.collect()
        rows.append({"case": f"round {len(rows) + 1}", "minutes": spent / 60, **state()})
        if len(rows) % 10 == 0:
            write("long-run", rows)
            print(rows[-1], flush=True)
    write("long-run", rows)
    first, last = (_median(rows, part) for part in ("first", "last"))
    print(f"{len(rows)} rounds: {first:.0f} MiB after a sixth, {last:.0f} MiB in the last sixth")
    left = {key for key in ("handles", "children") if rows[-1][key] > rows[len(rows) // 6][key]}
    if last > (1 + GROWTH) * first or left:
        raise SystemExit(f"It has grown; left behind: {', '.join(sorted(left)) or 'nothing'}.")


def prepared() -> tuple[Dataset, Recipe]:
    """Return what is trained in each round."""
    images, masks, instances = make_discs()
    splits = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    data = Dataset.from_arrays(images, masks, instances=instances, splits=splits, name="discs")
    return data, Recipe().override({**TINY, "evaluation.report": True, "callbacks.pictures": 2})


def one_round(data: Dataset, recipe: Recipe, folder: Path) -> None:
    """Train, score and predict, in a run folder made anew."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    run = train(data, recipe, to=folder / "run")
    evaluate(run, data, split="test", to=folder / "run" / "test")
    predictor = Predictor.open(run)
    for sample in data:
        predictor.predict(sample.image)


def state() -> dict[str, Any]:
    """Return this process's memory, open files, threads and children."""
    own = Path("/proc/self")
    pages = int((own / "statm").read_text().split()[1])
    children = (own / "task" / str(os.getpid()) / "children").read_text().split()
    return {
        "mib": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1),
        "handles": len(list((own / "fd").iterdir())),
        "threads": len(list((own / "task").iterdir())),
        "children": len(children),
    }


def _median(rows: list[dict[str, Any]], part: str) -> float:
    sixth = max(1, len(rows) // 6)
    chosen = rows[sixth : 2 * sixth] if part == "first" else rows[-sixth:]
    return float(np.median([row["mib"] for row in chosen or rows]))


if __name__ == "__main__":
    main()
