"""Every decoder makes a whole network: built, trained a step, used at any size, saved, reopened."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from delineate.catalog import DECODERS, find
from delineate.losses import SegmentationLoss
from delineate.models.build import build_network
from delineate.prediction.prepare import Preparation
from delineate.prediction.runtimes.keras import KerasRuntime
from delineate.recipe import Model
from tests.models.kernels import draw_kernels

IGNORE = 255
SIZE = (32, 48)
STRIDE = 16
NARROW = {
    "concat": (8, 8, 8, 8),
    "deeplabv3plus": (8, 4),
    "fpn": (8, 8),
    "pix2pix": (8, 8, 8),
    "pspnet": (8,),
    "segformer": (8,),
}
SUPERVISED = [name for name in DECODERS if find("decoders", name).supervised]
# Each decoder with a head of either kind where it needs one, the supervised ones also so.
NETWORKS = {
    **{
        name: {"decoder": name, "head": "transposed" if name == "pix2pix" else "convolution"}
        for name in DECODERS
    },
    **{f"{name}-deep": {"decoder": name, "deep_supervision": True} for name in SUPERVISED},
}

PLAIN_KERAS = """
import sys
import keras
import numpy as np

folder = sys.argv[1]
images = np.load(f"{folder}/images.npy")
for name in sys.argv[2:]:
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    np.save(f"{folder}/{name}.npy", model.predict_on_batch(images))
assert not [name for name in sys.modules if name.split(".")[0] == "delineate"]
"""


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def networks():
    """A small network of each decoder on the plain encoder, of random weights."""
    found = {}
    for name, settings in NETWORKS.items():
        chosen = Model(
            **settings,
            depth=4,
            filters=8,
            largest_filters=16,
            convolutions=1,
            decoder_filters=NARROW.get(settings["decoder"], ()),
            dropout=(0.1,),
            # Numbers are drawn by NumPy: JAX would compile for each shape of kernel.
            initialiser="zeros",
        )
        found[name] = build_network(chosen, classes=3, channels=3, size=SIZE)
        draw_kernels(found[name].trainer)
    return found


@pytest.fixture(scope="module")
def trained(networks, images):
    """The losses of two steps of each network, and the weights that have not moved."""
    rng = np.random.default_rng(0)
    truth = (images[..., 0] // 86).astype(np.int32)
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    found = {}
    for name, network in networks.items():
        trainer = network.trainer
        loss = SegmentationLoss(
            {"sparse_categorical_crossentropy": 1.0}, output="softmax", outputs=network.outputs
        )
        # TensorFlow takes longer to compile a step than to take it.
        eager = keras.backend.backend() == "tensorflow"
        trainer.compile(keras.optimizers.Adam(0.01), loss, run_eagerly=eager)
        before = trainer.get_weights()
        losses = [float(trainer.train_on_batch(images, truth)) for _ in range(2)]
        pairs = zip(trainer.weights, before, trainer.get_weights(), strict=True)
        found[name] = losses, [weight.path for weight, one, other in pairs if (one == other).all()]
    return found


@pytest.fixture(scope="module")
def reopened(networks, trained, images, tmp_path_factory):
    """What the saved networks give in a process that has only Keras."""
    folder = tmp_path_factory.mktemp("saved")
    np.save(folder / "images.npy", images[:1])
    for name, network in networks.items():
        network.model.save(folder / f"{name}.keras")
    command = [sys.executable, "-c", PLAIN_KERAS, str(folder), *networks]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return {name: np.load(folder / f"{name}.npy") for name in networks}


@pytest.mark.parametrize("name", NETWORKS)
def test_two_steps_of_training_move_all_weights(trained, name):
    losses, still = trained[name]
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1]
    assert still == []


@pytest.mark.parametrize("name", NETWORKS)
def test_the_saved_network_opens_in_plain_keras_and_gives_the_same(
    networks, reopened, images, name
):
    found = networks[name].model.predict_on_batch(images[:1])
    np.testing.assert_allclose(reopened[name], found, rtol=1e-4, atol=1e-6)
    assert found.shape == (1, *SIZE, 3)
    assert found.std() > 0


@pytest.mark.parametrize("size", [SIZE, (37, 53), (1, 1)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_images_of_any_size_are_predicted_at_that_size(networks, name, size):
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    fixed = find("decoders", NETWORKS[name]["decoder"]).fixed_size
    preparation = Preparation("crop", SIZE, STRIDE, fixed=fixed, overlap=8)
    found = preparation.predict(image, KerasRuntime(networks[name].model))
    assert (found.shape, found.dtype) == ((*size, 3), np.float32)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_names_are_unique_and_the_logits_are_of_float32(networks, name):
    model = networks[name].model
    names = [layer.name for layer in model.layers]
    assert names[-2:] == ["logits", "probabilities"]
    assert len(set(names)) == len(names)
    assert model.get_layer("logits").compute_dtype == "float32"


@pytest.mark.parametrize("name", SUPERVISED)
def test_inner_outputs_are_trained_and_not_saved(networks, name):
    network = networks[f"{name}-deep"]
    assert network.outputs > 1
    assert network.trainer.output.shape[-1] == 3 * network.outputs
    plain = networks[name].model
    assert network.model.count_params() == plain.count_params()
    assert network.model.output.shape == plain.output.shape
