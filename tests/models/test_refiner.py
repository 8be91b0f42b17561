"""The refiner and the critic: what they begin as, what they see, and that plain Keras opens them."""

import keras
import numpy as np
import pytest

from delineate.models.build import build_model
from delineate.models.refiner import (
    build_critic,
    build_refiner,
    join,
    logits_and_probabilities,
    patch_of,
)
from delineate.recipe import Refiner

SMALL = Refiner(filters=4, depth=2, critic_filters=4, critic_depth=2)


def networks(classes=3, output="softmax", dtype="float32", settings=SMALL):
    model = build_model(classes=classes, channels=1, depth=1, filters=4, output=output)
    channels = model.output.shape[-1]
    refiner = build_refiner(
        channels=1, classes=channels, output=output, settings=settings, largest=255, dtype=dtype
    )
    return model, refiner


def images(count=2, size=(16, 24), seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, *size, 1)).astype(np.float32)


def unsettle(model, seed=1):
    """Give all weights values of which none is zero."""
    rng = np.random.default_rng(seed)
    model.set_weights([value + rng.normal(0, 0.2, value.shape) for value in model.get_weights()])


@pytest.mark.parametrize(("classes", "output"), [(3, "softmax"), (2, "sigmoid"), (3, "sigmoid")])
def test_refined_probabilities_begin_as_those_of_the_network(classes, output):
    model, refiner = networks(classes, output)
    found = join(model, refiner).predict_on_batch(images())
    np.testing.assert_allclose(found, model.predict_on_batch(images()), atol=1e-6)


def test_the_joined_graph_is_the_network_and_then_the_refiner():
    model, refiner = networks()
    unsettle(refiner)
    given = logits_and_probabilities(model).predict_on_batch(images())
    np.testing.assert_allclose(given[1], model.predict_on_batch(images()), atol=1e-6)
    _, expected = refiner.predict_on_batch([images(), *given])
    found = join(model, refiner).predict_on_batch(images())
    assert np.abs(found - given[1]).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_plain_keras_opens_what_was_joined_and_finds_no_model_within_it(tmp_path, dtype):
    model, refiner = networks(dtype=dtype)
    unsettle(refiner)
    joined = join(model, refiner)
    joined.save(tmp_path / "model.keras")
    model.save(tmp_path / "first.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict_on_batch(images()), joined.predict_on_batch(images()), atol=1e-5
    )
    assert not any(isinstance(layer, keras.Model) for layer in loaded.layers)
    assert {layer.__class__.__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    assert loaded.get_layer("probabilities").output.dtype == "float32"
    assert loaded.layers[-1].name == "refiner_probabilities"
    assert loaded.output.dtype == "float32"


def test_the_weights_are_shared_with_the_joined_graph():
    model, refiner = networks()
    joined = join(model, refiner)
    before = joined.predict_on_batch(images())
    unsettle(refiner)
    after = joined.predict_on_batch(images())
    assert np.abs(after - before).max() > 0.01


def test_what_the_refiner_says_of_a_pixel_does_not_depend_on_what_is_far_away():
    settings = SMALL.model_copy(update={"depth": 1})
    _, refiner = networks(settings=settings)
    unsettle(refiner)
    image = images(1, (64, 64))
    logits = np.random.default_rng(2).normal(0, 1, (1, 64, 64, 3)).astype(np.float32)
    whole = refiner.predict_on_batch([image, logits, logits])[1]
    part = np.s_[:, :32, 16:48]
    found = refiner.predict_on_batch([image[part], logits[part], logits[part]])[1]
    np.testing.assert_allclose(found[:, 12:20, 12:20], whole[:, 12:20, 28:36], atol=1e-5)


def test_the_critic_judges_patches_of_each_image_by_itself():
    critic = build_critic(channels=1, classes=3, settings=SMALL, largest=255)
    masks = np.random.default_rng(0).uniform(0, 1, (2, 16, 24, 3)).astype(np.float32)
    together = critic.predict_on_batch([images(), masks])
    assert together.shape == (2, 4, 6, 1)
    alone = [critic.predict_on_batch([images()[n : n + 1], masks[n : n + 1]]) for n in (0, 1)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4)


def test_the_patches_are_those_of_pix2pix():
    assert [patch_of(depth) for depth in (1, 2, 3, 4)] == [16, 34, 70, 142]


def test_a_patch_is_what_a_verdict_looks_at():
    """Without normalisation, a change of one pixel reaches just the verdicts whose patch has it."""
    critic = build_critic(channels=1, classes=1, settings=SMALL, largest=255)
    bare = keras.models.clone_model(
        critic,
        clone_function=lambda layer: (
            keras.layers.Activation("linear", name=layer.name)
            if isinstance(layer, keras.layers.GroupNormalization)
            else layer.__class__.from_config(layer.get_config())
        ),
    )
    image, mask = images(1, (96, 96)), np.zeros((1, 96, 96, 1), np.float32)
    before = bare.predict_on_batch([image, mask])[0, 12, 12, 0]
    reached = []
    for row in range(96):
        changed = mask.copy()
        changed[0, row] = 100
        reached.append(bare.predict_on_batch([image, changed])[0, 12, 12, 0] != before)
    assert sum(reached) == patch_of(SMALL.critic_depth)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    def weights(seed):
        refiner = build_refiner(
            channels=1, classes=3, output="softmax", settings=SMALL, largest=255, seed=seed
        )
        return np.concatenate([value.ravel() for value in refiner.get_weights()])

    np.testing.assert_array_equal(weights(0), weights(0))
    assert (weights(0) != weights(1)).any()
