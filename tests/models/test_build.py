"""The model that settings give: its contract, its seeds, its precision, what it refuses."""

from itertools import combinations

import keras
import numpy as np
import pytest

from delineate.errors import RecipeError, UsageError
from delineate.models.build import build_model, build_network, stride_of
from delineate.recipe import Model

SMALL = {"depth": 1, "filters": 3, "channels": 1, "classes": 2}


def kernels(model):
    """Return the initial numbers of all layers that draw some, by the weight's path."""
    return {
        weight.path: keras.ops.convert_to_numpy(weight).ravel()
        for weight in model.trainable_weights
        if weight.path.endswith("kernel")
    }


@pytest.fixture(scope="module")
def model():
    return build_model(**SMALL)


def test_the_model_ends_in_probabilities_after_logits_in_float32(model):
    assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]
    assert model.layers[-1].output is model.output
    assert model.get_layer("logits").dtype_policy.name == "float32"
    assert model.input.dtype == model.output.dtype == "float32"


def test_the_model_takes_images_of_any_size(model):
    assert model.input.shape == (None, None, None, 1)
    assert model.output.shape == (None, None, None, 2)


def test_the_model_is_made_of_plain_layers_of_keras_alone(model):
    modules = {type(layer).__module__.split(".")[0] for layer in model.layers}
    assert modules == {"keras"}


def test_a_softmax_sums_to_one_and_a_sigmoid_of_two_classes_is_one_channel():
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 1)).astype(np.float32)
    softmax = build_model(**(SMALL | {"classes": 3})).predict_on_batch(image)
    assert softmax.shape == (1, 4, 6, 3)
    np.testing.assert_allclose(softmax.sum(axis=-1), 1, rtol=1e-5)
    sigmoid = build_model(**SMALL, output="sigmoid")
    assert sigmoid.output.shape[-1] == 1
    assert sigmoid.layers[-1].activation is keras.activations.sigmoid


def test_the_same_seed_gives_the_same_weights():
    first, second = (kernels(build_model(**SMALL, seed=5)) for _ in range(2))
    assert first.keys() == second.keys()
    for path, numbers in first.items():
        np.testing.assert_array_equal(numbers, second[path])


def test_another_seed_gives_other_weights_to_each_layer(model):
    first, second = kernels(model), kernels(build_model(**SMALL, seed=1))
    for path, numbers in first.items():
        assert not np.isin(numbers, second[path]).any(), path


def test_no_two_layers_share_initial_numbers(model):
    found = kernels(model)
    assert len(found) == 8
    for (one, first), (other, second) in combinations(found.items(), 2):
        scales = first[:3] / first[0], second[:3] / second[0]
        assert not np.allclose(*scales, rtol=1e-3), (one, other)


def test_the_seed_also_decides_what_dropout_drops():
    seeds = [
        build_model(**SMALL, dropout=(0.5,), seed=seed).get_layer("encoder0_dropout").seed
        for seed in (0, 0, 1)
    ]
    assert seeds[0] == seeds[1] != seeds[2]


def test_in_bfloat16_the_weights_and_what_comes_out_are_float32():
    model = build_model(**SMALL, precision="bfloat16")
    assert model.get_layer("encoder0_convolve1").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    image = np.full((1, 4, 4, 1), 200, np.float32)
    found = model.predict_on_batch(image)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-6)


def test_the_stored_values_are_scaled_in_float32_inside_the_graph(model):
    layer = build_model(**SMALL, precision="bfloat16", input_scale=1 / 65535).get_layer("scale")
    assert (layer.scale, layer.compute_dtype) == (1 / 65535, "float32")
    assert model.get_layer("scale").scale == 1 / 255


def test_what_is_trained_shares_all_layers_with_what_is_saved():
    network = build_network(Model(depth=1, filters=2), classes=2, channels=1)
    model, trainer = network.model, network.trainer
    assert trainer.output is model.get_layer("logits").output
    assert [id(weight) for weight in trainer.weights] == [id(weight) for weight in model.weights]


def test_the_stride_is_two_to_the_depth():
    assert stride_of(Model(depth=3)) == 8


def own_encoder(image, *, settings, style):
    return {1: keras.layers.Conv2D(4, 1, name="mine")(image)}


def test_an_encoder_of_the_users_own_is_found_by_its_module_and_name():
    model = build_model(**SMALL, encoder=f"{__name__}:own_encoder")
    assert "mine" in [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "relo"}, "model.activation = 'relo' is none that Keras knows"),
        ({"initialiser": "he"}, "model.initialiser = 'he' is none that Keras knows"),
        ({"filters": 0}, "model.filters = 0 is not allowed"),
        ({"filter": 4}, "unknown setting 'model.filter'. Did you mean 'filters'"),
        ({"precision": "float16"}, "runtime.precision = 'float16' is not allowed"),
        ({"classes": 1}, "classes=1 cannot be built"),
        ({"channels": 0}, "channels=0 cannot be built"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        build_model(**(SMALL | settings))


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_an_unknown_part_is_refused_with_those_that_there_are(part):
    with pytest.raises(UsageError, match=f"There is no 'resnet' among the {part}s") as refused:
        build_model(**SMALL, **{part: "resnet"})
    assert "plain" in refused.value.hint or "unet" in refused.value.hint
