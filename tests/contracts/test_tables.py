"""Every entry of every table keeps the contract of its table."""

import subprocess
import sys
from itertools import product

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, log_loss

from delineate.catalog import (
    DECODERS,
    ENCODERS,
    LAYOUTS,
    LOSSES,
    METRICS,
    RULES,
    RUNTIMES,
    TABLES,
    find,
)
from delineate.errors import RecipeError
from delineate.imaging import write_png
from delineate.losses import SegmentationLoss
from delineate.metrics import Scores
from delineate.models.build import build_model, logits_model
from delineate.prediction.prepare import Preparation
from delineate.prediction.runtimes.keras import KerasRuntime
from tests.bundles import save_bundle

IGNORE = 255
NETWORKS = list(product(ENCODERS, DECODERS))


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table, names in TABLES.items() for name in names]
)
def test_each_name_leads_to_an_object_that_says_what_it_is(table, name):
    found = find(table, name)
    assert found.__doc__, f"{table}: {name} has no docstring"


# --- networks: each encoder with each decoder -----------------------------------------------------

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
def networks():
    """A small network of each encoder with each decoder."""
    settings = {"depth": 1, "filters": 2, "dropout": (0.1,), "classes": 3, "channels": 3}
    return {pair: build_model(encoder=pair[0], decoder=pair[1], **settings) for pair in NETWORKS}


@pytest.fixture(scope="module")
def trained(networks):
    """The losses of two steps of each network, and how far its weights moved."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    truth = np.where(rng.random((2, 16, 16)) < 0.1, IGNORE, images[..., 0] // 86).astype(np.int32)
    found = {}
    for pair, model in networks.items():
        trainer = logits_model(model)
        loss = SegmentationLoss({"sparse_categorical_crossentropy": 1.0}, output="softmax")
        trainer.compile(keras.optimizers.Adam(0.01), loss)
        before = [np.array(weight) for weight in trainer.get_weights()]
        losses = [float(trainer.train_on_batch(images, truth)) for _ in range(2)]
        after = trainer.get_weights()
        moved = [np.abs(one - other).max() for one, other in zip(before, after, strict=True)]
        found[pair] = losses, moved
    return found


@pytest.fixture(scope="module")
def reopened(networks, trained, tmp_path_factory):
    """What the saved networks give in a process that has only Keras, and what they gave here."""
    folder = tmp_path_factory.mktemp("saved")
    images = np.random.default_rng(1).integers(0, 256, (1, 16, 16, 3)).astype(np.float32)
    np.save(folder / "images.npy", images)
    for (encoder, decoder), model in networks.items():
        model.save(folder / f"{encoder}-{decoder}.keras")
    names = ["-".join(pair) for pair in networks]
    command = [sys.executable, "-c", PLAIN_KERAS, str(folder), *names]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return {
        pair: (np.load(folder / f"{name}.npy"), model.predict_on_batch(images))
        for name, (pair, model) in zip(names, networks.items(), strict=True)
    }


@pytest.mark.parametrize("pair", NETWORKS, ids="-".join)
def test_a_step_of_training_moves_all_weights_of_each_network(trained, pair):
    losses, moved = trained[pair]
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1]
    assert (np.array(moved) > 0).all()


@pytest.mark.parametrize("pair", NETWORKS, ids="-".join)
def test_each_saved_network_opens_in_plain_keras_and_gives_the_same(reopened, pair):
    elsewhere, here = reopened[pair]
    np.testing.assert_allclose(elsewhere, here, rtol=1e-5, atol=1e-6)
    assert here.std() > 0


@pytest.mark.parametrize("size", [(16, 16), (37, 53), (1, 1)], ids=str)
@pytest.mark.parametrize("pair", NETWORKS, ids="-".join)
def test_each_network_predicts_images_of_any_size_at_that_size(networks, pair, size):
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    runtime = KerasRuntime(networks[pair])
    found = Preparation("crop", (16, 16), 2).predict(image, runtime)
    assert (found.shape, found.dtype) == ((*size, 3), np.float32)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("pair", NETWORKS, ids="-".join)
def test_each_network_ends_in_logits_and_probabilities_of_float32(networks, pair):
    names = [layer.name for layer in networks[pair].layers]
    assert names[-2:] == ["logits", "probabilities"]
    assert len(set(names)) == len(names)
    assert networks[pair].output.dtype == "float32"
    assert networks[pair].get_layer("logits").compute_dtype == "float32"


# --- losses ---------------------------------------------------------------------------------------


def probabilities_of(logits, output):
    logits = logits.astype(np.float64)
    if output == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def targets_of(truth, channels):
    first = 1 if channels == 1 else 0
    return np.stack([truth == first + number for number in range(channels)], axis=-1)


def reference_binary(truth, shares):
    targets = targets_of(truth, shares.shape[-1])
    likelihood = np.where(targets, shares, 1 - shares)
    return -np.log(likelihood.clip(1e-300)).mean()


def reference_categorical(truth, shares):
    return log_loss(truth, shares, labels=range(shares.shape[-1]))


def reference_dice(truth, shares):
    targets = targets_of(truth, shares.shape[-1])
    losses = []
    for number in range(0 if shares.shape[-1] == 1 else 1, shares.shape[-1]):
        inside, share = targets[..., number], shares[..., number]
        losses.append(1 - (2 * share[inside].sum() + 1) / (inside.sum() + share.sum() + 1))
    return np.mean(losses)


# Each takes the true ids (pixels) and the probabilities (pixels, channels) of what counts.
LOSS_REFERENCES = {
    "binary_crossentropy": reference_binary,
    "categorical_crossentropy": reference_categorical,
    "dice": reference_dice,
    "sparse_categorical_crossentropy": reference_categorical,
}
CASES = ["random", "perfect", "empty", "all ignored"]


def make_case(case, channels):
    """Return truth (2, 6, 5) and logits (2, 6, 5, channels)."""
    rng = np.random.default_rng(5)
    classes = max(channels, 2)
    truth = rng.integers(0, classes, (2, 6, 5))
    logits = rng.normal(0, 2, (2, 6, 5, channels)).astype(np.float32)
    if case == "empty":
        truth[:] = 0
    if case == "perfect":
        logits = np.where(targets_of(truth, channels), 12, -12).astype(np.float32)
    truth[rng.random(truth.shape) < (1.0 if case == "all ignored" else 0.2)] = IGNORE
    return truth, logits


def goes_with(name, output):
    try:
        SegmentationLoss({name: 1.0}, output=output)
    except RecipeError:
        return False
    return True


LOSS_CASES = [
    (name, output, channels, case)
    for name, (output, channels), case in product(
        LOSSES, [("sigmoid", 1), ("sigmoid", 3), ("softmax", 2), ("softmax", 3)], CASES
    )
    if goes_with(name, output)
]


def test_each_loss_and_each_metric_has_a_reference():
    assert LOSS_REFERENCES.keys() == LOSSES.keys()
    assert METRIC_REFERENCES.keys() == METRICS.keys()
    assert {name for name, *_ in LOSS_CASES} == LOSSES.keys()


@pytest.mark.parametrize(("name", "output", "channels", "case"), LOSS_CASES)
def test_each_loss_is_that_of_its_reference(name, output, channels, case):
    truth, logits = make_case(case, channels)
    found = float(SegmentationLoss({name: 1.0}, output=output)(truth, logits))
    counted = truth != IGNORE
    expected = 0.0
    if counted.any():
        shares = probabilities_of(logits, output)[counted]
        expected = LOSS_REFERENCES[name](truth[counted], shares)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert case != "perfect" or found < 0.001


# --- metrics --------------------------------------------------------------------------------------


def present(truth, found, first):
    return [label for label in sorted({*truth.tolist(), *found.tolist()}) if label >= first]


def reference_mean(score, first):
    def mean(truth, found):
        labels = present(truth, found, first)
        return score(truth, found, labels=labels, average="macro") if labels else 0.0

    return mean


METRIC_REFERENCES = {
    "accuracy": accuracy_score,
    "dice": reference_mean(f1_score, 1),
    "foreground_iou": reference_mean(jaccard_score, 1),
    "mean_iou": reference_mean(jaccard_score, 0),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", METRICS)
def test_each_metric_is_that_of_its_reference(name, channels, case):
    truth, logits = make_case(case, channels)
    metric = Scores(max(channels, 2), [name])
    metric.update_state(truth, logits)
    found = float(metric.result()[name])
    decided = (logits[..., 0] >= 0).astype(int) if channels == 1 else logits.argmax(axis=-1)
    counted = truth != IGNORE
    expected = METRIC_REFERENCES[name](truth[counted], decided[counted]) if counted.any() else 0.0
    assert found == pytest.approx(expected, rel=1e-5)


# --- layouts, rules, runtimes ---------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_has_its_name_and_refuses_what_is_not_its_own_with_a_reason(tmp_path, name):
    layout = find("layouts", name)
    assert layout.name == name
    assert layout.summary
    write_png(tmp_path / "holiday.png", np.zeros((4, 4), np.uint8))
    assert layout.refuse(tmp_path)


@pytest.mark.parametrize("name", RULES)
def test_each_rule_can_be_called(name):
    assert callable(find("rules", name))


@pytest.mark.parametrize("name", RUNTIMES)
def test_each_runtime_opens_a_bundles_file_and_runs_it(networks, tmp_path, name):
    if name != "keras":
        pytest.skip(f"the runtime {name} opens what its export writes")
    bundle = save_bundle(tmp_path / "bundle", networks["plain", "unet"])
    engine = find("runtimes", name).open(bundle.folder / "model.keras")
    images = np.zeros((1, 16, 16, 3), np.float32)
    assert engine.granularity >= 1
    assert engine.run(images).shape == (1, 16, 16, 3)
    assert engine.run(images).dtype == np.float32
