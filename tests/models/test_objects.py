"""Networks that also say something of objects."""

import keras
import numpy as np
import pytest

from delineate.metrics import Scores
from delineate.models.build import build_model, build_network
from delineate.recipe import Model

SMALL = {"depth": 2, "filters": 4}


@pytest.mark.parametrize(("objects", "count"), [("boundary", 1), ("distance", 1), ("both", 2)])
@pytest.mark.parametrize(("output", "classes", "channels"), [("sigmoid", 2, 1), ("softmax", 3, 3)])
def test_what_is_said_of_objects_follows_the_classes(objects, count, output, classes, channels):
    model = build_model(classes=classes, objects=objects, output=output, **SMALL)
    found = model.predict(np.zeros((1, 16, 16, 3), np.float32), verbose=0)
    assert found.shape == (1, 16, 16, channels + count)
    assert model.layers[-1].name == "probabilities"
    if output == "softmax":
        np.testing.assert_allclose(found[..., :classes].sum(axis=-1), 1, atol=1e-5)
    assert 0 <= found.min() <= found.max() <= 1


def test_classes_do_not_change_with_what_is_said_of_objects():
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    plain = build_model(classes=3, **SMALL).predict(images, verbose=0)
    both = build_model(classes=3, objects="both", **SMALL).predict(images, verbose=0)
    np.testing.assert_allclose(both[..., :3], plain, atol=1e-6)


def test_it_opens_in_plain_keras(tmp_path):
    model = build_model(classes=2, objects="both", **SMALL)
    model.save(tmp_path / "model.keras")
    images = np.ones((1, 8, 8, 3), np.float32)
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(opened.predict(images, verbose=0), model.predict(images, verbose=0))


def test_the_trainer_ends_in_the_logits_of_all_outputs_and_of_objects_last():
    settings = Model(
        decoder="unetplusplus", deep_supervision=True, objects="both", depth=2, filters=4
    )
    network = build_network(settings, classes=3, channels=3)
    assert network.objects == 2
    assert network.trainer.output.shape[-1] == 3 * network.outputs + 2
    images = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype(np.float32)
    logits = network.trainer.predict(images, verbose=0)[..., -2:]
    said = network.model.predict(images, verbose=0)[..., -2:]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), said, atol=1e-5)


@pytest.mark.parametrize("outputs", [1, 2])
def test_scores_look_at_the_classes_only(outputs):
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 3, (2, 8, 8)).astype(np.int32)
    logits = rng.normal(size=(2, 8, 8, 3 * outputs + 2)).astype(np.float32)
    plain, both = Scores(3, outputs=outputs), Scores(3, outputs=outputs, objects=2)
    plain.update_state(mask, logits[..., : 3 * outputs])
    said = rng.integers(0, 255, (2, 8, 8, 2)).astype(np.int32)
    both.update_state(np.concatenate([mask[..., None], said], axis=-1), logits)
    assert np.array_equal(plain.table(), both.table())
