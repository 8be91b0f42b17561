"""A run made by hand: its bundle predicts by brightness, its data is noisy."""

import json

import numpy as np
import pytest

from delineate.data.dataset import Dataset
from delineate.data.splitting.partition import describe_splits
from delineate.evaluation.evaluate import evaluate
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe
from delineate.runs import Run
from tests.bundles import pointwise_model, save_bundle

BOUNDS = [0.4, 0.75]
CLASSES = ("background", "cell", "vessel")
SPLITS = ["train"] * 4 + ["validation"] * 3 + ["test"] * 4


def make_sample(number, *, seed=0):
    """Return an image of bright rectangles with noise and a mask with some ignored pixels."""
    rng = np.random.default_rng([number, seed])
    size = 20 + 3 * number, 31 - number
    mask = np.zeros(size, np.uint8)
    for label in (1, 2, 1):
        row, column = rng.integers(0, size[0] - 6), rng.integers(0, size[1] - 6)
        mask[row : row + 6, column : column + 6] = label
    brightness = np.array([0.2, 0.6, 0.9])[mask] + rng.normal(0, 0.12, size)
    mask[-1] = 255
    image = (brightness.clip(0, 1) * 255).round().astype(np.uint8)
    return image[..., np.newaxis], mask


def make_data(*, seed=0, **options):
    """Return data of 11 images; the last but one has an empty mask."""
    images, masks = zip(*(make_sample(number, seed=seed) for number in range(11)), strict=True)
    masks[9][:] = 0
    values = {"classes": CLASSES, "splits": SPLITS, "name": "blots"}
    return Dataset.from_arrays(images, masks, **(values | options))


def make_run(folder, dataset, *, rows=(), bounds=BOUNDS, **settings):
    """Return a run whose dataset.json knows a data set, with a journal of some epochs."""
    run = Run(folder)
    save_bundle(run.best, pointwise_model(bounds), scores={"val_dice": 0.75})
    run.recipe.write_text(write_recipe(Recipe().override(settings)), encoding="utf-8")
    run.dataset.write_text(json.dumps(describe_splits(dataset)))
    run.write_events([{"event": "epoch", "scores": row} for row in rows])
    return run


@pytest.fixture(scope="session")
def data():
    return make_data()


@pytest.fixture(scope="session")
def run(tmp_path_factory, data):
    rows = [
        {"epoch": 1, "loss": 0.9, "val_loss": 0.7, "seconds": 2.0},
        {"epoch": 2, "loss": 0.5, "val_loss": 0.6, "seconds": 3.0},
    ]
    folder = tmp_path_factory.mktemp("runs") / "run"
    return make_run(folder, data, rows=rows, **{"evaluation.cases": 2})


@pytest.fixture(scope="session")
def report(run, data):
    """The report of the run on its test part, which also stands in the run's folder."""
    return evaluate(run, data)
