"""OpenVINO models end with channels first, and give what they gave."""

import keras
import numpy as np
import pytest
from keras.layers import Softmax

from delineate.exporting.channels_first import end_channels_first
from delineate.models.blocks import Style, enlarge
from delineate.models.enlarging import enlarge_at_once

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow writes all exports"
)


@pytest.fixture(scope="module")
def engine():
    pytest.importorskip("nncf")
    from delineate.prediction.runtimes.extras import import_openvino

    return import_openvino()


def network(*ends):
    image = keras.Input((None, None, 3))
    found = keras.layers.Conv2D(5, 3, padding="same")(image)
    for end in ends:
        found = end(found)
    return keras.Model(image, found)


def read(engine, model, folder):
    inputs = keras.InputSpec(shape=model.input_shape, dtype="float32", name="image")
    model.export(
        str(folder / "model.xml"), format="openvino", verbose=False, input_signature=[inputs]
    )
    return engine.Core().read_model(folder / "model.xml")


def run(engine, model, image):
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    return engine.Core().compile_model(model, "CPU", settings)(image)[0]


@pytest.mark.parametrize("enlarged", [False, True])
def test_a_softmax_is_made_over_channels_that_come_first(engine, tmp_path, enlarged):
    factor = 4 if enlarged else 1
    model = network(lambda image: enlarge(image, factor, style=Style(), name="up"), Softmax())
    assert enlarge_at_once(model) == enlarged
    exported = read(engine, model, tmp_path)
    assert end_channels_first(exported)
    (axis,) = (
        node.get_attributes()["axis"]
        for node in exported.get_ordered_ops()
        if node.get_type_name() == "Softmax"
    )
    assert axis == 1
    image = np.random.default_rng(0).random((2, 6, 9, 3), np.float32)
    found = run(engine, exported, image)
    assert found.shape == (2, 6 * factor, 9 * factor, 5)
    np.testing.assert_allclose(found, model.predict(image, verbose=0), atol=1e-6)


@pytest.mark.parametrize(
    "end",
    [keras.layers.Activation("sigmoid"), Softmax(axis=2), keras.layers.ReLU()],
    ids=["sigmoid", "another axis", "no probabilities"],
)
def test_another_end_stays_as_it_is(engine, tmp_path, end):
    exported = read(engine, network(end), tmp_path)
    before = [node.get_friendly_name() for node in exported.get_ordered_ops()]
    assert not end_channels_first(exported)
    assert [node.get_friendly_name() for node in exported.get_ordered_ops()] == before
