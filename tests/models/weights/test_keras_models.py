"""Encoders out of whole Keras models: those that delineate has trained, and others."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from delineate.bundle import Bundle, Card, Category, Member
from delineate.catalog import find
from delineate.errors import BundleError, WeightsError
from delineate.models.build import build_model
from delineate.models.conventions import CONVENTIONS, SYMMETRIC, TORCH, Convention
from delineate.models.weights import load_weights
from tests.models.weights.test_keras_files import application, same

CLASSES = (Category(name="background", colour=(0, 0, 0)), Category(name="cell", colour=(9, 9, 9)))


def network(**settings):
    """A small network with a MobileNetV2, or another encoder, in it."""
    settings = {"encoder": "mobilenetv2", "width": 0.35, "decoder_filters": [4] * 5} | settings
    return build_model(classes=2, seed=5, **settings)


@pytest.fixture(scope="module")
def trained():
    return network()


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "model.keras"
    trained.save(path)
    return path


def load(target, path, encoder="mobilenetv2", width=0.35):
    return load_weights(target, str(path), encoder=encoder, width=width)


def bundle(folder, *models):
    members = tuple(Member(file=f"model{number}.keras") for number in range(len(models)))
    card = Card(
        members=members, classes=CLASSES, channels=3, dtype="uint8", fit="crop", size=(32, 32),
        stride=32, output="softmax", licences={"weights": "Apache-2.0"},
    )  # fmt: skip

    def write(inside):
        for member, model in zip(members, models, strict=True):
            model.save(inside / member.file)

    return Bundle.save(folder, card, write)


def test_the_encoder_of_a_trained_network_is_taken_out_of_it(trained, path):
    loaded = load(application(), path)
    for layer in loaded.model.layers:
        values = zip(layer.get_weights(), trained.get_layer(layer.name).get_weights() if layer.weights else [], strict=True)  # fmt: skip
        assert all(np.array_equal(*pair) for pair in values), layer.name
    assert loaded.convention == SYMMETRIC
    assert "logits" in loaded.left_out
    assert loaded.origin == "model.keras, a Keras model."


@pytest.mark.parametrize("inside", ["", "best"])
def test_a_bundle_and_a_run_folder_give_their_model(trained, tmp_path, inside):
    bundle(tmp_path / "run" / inside if inside else tmp_path / "run", trained)
    loaded = load(application(), tmp_path / "run")
    kernel = trained.get_layer("Conv1").get_weights()[0]
    np.testing.assert_array_equal(loaded.model.get_layer("Conv1").get_weights()[0], kernel)
    assert loaded.licence == "Apache-2.0"
    assert loaded.origin == "the model of run."


def test_bundles_of_several_models_are_refused(trained, tmp_path):
    bundle(tmp_path / "two", trained, trained)
    with pytest.raises(WeightsError, match="holds 2 models"):
        load(application(), tmp_path / "two")


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match="neither a run"):
        load(application(), tmp_path)


def test_a_model_with_the_encoder_as_one_of_its_layers_is_read(tmp_path):
    inner = application()
    image = layers.Input((64, 64, 3))
    keras.Model(image, layers.Conv2D(2, 1, name="own")(inner(image))).save(tmp_path / "own.keras")
    loaded = load(application(), tmp_path / "own.keras")
    assert same(loaded.model, inner)
    assert loaded.left_out == ("own",)


def test_kernels_for_blue_first_are_turned_back(tmp_path):
    """Networks of ours keep the first kernel in the order of the image: red first."""
    made = network(encoder="vgg16", width=1.0, depth=2, decoder_filters=[4, 4])
    made.save(tmp_path / "model.keras")
    vgg = keras.applications.VGG16(include_top=False, weights=None, input_shape=(None, None, 3))
    target = keras.Model(vgg.input, vgg.get_layer("block2_pool").output)
    loaded = load(target, tmp_path / "model.keras", "vgg16", 1.0)
    kernel = made.get_layer("block1_conv1").get_weights()[0]
    np.testing.assert_array_equal(
        loaded.model.get_layer("block1_conv1").get_weights()[0], kernel[:, :, ::-1]
    )


# Encoders that were converted from PyTorch


def test_a_network_with_a_converted_encoder_keeps_the_ways_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    from tests.models.weights import torch_networks as networks

    state = networks.randomised(networks.MobileNetOfTorchvision(0.35)).state_dict()
    torch.save(state, tmp_path / "own.pt")
    converted = load(application(), tmp_path / "own.pt")
    network(weights=str(tmp_path / "own.pt")).save(tmp_path / "model.keras")
    again = load(application(), tmp_path / "model.keras")
    assert again.convention == TORCH
    image = np.random.default_rng(0).normal(0, 1, (1, 64, 64, 3)).astype(np.float32)
    # The network ends where its decoder begins, before the part of the classifier.
    last = again.model.layers[-1].name
    assert last == "block_16_project_BN"
    until = keras.Model(converted.model.input, converted.model.get_layer(last).output)
    expected, found = (
        keras.ops.convert_to_numpy(each(image, training=False)) for each in (until, again.model)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


# What is refused


def test_a_model_of_another_width_is_refused_with_both_shapes(path):
    with pytest.raises(WeightsError, match=r"\(3, 3, 3, 16\); Conv1/kernel .* \(3, 3, 3, 24\)"):
        load(application(0.75), path, width=0.75)


@pytest.mark.parametrize("channels", [1, 5])
def test_the_weights_of_a_network_of_other_channels_are_taken_as_they_are(tmp_path, channels):
    settings = {"encoder": "mobilenetv2", "width": 0.35, "depth": 2, "decoder_filters": [4] * 2}
    one = build_model(classes=2, channels=channels, seed=1, **settings)
    one.save(tmp_path / "model.keras")
    path = str(tmp_path / "model.keras")
    again = build_model(classes=2, channels=channels, seed=2, weights=path, **settings)
    kernels = [each.get_layer("Conv1").get_weights()[0] for each in (one, again)]
    np.testing.assert_array_equal(*kernels)
    colour = build_model(classes=2, channels=3, seed=2, weights=path, **settings)
    assert colour.get_layer("Conv1").get_weights()[0].shape == (3, 3, 3, 16)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda each: each.name)
def test_every_convention_is_recognised_in_a_network_of_ours(tmp_path, convention, monkeypatch):
    """It belongs to the weights, whatever the encoder usually expects."""
    encoder = replace(find("encoders", "mobilenetv2"), convention=convention)
    monkeypatch.setattr("delineate.models.encoders.applications.MOBILENETV2", encoder)
    network(depth=2, decoder_filters=[4, 4]).save(tmp_path / "model.keras")
    assert load(application(), tmp_path / "model.keras").convention == convention


def test_an_unknown_convention_is_refused(tmp_path, monkeypatch):
    odd = Convention("odd", (1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
    encoder = replace(find("encoders", "mobilenetv2"), convention=odd)
    monkeypatch.setattr("delineate.models.encoders.applications.MOBILENETV2", encoder)
    network(depth=2, decoder_filters=[4, 4]).save(tmp_path / "model.keras")
    with pytest.raises(WeightsError, match="no convention that is known"):
        load(application(), tmp_path / "model.keras")


def test_weights_that_end_before_the_coarsest_feature_are_refused(tmp_path):
    network(depth=3, decoder_filters=[4] * 3).save(tmp_path / "model.keras")
    with pytest.raises(WeightsError, match=r"end at stride 8; .* up to stride 32") as caught:
        network(weights=str(tmp_path / "model.keras"))
    assert "model.depth=3" in caught.value.hint


def test_a_model_with_another_encoder_is_refused(path):
    vgg = keras.applications.VGG16(include_top=False, weights=None)
    with pytest.raises(WeightsError, match="no weights of the encoder 'vgg16': none of its layers"):
        load(vgg, path, "vgg16", 1.0)


def test_an_encoder_that_is_set_otherwise_is_refused(tmp_path):
    made = application()
    made.get_layer("block_3_depthwise_BN").epsilon = 0.1
    made.save(tmp_path / "own.keras")
    with pytest.raises(WeightsError, match=r"block_3_depthwise_BN of .* is set otherwise"):
        load(application(), tmp_path / "own.keras")


def test_code_in_a_model_is_refused(tmp_path):
    image = layers.Input((8, 8, 3))
    keras.Model(image, layers.Lambda(lambda x: x + 1, output_shape=(8, 8, 3))(image)).save(tmp_path / "own.keras")  # fmt: skip
    with pytest.raises(WeightsError, match=r"Keras cannot open .*own.keras"):
        load(application(), tmp_path / "own.keras")


def test_a_model_that_is_cut_short_is_an_error(path, tmp_path):
    cut = tmp_path / "cut.keras"
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"cut.keras is cut short or damaged"):
        load(application(), cut)
