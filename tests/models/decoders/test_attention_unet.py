"""The attention gates: where they are, and what they let through."""

import keras
import numpy as np
import pytest

from delineate.models.blocks import Style
from delineate.models.decoders.attention_unet import attend
from tests.models.decoders.features import decode, shapes, sources


def gate_model(style):
    feature, below = keras.Input((6, 6, 4)), keras.Input((3, 3, 5))
    output = attend(feature, below, style=style, name="a")
    return keras.Model([feature, below], output)


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    return [
        rng.normal(size=(2, side, side, channels)).astype(np.float32)
        for side, channels in ((6, 4), (3, 5))
    ]


def test_every_join_below_full_resolution_is_gated_by_what_comes_up():
    model = decode("attention_unet", {1: 3, 2: 4, 4: 6, 8: 8})
    assert sources(model, "decoder0_join") == ["decoder0_double", "feature1"]
    assert sources(model, "decoder1_join") == ["decoder1_double", "decoder1_gate"]
    assert sources(model, "decoder1_gate") == ["feature2", "decoder1_gate_double"]
    assert sources(model, "decoder1_gate_below") == ["decoder2_convolve2_activate"]
    assert sources(model, "decoder2_gate_below") == ["feature8"]
    assert list(shapes(model, "Multiply")) == ["decoder2_gate", "decoder1_gate"]


def test_a_gate_looks_at_both_with_half_the_features_channels_and_decides_on_one_share():
    found = shapes(gate_model(Style(initialiser="zeros")), "Conv2D")
    assert found == {
        "a_gate_feature": (3, 3, 2),
        "a_gate_below": (3, 3, 2),
        "a_gate_logit": (3, 3, 1),
    }


@pytest.mark.parametrize(("bias", "share"), [(30.0, 1.0), (-30.0, 0.0), (0.0, 0.5)])
def test_a_gate_gives_the_feature_times_its_share(values, bias, share):
    model = gate_model(Style(initialiser="zeros"))
    model.get_layer("a_gate_logit").bias.assign([bias])
    np.testing.assert_allclose(model.predict_on_batch(values), share * values[0], atol=1e-6)


def test_the_share_is_what_both_add_up_to(values):
    model = gate_model(Style())
    (kernel, bias), (below, offset), (logit, constant) = (
        [np.array(weight) for weight in model.get_layer(f"a_gate_{part}").get_weights()]
        for part in ("feature", "below", "logit")
    )
    patches = values[0].reshape(2, 3, 2, 3, 2, 4).transpose(0, 1, 3, 2, 4, 5)
    both = np.einsum("nhwijc,ijcf->nhwf", patches, kernel) + bias
    both = np.maximum(both + values[1] @ below[0, 0] + offset, 0)
    expected = 1 / (1 + np.exp(-(both @ logit[0, 0] + constant)))
    share = keras.Model(model.input, model.get_layer("a_gate_share").output)
    np.testing.assert_allclose(share.predict_on_batch(values), expected, rtol=1e-4, atol=1e-6)
