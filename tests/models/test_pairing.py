"""What makes no sense is refused before anything is built."""

import pytest

from delineate.errors import RecipeError, UsageError
from delineate.models.build import build_model
from delineate.models.pairing import refuse_pairing, works_at_one_size
from delineate.recipe import Model

SIZE = (64, 64)
REFUSED = {
    "an unknown encoder": ({"encoder": "mobilenet2"}, UsageError, "mobilenetv2"),
    "an unknown decoder": ({"decoder": "unet++"}, UsageError, "unetplusplus"),
    "a stride that the encoder lacks": (
        {"encoder": "plain", "depth": 1, "decoder": "fpn"},
        RecipeError,
        "stride 4",
    ),
    "inner outputs of a decoder without": ({"deep_supervision": True}, RecipeError, "inner"),
    "narrowed features for a decoder that joins none": (
        {"decoder": "fpn", "skip_filters": (8,)},
        RecipeError,
        "no effect",
    ),
    "weights for the plain encoder": ({"weights": "imagenet"}, RecipeError, "no pretrained"),
    "a frozen encoder of random weights": (
        {"encoder": "mobilenetv2", "freeze": "all"},
        RecipeError,
        "random",
    ),
    "frozen statistics of random weights": (
        {"encoder": "mobilenetv2", "statistics": "frozen"},
        RecipeError,
        "model.statistics=trained",
    ),
    "a depth that ends before the finest feature": (
        {"encoder": "convnexttiny", "decoder": "fpn", "depth": 1},
        RecipeError,
        "model.depth to 2 or 3 or 4 or 5",
    ),
    "a decoder that needs deeper features": (
        {"encoder": "plain", "decoder": "fpn", "depth": 1},
        RecipeError,
        "model.depth=2",
    ),
    "a width that the encoder has not": (
        {"encoder": "resnet50", "width": 0.5},
        RecipeError,
        "model.width to 1",
    ),
    "a stride to freeze that the encoder lacks": (
        {"encoder": "mitb0", "weights": "some.h5", "freeze": 2},
        RecipeError,
        "stride 4, 8, 16, 32",
    ),
    "a depth that the encoder has not": (
        {"encoder": "vgg16", "depth": 6},
        RecipeError,
        "stride 64",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_refused_with_the_reason(case):
    settings, error, words = REFUSED[case]
    with pytest.raises(error) as raised:
        refuse_pairing(Model(**settings), SIZE)
    assert words in f"{raised.value} {raised.value.hint}"


def test_a_decoder_of_one_size_needs_that_size():
    settings = Model(encoder="plain", decoder="pspnet")
    assert works_at_one_size(settings)
    refuse_pairing(settings, SIZE)
    with pytest.raises(RecipeError, match="one size only"):
        refuse_pairing(settings)


@pytest.mark.parametrize("classes", [0, 1, 256, 70_000])
def test_a_network_has_from_2_to_255_classes(classes):
    with pytest.raises(RecipeError, match=f"classes={classes}"):
        build_model(classes=classes)
