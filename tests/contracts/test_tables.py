"""Every entry of every table keeps the contract of its table."""

import subprocess
import sys
from importlib.util import find_spec

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from delineate.catalog import (
    FORMATS,
    LAYOUTS,
    LOSSES,
    METRICS,
    RULES,
    RUNTIMES,
    TABLES,
    find,
)
from delineate.exporting.parity import TOLERANCES
from delineate.exporting.writing import write_model
from delineate.imaging import write_png
from delineate.losses import LossOptions, SegmentationLoss
from delineate.metrics import Scores
from delineate.models.build import build_model
from delineate.prediction.prepare import Preparation
from delineate.prediction.runtimes.keras import KerasRuntime
from tests.bundles import save_bundle
from tests.losses.cases import CASES, LOSS_CASES, make_case
from tests.losses.references import REFERENCES as LOSS_REFERENCES

IGNORE = 255


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table, names in TABLES.items() for name in names]
)
def test_each_name_leads_to_an_object_that_says_what_it_is(table, name):
    found = find(table, name)
    assert found.__doc__, f"{table}: {name} has no docstring"


# --- the plain network; test_encoders.py and test_decoders.py have the others ---------------------

PLAIN_KERAS = """
import sys
import keras
import numpy as np

folder = sys.argv[1]
model = keras.saving.load_model(f"{folder}/plain.keras")
np.save(f"{folder}/found.npy", model.predict_on_batch(np.load(f"{folder}/images.npy")))
assert not [name for name in sys.modules if name.split(".")[0] == "delineate"]
"""


@pytest.fixture(scope="module")
def plain():
    """A small plain U-Net."""
    return build_model(depth=1, filters=2, dropout=(0.1,), classes=3, channels=3)


@pytest.fixture(scope="module")
def trained(plain):
    """The losses of two steps of the plain network, and how far its weights moved."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    truth = np.where(rng.random((2, 16, 16)) < 0.1, IGNORE, images[..., 0] // 86).astype(np.int32)
    trainer = keras.Model(plain.input, plain.get_layer("logits").output)
    loss = SegmentationLoss(
        {"sparse_categorical_crossentropy": 1.0}, output="softmax", options=LossOptions()
    )
    trainer.compile(keras.optimizers.Adam(0.01), loss)
    before = [np.array(weight) for weight in trainer.get_weights()]
    losses = [float(trainer.train_on_batch(images, truth)) for _ in range(2)]
    after = trainer.get_weights()
    return losses, [np.abs(one - other).max() for one, other in zip(before, after, strict=True)]


def test_a_step_of_training_moves_all_weights_of_the_plain_network(trained):
    losses, moved = trained
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1]
    assert (np.array(moved) > 0).all()


def test_the_saved_plain_network_opens_in_plain_keras_and_gives_the_same(plain, trained, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (1, 16, 16, 3)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    plain.save(tmp_path / "plain.keras")
    command = [sys.executable, "-c", PLAIN_KERAS, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    here = plain.predict_on_batch(images)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), here, rtol=1e-5, atol=1e-6)
    assert here.std() > 0


@pytest.mark.parametrize("size", [(16, 16), (37, 53), (1, 1)], ids=str)
def test_the_plain_network_predicts_images_of_any_size_at_that_size(plain, size):
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = Preparation("crop", (16, 16), 2).predict(image, KerasRuntime(plain))
    assert (found.shape, found.dtype) == ((*size, 3), np.float32)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)


def test_the_plain_network_ends_in_logits_and_probabilities_of_float32(plain):
    names = [layer.name for layer in plain.layers]
    assert names[-2:] == ["logits", "probabilities"]
    assert len(set(names)) == len(names)
    assert plain.output.dtype == "float32"
    assert plain.get_layer("logits").compute_dtype == "float32"


# --- losses ---------------------------------------------------------------------------------------


def test_each_loss_and_each_metric_has_a_reference():
    assert LOSS_REFERENCES.keys() == LOSSES.keys()
    assert METRIC_REFERENCES.keys() == METRICS.keys()
    assert {name for name, *_ in LOSS_CASES} == LOSSES.keys()


@pytest.mark.parametrize(("name", "output", "channels", "case"), LOSS_CASES)
def test_each_loss_is_that_of_its_reference(name, output, channels, case):
    truth, logits = make_case(case, channels)
    found = float(SegmentationLoss({name: 1.0}, output=output)(truth, logits))
    expected = 0.0
    if case != "all ignored":
        expected = LOSS_REFERENCES[name](truth, logits, output, LossOptions())
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
def test_each_runtime_opens_a_file_of_its_own_and_gives_what_keras_gives(plain, tmp_path, name):
    require_engine(name)
    path = save_bundle(tmp_path / "bundle", plain).folder / "model.keras"
    if name != "keras":
        target = tmp_path / find("formats", name).file
        write_model(path, target, format=name, precision="float32")
        path = target
    engine = find("runtimes", name).open(path)
    assert engine.granularity >= 1
    rng = np.random.default_rng(0)
    for count, size in ((1, (16, 16)), (3, (16, 16)), (1, (16, 32)), (1, (64, 8))):
        images = rng.integers(0, 256, (count, *size, 3)).astype(np.float32)
        found = engine.run(images)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, plain.predict_on_batch(images), atol=1e-4)


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_has_a_runtime_and_precisions_with_a_tolerance(name):
    assert name in RUNTIMES
    precisions = find("formats", name).precisions
    assert "float32" in precisions
    assert set(precisions) <= set(TOLERANCES)


def require_engine(name):
    """Skip where the engine, or what writes for it, is not installed; nothing is imported."""
    modules = {
        "openvino": ["openvino", "tensorflow"],
        "onnx": ["onnx", "onnxruntime", "tf2onnx", "tensorflow"],
        "litert": ["ai_edge_litert", "tensorflow"],
        "savedmodel": ["tensorflow"],
    }.get(name, [])
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}")
    if name == "tensorrt":
        pytest.skip("TensorRT needs an NVIDIA GPU")
