"""Every decoder on encoders of several kinds: built, trained a step, used at odd sizes, saved.

All decoders that take images of any size sit on one encoder in one model, so that a backend
compiles each encoder once.
"""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from delineate.catalog import DECODERS, find
from delineate.models.blocks import Style
from delineate.prediction.prepare import Preparation
from delineate.recipe import Model
from tests.models.decoders.features import DENSENET
from tests.models.kernels import draw_kernels

SIDE = 64
OPEN = [name for name in DECODERS if not find("decoders", name).fixed_size]
ENCODERS = ["plain", "begins_at_2", "begins_at_4", "mobilenetv2"]
# A step of training takes JAX half a minute to compile; the contracts have one on `plain`.
TRAINED = ENCODERS[-1:] if keras.backend.backend() == "jax" else ENCODERS
# Numbers are drawn by NumPy: for JAX it would be one more compilation for each shape of kernel.
STYLE = Style(convolutions=1, initialiser="zeros")
SETTINGS = Model(filters=8, largest_filters=16, dropout=(0.1,))
NARROW = {
    "concat": (8, 8, 8, 8, 8),
    "deeplabv3plus": (8, 4),
    "fpn": (8, 8),
    "pix2pix": (8, 8, 8, 8),
    "pspnet": (8,),
    "segformer": (8,),
}

PLAIN_KERAS = """
import sys
import keras
import numpy as np

folder = sys.argv[1]
images = np.load(f"{folder}/images.npy")
for name in sys.argv[2:]:
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    np.savez(f"{folder}/{name}.npz", **model.predict_on_batch(images))
assert not [name for name in sys.modules if name.split(".")[0] == "delineate"]
"""


def encode(kind, image):
    """Return features by stride, down to 32."""
    if kind in ("plain", "mobilenetv2"):
        settings = SETTINGS.model_copy(update={"encoder": kind, "depth": 5, "width": 0.35})
        return find("encoders", kind)(image, settings=settings, style=STYLE)
    features = {}
    image = layers.Rescaling(1 / 255, name="scale")(image)
    for depth in range(1, 6):
        image = layers.Conv2D(16, 3, strides=2, padding="same", name=f"halve{depth}")(image)
        features[2**depth] = image
    first = int(kind.removeprefix("begins_at_"))
    return {stride: feature for stride, feature in features.items() if stride >= first}


def decode(name, features, side, style=STYLE):
    """Return what a decoder makes of features, a model of its own within the whole."""
    inputs = {
        stride: keras.Input(
            (*((None, None) if side is None else feature.shape[1:3]), feature.shape[-1])
        )
        for stride, feature in features.items()
    }
    settings = SETTINGS.model_copy(
        update={"decoder": name, "decoder_filters": NARROW.get(name, ())}
    )
    output = find("decoders", name)(inputs, settings=settings, style=style)
    # A decoder takes the features that it needs; a model takes only inputs that are used.
    return keras.Model(list(inputs.values()), output, name=name)(list(features.values()))


def build(kind, names, side=None):
    image = keras.Input((side, side, 3), name="image")
    features = encode(kind, image)
    outputs = {name: decode(name, features, side) for name in names}
    heads = {
        name: layers.Conv2D(2, 1, name=f"{name}_head")(output) for name, output in outputs.items()
    }
    model = keras.Model(image, heads)
    draw_kernels(model)
    return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def models():
    return {kind: build(kind, OPEN) for kind in ENCODERS}


@pytest.fixture(scope="module")
def unmoved(models, images):
    """The weights that a step of training has left where they were, by encoder."""
    found = {}
    for kind in TRAINED:
        model = models[kind]
        before = model.get_weights()
        targets = {
            name: np.ones(shape, np.float32)
            for name, shape in model.compute_output_shape(images.shape).items()
        }
        # Compiled, TensorFlow's graph would take longer than all else here.
        eager = keras.backend.backend() == "tensorflow"
        model.compile(keras.optimizers.SGD(0.1), dict.fromkeys(targets, "mse"), run_eagerly=eager)
        assert np.isfinite(model.train_on_batch(images, targets)).all()
        paths = [weight.path for weight in model.weights]
        found[kind] = [
            path
            for path, one, other in zip(paths, before, model.get_weights(), strict=True)
            if (one == other).all()
        ]
    return found


@pytest.fixture(scope="module")
def reopened(models, unmoved, images, tmp_path_factory):
    """What the saved models give in a process that has only Keras."""
    folder = tmp_path_factory.mktemp("saved")
    np.save(folder / "images.npy", images[:1])
    for kind, model in models.items():
        model.save(folder / f"{kind}.keras")
    command = [sys.executable, "-c", PLAIN_KERAS, str(folder), *models]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return {kind: dict(np.load(folder / f"{kind}.npz")) for kind in models}


class OneOf:
    """An engine that runs a model of many outputs and returns the one of a name, enlarged."""

    granularity = 1

    def __init__(self, model, name):
        self.model, self.name = model, name

    def run(self, images):
        found = self.model.predict_on_batch(images)[self.name]
        factor = images.shape[1] // found.shape[1]
        return found.repeat(factor, axis=1).repeat(factor, axis=2)


@pytest.mark.parametrize("kind", TRAINED)
def test_a_step_of_training_moves_all_weights_of_all_decoders(unmoved, kind):
    assert unmoved[kind] == []


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize("kind", ENCODERS)
def test_each_saved_decoder_opens_in_plain_keras_and_gives_the_same(
    models, reopened, images, kind, name
):
    found = models[kind].predict_on_batch(images[:1])[name]
    np.testing.assert_allclose(reopened[kind][name], found, rtol=1e-4, atol=1e-5)
    assert found.std() > 0


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize("kind", ENCODERS)
def test_each_decoder_gives_as_many_pixels_as_an_image_of_any_size_has(models, kind, name):
    image = np.random.default_rng(2).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    found = Preparation("crop", (SIDE, SIDE), 32).predict(image, OneOf(models[kind], name))
    assert found.shape == (37, 53, 2)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", OPEN)
def test_each_decoder_ends_where_it_says_whatever_the_encoder_begins_with(models, name):
    ends = {
        kind: SIDE // models[kind].compute_output_shape((1, SIDE, SIDE, 3))[name][1]
        for kind in ENCODERS
    }
    if name == "unetplusplus":
        starts = {"plain": 1, "begins_at_2": 2, "begins_at_4": 4, "mobilenetv2": 2}
        assert ends == {kind: starts[kind] for kind in ENCODERS}
    else:
        assert set(ends.values()) == {
            {"deeplabv3plus": 4, "fpn": 4, "segformer": 4, "pix2pix": 2}.get(name, 1)
        }


def test_in_bfloat16_each_decoder_gives_nearly_what_it_gives_in_float32():
    rng = np.random.default_rng(3)
    values = [
        rng.normal(size=(1, SIDE // stride, SIDE // stride, 4)).astype(np.float32)
        for stride in DENSENET
    ]
    found = {}
    for dtype in ("float32", "mixed_bfloat16"):
        inputs = [keras.Input((*value.shape[1:3], 4)) for value in values]
        features = dict(zip(DENSENET, inputs, strict=True))
        style = replace(STYLE, dtype=dtype)
        model = keras.Model(
            inputs, {name: decode(name, features, SIDE, style) for name in DECODERS}
        )
        draw_kernels(model)
        found[dtype] = model.predict_on_batch(values)
    for name, exact in found["float32"].items():
        rounded = np.asarray(found["mixed_bfloat16"][name]).astype(np.float32)
        assert 0 < np.abs(rounded - exact).max() < 0.05 * np.abs(exact).max(), name
