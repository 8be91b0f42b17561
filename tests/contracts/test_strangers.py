"""What delineate builds, it opens from elsewhere: every class of it is in the table."""

import os

import pytest

from delineate.catalog import DECODERS, ENCODERS
from delineate.modelfiles import keras_config
from delineate.modelfiles.keras_config import inspected
from delineate.models import opening
from delineate.models.build import build_model
from delineate.models.costs import demand_of
from delineate.models.refiner import build_refiner, join
from delineate.models.summary import trace
from delineate.prediction import strangers
from delineate.recipe import Refiner
from tests.conftest import ALL_FAMILIES
from tests.contracts.test_encoders import ALL, WIDTHS

SIZE = (64, 64)
# The usual tile.
TILE = 1024
# Of each family the smallest; the deepest of all, since layers are counted; with --all-families all.
DEEPEST = ("densenet201", "mitb5")
CHOSEN = tuple(ENCODERS) if ALL_FAMILIES in os.environ else ("plain", *ALL, *DEEPEST)


def layers_in(config):
    return len(config["config"]["layers"])


def connections_in(config):
    nodes = [str(layer["inbound_nodes"]) for layer in config["config"]["layers"]]
    return sum(max(1, each.count("keras_history")) for each in nodes)


def within_bounds(model, room):
    """Return whether a network takes so many times less than one from elsewhere may."""
    demand = demand_of(trace(model, TILE))
    bounds = (strangers.LARGEST, strangers.TOGETHER, strangers.STEPS)
    asked = (demand.largest, demand.values, demand.steps)
    most = [bound.of(TILE**2) for bound in bounds]
    return all(room * each <= bound for each, bound in zip(asked, most, strict=True))


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
    assert connections_in(found) < keras_config.MOST_CONNECTIONS / 1.5
    assert within_bounds(model, room=1.5)


def test_wide_networks_are_within_the_bounds():
    """They are built without values, which would take gigabytes."""
    with opening._without_values():
        model = build_model(
            classes=255,
            decoder="unetplusplus",
            filters=64,
            upsampling="bilinear",
            initialiser="zeros",
            depth=5,
        )
    assert within_bounds(model, room=1)


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
