"""What a decoder refuses is known before anything is built."""

import pytest

from delineate.catalog import DECODERS, ENCODERS
from delineate.errors import RecipeError
from delineate.evaluation.tables import table_rows
from delineate.models.pairing import strides_of
from delineate.models.trial import try_decoder
from delineate.recipe import Model
from tests.models.test_build import own_encoder

SIZE = (64, 64)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"decoder_filters": (64,) * 6}, "decoder_filters"),
        ({"skip_filters": (64,) * 6}, "skip_filters"),
        ({"decoder": "linknet", "decoder_filters": (8,)}, "decoder_filters"),
        ({"activation": "rellu"}, "model.activation"),
        ({"initialiser": "he"}, "model.initialiser"),
    ],
)
def test_the_setting_that_does_not_fit_is_named(settings, told):
    with pytest.raises(RecipeError, match=told):
        try_decoder(Model(encoder="mobilenetv2", **settings), SIZE)


@pytest.mark.parametrize("decoder", DECODERS)
def test_each_decoder_is_tried_without_its_encoder(decoder):
    for encoder in ("plain", "vgg16", "mobilenetv2", "mitb0"):
        try_decoder(Model(encoder=encoder, decoder=decoder), SIZE)


def test_an_encoder_of_the_users_own_is_left_for_later():
    try_decoder(Model(encoder=f"{own_encoder.__module__}:own_encoder"), SIZE)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_strides_are_known_before_an_encoder_is_built(encoder):
    facts = {row["encoder"]: row for row in table_rows("encoders")}
    assert strides_of(Model(encoder=encoder)) == facts[encoder]["strides"]
