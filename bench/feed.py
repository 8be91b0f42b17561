"""How much of the compiled step's speed a whole training keeps.

One process: after each epoch of `train`, the same compiled step is timed on batches that are ready
in memory, for as many steps. Usage: python bench/feed.py [DATA]; without DATA on made nuclei.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import delineate as dl

dl.train  # noqa: B018  chooses the backend before Keras is imported

import keras  # noqa: E402
from measure import write_rows  # noqa: E402

from delineate.data.synthetic.nuclei import make_nuclei  # noqa: E402

EPOCHS = 4


class FromMemory(keras.callbacks.Callback):
    """Times the compiled step on batches in memory, after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list = []
        self.rows: list[dict] = []
        self.epoch_begun = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_begun = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        whole = time.perf_counter() - self.epoch_begun
        steps = self.params["steps"]
        images = sum(len(self.batches[step % len(self.batches)][0]) for step in range(steps))
        begun = time.perf_counter()
        for step in range(steps):
            self.model.train_on_batch(*self.batches[step % len(self.batches)])
        step_speed = images / (time.perf_counter() - begun)
        self.rows.append(
            {
                "epoch": epoch + 1,
                "step_from_memory": round(step_speed, 2),
                "train_steps": logs["images_per_second"],
                "train_with_validation": round(images / whole, 2),
            }
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "nuclei"
        if len(sys.argv) == 1:
            make_nuclei(data, train=120, validation=12, test=2)
        dataset = dl.Dataset.open(data)
        recipe = dl.Recipe.load("unet-nuclei").override(
            {
                "training.epochs": EPOCHS,
                "callbacks.early_stopping": "none",
                "evaluation.report": False,
                "data.crops_per_image": 1 if len(sys.argv) > 1 else 4,
            }
        )
        timed = FromMemory()
        timed.batches = in_memory(dataset, recipe)
        dl.train(dataset, recipe, to=Path(folder) / "run", callbacks=[timed])
    rows = timed.rows[1:]  # the first epoch compiles
    ratios = [row["train_steps"] / row["step_from_memory"] for row in rows]
    summary = {
        "recipe": "unet-nuclei",
        "data": data.name if len(sys.argv) > 1 else "made nuclei",
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_least": round(min(ratios), 3),
        "ratio_most": round(max(ratios), 3),
    }
    print(summary)
    write_rows("feed", [summary, *rows])


def in_memory(dataset: dl.Dataset, recipe: dl.Recipe) -> list:
    """Return some training batches as arrays."""
    from delineate.data.splitting.partition import partition
    from delineate.training.parts import assemble

    parts = assemble(partition(dataset, recipe.data, seed=0), recipe)
    return [parts.batches.batch(0, step) for step in range(min(8, parts.batches.steps))]


if __name__ == "__main__":
    main()
