"""What a training's bundles say of themselves."""

from dataclasses import replace

from delineate.files import sha256
from delineate.training.parts import assemble


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
