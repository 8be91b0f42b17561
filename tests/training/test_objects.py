"""Trainings that learn what parts touching objects, from the recipe to the prediction."""

import numpy as np
import pytest

from delineate.bundle import Bundle
from delineate.data.dataset import Dataset
from delineate.prediction.predictor import Predictor
from delineate.training.train import train
from tests.training.conftest import make_discs


@pytest.fixture(scope="module")
def discs():
    images, masks, instances = make_discs(count=14)
    # Of fewer than five validation images nothing is searched.
    splits = ["train"] * 8 + ["validation"] * 6
    return Dataset.from_arrays(images, masks, instances=instances, splits=splits, name="discs")


@pytest.fixture(scope="module")
def run(discs, recipe, tmp_path_factory):
    told = {"model.objects": "both", "post.tune": True, "training.epochs": 2}
    return train(discs, recipe.override(told), to=tmp_path_factory.mktemp("objects") / "run")


def test_what_was_learnt_of_objects_is_in_the_bundle_and_in_predictions(run, discs):
    card = Bundle.open(run.best).card
    assert card.objects == ("boundary", "distance")
    sample = discs[0]
    found = Predictor.open(run).predict(sample.image)
    assert set(found.maps) == {"boundary", "distance"}
    assert all(values.shape == sample.size for values in found.maps.values())
    assert found.probabilities.shape == (*sample.size, 2)
    np.testing.assert_array_equal(found.instances > 0, found.mask == 1)


def test_the_search_has_tried_what_parts_them(run):
    tuned = next(event for event in run.events() if event["event"] == "tuned")
    assert tuned["objective"] == "dice_per_image and dsb_map"
    tried = {row["value"] for row in tuned["tried"] if row["setting"] == "objects_by"}
    assert {"boundary", "distance", "connected"} <= tried | {tuned["settings"]["objects_by"]}
