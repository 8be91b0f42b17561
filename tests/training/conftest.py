"""A tiny data set and a tiny recipe, for trainings of a second."""

import keras
import numpy as np
import pytest

from delineate.data.dataset import Dataset
from delineate.recipe import Recipe

TINY = {
    "data.size": [32, 32],
    "data.near_duplicates": "ignore",
    "data.kinds": "ignore",
    "augment.scale": 0.2,
    "augment.rotation": 10.0,
    "augment.brightness": 0.1,
    "augment.noise": 0.02,
    "model.depth": 1,
    "model.filters": 4,
    "model.dropout": [0.2],
    "model.output": "sigmoid",
    "loss.terms": {"binary_crossentropy": 1.0},
    "training.epochs": 3,
    "training.batch_size": 4,
    "training.learning_rate": 0.01,
    "callbacks.best": "val_loss",
    "callbacks.early_stopping": "val_loss",
    "callbacks.early_stopping_patience": 5,
    "callbacks.reduce_on_plateau": "val_loss",
    "callbacks.reduce_patience": 1,
    "callbacks.minimum_gain": 0.05,
    "callbacks.pictures": 0,
    "evaluation.boundary": False,
    "evaluation.report": False,
}


def make_discs(count=12, size=(40, 40), seed=0):
    """Bright discs on a dark ground: images, masks and instances."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    images, masks, instances = [], [], []
    for _ in range(count):
        objects = np.zeros(size, np.int32)
        for number in (1, 2):
            row, column = rng.uniform(5, min(size) - 5, 2)
            objects[(rows - row) ** 2 + (columns - column) ** 2 < rng.uniform(9, 40)] = number
        image = np.where(objects > 0, 170, 60) + rng.normal(0, 12, size)
        images.append(np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))
        masks.append((objects > 0).astype(np.uint8))
        instances.append(objects)
    return images, masks, instances


@pytest.fixture(scope="session")
def recipe():
    return Recipe().override(TINY)


@pytest.fixture(scope="session")
def discs():
    images, masks, instances = make_discs()
    splits = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    return Dataset.from_arrays(images, masks, instances=instances, splits=splits, name="discs")


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Random weights of the smallest MobileNetV2, in a file."""
    path = tmp_path_factory.mktemp("weights") / "mobile.weights.h5"
    keras.utils.set_random_seed(3)
    keras.applications.MobileNetV2(
        include_top=False, weights=None, alpha=0.35, input_shape=(None, None, 3)
    ).save_weights(path)
    return path
