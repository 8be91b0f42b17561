"""What a training's bundles say of themselves, and which data and settings do not go together."""

from dataclasses import replace

import pytest

from delineate.data.dataset import Dataset
from delineate.errors import DataError, RecipeError
from delineate.files import sha256
from delineate.training.parts import assemble
from tests.training.conftest import make_discs


def test_the_card_names_the_weights_that_the_encoder_began_with(discs, recipe, weights):
    mobile = {"model.encoder": "mobilenetv2", "model.width": 0.35, "model.weights": str(weights)}
    said = assemble(discs, recipe.override(mobile)).card.licences["weights"]
    assert weights.name in said
    assert str(weights.parent) not in said, "no path of this machine"
    assert sha256(weights) in said
    assert "Licence: unknown" in said, "the file is not one that was published"


def test_the_card_has_the_pixel_size_that_the_data_says(discs, recipe):
    assert assemble(discs, recipe).card.pixel_size is None
    said = replace(discs.description, pixel_size=(0.5, 0.25), unit="mm")
    card = assemble(replace(discs, description=said), recipe).card
    assert (card.pixel_size, card.pixel_unit) == ((0.5, 0.25), "mm")


def test_the_card_has_the_tile_that_the_recipe_says(discs, recipe):
    assert assemble(discs, recipe).card.tile == 1024
    assert assemble(discs, recipe.override({"data.tile": 512})).card.tile == 512


def test_the_card_says_where_nothing_was_learnt_before(discs, recipe):
    assert assemble(discs, recipe).card.licences["weights"].startswith("trained from nothing")


@pytest.mark.parametrize(
    "said", [{"model.objects": "boundary"}, {"augment.copy_paste": 0.5}], ids=str
)
def test_objects_are_not_learnt_or_pasted_where_the_data_has_none(discs, recipe, said):
    images, masks, _ = make_discs(4)
    splits = ["train", "train", "validation", "validation"]
    classes_only = Dataset.from_arrays(images, masks, splits=splits, name="areas")
    key, value = next(iter(said.items()))
    with pytest.raises(DataError, match=f"{key} = {value} needs objects, and .* of areas") as told:
        assemble(classes_only, recipe.override(said))
    assert f"unset {key}" in told.value.hint
    assemble(discs, recipe.override(said))


def test_a_class_that_the_data_has_not_has_no_largest_part(discs, recipe):
    with pytest.raises(RecipeError, match="names the class 2, and there are 2") as told:
        assemble(discs, recipe.override({"post.largest_only": [1, 2]}))
    assert told.value.hint == "Name ids from 1 to 1."
    assemble(discs, recipe.override({"post.largest_only": [1]}))
