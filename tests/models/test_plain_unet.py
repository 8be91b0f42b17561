"""The plain U-Net: each setting has its effect on the graph."""

from functools import cache

import keras
import pytest

from delineate.models.blocks import Style
from delineate.models.build import build_model
from delineate.models.plain_unet import plain_encoder
from delineate.recipe import Model

# Drawing random numbers makes JAX compile for each shape of kernel.
SMALL = {"depth": 2, "filters": 2, "initialiser": "zeros"}
PLAIN = Style(initialiser="zeros")


@cache
def graph(*, classes=2, channels=1, precision="float32", **settings):
    model = build_model(
        classes=classes, channels=channels, precision=precision, **(SMALL | settings)
    )
    return {layer.name: layer for layer in model.layers}


def drawn(layers):
    """Return all there is to a graph, as values that can be compared."""
    return [(name, type(layer).__name__, layer.get_config()) for name, layer in layers.items()]


def kinds(layers, kind):
    return [name for name, layer in layers.items() if type(layer).__name__ == kind]


def test_the_default_is_the_u_net_of_the_paper_with_batch_normalisation():
    assert list(graph()) == [
        "image",
        "scale",
        *(
            f"encoder0_convolve{number}{part}"
            for number in (1, 2)
            for part in ("", "_normalise", "_activate")
        ),
        "encoder1_halve",
        *(
            f"encoder1_convolve{number}{part}"
            for number in (1, 2)
            for part in ("", "_normalise", "_activate")
        ),
        "encoder2_halve",
        *(
            f"encoder2_convolve{number}{part}"
            for number in (1, 2)
            for part in ("", "_normalise", "_activate")
        ),
        *(
            name
            for depth in (1, 0)
            for name in (
                f"decoder{depth}_double",
                f"decoder{depth}_join",
                *(
                    f"decoder{depth}_convolve{number}{part}"
                    for number in (1, 2)
                    for part in ("", "_normalise", "_activate")
                ),
            )
        ),
        "logits",
        "probabilities",
    ]


def test_each_join_has_what_comes_up_and_what_was_kept_at_that_resolution():
    layers = graph()
    for depth in (0, 1):
        sources = [
            tensor._keras_history.operation.name for tensor in layers[f"decoder{depth}_join"].input
        ]
        assert sources == [f"decoder{depth}_double", f"encoder{depth}_convolve2_activate"]


@pytest.mark.parametrize(
    ("setting", "check"),
    [
        ({"depth": 3}, lambda found: "encoder3_halve" in found and "decoder2_join" in found),
        ({"depth": 1}, lambda found: "encoder2_halve" not in found),
        ({"filters": 4}, lambda found: found["encoder2_convolve1"].filters == 16),
        ({"largest_filters": 3}, lambda found: found["encoder2_convolve1"].filters == 3),
        ({"decoder_filters": (5, 3)}, lambda found: found["decoder0_convolve1"].filters == 3),
        ({"skip_filters": (1,)}, lambda found: "decoder1_narrow" in found),
        ({"convolutions": 1}, lambda found: "decoder0_convolve2" not in found),
        ({"convolutions": 3}, lambda found: "encoder2_convolve3" in found),
        ({"kernel_size": 5}, lambda found: found["encoder0_convolve1"].kernel_size == (5, 5)),
        ({"dropout": (0.5,)}, lambda found: len(kinds(found, "Dropout")) == 5),
        ({"normalisation": "none"}, lambda found: not kinds(found, "BatchNormalization")),
        ({"normalisation": "group"}, lambda found: len(kinds(found, "GroupNormalization")) == 10),
        (
            {"activation": "gelu"},
            lambda found: found["decoder0_convolve2_activate"].activation is keras.activations.gelu,
        ),
        ({"downsampling": "average"}, lambda found: len(kinds(found, "AveragePooling2D")) == 2),
        ({"downsampling": "convolution"}, lambda found: not kinds(found, "MaxPooling2D")),
        ({"upsampling": "bilinear"}, lambda found: not kinds(found, "Conv2DTranspose")),
        (
            {"initialiser": "ones"},
            lambda found: type(found["encoder0_convolve1"].kernel_initializer).__name__ == "Ones",
        ),
        ({"output": "sigmoid"}, lambda found: found["logits"].filters == 1),
        ({"output": "sigmoid", "classes": 3}, lambda found: found["logits"].filters == 3),
        ({"input_scale": 0.5}, lambda found: found["scale"].scale == 0.5),
        ({"objects": "both"}, lambda found: "object_logits" in found),
        ({"classes": 7}, lambda found: found["logits"].filters == 7),
        ({"channels": 5}, lambda found: found["image"].output.shape[-1] == 5),
        (
            {"precision": "bfloat16"},
            lambda found: found["encoder0_convolve1"].dtype_policy.name == "mixed_bfloat16",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_each_setting_changes_the_graph_as_it_says(setting, check):
    found = graph(**setting)
    assert drawn(found) != drawn(graph())
    assert check(found)
    assert not check(graph())


def test_every_setting_of_the_recipe_is_among_those_that_are_tried_here():
    marks = test_each_setting_changes_the_graph_as_it_says.pytestmark
    tried = {name for setting, _ in marks[0].args[1] for name in setting}
    # What concerns pretrained encoders, decoders that end below full resolution, inner outputs.
    others = {"width", "weights", "freeze", "statistics", "head", "deep_supervision"}
    assert set(Model.model_fields) - tried == {"encoder", "decoder", *others}


def test_dropout_is_per_depth_and_the_last_value_holds_for_all_deeper_ones():
    found = graph(depth=3, dropout=(0.0, 0.1, 0.3))
    rates = {name: layer.rate for name, layer in found.items() if name.endswith("dropout")}
    assert rates == {
        "encoder1_dropout": 0.1,
        "encoder2_dropout": 0.3,
        "encoder3_dropout": 0.3,
        "decoder2_dropout": 0.3,
        "decoder1_dropout": 0.1,
    }


def test_no_two_dropouts_share_their_seed():
    found = graph(depth=3, dropout=(0.2,))
    seeds = [layer.seed for name, layer in found.items() if name.endswith("dropout")]
    assert len(set(seeds)) == len(seeds) == 7


def test_the_encoder_gives_its_features_by_the_stride_that_they_have():
    settings = Model(depth=3, filters=2)
    image = keras.Input((16, 32, 1))
    features = plain_encoder(image, settings=settings, style=PLAIN)
    assert {stride: tuple(tensor.shape[1:3]) for stride, tensor in features.items()} == {
        stride: (16 // stride, 32 // stride) for stride in (1, 2, 4, 8)
    }
