"""Every encoder with every decoder, by the strides and channels of its features."""

import keras
import pytest

from delineate.catalog import DECODERS, find
from delineate.errors import RecipeError
from delineate.evaluation.tables import table_rows
from delineate.models.blocks import Style
from delineate.models.pairing import refuse_pairing
from delineate.recipe import Model

SIDE = 128
# Zeros are not drawn, and a graph needs no more.
STYLE = Style(initialiser="zeros")
# Encoders that have the same strides and channels are one to a decoder.
ENCODERS = {(*row["strides"], *row["channels"]): row for row in table_rows("encoders")}


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a graph has the same shapes on each backend"
)
@pytest.mark.parametrize("row", ENCODERS.values(), ids=lambda row: row["encoder"])
def test_each_decoder_makes_of_an_encoder_what_can_be_brought_to_full_size(row):
    features = {
        stride: keras.Input((SIDE // stride, SIDE // stride, channels), name=f"feature{stride}")
        for stride, channels in zip(row["strides"], row["channels"], strict=True)
    }
    for decoder in DECODERS:
        settings = Model(encoder=row["encoder"], decoder=decoder)
        try:
            refuse_pairing(settings, (SIDE, SIDE))
        except RecipeError:
            assert not set(find("decoders", decoder).strides) <= set(row["strides"])
            continue
        output = find("decoders", decoder)(features, settings=settings, style=STYLE)
        main = output[0] if isinstance(output, list | tuple) else output
        assert main.shape[1] == main.shape[2]
        assert SIDE % main.shape[1] == 0, decoder
