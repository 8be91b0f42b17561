"""Configurations: what Keras may read of them, and what is refused with a reason."""

import importlib
import json

import keras
import pytest
from keras import layers

from delineate.modelfiles import keras_config
from delineate.modelfiles.keras_classes import ACTIVATIONS, ALLOWED, IN_GRAPH
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


def taken_by(config, name):
    return layer_of(config, name)["inbound_nodes"][0]["args"][0]


def array(kind="__tensor__"):
    return {"class_name": kind, "config": {"value": [[[[0.0]]]], "dtype": "float32"}}


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


def test_what_is_said_of_training_and_of_masks_that_are_none_is_read():
    image = keras.Input((8, 8, 3))
    config = config_of(keras.Model(image, layers.BatchNormalization(name="normalise")(image)))
    node = layer_of(config, "normalise")["inbound_nodes"][0]
    node["kwargs"] = {"training": False, "mask": None}
    assert rebuilt(config).output.shape == (None, 8, 8, 3)
    node["args"], node["kwargs"] = [], {"inputs": node["args"][0]}
    assert rebuilt(config).output.shape == (None, 8, 8, 3)


def test_a_model_that_takes_several_images_is_read():
    images = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    inside = keras.Model(images, layers.Add()(images))
    taken = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    config = config_of(keras.Model(taken, inside(taken)))
    # Of each image Keras says that it has no mask.
    node = config["config"]["layers"][-1]["inbound_nodes"][0]
    node["kwargs"] = {"mask": [None, None]}
    assert rebuilt(config).output.shape == (None, 8, 8, 3)


def test_attention_is_read():
    image = keras.Input((8, 8, 3))
    attend = layers.MultiHeadAttention(1, 3, attention_axes=(1, 2))
    model = keras.Model(image, attend(image, image) + attend(query=image, value=image))
    assert rebuilt(config_of(model)).output.shape == (None, 8, 8, 3)


def test_shapes_that_layers_were_built_for_are_left_out(config):
    assert layer_of(config, "logits")["build_config"]
    assert "build_config" not in layer_of(read(config), "logits")


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


def made(module, kind, **settings):
    return {"module": module, "class_name": kind, "config": settings, "registered_name": None}


ENLARGE = made("keras.layers", "UpSampling2D", name="u", size=[9000, 9000])
MISPLACED = [
    ENLARGE,
    made("keras.layers", "Dense", name="d", units=65_536),
    made("keras", "Sequential", name="s", layers=[ENLARGE]),
    made("keras.src.models.functional", "Functional", name="f", layers=[]),
    made("keras", "DTypePolicy", name="float32"),
    made("keras.initializers", "Zeros"),
    made("keras.src.ops.numpy", "Add"),
]


@pytest.mark.parametrize("layer", ["logits", "probabilities"])
@pytest.mark.parametrize("found", MISPLACED, ids=lambda each: each["class_name"])
def test_a_layer_in_place_of_an_activation_is_refused(config, layer, found):
    """Keras calls it, and does not ask it for its shape."""
    layer_of(config, layer)["config"]["activation"] = found
    with pytest.raises(ValueError, match="which a model from elsewhere may not have there"):
        read(config)


@pytest.mark.parametrize("key", ["kernel_initializer", "dtype", "size", "name", "layers"])
def test_a_layer_anywhere_but_among_layers_is_refused(config, key):
    layer_of(config, "logits")["config"][key] = ENLARGE
    with pytest.raises(ValueError, match="may not have there"):
        read(config)


@pytest.mark.parametrize("module", [*ALLOWED, "os"])
def test_what_is_no_layer_is_refused_among_layers(config, module):
    for kind in ALLOWED.get(module, {"system"}) - IN_GRAPH.get(module, frozenset()):
        layer_of(config, "logits").update(module=module, class_name=kind)
        with pytest.raises(ValueError, match="may not have"):
            read(config)


def test_a_layer_that_keeps_its_shape_may_be_an_activation():
    image = keras.Input((8, 8, 3))
    limited = layers.Conv2D(3, 1, activation=layers.ReLU(6.0))(image)
    model = keras.Model(image, layers.Activation(layers.Softmax())(limited))
    assert rebuilt(config_of(model)).output.shape == (None, 8, 8, 3)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_of_the_table_is_one_of_keras_and_keeps_the_shape(name):
    image = keras.Input((8, 8, 4))
    layer = layers.Activation(name, name="activation")
    assert rebuilt(config_of(keras.Model(image, layer(image)))).output.shape == (None, 8, 8, 4)
    assert layer(keras.ops.ones((1, 2, 2, 4))).shape == (1, 2, 2, 4)


@pytest.mark.parametrize("name", ["glu", "threshold", "exec", ""])
def test_an_activation_that_is_not_in_the_table_is_refused(config, name):
    layer_of(config, "logits")["config"]["activation"] = name
    with pytest.raises(ValueError, match=f"it has the activation '{name}'"):
        read(config)


@pytest.mark.parametrize("key", ["kernel_regularizer", "activity_regularizer", "kernel_constraint"])
@pytest.mark.parametrize("found", [ENLARGE, made("os", "system"), "l2", None], ids=str)
def test_what_only_training_computes_goes(config, key, found):
    layer_of(config, "logits")["config"][key] = found
    assert layer_of(read(config), "logits")["config"][key] is None


@pytest.mark.parametrize("kind", ["__numpy__", "__tensor__"])
@pytest.mark.parametrize("key", ["activation", "alpha", "epsilon", "name", "kernel_initializer"])
def test_an_array_where_none_may_be_is_refused(config, key, kind):
    layer_of(config, "logits")["config"][key] = array(kind)
    with pytest.raises(ValueError, match=r"it has an array as|is no single number"):
        read(config)


@pytest.mark.parametrize("name", ["alpha", "epsilon", "max_value", "negative_slope", "threshold"])
def test_numbers_in_place_of_one_are_refused(config, name):
    """Keras would repeat the image for each of them, and says nothing of it."""
    settings = layer_of(config, "probabilities")["config"]
    settings[name] = 1.0
    read(config)
    settings[name] = [1.0] * 1000
    with pytest.raises(ValueError, match=f"{name} is no single number"):
        read(config)


@pytest.mark.parametrize(
    "name", ["int32", "float64", "uint8", "bool", "string", "int8_from_float32"]
)
@pytest.mark.parametrize("is_policy", [False, True])
def test_layers_that_do_not_compute_with_small_floats_are_refused(config, name, is_policy):
    found = made("keras", "DTypePolicy", name=name) if is_policy else name
    layer_of(config, "probabilities")["config"]["dtype"] = found
    with pytest.raises(ValueError, match=f"numbers of the type '{name}'"):
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
    ("args", "kwargs"),
    [
        (lambda taken: [], {}),
        (lambda taken: [[]], {}),
        (lambda taken: {"0": taken}, {}),
        (lambda taken: [array()], {}),
        (lambda taken: [array("__numpy__")], {}),
        (lambda taken: [[taken, array()]], {}),
        (lambda taken: [{"image": taken, "other": 1.0}], {}),
        (lambda taken: [3.0], {}),
        (lambda taken: [[taken, 3.0]], {}),
        # By its place a mask.
        (lambda taken: [taken, taken], {}),
        (lambda taken: [taken], {"mask": True}),
        (lambda taken: [taken], {"mask": array()}),
        (lambda taken: [taken], {"training": array()}),
        (lambda taken: [taken], {"inputs": 1.0}),
        (lambda taken: [taken], []),
    ],
)
def test_a_layer_that_takes_something_else_than_connections_is_refused(config, args, kwargs):
    """Keras would compute it at once, or not see how large what it gives is."""
    node = layer_of(config, "logits")["inbound_nodes"][0]
    node["args"], node["kwargs"] = args(taken_by(config, "logits")), kwargs
    with pytest.raises(ValueError, match="something else than connections"):
        read(config)


@pytest.mark.parametrize("name", ["mask", "attention_mask"])
def test_a_mask_is_refused(config, name):
    node = layer_of(config, "probabilities")["inbound_nodes"][0]
    node["kwargs"] = {name: taken_by(config, "probabilities")}
    with pytest.raises(ValueError, match="something else than connections"):
        read(config)


def test_arithmetic_with_arrays_is_refused():
    """Keras takes an array of a graph for a single number."""
    image = keras.Input((8, 8, 3))
    config = config_of(keras.Model(image, image + 3.0))
    read(config)
    arguments = config["config"]["layers"][1]["inbound_nodes"][0]["args"]
    arguments[1] = [1.0] * 1000
    with pytest.raises(ValueError, match="something else than connections"):
        read(config)


@pytest.mark.parametrize(
    ("settings", "shape", "reason"),
    [
        ({"axis": [1, 2]}, [None, 65_536, 65_536, 1], "other axes"),
        ({"axis": [1]}, [None, 65_536, 65_536, 1], "other axes"),
        ({"axis": None}, [None, 8, 8, 3], "other axes"),
        ({"axis": -1}, None, "of no shape"),
        ({"axis": -1}, [], "more than 1024 channels, or none"),
        ({"axis": -1}, [None, None], "more than 1024 channels, or none"),
        ({"axis": [-1], "mean": 0.5, "variance": 1.0}, [None, 1025], "more than 1024 channels"),
    ],
)
def test_a_normalisation_of_many_numbers_is_refused(settings, shape, reason):
    image = keras.Input((8, 8, 3))
    config = config_of(keras.Model(image, layers.Normalization(name="normalise")(image)))
    layer = layer_of(config, "normalise")
    layer["config"].update(settings)
    layer["build_config"] = {"input_shape": shape}
    with pytest.raises(ValueError, match=reason):
        read(config)


@pytest.mark.parametrize("axis", [[-1], [3], -1, []])
def test_a_normalisation_of_few_channels_is_read(axis):
    image = keras.Input((8, 8, 3))
    normalise = layers.Normalization(mean=0.5, variance=0.2, name="normalise")
    config = config_of(keras.Model(image, normalise(image)))
    layer_of(config, "normalise")["config"]["axis"] = axis
    assert layer_of(read(config), "normalise")["build_config"] == {
        "input_shape": [None, None, None, 3]
    }
    assert rebuilt(config).output.shape == (None, 8, 8, 3)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"data_format": "channels_first"}, "images of the format 'channels_first'"),
        ({"pad_to_aspect_ratio": True}, "pads images before it resizes them"),
    ],
)
def test_settings_that_hide_how_large_a_tensor_is_are_refused(settings, reason):
    image = keras.Input((8, 8, 3))
    config = config_of(keras.Model(image, layers.Resizing(4, 4, name="resize")(image)))
    read(config)
    layer_of(config, "resize")["config"].update(settings)
    with pytest.raises(ValueError, match=reason):
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


def test_too_many_connections_are_refused(config, monkeypatch):
    # The image, which takes nothing, and the three layers behind it.
    monkeypatch.setattr(keras_config, "MOST_CONNECTIONS", 4)
    read(config)
    monkeypatch.setattr(keras_config, "MOST_CONNECTIONS", 3)
    with pytest.raises(ValueError, match="more than 3 connections"):
        read(config)


def connections_in(config):
    inspection = keras_config._Inspection()
    inspection.object_of(json.loads(json.dumps(config)), 0, IN_GRAPH)
    return inspection.connections


def test_each_call_of_a_layer_has_connections(config):
    layer_of(config, "logits")["inbound_nodes"] *= 10
    assert connections_in(config) == 3 + 10


def test_each_part_of_what_is_joined_is_a_connection():
    image = keras.Input((8, 8, 3))
    joined = layers.Concatenate()([image] * 5)
    assert connections_in(config_of(keras.Model(image, joined))) == 1 + 5


def test_what_is_within_a_model_counts_for_each_of_its_calls():
    """Keras would go through a few connections in each of many models within models for hours."""
    image, taken = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    inside = keras.Model(taken, layers.ReLU()(layers.ReLU()(taken)))
    model = keras.Model(image, inside(inside(inside(image))))
    # The image, three calls, and in each of them an image and two layers.
    assert connections_in(config_of(model)) == 1 + 3 + 3 * 3


def test_a_row_of_layers_counts_as_often_as_keras_builds_it():
    row = keras.Sequential([keras.Input((8, 8, 3)), layers.ReLU(), layers.ReLU()])
    assert connections_in(config_of(row)) == 3 + 2 + 1


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
