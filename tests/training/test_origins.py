"""The recipes of the projects that delineate grew from are what these were."""

import keras
import numpy as np
import pytest

from delineate.data.dataset import Dataset
from delineate.recipe import Recipe
from delineate.training.parts import assemble

PIX2PIX = {
    "data.size": (128, 128),
    "model.encoder": "mobilenetv2",
    "model.decoder": "pix2pix",
    "model.weights": "imagenet",
    "model.freeze": "all",
    "model.head": "transposed",
    "model.output": "softmax",
    "loss.terms": {"sparse_categorical_crossentropy": 1.0},
    "training.optimizer": "adam",
    "callbacks.early_stopping": "val_loss",
    "callbacks.pictures": 3,
    "callbacks.tensorboard": True,
}
PROMISED = {
    "densenet121-unet": {
        "data.size": (256, 256),
        "model.encoder": "densenet121",
        "model.decoder": "concat",
        "model.weights": "imagenet",
        "model.freeze": "all",
        "model.output": "softmax",
        "loss.terms": {"categorical_crossentropy": 1.0},
        "training.epochs": 5,
        "training.optimizer": "adam",
        "training.metrics": ("mean_iou", "accuracy"),
        "callbacks.best": "val_loss",
        "callbacks.early_stopping": "val_loss",
        "callbacks.early_stopping_patience": 10,
        "callbacks.tensorboard": True,
        "callbacks.reduce_on_plateau": "val_mean_iou",
        "callbacks.reduce_factor": 0.1,
        "callbacks.reduce_patience": 5,
        "callbacks.reduce_floor": 1e-4,
    },
    "mobilenetv2-pix2pix": PIX2PIX,
    "mobilenetv2-gan": {**PIX2PIX, "refiner.use": "after", "refiner.fidelity": "crossentropy"},
    "camvid": {"model.encoder": "mobilenetv2", "model.weights": "imagenet", "model.freeze": "none"},
}
CLASSES = {"densenet121-unet": 21, "mobilenetv2-pix2pix": 2, "mobilenetv2-gan": 21, "camvid": 11}


def scenes(classes):
    """Blocks of all classes, as coarse as they are meaningless."""
    blocks = np.random.default_rng(0).integers(0, classes, (3, 4, 4), np.uint8)
    masks = [np.kron(block, np.ones((16, 16), np.uint8)) for block in blocks]
    images = [np.repeat(mask[..., None] * 10, 3, axis=2) for mask in masks]
    names = tuple(f"class {number}" for number in range(classes))
    return Dataset.from_arrays(
        images, masks, splits=["train", "train", "validation"], classes=names
    )


@pytest.mark.parametrize("name", PROMISED)
def test_a_recipe_has_the_settings_that_its_project_had(name):
    recipe = Recipe.load(name)
    found = {}
    for key in PROMISED[name]:
        section, setting = key.split(".")
        found[key] = getattr(getattr(recipe, section), setting)
    assert found == PROMISED[name]


@pytest.mark.parametrize("name", PROMISED)
def test_the_network_of_a_recipe_gives_a_probability_for_each_class_and_pixel(name):
    """Without weights, which would have to be downloaded, and on small images."""
    random = {"model.weights": "none", "model.freeze": "none", "model.statistics": "trained"}
    recipe = Recipe.load(name).override({**random, "data.size": [64, 64], "refiner.use": "none"})
    parts = assemble(scenes(CLASSES[name]), recipe)
    images, masks = parts.batches.batch(0, 0)
    found = keras.ops.convert_to_numpy(parts.model(images, training=False))
    assert found.shape == (*images.shape[:3], CLASSES[name])
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    loss = parts.trainer.loss(masks, parts.trainer(images, training=False))
    assert np.isfinite(keras.ops.convert_to_numpy(loss))


def test_the_decoder_of_the_first_project_joins_what_it_joined():
    settings = {"model.weights": "none", "model.freeze": "none", "data.size": [64, 64]}
    recipe = Recipe.load("densenet121-unet").override(settings)
    model = assemble(scenes(21), recipe).model
    joins = [layer for layer in model.layers if layer.name.startswith("decoder")]
    joined = {
        tensor._keras_history.operation.name
        for layer in joins
        if isinstance(layer, keras.layers.Concatenate)
        for tensor in layer.input
    }
    assert {"conv4_block24_concat", "conv3_block12_concat"} <= joined
    assert model.get_layer("conv5_block16_concat")
