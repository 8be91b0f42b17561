"""How many channels a decoder's stages have, and what is refused."""

import pytest

from delineate.errors import RecipeError
from delineate.models.decoders.filters import chosen_filters, last_filters, refuse_filters
from delineate.recipe import Model

GIVEN = Model(decoder="fpn", decoder_filters=(8, 4))


def test_without_numbers_the_standard_ones_are_taken():
    assert chosen_filters(Model(), [64, 32], least=2) == (64, 32)


def test_numbers_that_are_given_are_taken_as_they_are():
    assert chosen_filters(GIVEN, (64, 32), least=2) == (8, 4)
    assert chosen_filters(GIVEN, (64, 32, 16), least=1) == (8, 4)


@pytest.mark.parametrize(
    ("standard", "least", "hint"),
    [((64,), 1, "Give 1 number,"), ((4, 2, 1), 3, "Give 3 numbers,"), ((1,) * 4, 3, "3 to 4")],
)
def test_too_few_and_too_many_numbers_are_refused_with_how_many_there_are(standard, least, hint):
    with pytest.raises(RecipeError, match=r"\[8, 4\] does not fit the decoder 'fpn'") as refused:
        chosen_filters(GIVEN, standard, least=least)
    assert f"which has {len(standard)} here" in refused.value.message
    assert hint in refused.value.hint


def test_channels_belong_to_a_resolution_whatever_the_depth():
    standard = (256, 128, 64)
    assert last_filters(standard, 3) == standard
    assert last_filters(standard, 2) == (128, 64)
    assert last_filters(standard, 5) == (256, 256, 256, 128, 64)
    assert last_filters(standard, 0) == ()


def test_numbers_without_effect_are_refused():
    refuse_filters(Model(), "it has none")
    with pytest.raises(RecipeError, match="no effect on the decoder 'fpn': it has none"):
        refuse_filters(GIVEN, "it has none")
