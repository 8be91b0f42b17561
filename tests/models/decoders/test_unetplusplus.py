"""The nested U-Net: what each node joins, and its inner outputs."""

import pytest

from delineate.errors import RecipeError
from tests.models.decoders.features import MOBILENET, decode, shapes, sources

PLAIN = {1: 2, 2: 4, 4: 8, 8: 16}


def node(row, column):
    return f"feature{2**row}" if column == 0 else f"decoder{row}_{column}_convolve2_activate"


def test_each_node_joins_all_earlier_ones_of_its_row_and_the_one_below():
    model = decode("unetplusplus", PLAIN, filters=2)
    nodes = [(row, column) for row in range(3) for column in range(1, 4 - row)]
    assert len(shapes(model, "Concatenate")) == len(nodes) == 6
    for row, column in nodes:
        name = f"decoder{row}_{column}"
        assert sources(model, f"{name}_double") == [node(row + 1, column - 1)]
        earlier = [node(row, before) for before in range(column)]
        assert sources(model, f"{name}_join") == [f"{name}_double", *earlier]


def test_its_rows_have_the_channels_of_their_depth():
    model = decode("unetplusplus", PLAIN, filters=2)
    for name, (side, _, channels) in shapes(model, "Conv2D").items():
        row = int(name.removeprefix("decoder")[0])
        assert (side, channels) == (64 // 2**row, 2 * 2**row)


def test_its_output_is_the_last_node_of_the_first_row():
    model = decode("unetplusplus", PLAIN)
    assert model.output._keras_history.operation.name == node(0, 3)
    model = decode("unetplusplus", MOBILENET)
    assert model.output._keras_history.operation.name == node(1, 4)
    assert model.output.shape[1] == 32


def test_supervised_deeply_it_gives_the_whole_first_row_the_last_node_first():
    model = decode("unetplusplus", PLAIN, filters=2, deep_supervision=True)
    names = [tensor._keras_history.operation.name for tensor in model.output]
    assert names == [node(0, 3), node(0, 1), node(0, 2)]
    assert {tuple(tensor.shape[1:]) for tensor in model.output} == {(64, 64, 2)}


def test_where_an_encoder_lacks_a_stride_its_row_begins_later():
    model = decode("unetplusplus", {1: 2, 4: 8}, filters=2)
    assert list(shapes(model, "Concatenate")) == ["decoder0_2_join"]
    assert sources(model, "decoder0_2_join") == ["decoder0_2_double", "feature1"]


def test_a_number_of_channels_is_given_for_each_row_but_the_deepest():
    model = decode("unetplusplus", PLAIN, decoder_filters=(7, 5, 3))
    found = {
        name.removeprefix("decoder")[0]: shape[-1]
        for name, shape in shapes(model, "Conv2D").items()
    }
    assert found == {"2": 7, "1": 5, "0": 3}
    with pytest.raises(RecipeError, match="which has 3 here"):
        decode("unetplusplus", PLAIN, decoder_filters=(7, 5))
