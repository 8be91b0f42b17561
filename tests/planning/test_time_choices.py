"""How long, how often validated, drawn and saved: by what an epoch takes."""

import math

import pytest

from delineate.models.probe import Pace
from delineate.planning.time_choices import time_choices
from delineate.recipe import Recipe
from tests.planning.conftest import fingerprint

BATCH, SPEED = 8, 10.0


def choose(found=None, *, pace=SPEED, compiling=0.0, **settings):
    """The choices of ten minutes, in which some settings are others."""
    said = {
        "training.budget": 10.0,
        "data.size": [512, 512],
        **{key.replace("__", "."): settings[key] for key in settings},
    }
    found = found or fingerprint()
    recipe = Recipe().override(said)
    return time_choices(found, recipe, said, batch_size=BATCH, pace=Pace(pace, compiling))


def values(*args, **settings):
    return {key: choice.value for key, choice in choose(*args, **settings).items()}


def test_the_looks_are_those_of_the_epochs_that_are_said():
    # 270 windows in batches of 8 are 34 steps; 6000 windows fit.
    assert values(training__epochs=3)["training.validate_every"] == 1
    free = values()
    assert free["training.validate_every"] == 2
    assert values(training__epochs=1000) | {"training.epochs": 0} == free | {"training.epochs": 0}


def test_without_a_budget_all_epochs_that_are_said_are_made():
    free = values(training__epochs=60, training__budget=None)
    slow = values(training__epochs=60, training__budget=None, pace=0.01)
    assert slow["training.validate_every"] == free["training.validate_every"] == 5
    assert values(training__epochs=60, pace=0.01)["training.validate_every"] == 1


def test_each_fold_has_its_share_of_the_time():
    whole, part = values(), values(training__folds=5)
    assert part["training.epochs"] == pytest.approx(whole["training.epochs"] / 5, abs=1)
    assert "each fold's 2 minutes" in choose(training__folds=5)["training.epochs"].reason


def test_the_time_of_compiling_is_not_that_of_steps():
    assert values(compiling=300.0) == values(training__budget=5.0)
    assert values(compiling=9999.0)["training.epochs"] == 2


@pytest.mark.parametrize(
    ("settings", "key", "words", "absent"),
    [
        ({"pace": 0.1}, "training.epochs", "about 0.2 fit 10 minutes", "about 1"),
        ({}, "training.epochs", "the budget decides", "refiner"),
        ({"training__budget": None}, "training.epochs", "fit 30 minutes", "budget"),
    ],
)
def test_reasons_say_what_decided(settings, key, words, absent):
    reason = choose(**settings)[key].reason
    assert words in reason
    assert absent not in reason


def test_epochs_are_doubled_only_where_a_budget_ends_them():
    assert values()["training.epochs"] == 2 * round(750 / 34)
    assert values(training__budget=None)["training.epochs"] == round(3 * 750 / 34)
    assert "training.budget" not in choose(training__budget=None)


@pytest.mark.parametrize("side", [512, 1024, 4096])
@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_validation_and_pictures_take_their_shares_whatever_the_size_of_the_images(side, fit):
    found = fingerprint(height=side, width=side)
    chosen = values(found, data__fit=fit)
    tiles = 1 if fit == "resize" else math.ceil(side / 512) ** 2
    # A prediction costs a third of a step.
    looks = (750 / 34) / chosen["training.validate_every"]
    assert round(looks) * 30 * tiles / 3 <= 0.05 * 6000 or round(looks) == 1
    assert chosen["callbacks.pictures"] * tiles / 3 <= 0.05 * 270


@pytest.mark.parametrize(
    ("side", "pictures"), [(512, 4), (1536, 4), (2048, 2), (3072, 1), (4096, 0)]
)
def test_fewer_pictures_are_drawn_of_larger_images(side, pictures):
    found = fingerprint(height=side, width=side)
    assert values(found)["callbacks.pictures"] == pictures


def test_without_validation_images_nothing_is_done_with_them():
    chosen = choose(fingerprint(images=270, training=270))
    keys = ("training.validate_every", "callbacks.pictures", "post.tune")
    assert [chosen[key].value for key in keys] == [1, 0, False]
    assert {chosen[key].reason for key in keys} == {"there are no validation images"}


def test_long_epochs_are_saved_every_three_minutes():
    assert values()["callbacks.save_steps"] == 0
    found = fingerprint(training=3000, images=3300)
    assert values(found)["callbacks.save_steps"] == 180 * SPEED / BATCH
    assert values(found, pace=0.01)["callbacks.save_steps"] == 1
    assert "5 minutes" in choose(found)["callbacks.save_steps"].reason
