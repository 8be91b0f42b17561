"""The plan of two very different data sets, and that it is heeded, edited and trained."""

import tomllib

import keras
import pytest

from delineate.data.dataset import Dataset
from delineate.errors import DataError, RecipeError, UsageError
from delineate.planning import training_choices
from delineate.planning.plan import plan
from delineate.recipe import Evaluation, Post, Recipe, Refiner, Runtime
from delineate.training.refusing import refuse_settings
from tests.planning.test_fingerprint import cells, streets

# What a plan leaves as it is: the network's fine structure, shapes of losses and decisions that are
# searched afterwards or made by somebody.
LEFT = {
    "data": {"channels", "check", "cache"},
    "augment": {"shear", "compression"},
    "model": {
        *("width", "weights", "freeze", "statistics", "decoder_filters", "skip_filters"),
        *("convolutions", "kernel_size", "dropout", "normalisation", "activation", "downsampling"),
        *("initialiser", "deep_supervision", "head", "input_scale"),
    },
    "loss": {
        *("objects", "label_smoothing", "focal_gamma", "focal_tversky_exponent"),
        *("tversky_false_positives", "tversky_false_negatives"),
    },
    "training": {"encoder_rate", "unfreeze_after", "folds"},
    "callbacks": {
        *("early_stopping_patience", "reduce_on_plateau", "reduce_patience", "reduce_factor"),
        *("reduce_floor", "minimum_gain", "tensorboard"),
    },
    "refiner": set(Refiner.model_fields),
    "evaluation": set(Evaluation.model_fields),
    "post": set(Post.model_fields) - {"tune"},
    "runtime": set(Runtime.model_fields) - {"precision", "compiled"},
}
# With pretrained weights, these are chosen, and those of a plain network are not.
OF_WEIGHTS = {"weights", "statistics", "decoder_filters", "skip_filters", "convolutions"}
OF_PLAIN = {"depth", "filters", "largest_filters"}


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
@pytest.mark.parametrize("fit", ["crop", "resize"])
@pytest.mark.parametrize("encoder", ["plain", "mobilenetv2"])
@pytest.mark.parametrize("make", [cells, streets])
def test_each_choice_has_a_reason(weights, make, encoder, fit):
    weights.add((encoder, 1.0))
    found = plan(make(), settings={"data.fit": fit})
    assert found.recipe.model.encoder == encoder
    left = {section: set(keys) for section, keys in LEFT.items()}
    if encoder != "plain":
        left["model"] = left["model"] - OF_WEIGHTS | OF_PLAIN
    for section, values in found.recipe:
        for key in type(values).model_fields:
            assert (f"{section}.{key}" in found.reasons) != (key in left[section]), key
    assert all(found.reasons.values())


@pytest.mark.usefixtures("paces")
@pytest.mark.parametrize("make", [cells, streets])
def test_the_text_is_a_recipe_with_the_reasons(make, tmp_path):
    found = plan(make())
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


def test_a_step_is_compiled_only_where_that_is_much_faster(paces, monkeypatch):
    asked = plan(cells()).recipe.runtime.compiled
    assert asked == (keras.backend.backend() == "jax")
    both = ((False, True), "")
    monkeypatch.setattr(training_choices, "compilations", lambda runtime: both)
    paces["compiled"] = 1.1
    assert plan(cells()).recipe.runtime.compiled is False
    paces["compiled"] = 1.3
    found = plan(cells())
    assert found.recipe.runtime.compiled is True
    assert found.recipe.runtime.precision == "float32"
    assert "10.0 images per second without, 13.0 with it" in found.reasons["runtime.compiled"]
    said = plan(cells(), settings={"runtime.compiled": False})
    assert said.recipe.runtime.compiled is False


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
def test_weights_that_are_at_hand_are_taken(weights, make):
    assert plan(make()).recipe.model.encoder == "plain"
    weights.add(("resnet50", 1.0))
    found = plan(make())
    assert (found.recipe.model.encoder, found.recipe.model.weights) == ("resnet50", "imagenet")


@pytest.mark.usefixtures("paces")
def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(RecipeError, match="unknown setting"):
        plan(cells(), settings={"training.epoch": 3})


@pytest.mark.usefixtures("paces")
@pytest.mark.parametrize("said", [{"model.encoder": "mobilnetv2"}, {"loss.terms": {"dise": 1.0}}])
def test_a_name_that_is_in_no_table_is_refused_before_the_data_is_read(monkeypatch, said):
    monkeypatch.setattr("delineate.planning.plan.inspect", None)
    with pytest.raises(UsageError, match="There is no"):
        plan(cells(), settings=said)


def test_data_with_errors_is_refused_before_anything_is_measured(monkeypatch):
    def refuse(inspection, how):
        raise DataError("wrong", hint="mend")

    monkeypatch.setattr("delineate.planning.plan.heed_faults", refuse)
    monkeypatch.setattr(training_choices, "paces_of", lambda trials: pytest.fail("measured"))
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


@pytest.mark.usefixtures("paces")
def test_the_tiles_of_large_images_fit_the_memory(monkeypatch):
    assert plan(cells()).recipe.data.tile == 1024
    monkeypatch.setattr(training_choices, "machine", lambda: {"memory_gib": 0.5})
    found = plan(cells())
    assert 256 <= found.recipe.data.tile < 1024
    assert "GiB of the 0.5" in found.reasons["data.tile"]
    resized = plan(cells(), settings={"data.fit": "resize"})
    assert "no effect" in resized.reasons["data.tile"]


@pytest.mark.usefixtures("paces")
def test_a_batch_is_halved_until_it_fits_the_memory(monkeypatch):
    measured = training_choices.paces_of

    def paces_of(trials):
        if trials[0].batch_size > 5:
            raise MemoryError
        return measured(trials)

    monkeypatch.setattr(training_choices, "paces_of", paces_of)
    found = plan(cells())
    assert found.recipe.training.batch_size == 4
    assert "8 windows in a step take more memory" in found.reasons["training.batch_size"]
    with pytest.raises(RecipeError, match="step of 6 windows"):
        plan(cells(), settings={"training.batch_size": 6})


@pytest.mark.usefixtures("paces")
def test_not_even_one_window_is_an_error_with_a_hint(monkeypatch):
    def paces_of(trials):
        raise MemoryError

    monkeypatch.setattr(training_choices, "paces_of", paces_of)
    with pytest.raises(RecipeError, match="step of 1 windows") as caught:
        plan(cells())
    assert "data.size" in caught.value.hint


@pytest.mark.usefixtures("paces")
@pytest.mark.parametrize("size", [[16, 16], [48, 16]])
def test_small_windows_are_planned(size):
    assert plan(cells(), settings={"data.size": size}).recipe.data.size == tuple(size)


@pytest.mark.usefixtures("paces")
def test_settings_are_refused_as_chosen_and_before_anything_is_measured(monkeypatch):
    said = {"post.objects_by": "boundary"}
    assert plan(cells(), settings=said, refuse=refuse_settings).recipe.model.objects == "both"
    monkeypatch.setattr(training_choices, "paces_of", lambda trials: pytest.fail("measured"))
    with pytest.raises(RecipeError, match="says nothing"):
        plan(streets(), settings=said, refuse=refuse_settings)


@pytest.mark.usefixtures("paces")
def test_none_is_unset_whatever_may_be_unset():
    said = {"model.weights": "none", "training.budget": "none"}
    found = plan(cells(), settings=said)
    assert (found.recipe.model.weights, found.recipe.training.budget) == (None, None)
    assert "budget" not in found.reasons["training.epochs"]


def split_discs(**sizes):
    """Cells whose images are larger in one split than in the others."""
    parts = {
        name: cells(4, size=size, seed=seed) for seed, (name, size) in enumerate(sizes.items())
    }
    samples = [sample for part in parts.values() for sample in part]
    return Dataset.from_arrays(
        [sample.image for sample in samples],
        [sample.mask for sample in samples],
        instances=[sample.instances for sample in samples],
        splits=[name for name, part in parts.items() for _ in part],
    )


@pytest.mark.usefixtures("paces")
def test_with_folds_nothing_is_chosen_by_what_becomes_the_test():
    data = split_discs(train=(64, 80), validation=(96, 112))
    assert plan(data).fingerprint.largest == (96, 112)
    folded = plan(data, settings={"training.folds": 2}).fingerprint
    assert (folded.largest, folded.images, folded.training) == ((64, 80), 4, 2)


@pytest.mark.usefixtures("paces")
def test_with_folds_a_validation_part_beside_a_test_part_is_left_out():
    data = split_discs(train=(64, 80), validation=(96, 112), test=(128, 128))
    folded = plan(data, settings={"training.folds": 2}).fingerprint
    assert (folded.largest, folded.images, folded.training) == ((64, 80), 4, 2)


def test_a_network_is_wider_only_where_each_fold_has_time_for_it(paces):
    paces["float32"] = paces["bfloat16"] = 250.0
    assert plan(cells(), budget=10).recipe.model.filters == 32
    said = {"training.folds": 5, "data.near_duplicates": "ignore"}
    assert plan(cells(count=10), budget=10, settings=said).recipe.model.filters == 16
