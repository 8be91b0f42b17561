"""One small encoder of each family keeps the contract; all others have their facts checked."""

import os
import subprocess
import sys
from dataclasses import dataclass

import keras
import numpy as np
import pytest

from delineate.catalog import ENCODERS, find
from delineate.evaluation.tables import table_rows
from delineate.losses import SegmentationLoss
from delineate.losses.options import LossOptions
from delineate.models.build import build_network
from delineate.models.facts import encoder_facts
from delineate.prediction.prepare import Preparation
from delineate.recipe import Model
from tests.conftest import ALL_FAMILIES

IGNORE = 255
WIDTHS = {"mobilenetv2": 0.35, "mobilenetv3small": 0.75}
BACKEND = keras.backend.backend()
ALL = (
    "convnexttiny",
    "densenet121",
    "efficientnetb0",
    "efficientnetv2b0",
    "mitb0",
    "mobilenetv2",
    "mobilenetv3small",
    "resnet18",
    "resnet50",
    "resnet50v2",
    "vgg16",
)
# JAX compiles each operation of an uncompiled step: there three families are tried, down to
# stride 4; PyTorch goes down to stride 8, TensorFlow all the way; with --all-families all do.
WHOLE = BACKEND == "tensorflow" or ALL_FAMILIES in os.environ
FAMILIES = ALL if WHOLE or BACKEND == "torch" else ("mitb0", "mobilenetv2", "resnet18")
DEPTH = 5 if WHOLE else {"jax": 2, "torch": 3}[BACKEND]
SIDE = 64

PLAIN_KERAS = """
import sys
import keras
import numpy as np

folder = sys.argv[1]
images = np.load(f"{folder}/images.npy")
for name in sys.argv[2:]:
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    found = keras.ops.convert_to_numpy(model(images, training=False))
    np.save(f"{folder}/{name}.npy", found)
assert not [name for name in sys.modules if name.split(".")[0] == "delineate"]
"""


class Called:
    """Runs a model as it is: compiling it takes longer than these few images."""

    granularity = 1

    def __init__(self, model):
        self.model = model

    def run(self, images):
        return keras.ops.convert_to_numpy(self.model(images, training=False))


@dataclass
class Seen:
    """What was seen of the network of a family; the network itself is gone."""

    strides: list
    names: list
    odd: np.ndarray
    loss: float
    unmoved: list
    given: np.ndarray


def examine(name, folder, images):
    """Return what is seen of a family's network with a small U-Net decoder; it is trained, saved."""
    settings = Model(encoder=name, width=WIDTHS.get(name, 1.0), filters=2, depth=DEPTH)
    network = build_network(settings, classes=3, channels=3)
    runtime = Called(network.model)
    odd = np.random.default_rng(2).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    predicted = Preparation("crop", (SIDE, SIDE), 2**DEPTH).predict(odd, runtime)
    loss, unmoved = step(network.trainer)
    network.model.save(folder / f"{name}.keras")
    names = [layer.name for layer in network.model.layers]
    return Seen(list(network.encoder), names, predicted, loss, unmoved, runtime.run(images))


def step(trainer):
    """Return the loss of one step of training, and the weights that it does not move."""
    rng = np.random.default_rng(0)
    # Of two images, EfficientNet now and then leaves out a block for both.
    images = rng.integers(0, 256, (4, SIDE, SIDE, 3)).astype(np.float32)
    truth = np.where(rng.random((4, SIDE, SIDE)) < 0.1, IGNORE, images[..., 0] // 86)
    loss = SegmentationLoss(
        {"sparse_categorical_crossentropy": 1.0}, output="softmax", options=LossOptions()
    )
    trainer.compile(keras.optimizers.Adam(0.01), loss, run_eagerly=True, jit_compile=False)
    before = [keras.ops.convert_to_numpy(each) for each in trainer.trainable_variables]
    value = float(trainer.train_on_batch(images, truth.astype(np.int32)))
    pairs = zip(trainer.trainable_variables, before, strict=True)
    return value, [each.path for each, old in pairs if (np.asarray(each) == old).all()]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What was seen of each family, and what its saved network gives where there is only Keras."""
    folder = tmp_path_factory.mktemp("saved")
    images = np.random.default_rng(1).integers(0, 256, (1, SIDE, SIDE, 3)).astype(np.float32)
    np.save(folder / "images.npy", images)
    found = {}
    for name in FAMILIES:
        found[name] = examine(name, folder, images)
        keras.utils.clear_session()
    command = [sys.executable, "-c", PLAIN_KERAS, str(folder), *FAMILIES]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return {name: (found[name], np.load(folder / f"{name}.npy")) for name in FAMILIES}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_has_the_strides_of_the_table(seen, name):
    rows = {row["encoder"]: row for row in table_rows("encoders")}
    strides = [stride for stride in rows[name]["strides"] if stride <= 2**DEPTH]
    assert seen[name][0].strides == strides


@pytest.mark.parametrize("name", FAMILIES)
def test_a_step_of_training_moves_all_weights_of_each_family(seen, name):
    assert np.isfinite(seen[name][0].loss)
    assert seen[name][0].unmoved == []


@pytest.mark.parametrize("name", FAMILIES)
def test_each_saved_network_opens_in_plain_keras_and_gives_the_same(seen, name):
    here, elsewhere = seen[name]
    np.testing.assert_allclose(elsewhere, here.given, rtol=1e-4, atol=1e-5)
    assert here.given.std() > 0


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_predicts_images_of_an_odd_size_at_that_size(seen, name):
    odd = seen[name][0].odd
    assert (odd.shape, odd.dtype) == ((37, 53, 3), np.float32)
    np.testing.assert_allclose(odd.sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_layers_of_each_family_have_names_of_their_own(seen, name):
    names = seen[name][0].names
    assert len(set(names)) == len(names)
    assert names[-2:] == ["logits", "probabilities"]


# --- all encoders, by their facts -----------------------------------------------------------------


@pytest.mark.parametrize("row", table_rows("encoders"), ids=lambda row: row["encoder"])
def test_the_facts_of_each_encoder_are_complete(row):
    encoder = find("encoders", row["encoder"])
    assert row["parameters"] > 0
    assert row["multiply_adds"] > 0
    assert len(row["channels"]) == len(row["strides"])
    assert row["strides"][0] == getattr(encoder, "least_stride", 1)
    assert row["strides"] == [2**power for power in range(9) if 2**power in row["strides"]]
    if row["encoder"] != "plain":
        assert row["input"] == encoder.convention.name
        assert (row["licence"], row["widths"]) == (
            encoder.licence,
            encoder.widths and [*encoder.widths],
        )
        assert row["strides"][-1] == 32


def test_each_encoder_has_facts():
    assert [row["encoder"] for row in table_rows("encoders")] == list(ENCODERS)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a graph has the same shapes on each backend")
@pytest.mark.parametrize(
    "name", ["plain", "convnexttiny", "efficientnetb0", "mitb0", "mobilenetv2", "resnet18"]
)
def test_the_facts_kept_of_an_encoder_are_those_counted_anew(name):
    kept = next(row for row in table_rows("encoders") if row["encoder"] == name)
    assert kept == {"encoder": name, **encoder_facts(name)}


@pytest.mark.parametrize(
    ("name", "millions", "billions"),
    [
        # Parameters without classifier, multiply-adds at 224×224, as their authors have them.
        ("resnet50", 23.5, 4.1),
        ("densenet121", 7.0, 2.9),
        ("vgg16", 14.7, 15.4),
        ("convnexttiny", 27.8, 4.5),
        ("resnet18", 11.2, 1.8),
    ],
)
def test_the_facts_are_about_what_is_published(name, millions, billions):
    row = next(row for row in table_rows("encoders") if row["encoder"] == name)
    assert row["parameters"] / 1e6 == pytest.approx(millions, rel=0.02)
    scaled = row["multiply_adds"] * (224 / 256) ** 2
    assert scaled / 1e9 == pytest.approx(billions, rel=0.06)
