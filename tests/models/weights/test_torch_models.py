"""Converted PyTorch checkpoints compute what PyTorch computes, at every block."""

import json
import os
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from delineate.catalog import find
from delineate.errors import MissingExtraError, WeightsError
from delineate.models.conventions import SYMMETRIC, TORCH
from delineate.models.weights import load_weights
from delineate.models.weights.torch_models import _convention

torch = pytest.importorskip("torch")

from tests.models.weights import torch_networks as networks  # noqa: E402

# Multiples of 32, even and odd: Keras's one-sided padding shows at both, PyTorch's at neither.
SIZES = ((64, 64), (32, 96))
BLOCKS = {
    "densenet121": (6, 12, 24, 16),
    "densenet169": (6, 12, 32, 32),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
}


def application(encoder, width=1.0):
    if encoder.startswith("mit"):
        return find("encoders", encoder).make(width)
    name = encoder
    for family in ("MobileNetV", "DenseNet", "EfficientNetB", "ResNet"):
        name = name.replace(family.lower(), family)
    chosen = {"alpha": width} if encoder == "mobilenetv2" else {}
    make = getattr(keras.applications, name)
    return make(include_top=False, weights=None, input_shape=(None, None, 3), **chosen)


def taps(model, encoder):
    """The outputs that torch_networks gives, too."""
    names = [layer.name for layer in model.layers]
    if encoder == "mobilenetv2":
        blocks = ["expanded_conv_", *(f"block_{number}_" for number in range(1, 17))]
        return [
            "Conv1_relu",
            *(last(names, block, ("add", "project_BN")) for block in blocks),
            "out_relu",
        ]
    if encoder.startswith("efficientnet"):
        blocks = sorted({name.split("_")[0] for name in names if name.startswith("block")})
        inner = [last(names, f"{block}_", ("add", "project_bn")) for block in blocks]
        return ["stem_activation", *inner, "top_activation"]
    if encoder.startswith("mit"):
        return [f"stage{stage}_out" for stage in range(1, 5)]
    if encoder.startswith("densenet"):
        counts = enumerate(BLOCKS[encoder], start=2)
        return ["conv1_relu", *(f"conv{stage}_block{n}_concat" for stage, n in counts), "relu"]
    counts = enumerate(BLOCKS[encoder], start=2)
    return ["conv1_relu", *(f"conv{stage}_block{n}_out" for stage, n in counts)]


def last(names, block, endings):
    return next(f"{block}{ending}" for ending in endings if f"{block}{ending}" in names)


def save(state, path):
    torch.save(state, path)
    return path


def compare(network, loaded, encoder):
    """Every block's features for images of all sizes, relative to their magnitude."""
    names = taps(loaded.model, encoder)
    outputs = [loaded.model.get_layer(name).output for name in names]
    features = keras.Model(loaded.model.input, outputs)
    for size in SIZES:
        image = np.random.default_rng(1).normal(0, 1, (1, *size, 3)).astype(np.float32)
        with torch.no_grad():
            expected = network(torch.from_numpy(image.transpose(0, 3, 1, 2)))
        found = [keras.ops.convert_to_numpy(each) for each in features(image, training=False)]
        assert len(found) == len(expected)
        for name, one, other in zip(names, found, expected, strict=True):
            truth = other.numpy().transpose(0, 2, 3, 1)
            assert one.shape == truth.shape, name
            assert np.abs(truth).max() > 1e-2, name
            np.testing.assert_allclose(
                one, truth, atol=1e-4 * max(1, np.abs(truth).max()), err_msg=name
            )


CASES = {
    "mobilenetv2 torchvision": ("mobilenetv2", 1.0, "mobilenet_v2-7ebf99e0.pth", lambda: networks.MobileNetOfTorchvision(1.0)),
    "mobilenetv2 0.35 torchvision": ("mobilenetv2", 0.35, "own.pt", lambda: networks.MobileNetOfTorchvision(0.35)),
    "mobilenetv2 1.4 timm": ("mobilenetv2", 1.4, "mobilenetv2_140.pth", lambda: networks.MobileNetOfTimm(1.4)),
    "densenet121": ("densenet121", 1.0, "densenet121-a639ec97.pth", networks.DenseNet),
    "densenet169": ("densenet169", 1.0, "densenet169-b2777c0a.pth", lambda: networks.DenseNet(BLOCKS["densenet169"])),
    "resnet50": ("resnet50", 1.0, "resnet50-11ad3fa6.pth", lambda: networks.ResNet(BLOCKS["resnet50"])),
    "resnet101": ("resnet101", 1.0, "resnet101-cd907fc2.pth", lambda: networks.ResNet(BLOCKS["resnet101"])),
    "efficientnetb0 timm": ("efficientnetb0", 1.0, "efficientnet_b0_ra-3dd342df.pth", networks.EfficientNetOfTimm),
    "efficientnetb0 timm, from TensorFlow": (
        "efficientnetb0", 1.0, "tf_efficientnet_b0_aa-827b6e33.pth",
        lambda: networks.EfficientNetOfTimm(eps=1e-3, same=True),
    ),
    "mitb0": ("mitb0", 1.0, "mit_b0.pth", networks.MixTransformer),
    "efficientnetb0 torchvision": ("efficientnetb0", 1.0, "efficientnet_b0_rwightman.pth", networks.EfficientNetOfTorchvision),
    "efficientnetb5 torchvision": (
        "efficientnetb5", 1.0, "efficientnet_b5_lukemelas-1a07897c.pth",
        lambda: networks.EfficientNetOfTorchvision(width=1.6, depth=2.2, eps=1e-3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_features_are_those_of_pytorch_at_every_block(case, tmp_path):
    encoder, width, file, make = case
    network = networks.randomised(make())
    path = save(network.state_dict(), tmp_path / file)
    loaded = load_weights(application(encoder, width), path, encoder=encoder, width=width)
    compare(network, loaded, encoder)
    assert loaded.convention == TORCH
    assert loaded.left_out
    assert all(name.startswith(("classifier.", "fc.", "head.")) for name in loaded.left_out)


def test_the_encoder_is_taken_out_of_a_network_of_segmentation_models(network, load, tmp_path):
    state = {f"encoder.{name}": value for name, value in network.state_dict().items()}
    decoder = ["decoder.blocks.0.conv1.0.weight", "segmentation_head.0.weight"]
    path = save({**state, **dict.fromkeys(decoder, torch.zeros(1))}, tmp_path / "unet.pth")
    loaded = load(path)
    assert set(decoder) <= set(loaded.left_out)
    compare(network, loaded, "mobilenetv2")


@pytest.mark.parametrize("above", ["", "encoder.", "backbone.", "segformer.encoder."])
def test_a_mix_transformer_is_read_whoever_named_it(tmp_path, above):
    network = networks.randomised(networks.MixTransformer())
    state = network.state_dict()
    if above == "segformer.encoder.":
        state = networks.as_hugging_face_names_it(state)
    else:
        state = {name if name.startswith("head.") else above + name: value for name, value in state.items()}  # fmt: skip
    path = save(state, tmp_path / "mit.pth")
    compare(network, load_weights(application("mitb0"), path, encoder="mitb0"), "mitb0")


def test_a_mix_transformer_of_another_size_is_refused(tmp_path):
    path = save(networks.MixTransformer().state_dict(), tmp_path / "mit_b0.pth")
    with pytest.raises(WeightsError, match="shape"):
        load_weights(application("mitb1"), path, encoder="mitb1")
    with pytest.raises(WeightsError, match="lacks"):
        load_weights(application("mitb2"), path, encoder="mitb2")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("block1.0.attn.kv.weight", (63, 32)),
        ("block1.0.attn.kv.bias", ()),
        ("block2.0.attn.q.weight", (63, 64)),
        ("block2.0.attn.q.bias", (63,)),
        ("block2.0.attn.proj.weight", (64, 2, 32)),
        ("block1.0.mlp.fc1.weight", ()),
        ("patch_embed1.proj.weight", (32, 3, 7)),
    ],
)
def test_a_tensor_of_a_mix_transformer_of_another_shape_is_an_error(tmp_path, name, shape):
    state = {**networks.MixTransformer().state_dict(), name: torch.zeros(shape)}
    path = save(state, tmp_path / "mit_b0.pth")
    with pytest.raises(WeightsError, match=r"shape|lacks"):
        load_weights(application("mitb0"), path, encoder="mitb0")


# What is in a checkpoint, and what must not be


@pytest.fixture(scope="module")
def network():
    return networks.randomised(networks.MobileNetOfTorchvision(0.35))


@pytest.fixture(scope="module")
def small():
    return application("mobilenetv2", 0.35)


@pytest.fixture
def load(small):
    return lambda path, encoder="mobilenetv2": load_weights(
        small, path, encoder=encoder, width=0.35
    )


def kernel_of(loaded):
    return keras.ops.convert_to_numpy(loaded.model.get_layer("Conv1").kernel)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: {"state_dict": state, "epoch": 7, "optimizer": {"lr": 0.1}},
        lambda state: {"model": state},
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"state_dict": {f"_orig_mod.module.{n}": v for n, v in state.items()}},
        lambda state: {name: value.bfloat16() if value.is_floating_point() else value for name, value in state.items()},
    ],
    ids=["state_dict", "model", "parallel", "compiled", "bfloat16"],
)  # fmt: skip
def test_checkpoints_may_be_wrapped_as_trainings_leave_them(load, network, tmp_path, wrapped):
    loaded = load(save(wrapped(network.state_dict()), tmp_path / "own.pt"))
    expected = network.features[0][0].weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_allclose(kernel_of(loaded), expected, rtol=1e-2)


def test_the_old_format_of_torch_is_read(load, network, tmp_path):
    path = tmp_path / "old.pth"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    assert load(path).origin == "old.pth, a PyTorch checkpoint, converted."


def test_densenets_as_torchvision_first_wrote_them_are_read(tmp_path):
    state = networks.randomised(networks.DenseNet()).state_dict()
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in name else name: value
        for name, value in state.items()
    }  # fmt: skip
    assert old.keys() != state.keys()
    path = save(old, tmp_path / "densenet121.pth")
    loaded = load_weights(application("densenet121"), path, encoder="densenet121")
    kernel = keras.ops.convert_to_numpy(loaded.model.get_layer("conv5_block16_2_conv").kernel)
    expected = state["features.denseblock4.denselayer16.conv2.weight"].numpy()
    np.testing.assert_array_equal(kernel.transpose(3, 2, 0, 1), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop("features.5.conv.1.1.running_var"),
            r"lacks 1 of the \d+ tensors of the encoder 'mobilenetv2': features.5.conv.1.1.running_var",
        ),
        (
            lambda state: state.update({"features.1.conv.1.weight": torch.zeros(8, 8, 1, 1)}),
            r"features.1.conv.1.weight of .*own.pt has the shape \(1, 1, 8, 8\); "
            r"expanded_conv_project/kernel of the encoder 'mobilenetv2' has \(1, 1, 16, 8\)",
        ),
        (
            lambda state: state.update({"decoder.weight": torch.zeros(3)}),
            r"has 1 tensors that the encoder 'mobilenetv2' has not: decoder.weight",
        ),
        (
            lambda state: state.update({"features.0.0.bias": torch.zeros(16)}),
            r"has 2 tensors for the layer Conv1 \(features.0.0.weight, features.0.0.bias\), which has 1",
        ),
        (
            lambda state: state["features.0.1.bias"].fill_(float("nan")),
            r"features.0.1.bias of .* holds values that are not finite",
        ),
        (
            lambda state: [state.pop(name) for name in list(state) if name.startswith("features.")],
            r"holds no weights of the encoder 'mobilenetv2': none of its layers is in it",
        ),
    ],
    ids=["missing", "shape", "surplus", "bias", "nan", "other"],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_named(load, network, tmp_path, change, message):
    state = {name: value.clone() for name, value in network.state_dict().items()}
    change(state)
    with pytest.raises(WeightsError, match=message):
        load(save(state, tmp_path / "own.pt"))


def test_a_checkpoint_of_another_width_is_refused_with_both_shapes(load, tmp_path):
    state = networks.MobileNetOfTorchvision(0.5).state_dict()
    with pytest.raises(
        WeightsError, match=r"\(1, 1, 48, 16\).*\(1, 1, 48, 8\)|has the shape"
    ) as caught:
        load(save(state, tmp_path / "own.pt"))
    assert "model.width" in caught.value.hint


class Evil:
    def __reduce__(self):
        return (print, ("This code must not run.",))


def test_code_in_a_checkpoint_is_refused_and_not_run(load, tmp_path, capsys):
    path = save({"state_dict": {"a": torch.zeros(1)}, "extra": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(WeightsError, match="refused: it holds Python objects"):
        load(path)
    assert capsys.readouterr().out == ""


def test_a_whole_pickled_network_is_refused_with_what_to_save_instead(load, network, tmp_path):
    with pytest.raises(WeightsError, match="refused") as caught:
        load(save(network, tmp_path / "whole.pt"))
    assert "state_dict()" in caught.value.hint


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 1}}, {}])
def test_a_checkpoint_without_a_state_dictionary_is_refused(load, tmp_path, content):
    with pytest.raises(WeightsError, match="holds no state dictionary"):
        load(save(content, tmp_path / "own.pt"))


@pytest.mark.parametrize("new", [True, False])
def test_a_checkpoint_that_is_cut_short_is_an_error(load, network, tmp_path, new):
    path = tmp_path / "own.pt"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=new)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(WeightsError, match=r"own.pt (cannot be read|is cut short or damaged)"):
        load(path)


def test_an_encoder_without_a_table_of_names_is_refused(load, network, tmp_path):
    path = save(network.state_dict(), tmp_path / "own.pt")
    with pytest.raises(WeightsError, match="cannot be converted for the encoder 'vgg16'"):
        load(path, "vgg16")


def test_torch_that_is_not_installed_is_named_with_the_line_that_installs_it(load, network, tmp_path, monkeypatch):  # fmt: skip
    path = save(network.state_dict(), tmp_path / "own.pt")
    (tmp_path / "hiding").mkdir()
    (tmp_path / "hiding" / "torch.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hiding"), prepend=os.pathsep)
    with pytest.raises(MissingExtraError, match="needs the package torch") as caught:
        load(path)
    assert caught.value.hint == "pip install 'delineate[torch]'"


# What the tensors do not say


def test_an_efficientnet_of_timm_must_say_how_it_pads(tmp_path):
    path = save(networks.EfficientNetOfTimm().state_dict(), tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="does not say whether its EfficientNet pads") as caught:
        load_weights(application("efficientnetb0"), path, encoder="efficientnetb0")
    assert "config.json" in caught.value.hint


@pytest.mark.parametrize(
    ("mean", "expected"), [((0.485, 0.456, 0.406), TORCH), ((0.5, 0.5, 0.5), SYMMETRIC)]
)
def test_the_config_beside_a_file_tells_its_padding_and_its_mean(tmp_path, mean, expected):
    path = save(
        networks.EfficientNetOfTimm(eps=1e-3, same=True).state_dict(), tmp_path / "model.pt"
    )
    config = {"architecture": "tf_efficientnet_b0", "pretrained_cfg": {"mean": mean}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load_weights(application("efficientnetb0"), path, encoder="efficientnetb0")
    assert loaded.convention == expected
    assert loaded.model.get_layer("stem_bn").epsilon == 1e-3
    assert loaded.model.get_layer("stem_conv_pad").padding == ((0, 1), (0, 1))


def test_a_config_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.models.weights.torch_models._MOST_CONFIG", 10)
    path = save(networks.EfficientNetOfTimm().state_dict(), tmp_path / "model.pt")
    (tmp_path / "config.json").write_text('{"architecture": "tf_efficientnet_b0"}')
    with pytest.raises(WeightsError, match="does not say whether its EfficientNet pads"):
        load_weights(application("efficientnetb0"), path, encoder="efficientnetb0")


def test_a_mean_that_is_not_known_is_refused(load, network, tmp_path):
    path = save(network.state_dict(), tmp_path / "own.pt")
    config = {"architecture": "mobilenetv2_035", "pretrained_cfg": {"mean": [0.1, 0.2, 0.3]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"the mean \(0.1, 0.2, 0.3\)"):
        load(path)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("tf_efficientnet_b0_ap-f262efe1", SYMMETRIC),
        ("tf_efficientnet_b0.ap_in1k", SYMMETRIC),
        ("tf_efficientnet_b0_aa-827b6e33", TORCH),
        ("mobilenetv2_100_ra-b33bc2c4", TORCH),
    ],
)
def test_weights_learnt_with_adversarial_examples_expect_other_values(file, expected):
    assert _convention(Path(file), file, None) == expected


# safetensors


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_safetensors_of_each_precision_are_read(load, network, tmp_path, kind):
    saving = pytest.importorskip("safetensors.torch")
    state = {
        name: value.to(getattr(torch, kind)) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    path = tmp_path / "own.safetensors"
    saving.save_file(state, path)
    expected = state["features.0.0.weight"].float().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(kernel_of(load(path)), expected)


def test_damaged_safetensors_are_an_error(load, network, tmp_path):
    saving = pytest.importorskip("safetensors.torch")
    path = tmp_path / "own.safetensors"
    saving.save_file(network.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"own.safetensors cannot be read"):
        load(path)


def test_safetensors_that_is_not_installed_is_named(load, network, tmp_path, monkeypatch):
    saving = pytest.importorskip("safetensors.torch")
    path = tmp_path / "own.safetensors"
    saving.save_file(network.state_dict(), path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtraError, match="needs the package safetensors") as caught:
        load(path)
    assert caught.value.hint == "pip install 'delineate[safetensors]'"
