"""The plan of two very different data sets, and that it is heeded, edited and trained."""

import tomllib

import pytest

from delineate.errors import DataError, RecipeError
from delineate.models.probe import Pace
from delineate.planning import training_choices
from delineate.planning.plan import plan
from delineate.recipe import Recipe
from tests.planning.test_fingerprint import cells, streets


@pytest.fixture
def paces(monkeypatch):
    """The speed of a machine that does not have to be measured: images per second by precision."""
    known = {"float32": 10.0, "bfloat16": 10.0}
    monkeypatch.setattr(
        training_choices, "pace_of", lambda trial: Pace(known[trial.precision], 1.0)
    )
    return known


@pytest.fixture(autouse=True)
def no_weights(monkeypatch):
    monkeypatch.setattr("delineate.planning.model_choices.at_hand", lambda name: False)


@pytest.mark.usefixtures("paces")
def test_cells_may_be_turned_and_streets_may_not():
    of_cells, of_streets = plan(cells()).recipe, plan(streets()).recipe
    assert of_cells.augment.quarter_turns
    assert of_cells.augment.flip is True
    assert not of_streets.augment.quarter_turns
    assert of_streets.augment.flip == "left_right"


@pytest.mark.usefixtures("paces")
def test_touching_objects_are_learnt_and_scenes_have_none():
    assert plan(cells()).recipe.model.objects == "both"
    assert plan(streets()).recipe.model.objects == "none"
    assert plan(streets()).recipe.loss.class_weights == "root_inverse"


@pytest.mark.usefixtures("paces")
@pytest.mark.parametrize("make", [cells, streets])
def test_each_choice_has_a_reason_and_the_text_is_a_recipe(make, tmp_path):
    found = plan(make())
    assert all(reason for reason in found.reasons.values())
    path = tmp_path / "plan.toml"
    path.write_text(found.text())
    assert Recipe.load(path) == found.recipe
    text = found.text()
    assert all(" ".join(reason.split()) in text for reason in found.reasons.values())
    assert set(tomllib.loads(text)["data"]) <= set(type(found.recipe.data).model_fields)


def test_a_precision_is_taken_only_where_it_is_much_faster(paces):
    paces["bfloat16"] = 11.9
    assert plan(cells()).recipe.runtime.precision == "float32"
    paces["bfloat16"] = 12.1
    found = plan(cells())
    assert found.recipe.runtime.precision == "bfloat16"
    assert "12.1" in found.reasons["runtime.precision"]


def test_epochs_fit_the_budget(paces):
    found = plan(cells(), budget=10)
    windows = found.fingerprint.training * found.recipe.data.crops_per_image
    assert found.recipe.training.budget == 10
    assert found.recipe.training.epochs == pytest.approx(2 * 600 * 10 / windows, rel=0.1)
    paces["float32"] = paces["bfloat16"] = 20.0
    assert plan(cells(), budget=10).recipe.training.epochs > 1.8 * found.recipe.training.epochs


def test_a_network_is_wider_where_there_is_time_for_it(paces):
    usual = plan(cells(), budget=10)
    paces["float32"] = paces["bfloat16"] = 1000.0
    wide = plan(cells(), budget=10)
    assert wide.recipe.model.filters == 2 * usual.recipe.model.filters
    assert wide.recipe.model.largest_filters == 2 * usual.recipe.model.largest_filters
    assert "epochs" in wide.reasons["model.filters"]
    said = plan(cells(), budget=10, settings={"model.filters": 8})
    assert said.recipe.model.filters == 8


@pytest.mark.usefixtures("paces")
def test_what_is_said_already_stands_and_the_rest_goes_by_it():
    said = {"model.encoder": "mobilenetv2", "model.weights": "some.h5", "training.batch_size": 2}
    found = plan(streets(), settings=said)
    assert found.recipe.model.weights == "some.h5"
    assert found.recipe.training.batch_size == 2
    assert found.recipe.model.statistics == "frozen", "as goes with weights"
    assert found.reasons["training.batch_size"] == "as you said"


@pytest.mark.usefixtures("paces")
@pytest.mark.parametrize("make", [cells, streets])
def test_weights_that_are_at_hand_are_taken(monkeypatch, make):
    assert plan(make()).recipe.model.encoder == "plain"
    monkeypatch.setattr("delineate.planning.model_choices.at_hand", lambda name: name == "resnet50")
    found = plan(make())
    assert (found.recipe.model.encoder, found.recipe.model.weights) == ("resnet50", "imagenet")


@pytest.mark.usefixtures("paces")
def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(RecipeError, match="unknown setting"):
        plan(cells(), settings={"training.epoch": 3})


@pytest.mark.usefixtures("paces")
def test_data_with_errors_is_refused_before_anything_is_measured(monkeypatch):
    def refuse(inspection, how):
        raise DataError("wrong", hint="mend")

    monkeypatch.setattr("delineate.planning.plan.heed_faults", refuse)
    monkeypatch.setattr(training_choices, "pace_of", lambda trial: pytest.fail("measured"))
    with pytest.raises(DataError, match="wrong"):
        plan(cells())


@pytest.mark.usefixtures("paces")
def test_a_batch_fits_the_memory(monkeypatch):
    usual = plan(cells()).recipe.training.batch_size
    monkeypatch.setattr(training_choices, "machine", lambda: {"memory_gib": 0.25})
    found = plan(cells())
    assert 1 <= found.recipe.training.batch_size < usual
    assert "GiB" in found.reasons["training.batch_size"]
    said = plan(cells(), settings={"training.batch_size": usual})
    assert said.recipe.training.batch_size == usual, "whoever says it, knows"
