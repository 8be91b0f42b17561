"""The engine that runs Keras models."""

import zipfile

import keras
import numpy as np
import pytest

from delineate.errors import BundleError
from delineate.models.build import build_model
from delineate.models.opening import open_model
from delineate.prediction.runtimes.keras import KerasRuntime
from tests.bundles import pointwise_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    pointwise_model([0.5]).save(path)
    return path


def test_a_model_from_a_file_gives_what_the_model_itself_gives(path):
    images = np.array([0, 120, 135, 255], np.float32).reshape(1, 2, 2, 1)
    found = KerasRuntime.open(path).run(images)
    expected = 1 / (1 + np.exp(-40 * (images / 255 - 0.5)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_quickened_network_predicts_what_it_did(tmp_path, precision):
    model = build_model(
        classes=3,
        encoder="mobilenetv2",
        width=0.35,
        decoder_filters=(16, 8, 8, 4),
        upsampling="bilinear",
        precision=precision,
    )
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    model.save(tmp_path / "model.keras")
    images = rng.integers(0, 256, (1, 64, 96, 3)).astype(np.float32)
    found = KerasRuntime.open(tmp_path / "model.keras").run(images)
    expected = KerasRuntime(open_model(tmp_path / "model.keras")).run(images)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4 if precision == "float32" else 0.05)


def test_sizes_are_rounded_up_only_where_each_shape_is_compiled(path):
    expected = {"jax": 128, "tensorflow": 1, "torch": 1}[keras.backend.backend()]
    assert KerasRuntime.open(path).granularity == expected


def test_the_model_is_not_compiled_for_training(path):
    assert not KerasRuntime.open(path).model.compiled


def write(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


def without_its_config(folder, path):
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(folder / "bare.keras", "w") as target:
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    return folder / "bare.keras"


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder, path: folder / "missing.keras",
        lambda folder, path: write(folder, "text.keras", b"no model"),
        lambda folder, path: write(folder, "half.keras", path.read_bytes()[:800]),
        without_its_config,
    ],
    ids=["missing", "text", "half", "no config"],
)
@pytest.mark.parametrize("ours", [True, False])
def test_a_file_that_is_no_model_is_refused_by_its_name(tmp_path, path, damage, ours):
    damaged = damage(tmp_path, path)
    with pytest.raises(BundleError, match="Keras cannot open") as refused:
        KerasRuntime.open(damaged, ours=ours)
    assert damaged.name in refused.value.message
    assert not refused.value.message.endswith("..")


@pytest.mark.parametrize("ours", [True, False])
def test_a_model_that_carries_code_is_refused(tmp_path, ours):
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, keras.layers.Lambda(lambda tensor: tensor * 2)(image))
    model.save(tmp_path / "code.keras")
    with pytest.raises(BundleError, match="Keras cannot open"):
        KerasRuntime.open(tmp_path / "code.keras", ours=ours)


class Own(keras.layers.Layer):
    """A layer that only this module knows."""

    def call(self, image):
        return image


@pytest.mark.parametrize("ours", [True, False])
def test_a_model_with_layers_of_its_own_is_refused(tmp_path, ours):
    image = keras.Input((4, 4, 1))
    keras.Model(image, Own()(image)).save(tmp_path / "own.keras")
    with pytest.raises(BundleError, match="Keras cannot open"):
        KerasRuntime.open(tmp_path / "own.keras", ours=ours)


def test_an_error_without_words_still_gives_a_reason(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise KeyError

    monkeypatch.setattr(keras.saving, "load_model", fail)
    with pytest.raises(BundleError, match=r"cannot open .*: KeyError\."):
        KerasRuntime.open(tmp_path / "model.keras", ours=True)


def failing(runtime, monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setattr(runtime.model, "predict_on_batch", fail)
    return runtime


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ValueError("it has no kernel\nfor whole numbers"), "Get the bundle again"),
        (MemoryError(), "smaller images"),
        (RuntimeError("OOM: out of memory"), "smaller images"),
    ],
)
def test_what_fails_at_an_image_is_told(path, monkeypatch, error, hint):
    runtime = failing(KerasRuntime.open(path), monkeypatch, error)
    with pytest.raises(BundleError, match="Keras cannot predict with this model: ") as told:
        runtime.run(np.zeros((1, 2, 2, 1), np.float32))
    assert "\n" not in told.value.message
    assert hint in told.value.hint


def test_an_interrupt_at_an_image_is_none(path, monkeypatch):
    runtime = failing(KerasRuntime.open(path), monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        runtime.run(np.zeros((1, 2, 2, 1), np.float32))


def test_what_fails_in_a_training_is_told_by_the_training(monkeypatch):
    runtime = failing(KerasRuntime(pointwise_model([0.5])), monkeypatch, MemoryError())
    with pytest.raises(MemoryError):
        runtime.run(np.zeros((1, 2, 2, 1), np.float32))
