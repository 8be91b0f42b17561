"""Mix Transformers and small ResNets: of plain layers, at any size, as KerasHub computes them."""

import keras
import numpy as np
import pytest

from delineate.catalog import find
from delineate.models.summary import count_parameters


def random_weights(model, seed):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "variance", "moving_variance")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        else:
            weight.assign(rng.normal(0, 0.1, weight.shape))


def features_of(name, model, depth=5):
    return keras.Model(model.input, list(find("encoders", name).pyramid(model, depth).values()))


def image_of(side):
    return np.random.default_rng(0).normal(0, 1, (2, side, side, 3)).astype(np.float32)


def test_the_parameters_of_mix_transformers_are_those_of_the_paper():
    # Table 1 of the paper: millions of parameters of the encoder.
    for name, millions in {"mitb0": 3.4, "mitb1": 13.1, "mitb2": 24.2}.items():
        model = find("encoders", name).make(1.0)
        assert count_parameters(model)[0] / 1e6 == pytest.approx(millions, rel=0.025)


@pytest.mark.parametrize("size", [(64, 64), (32, 96), (40, 56)], ids=str)
def test_a_mix_transformer_takes_images_of_any_size(size):
    model = features_of("mitb0", find("encoders", "mitb0").make(1.0))
    image = np.random.default_rng(0).random((1, *size, 3), np.float32)
    found = [tuple(feature.shape[1:3]) for feature in model.predict_on_batch(image)]
    assert found == [tuple(-(-side // stride) for side in size) for stride in (4, 8, 16, 32)]


def test_attention_looks_at_the_whole_image():
    model = features_of("mitb0", find("encoders", "mitb0").make(1.0), depth=2)
    random_weights(model, 1)
    image = image_of(64)[:1]
    changed = image.copy()
    changed[:, -8:, -8:] += 1
    far = [np.asarray(model.predict_on_batch(each))[0, 0, 0] for each in (image, changed)]
    assert np.abs(far[0] - far[1]).max() > 1e-4


def test_no_two_projections_of_an_attention_begin_alike():
    from delineate.models.blocks import Style
    from delineate.recipe import Model

    image = keras.Input((32, 32, 3))
    features = find("encoders", "mitb0")(image, settings=Model(encoder="mitb0"), style=Style())
    attention = keras.Model(image, features[32]).get_layer("stage4_block1_attend")
    kernels = [
        np.array(getattr(attention, f"{each}_dense").kernel).reshape(256, 256)
        for each in ("query", "key", "value", "output")
    ]
    for one, other in zip(kernels, [*kernels[1:], kernels[0]], strict=True):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02
        assert one.std() == pytest.approx(0.02, rel=0.15)


# --- against KerasHub, where it is installed ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "blocks"), [("resnet18", (2, 2, 2, 2)), ("resnet34", (3, 4, 6, 3))]
)
def test_a_small_resnet_gives_what_kerashub_gives(name, blocks):
    hub = pytest.importorskip("keras_hub")
    theirs = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=list(blocks),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
    )
    random_weights(theirs, 2)
    ours = find("encoders", name).make(1.0)
    for layer in ours.layers:
        if layer.weights:
            stage, _, rest = layer.name.partition("_block")
            number, _, part = rest.partition("_")
            place = f"stack{int(stage[4:]) - 2}_block{int(number) - 1}_{part}" if rest else stage
            layer.set_weights(theirs.get_layer(place).get_weights())
    pyramid = keras.Model(theirs.input, list(theirs.pyramid_outputs.values()))
    expected = pyramid.predict_on_batch(image_of(64))
    found = features_of(name, ours).predict_on_batch(image_of(64))
    for one, other in zip(found[1:], expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_a_mix_transformer_gives_what_kerashub_gives():
    hub = pytest.importorskip("keras_hub")
    theirs = hub.models.MiTBackbone(
        layerwise_depths=[2, 2, 2, 2],
        num_layers=4,
        layerwise_num_heads=[1, 2, 5, 8],
        layerwise_sr_ratios=[8, 4, 2, 1],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        image_shape=(64, 64, 3),
        hidden_dims=[32, 64, 160, 256],
    )
    random_weights(theirs, 3)
    ours = find("encoders", "mitb0").make(1.0)
    norms = [each for each in theirs.layers if isinstance(each, keras.layers.LayerNormalization)]
    for stage in range(4):
        patches = theirs.get_layer(f"patch_and_embed_{stage}")
        pairs = {"embed": patches.proj, "normalise": patches.norm, "out": norms[stage]}
        for number in range(2):
            block = theirs.get_layer(f"hierarchical_encoder_{stage}_{number}")
            pairs |= {
                f"block{number + 1}_{ours_part}": theirs_part
                for ours_part, theirs_part in {
                    "normalise1": block.norm1,
                    "normalise2": block.norm2,
                    "widen": block.mlp.fc1,
                    "mix": block.mlp.dwconv,
                    "narrow": block.mlp.fc2,
                    **(
                        {"reduce": block.attn.sr, "reduce_normalise": block.attn.norm}
                        if stage < 3
                        else {}
                    ),
                }.items()
            }
            attention = ours.get_layer(f"stage{stage + 1}_block{number + 1}_attend")
            parts = [block.attn.q, block.attn.k, block.attn.v, block.attn.proj]
            values = [value for part in parts for value in part.get_weights()]
            attention.set_weights(
                [
                    value.reshape(weight.shape)
                    for value, weight in zip(values, attention.weights, strict=True)
                ]
            )
        for part, layer in pairs.items():
            ours.get_layer(f"stage{stage + 1}_{part}").set_weights(layer.get_weights())
    pyramid = keras.Model(theirs.input, list(theirs.pyramid_outputs.values()))
    expected = pyramid.predict_on_batch(image_of(64))
    found = features_of("mitb0", ours).predict_on_batch(image_of(64))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
