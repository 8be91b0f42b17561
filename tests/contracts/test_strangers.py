"""What delineate builds, it opens from elsewhere: every class of it is in the table."""

import os

import pytest

from delineate.catalog import DECODERS, ENCODERS
from delineate.modelfiles import keras_config
from delineate.modelfiles.keras_config import inspected
from delineate.models.build import build_model
from delineate.models.refiner import build_refiner, join
from delineate.recipe import Refiner
from tests.conftest import ALL_FAMILIES
from tests.contracts.test_encoders import ALL, WIDTHS

SIZE = (64, 64)
# Of each family the smallest; the deepest of all, since layers are counted; with --all-families all.
DEEPEST = ("densenet201", "mitb5")
CHOSEN = tuple(ENCODERS) if ALL_FAMILIES in os.environ else ("plain", *ALL, *DEEPEST)


def layers_in(config):
    return len(config["config"]["layers"])


def looked_at(model):
    return inspected(model.to_json().encode())


@pytest.mark.parametrize("name", CHOSEN)
def test_every_encoder_is_made_of_classes_of_the_table(name):
    model = build_model(
        classes=3,
        encoder=name,
        width=WIDTHS.get(name, 1.0),
        # The one with the most layers.
        decoder="unetplusplus",
        filters=4,
        largest_filters=16,
        upsampling="bilinear",
        initialiser="zeros",
        dropout=[0.1],
        depth=5,
    )
    found = looked_at(model)
    assert layers_in(found) == len(model.operations)
    assert layers_in(found) < keras_config.MOST_LAYERS / 1.5


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("normalisation", ["batch", "group", "none"])
def test_every_decoder_is_made_of_classes_of_the_table(name, normalisation):
    for upsampling in ("bilinear", "transposed"):
        model = build_model(
            classes=3,
            decoder=name,
            depth=4,
            filters=4,
            size=SIZE,
            normalisation=normalisation,
            upsampling=upsampling,
            precision="bfloat16",
            dropout=[0.1],
        )
        assert layers_in(looked_at(model)) == len(model.operations)


@pytest.mark.parametrize(
    "settings",
    [
        {"deep_supervision": True, "decoder": "unetplusplus"},
        {"objects": "both", "output": "softmax"},
        {"output": "sigmoid", "head": "transposed", "decoder": "pix2pix", "depth": 4},
        {"downsampling": "average"},
        {"downsampling": "convolution"},
        {"initialiser": "orthogonal", "activation": "gelu"},
        {"initialiser": "lecun_uniform", "activation": "leaky_relu"},
    ],
    ids=str,
)
def test_every_choice_of_a_recipe_is_made_of_classes_of_the_table(settings):
    assert looked_at(build_model(classes=2, **({"depth": 2, "filters": 4} | settings)))


def test_a_refined_network_is_made_of_classes_of_the_table():
    model = build_model(classes=3, depth=2, filters=4)
    settings = Refiner(depth=2, filters=4)
    refiner = build_refiner(
        channels=3, classes=3, output="softmax", settings=settings, largest=255.0
    )
    assert looked_at(join(model, refiner))
