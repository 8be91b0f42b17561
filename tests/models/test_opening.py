"""Models from elsewhere: put together again they are what their files say, or refused."""

import io
import json
import math
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras.src.backend.common import global_state

from delineate.errors import BundleError
from delineate.models import opening
from delineate.models.build import build_model
from delineate.models.opening import open_model
from tests.bundles import pointwise_model
from tests.models.kernels import draw_kernels

SETTINGS = {
    "plain": {"depth": 2, "filters": 4, "dropout": [0.1]},
    "mobilenetv2": {"encoder": "mobilenetv2", "width": 0.35, "decoder_filters": [4] * 5},
    "mitb0": {"encoder": "mitb0", "decoder": "segformer", "decoder_filters": [8]},
    "objects": {"depth": 2, "filters": 4, "objects": "both", "output": "softmax"},
}


def change_config(path, change):
    change_layers(path, lambda found: change({layer["name"]: layer for layer in found}))


def change_layers(path, change):
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    change(config["config"]["layers"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, each in (content | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, each)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_from_elsewhere_is_what_keras_opens(tmp_path, name, precision):
    if keras.backend.backend() == "jax" and name != "plain":
        pytest.skip("JAX compiles each of them for a minute")
    model = build_model(classes=3, seed=1, precision=precision, **SETTINGS[name])
    draw_kernels(model)
    model.save(tmp_path / "model.keras")
    ours, strange = (open_model(tmp_path / "model.keras", ours=ours) for ours in (True, False))
    assert [layer.name for layer in strange.layers] == [layer.name for layer in ours.layers]
    for one, other in zip(ours.get_weights(), strange.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.float32)
    expected, found = (
        keras.ops.convert_to_numpy(each(images, training=False)) for each in (ours, strange)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_model_that_was_compiled_and_trained_is_opened_without_its_optimizer(tmp_path):
    model = pointwise_model([0.5])
    model.compile("adam", "binary_crossentropy")
    model.fit(np.zeros((1, 4, 4, 1)), np.zeros((1, 4, 4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    opened = open_model(tmp_path / "model.keras")
    assert not opened.compiled
    for one, other in zip(model.get_weights(), opened.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_layers_that_normalise_keep_what_they_have_learnt(tmp_path):
    normalise = layers.Normalization()
    normalise.adapt(np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3))
    image = keras.Input((2, 2, 3))
    keras.Model(image, normalise(image)).save(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((1, 2, 2, 3), np.float32)
    found = keras.ops.convert_to_numpy(open_model(tmp_path / "model.keras")(images))
    np.testing.assert_allclose(
        found, keras.ops.convert_to_numpy(normalise(images)), rtol=1e-5, atol=1e-6
    )


def test_a_tensor_that_the_file_has_not_is_refused_before_it_is_made(tmp_path, monkeypatch):
    pointwise_model([0.5]).save(tmp_path / "model.keras")

    def enlarge(found):
        # 256 × 256 × 65,536 × 4 bytes: 16 GiB.
        found["logits"]["config"]["filters"] = 65_536
        found["logits"]["config"]["kernel_size"] = [256, 256]

    change_config(tmp_path / "model.keras", enlarge)
    made = []
    real = keras.initializers.Zeros.__call__

    def make(self, shape, **named):
        made.append(tuple(shape))
        return real(self, shape, **named)

    monkeypatch.setattr(keras.initializers.Zeros, "__call__", make)
    with pytest.raises(BundleError, match=r"tensor of the shape \(256, 256, 1, 65536\), which"):
        open_model(tmp_path / "model.keras")
    assert not made
    # What was only measured is forgotten: nothing makes it later.
    layers.Dense(1).build((1, 1))
    with keras.StatelessScope():
        pass
    assert {len(shape) for shape in made} <= {1, 2}


def test_what_is_beside_the_graph_takes_no_memory(tmp_path, monkeypatch):
    """Its tensors are not among those that the file has to have."""
    pointwise_model([0.5]).save(tmp_path / "model.keras")

    def add(found):
        beside = json.loads(json.dumps(next(each for each in found if each["name"] == "logits")))
        beside["name"] = beside["config"]["name"] = "beside"
        # 256 × 256 × 65,536 × 4 bytes: 16 GiB.
        beside["config"] |= {"filters": 65_536, "kernel_size": [256, 256]}
        found.append(beside)

    change_layers(tmp_path / "model.keras", add)
    real = keras.initializers.Zeros.__call__

    def make(self, shape, **named):
        assert math.prod(shape) < 10, "a large tensor"
        return real(self, shape, **named)

    monkeypatch.setattr(keras.initializers.Zeros, "__call__", make)
    model = open_model(tmp_path / "model.keras")
    assert [layer.name for layer in model.layers][-1] == "probabilities"


def test_a_network_is_built_once(tmp_path, monkeypatch):
    pointwise_model([0.5]).save(tmp_path / "model.keras")
    built = []
    real = opening._built
    monkeypatch.setattr(opening, "_built", lambda config: built.append(1) or real(config))
    open_model(tmp_path / "model.keras")
    assert built == [1]


def test_variables_are_those_of_the_model_alone_and_have_values(tmp_path):
    model = build_model(classes=2, channels=1, **SETTINGS["plain"])
    model.save(tmp_path / "model.keras")
    opened = open_model(tmp_path / "model.keras")
    assert len(opened.variables) == len(model.variables)
    assert not global_state.get_global_attribute(opening._WAITING)
    for one, other in zip(model.variables, opened.variables, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))


def test_what_others_are_building_keeps_its_place(tmp_path):
    pointwise_model([0.5]).save(tmp_path / "model.keras")
    with keras.StatelessScope(initialize_variables=False):
        waiting = keras.Variable(keras.initializers.Ones(), (2,))
    open_model(tmp_path / "model.keras")
    with keras.StatelessScope():
        pass
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(waiting.value), 1)
    assert not global_state.get_global_attribute(opening._WAITING)


def test_a_graph_that_keras_cannot_build_is_refused_with_its_reason(tmp_path):
    pointwise_model([0.5]).save(tmp_path / "model.keras")
    change_config(
        tmp_path / "model.keras",
        lambda found: found["logits"]["config"].update(padding="sideways"),
    )
    with pytest.raises(BundleError, match=r"Keras cannot open .*model\.keras: .*sideways") as error:
        open_model(tmp_path / "model.keras")
    assert error.value.hint


def test_opening_warns_of_nothing(tmp_path):
    pointwise_model([0.5]).save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_model(tmp_path / "model.keras")


@pytest.mark.parametrize("kind", ["u1", "f2", "f8"])
def test_a_tensor_that_is_stored_in_another_type_is_refused(tmp_path, kind):
    """A byte for each number would become four of them here."""
    pointwise_model([0.5]).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    stored = io.BytesIO(content["model.weights.h5"])
    with h5py.File(stored, "r+") as file:
        values = file["layers/conv2d/vars/0"][()]
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = values.astype(kind)
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name, each in (content | {"model.weights.h5": stored.getvalue()}).items():
            archive.writestr(name, each)
    with pytest.raises(BundleError, match=r"\(1, 1, 1, 1\), which the file has not as float32"):
        open_model(tmp_path / "model.keras")


def test_more_bytes_than_its_file_may_become_are_refused_before_they_are_taken(
    tmp_path, monkeypatch
):
    pointwise_model([0.5]).save(tmp_path / "model.keras")
    # A kernel and a bias of one number each.
    monkeypatch.setattr(opening, "most_bytes", lambda size: 8)
    open_model(tmp_path / "model.keras")
    monkeypatch.setattr(opening, "most_bytes", lambda size: 7)
    monkeypatch.setattr(opening, "_give_values", lambda model: pytest.fail("values"))
    with pytest.raises(BundleError, match="its layers would have 8 bytes, and 7 is the most"):
        open_model(tmp_path / "model.keras")


def test_the_bytes_of_a_number_are_those_of_its_type():
    kinds = ("float32", "bfloat16", "float16", "int64", "bool")
    assert list(map(opening._bytes_of, kinds)) == [4, 2, 2, 8, 1]
