"""The network and its loss; and that nothing is refused for what nobody has said."""

from operator import attrgetter

import pytest

from delineate.catalog import ENCODERS
from delineate.errors import RecipeError
from delineate.models.pairing import strides_of
from delineate.planning.choice import values_of
from delineate.planning.model_choices import model_choices
from delineate.recipe import Model, Recipe
from delineate.training.refusing import refuse_settings
from tests.planning.conftest import fingerprint

CLASSES = {"classes": ("sky", "road", "car"), "shares": (0.5, 0.45, 0.05), "objects": False}


def recipe_of(said, found):
    """The recipe of the choices, and of what is said as a recipe has it."""
    asked = Recipe().override(said)
    said = {key: attrgetter(key)(asked) for key in said}
    return Recipe().override(values_of(model_choices(found, said)) | said)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"model.weights": "none"},
        {"model.encoder": "mobilenetv2", "model.weights": "none"},
        {"model.encoder": "convnexttiny"},
        {"model.encoder": "mitb0"},
        {"model.encoder": "vgg16"},
        {"model.depth": 3},
        {"model.depth": 1},
        {"model.depth": 6},
        {"model.width": 0.5},
        {"model.encoder": "mobilenetv2", "model.width": 0.6},
        {"model.encoder": "mobilenetv2", "model.decoder_filters": [64, 32]},
        {"model.decoder": "linknet"},
        {"model.decoder": "attention_unet"},
        {"model.output": "sigmoid"},
        {"loss.terms": {"binary_crossentropy": 1.0}},
        {"data.size": [48, 48]},
        {"data.channels": 4},
        {"post.objects_by": "boundary"},
    ],
    ids=str,
)
@pytest.mark.parametrize("at_hand", [(), ("mobilenetv2", "convnexttiny", "vgg16")], ids=str)
def test_what_makes_sense_by_itself_is_not_refused(weights, said, at_hand):
    weights |= {(name, 1.0) for name in at_hand}
    refuse_settings(recipe_of(said, fingerprint(touching=0.001)))


@pytest.mark.parametrize("said", [{"model.freeze": "all"}, {"model.statistics": "frozen"}], ids=str)
def test_what_needs_weights_is_taken_where_some_are_at_hand(weights, said):
    with pytest.raises(RecipeError, match="weights"):
        refuse_settings(recipe_of(said, fingerprint()))
    weights.add(("mobilenetv2", 1.0))
    refuse_settings(recipe_of(said, fingerprint()))


@pytest.mark.parametrize("encoder", sorted(set(ENCODERS) - {"plain"}))
def test_features_are_narrowed_to_half_of_what_they_are_joined_to(encoder):
    model = recipe_of({"model.encoder": encoder}, fingerprint()).model
    assert model.decoder_filters == (192, 96, 48, 32)
    joined = [stride for stride in (16, 8, 4, 2) if stride in strides_of(Model(encoder=encoder))]
    assert model.skip_filters == (96, 48, 24, 16)[: len(joined)]


def test_weights_of_the_width_that_is_said_are_asked_for(weights):
    weights.add(("mobilenetv2", 0.5))
    assert recipe_of({}, fingerprint()).model.encoder == "plain"
    model = recipe_of({"model.width": 0.5}, fingerprint()).model
    assert (model.encoder, model.weights) == ("mobilenetv2", "imagenet")


def test_none_is_no_weights(weights):
    weights.add(("mobilenetv2", 1.0))
    for said in ({}, {"model.encoder": "mobilenetv2"}):
        model = recipe_of({"model.weights": "none", **said}, fingerprint()).model
        assert (model.weights, model.statistics) == (None, "trained")


def test_of_more_classes_the_overlap_of_each_counts_too():
    loss = recipe_of({}, fingerprint(**CLASSES)).loss
    assert dict(loss.terms) == {"sparse_categorical_crossentropy": 1.0, "lovasz": 1.0}
    assert loss.class_weights == "root_inverse"


@pytest.mark.parametrize(
    ("data", "terms"),
    [({}, {"binary_crossentropy", "dice_per_image"}), (CLASSES, {"binary_crossentropy"})],
)
def test_the_loss_goes_with_the_output_that_is_said(data, terms):
    recipe = recipe_of({"model.output": "sigmoid"}, fingerprint(**data))
    assert set(recipe.loss.terms) == terms
    refuse_settings(recipe)


def test_objects_are_learnt_where_they_touch_or_are_to_be_parted():
    assert recipe_of({}, fingerprint()).model.objects == "both"
    assert recipe_of({}, fingerprint(touching=0.001)).model.objects == "none"
    said = {"post.objects_by": "distance"}
    assert recipe_of(said, fingerprint(touching=0.001)).model.objects == "distance"
    refined = recipe_of({"refiner.use": "after"}, fingerprint())
    assert refined.model.objects == "none"
    refuse_settings(refined)
