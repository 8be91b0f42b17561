"""The encoder: frozen, thawed after some epochs, and with a learning rate of its own."""

import keras
import numpy as np
import pytest

from delineate.errors import RecipeError
from delineate.recipe import Training
from delineate.training import checkpoint
from delineate.training.optimizers import make_optimizer, set_learning_rate
from delineate.training.parts import assemble
from delineate.training.thawing import plain_stepper
from delineate.training.train import train
from tests.training.test_resume import Bell, weights_hash


@pytest.fixture(scope="module")
def mobile(recipe, weights):
    """A recipe with a frozen encoder of two stages."""
    return recipe.override(
        {
            "model.encoder": "mobilenetv2",
            "model.width": 0.35,
            "model.depth": 2,
            "model.weights": str(weights),
            "model.freeze": "all",
            "training.epochs": 3,
        }
    )


def encoder_weights(parts):
    layers = parts.network.encoder_layers
    return [np.array(weight) for layer in layers for weight in layer.get_weights()]


def moved(before, after):
    return [not np.array_equal(one, other) for one, other in zip(before, after, strict=True)]


def step(stepper, parts):
    images, masks = parts.batches.batch(0, 0)
    stepper.set_learning_rate(0.01)
    return stepper.step(images, masks)["loss"]


def test_a_frozen_encoder_does_not_move_and_its_decoder_does(discs, mobile):
    parts = assemble(discs, mobile)
    stepper, before = plain_stepper(parts, mobile), encoder_weights(parts)
    start = parts.model.get_layer("logits").get_weights()
    step(stepper, parts)
    assert not any(moved(before, encoder_weights(parts))), "batch statistics included"
    assert any(moved(start, parts.model.get_layer("logits").get_weights()))


def test_the_encoder_is_thawed_when_its_epoch_begins(discs, mobile):
    recipe = mobile.override({"training.unfreeze_after": 1})
    parts = assemble(discs, recipe)
    stepper, before = plain_stepper(parts, recipe), encoder_weights(parts)
    stepper.begin_epoch(0)
    step(stepper, parts)
    assert not any(moved(before, encoder_weights(parts)))
    stepper.begin_epoch(1)
    step(stepper, parts)
    assert all(moved(before, encoder_weights(parts)))


def test_frozen_statistics_stay_while_the_kernels_are_trained(discs, mobile):
    recipe = mobile.override({"model.freeze": "none", "model.statistics": "frozen"})
    parts = assemble(discs, recipe)
    layers = parts.network.encoder_layers
    statistics = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [layer.get_weights() for layer in statistics]
    kernel = parts.model.get_layer("Conv1").get_weights()
    step(plain_stepper(parts, recipe), parts)
    for layer, values in zip(statistics, before, strict=True):
        assert not any(moved(values, layer.get_weights()))
    assert all(moved(kernel, parts.model.get_layer("Conv1").get_weights()))


def test_a_stride_freezes_what_leads_to_that_feature_and_no_more(discs, mobile):
    recipe = mobile.override({"model.freeze": 2})
    parts = assemble(discs, recipe)
    trained = {layer.name for layer in parts.network.encoder_layers if layer.trainable}
    assert {"Conv1", "block_1_expand"}.isdisjoint(trained)
    assert {"block_1_depthwise", "block_3_expand"} <= trained


def test_an_encoder_thawed_in_mid_training_resumes_to_the_same_weights(discs, mobile, tmp_path):
    recipe = mobile.override({"training.unfreeze_after": 1, "training.encoder_rate": 0.1})
    whole = train(discs, recipe, to=tmp_path / "whole")
    for at in ((0, 0), (0, 1), (1, 0)):
        folder = tmp_path / f"cut{at}"
        with pytest.raises(KeyboardInterrupt):
            train(discs, recipe, to=folder, callbacks=[Bell(*at)])
        run = train(discs, None, to=folder, resume=True)
        assert weights_hash(run) == weights_hash(whole), at
    assert checkpoint.load(whole.last).epoch == 3


def test_a_training_that_ends_where_thawing_would_begin_can_be_resumed(discs, mobile, tmp_path):
    recipe = mobile.override({"training.epochs": 2, "training.unfreeze_after": 2})
    run = train(discs, recipe, to=tmp_path / "run")
    before = weights_hash(run)
    assert weights_hash(train(discs, None, to=run.folder, resume=True)) == before


def test_thawing_what_is_not_frozen_is_refused(discs, mobile):
    recipe = mobile.override({"model.freeze": "none", "training.unfreeze_after": 1})
    with pytest.raises(RecipeError, match="nothing is frozen"):
        plain_stepper(assemble(discs, recipe), recipe)


def test_the_encoder_has_a_learning_rate_of_its_own():
    settings = Training(optimizer="sgd", encoder_rate=0.1)
    weights = [keras.Variable(np.ones(2, np.float32), name=name) for name in ("own", "other")]
    optimizer = make_optimizer(settings, {weights[0].path})
    optimizer.build(weights)
    set_learning_rate(optimizer, 0.5, encoder_rate=settings.encoder_rate)
    gradient = keras.ops.ones(2)
    optimizer.apply([gradient, gradient], weights)
    np.testing.assert_allclose(weights[0], 1 - 0.05)
    np.testing.assert_allclose(weights[1], 1 - 0.5)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_weights_decay_as_the_recipe_says_and_not_as_the_optimizer_would(name, decay):
    """Keras's AdamW would decay by 0.004 of its own accord."""
    made = make_optimizer(Training(optimizer=name, weight_decay=decay))
    assert (made.weight_decay or 0.0) == decay


def test_one_learning_rate_for_all_needs_one_optimizer():
    assert isinstance(make_optimizer(Training(optimizer="adam")), keras.optimizers.Adam)
