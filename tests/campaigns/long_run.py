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

from delineate.data.dataset import Dataset
from delineate.evaluation.evaluate import evaluate
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe
from delineate.training.train import train
from tests.campaigns.growth import grown, sixths
from tests.campaigns.record import Row, origin, write
from tests.training.conftest import TINY, make_discs

NAME = "long-run"


def main() -> None:
    folder = Path(sys.argv[1])
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    data, recipe = prepared()
    here = origin()
    begun, rows = time.monotonic(), []
    while time.monotonic() - begun < 60 * minutes:
        one_round(data, recipe, folder)
        # As between two trainings of one program: Keras keeps the names of all layers otherwise.
        keras.backend.clear_session()
        gc.collect()
        named = {"case": f"round {len(rows) + 1}", **here}
        rows.append({**named, "minutes": (time.monotonic() - begun) / 60, **state()})
        if len(rows) % 10 == 0:
            _keep(rows)
            print(rows[-1], flush=True)
    _keep(rows)
    second, last = (sixth["mib"] for sixth in sixths(rows))
    print(f"{len(rows)} rounds: {second:.0f} MiB after a sixth, {last:.0f} MiB in the last sixth")
    if found := grown(rows):
        raise SystemExit(f"It has grown: {', '.join(found)}.")


def _keep(rows: list[Row]) -> None:
    write(NAME, rows, {"": [row["case"] for row in rows]})


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


if __name__ == "__main__":
    main()
