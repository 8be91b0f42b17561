"""Configurations: what Keras may read of them, and what is refused with a reason."""

import importlib
import json

import keras
import pytest
from keras import layers

from delineate.modelfiles import keras_config
from delineate.modelfiles.keras_classes import ALLOWED
from delineate.modelfiles.keras_config import inspected
from tests.bundles import pointwise_model


def config_of(model):
    return json.loads(model.to_json())


def read(config):
    return inspected(json.dumps(config).encode())


def rebuilt(config):
    return keras.saving.deserialize_keras_object(read(config), safe_mode=True)


def layer_of(config, name):
    return next(each for each in config["config"]["layers"] if each["name"] == name)


@pytest.fixture
def config():
    return config_of(pointwise_model([0.5]))


def test_what_is_read_makes_the_same_model(config):
    model = rebuilt(config)
    assert [layer.name for layer in model.layers] == [
        each["name"] for each in config["config"]["layers"]
    ]
    assert model.output.shape == (None, None, None, 1)


def test_initialisers_become_zeros_and_settings_of_training_go(config):
    config["compile_config"] = {"optimizer": "adam"}
    layer_of(config, "logits")["config"]["kernel_initializer"] = "orthogonal"
    found = read(config)
    assert "compile_config" not in found
    settings = layer_of(found, "logits")["config"]
    assert settings["kernel_initializer"] == "zeros"
    assert settings["bias_initializer"]["class_name"] == "Zeros"
    model = rebuilt(config)
    assert all((each == 0).all() for each in model.get_weights())


def test_a_model_within_a_model_and_one_in_a_row_are_read():
    image = keras.Input((8, 8, 3))
    inner = keras.Sequential([layers.Conv2D(4, 3), layers.ReLU()])
    other = pointwise_model([0.5], channels=4)
    model = keras.Model(image, other(inner(image)))
    assert rebuilt(config_of(model)).output.shape == model.output.shape


def test_arithmetic_and_arrays_in_a_graph_are_read():
    import numpy as np

    image = keras.Input((8, 8, 3))
    scaled = layers.Rescaling(np.array([1.0, 2.0, 3.0]))(image)
    model = keras.Model(image, layers.ReLU(6.0)(scaled + 3.0) * (1 / 6))
    assert rebuilt(config_of(model)).output.shape == (None, 8, 8, 3)


def test_a_layer_that_is_used_twice_is_read():
    image = keras.Input((8, 8, 3))
    convolution, pool = layers.Conv2D(3, 1), layers.AveragePooling2D(1)
    model = keras.Model(image, convolution(pool(convolution(image))))
    assert len(rebuilt(config_of(model)).weights) == 2


def test_mixed_precision_is_read():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Conv2D(3, 1, dtype="mixed_bfloat16")(image))
    assert rebuilt(config_of(model)).layers[1].compute_dtype == "bfloat16"


def test_large_seeds_are_read(config):
    layer_of(config, "probabilities")["config"]["seed"] = 2**40
    assert layer_of(read(config), "probabilities")["config"]["seed"] == 2**40


@pytest.mark.parametrize("name", ["probabilities", "logits"])
@pytest.mark.parametrize("key", ["module", "class_name", "registered_name"])
def test_a_class_that_is_not_in_the_table_is_refused(config, name, key):
    layer_of(config, name)[key] = "Own"
    with pytest.raises(ValueError, match=r"may not have|another object"):
        read(config)


@pytest.mark.parametrize("value", [2**16 + 1, -(2**16) - 1, 10**100])
def test_a_number_that_is_too_large_is_refused(config, value):
    layer_of(config, "logits")["config"]["filters"] = value
    with pytest.raises(ValueError, match="is the largest"):
        read(config)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(config, text):
    content = json.dumps(config).replace('"trainable": true', f'"trainable": {text}', 1)
    with pytest.raises(ValueError, match=r"it has the number|not finite"):
        inspected(content.encode())


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("inbound_nodes", [["scale", 0, 0, {}]], "place in the graph"),
        ("inbound_nodes", [{"args": []}], "place in the graph"),
        ("inbound_nodes", None, "place in the graph"),
        ("name", None, "without a name"),
        ("config", [], "without a class or a configuration"),
        ("code", "exec", "unknown key 'code'"),
    ],
)
def test_a_layer_that_cannot_be_read_is_refused(config, place, value, reason):
    layer_of(config, "logits")[place] = value
    with pytest.raises(ValueError, match=reason):
        read(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("keras_history", ["scale"]),
        ("keras_history", None),
        ("keras_history", [1, 0, 0]),
        ("shape", [None, -1]),
        ("shape", [None, 1.5]),
        ("shape", 3),
        ("dtype", "object"),
    ],
)
def test_a_connection_that_cannot_be_read_is_refused(config, key, value):
    taken = layer_of(config, "logits")["inbound_nodes"][0]["args"][0]
    taken["config"][key] = value
    with pytest.raises(ValueError, match="a connection that cannot be read"):
        read(config)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b"{}", b'{"class_name": "Conv2D"}', b'{"class_name": []}', b"\xff"],
)
def test_what_is_no_configuration_is_refused(text):
    with pytest.raises(ValueError):
        inspected(text)


def test_what_is_too_deep_is_refused(config):
    deep = {}
    for _ in range(keras_config.DEEPEST):
        deep = {"inside": deep}
    layer_of(config, "logits")["config"]["deep"] = deep
    with pytest.raises(ValueError, match="more than 64 levels deep"):
        read(config)
    with pytest.raises(ValueError, match=r"levels deep|Expecting"):
        inspected(b'{"class_name":' + b"[" * 200_000)


def test_too_many_layers_are_refused(config, monkeypatch):
    monkeypatch.setattr(keras_config, "MOST_LAYERS", 3)
    with pytest.raises(ValueError, match="more than 3 layers"):
        read(config)


def test_layers_out_of_order_are_refused(config, monkeypatch):
    """Keras would try all of them again and again."""
    config["config"]["layers"].reverse()
    read(config)
    monkeypatch.setattr(keras_config, "MOST_LATER", 2)
    with pytest.raises(ValueError, match="out of order"):
        read(config)


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in ALLOWED for name in sorted(ALLOWED[module])]
)
def test_every_class_of_the_table_is_one_of_keras(module, name):
    # Keras has the public ones as attributes; modules of its insides are imported.
    place = keras if module == "keras" else importlib.import_module(module)
    assert isinstance(getattr(place, name), type)
