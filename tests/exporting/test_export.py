"""Exports: opened again, near enough to the Keras model, or not there at all."""

import logging
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from delineate.bundle import Bundle, Member, copy_bundle
from delineate.data.dataset import Dataset
from delineate.errors import BackendError, BundleError, MissingExtraError, UsageError
from delineate.exporting import export as export_module
from delineate.exporting.calibration import Calibration
from delineate.exporting.export import export
from delineate.exporting.formats import Format
from delineate.exporting.formats import openvino as openvino_format
from delineate.exporting.parity import Tolerance, compare, padded_alike
from delineate.prediction.predictor import Predictor
from delineate.prediction.runtimes.extras import import_openvino
from delineate.prediction.runtimes.litert import LiteRtRuntime
from delineate.prediction.runtimes.onnx import OnnxRuntime
from delineate.prediction.runtimes.openvino import OpenVinoRuntime
from delineate.prediction.runtimes.savedmodel import SavedModelRuntime
from delineate.runs import Run
from tests.bundles import save_bundle

FORMATS = {
    "openvino": ("openvino", ("float32", "float16", "bfloat16", "int8")),
    "onnx": ("onnxruntime", ("float32", "float16", "int8")),
    "litert": ("ai_edge_litert", ("float32", "float16", "int8")),
    "savedmodel": ("tensorflow", ("float32",)),
}
CASES = [(name, precision) for name, (_, all_) in FORMATS.items() for precision in all_]


def needs(name):
    # Looked for without an import: OpenVINO's would report, had it not been told otherwise.
    modules = [FORMATS[name][0], "tensorflow", *(["tf2onnx"] if name == "onnx" else [])]
    if not all(map(find_spec, modules)):
        pytest.skip(f"{', '.join(modules)}: not installed")


def network(dtype="float32", filters=8):
    """Return a small U-Net of random weights."""
    keras.utils.set_random_seed(0)
    image = layers.Input((None, None, 3), name="image")
    scaled = layers.Rescaling(1 / 255, dtype=dtype)(image)
    first = layers.Conv2D(filters, 3, padding="same", activation="relu", dtype=dtype)(scaled)
    found = layers.BatchNormalization(dtype=dtype)(layers.MaxPooling2D(2, dtype=dtype)(first))
    found = layers.Conv2D(filters, 3, padding="same", activation="relu", dtype=dtype)(found)
    found = layers.Conv2DTranspose(filters, 2, strides=2, dtype=dtype)(found)
    found = layers.Concatenate(dtype=dtype)([first, found])
    logits = layers.Conv2D(3, 1, name="logits", dtype="float32")(found)
    # Far apart, so that few pixels stand between two classes.
    strong = layers.Rescaling(20.0, dtype="float32")(logits)
    end = layers.Activation("softmax", name="probabilities", dtype="float32")(strong)
    return keras.Model(image, end)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 6, 8, 3), dtype=np.uint8)
    images = [np.kron(each, np.ones((8, 8, 1), np.uint8)) for each in small]
    return Dataset.from_arrays(images, [image[..., 0] // 86 for image in images])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_bundle(tmp_path_factory.mktemp("export") / "bundle", network())


@pytest.mark.parametrize(("name", "precision"), CASES)
def test_an_export_predicts_what_the_keras_model_predicts(
    tmp_path, bundle, data, monkeypatch, name, precision
):
    needs(name)
    # Random weights are more delicate than learnt ones.
    if precision == "int8":
        monkeypatch.setitem(export_module.TOLERANCES, "int8", Tolerance(None, 0.2, 0.2, 1.0))
    made = export(bundle.folder, data, format=name, precision=precision, to=tmp_path / "out")
    assert made.card.members == (Member(file=made.card.members[0].file, runtime=name),)
    assert (made.card.export.format, made.card.export.precision) == (name, precision)
    assert made.card.export.images == 12
    for size in ((48, 64), (37, 51), (16, 16)):
        image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
        # Keras on JAX rounds sizes up, where random weights say something else at the border.
        opened = padded_alike(*(Predictor.open(each.folder) for each in (bundle, made)))
        before, after = (predictor.predict(image) for predictor in opened)
        difference = np.abs(before.probabilities - after.probabilities)
        assert after.probabilities.shape == (*size, 3)
        assert difference.max() < 1e-3 or precision != "float32"
        assert (before.mask != after.mask).mean() < (0.2 if precision == "int8" else 0.01)


def test_engines_that_round_sizes_up_are_compared_at_the_same_sizes(bundle):
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (37, 51, 3), dtype=np.uint8) for _ in range(2)]
    whole = Dataset.from_arrays(images, [image[..., 0] // 86 for image in images])
    predictors = {}
    for granularity in (1, 32):
        predictors[granularity] = Predictor.open(bundle.folder)
        predictors[granularity].runtimes[0].granularity = granularity
    before, after = predictors[32], predictors[1]
    assert np.abs(before.raw(images[0]) - after.raw(images[0])).max() > 1e-3
    found = compare(before, after, whole, usual=before, said=("x", "float32", "x 1"))
    assert found.largest_difference < 1e-5


@pytest.mark.parametrize("name", ["openvino", "onnx", "litert"])
def test_a_coarser_precision_is_smaller_and_differs(tmp_path, data, monkeypatch, name):
    needs(name)
    for precision in ("float16", "int8"):
        monkeypatch.setitem(export_module.TOLERANCES, precision, Tolerance(None, 0.5, 0.5, 1.0))
    large = save_bundle(tmp_path / "large", network(filters=64))
    sizes = {}
    for precision in ("float32", "float16", "int8"):
        made = export(large.folder, data, format=name, precision=precision, to=tmp_path / precision)
        sizes[precision] = max(path.stat().st_size for path in made.folder.iterdir())
        assert (made.card.export.largest_difference > 1e-4) == (precision != "float32")
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["int8"] < 0.4 * sizes["float32"]


def test_int8_knows_a_bright_image_among_dark_ones(tmp_path):
    needs("openvino")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("exports are written by TensorFlow, here in this process")
    keras.utils.set_random_seed(0)
    image = layers.Input((32, 32, 3))
    found = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    model = keras.Model(image, layers.Conv2D(2, 1)(found))
    rng = np.random.default_rng(0)
    lights = [0.05] * 31 + [1.0]
    samples = [light * rng.random((1, 32, 32, 3), np.float32) for light in lights]
    (tmp_path / "out").mkdir()
    openvino_format(model, tmp_path / "out" / "model.xml", "int8", Calibration(samples))
    wanted = np.asarray(model(samples[-1]))
    given = OpenVinoRuntime.open(tmp_path / "out" / "model.xml").run(samples[-1])
    # By the mean of the images' ranges, some 0.08 here, all brighter pixels would be one.
    assert np.abs(given - wanted).max() < 0.1 * np.ptp(wanted)


def in_openvino(folder):
    """Return in which type the weights of each convolution are stored."""
    found = []
    for node in import_openvino().Core().read_model(folder / "model.xml").get_ordered_ops():
        if node.get_type_name() == "Convolution":
            stored = node.input_value(1).get_node()
            while stored.inputs():
                stored = stored.input_value(0).get_node()
            found.append(stored.get_element_type().get_type_name())
    return found


def in_onnx(folder):
    """Likewise."""
    graph = pytest.importorskip("onnx").load(folder / "model.onnx").graph
    scaled = {
        name for node in graph.node if "quantize" in node.op_type.lower() for name in node.output
    }
    return ["i8" if n.input[1] in scaled else "f32" for n in graph.node if n.op_type == "Conv"]


@pytest.mark.parametrize(("name", "stored"), [("openvino", in_openvino), ("onnx", in_onnx)])
def test_where_int8_loses_too_much_the_first_convolution_is_spared(
    tmp_path, bundle, data, monkeypatch, name, stored
):
    needs(name)
    monkeypatch.setitem(export_module.TOLERANCES, "int8", Tolerance(None, 0.2, 0.2, 1.0))
    export(bundle.folder, data, format=name, precision="int8", to=tmp_path / "all")
    answers, told = ["it is", ""], []
    monkeypatch.setattr(export_module, "too_far", lambda *_: answers.pop(0))
    export(
        bundle.folder, data, format=name, precision="int8", to=tmp_path / "most", say=told.append
    )
    assert [text for text in told if "its first convolution in float32" in text] == told[2:3]
    assert stored(tmp_path / "all") == ["i8"] * 3
    assert stored(tmp_path / "most") == ["f32", "i8", "i8"]


def test_an_export_that_is_too_far_leaves_nothing(tmp_path, bundle, data, monkeypatch):
    needs("openvino")
    monkeypatch.setitem(export_module.TOLERANCES, "int8", Tolerance(1e-9, 0.5, 0.5, 1.0))
    with pytest.raises(BundleError, match="a probability differs by") as error:
        export(bundle.folder, data, format="openvino", precision="int8", to=tmp_path / "a" / "b")
    assert "finer precision" in error.value.hint
    assert not list((tmp_path / "a").iterdir())


def test_a_network_trained_in_bfloat16_is_exported_in_float32(tmp_path, data):
    needs("openvino")
    mixed = save_bundle(tmp_path / "mixed", network("mixed_bfloat16"), precision="bfloat16")
    made = export(mixed.folder, data, format="openvino", to=tmp_path / "out")
    assert made.card.precision == "float32"
    assert made.card.export.largest_difference < 1e-3


def test_members_of_an_ensemble_are_exported_each(tmp_path, data):
    needs("openvino")
    members = (Member(file="one.keras"), Member(file="two.keras"))
    several = save_bundle(tmp_path / "several", network(), members=members)
    made = export(several.folder, data, format="openvino", to=tmp_path / "out")
    assert [member.file for member in made.card.members] == [
        "member-1/model.xml",
        "member-2/model.xml",
    ]
    assert Bundle.open(tmp_path / "out") == made


def test_licences_and_settings_travel_along(tmp_path, data):
    needs("openvino")
    source = save_bundle(tmp_path / "source", network(), licences={"weights": "Apache-2.0"})
    made = export(source.folder, data, format="openvino", to=tmp_path / "out")
    assert made.card.licences == {"weights": "Apache-2.0"}
    kept = {"members", "precision", "export", "files"}
    assert made.card.model_dump(exclude=kept) == source.card.model_dump(exclude=kept)


@pytest.fixture
def run(tmp_path, bundle):
    """A run whose best bundle is the small network."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.toml").write_text("")
    save_bundle(tmp_path / "run" / "best", network())
    return Run(tmp_path / "run")


def engine_of(run, **said):
    return type(Predictor.open(run, **said).runtimes[0]).__name__


def test_a_run_predicts_by_its_fastest_export_of_the_present_weights(run, data):
    needs("openvino")
    assert engine_of(run) == "KerasRuntime"
    made = export(run, data, format="openvino")
    assert made.folder == run.exports / "openvino-float32"
    quick = made.card.export.model_copy(update={"seconds": {"before": 1.0, "after": 0.1}})
    slow = made.card.export.model_copy(update={"seconds": {"before": 0.1, "after": 1.0}})
    for found, expected in ((quick, "OpenVinoRuntime"), (slow, "KerasRuntime")):
        (made.folder / "card.json").write_text(
            made.card.model_copy(update={"export": found}).model_dump_json()
        )
        assert engine_of(run) == expected
    assert engine_of(run, runtime="openvino") == "OpenVinoRuntime"
    assert engine_of(run, runtime="keras") == "KerasRuntime"


def test_an_engine_without_a_model_is_refused_with_the_line_that_makes_one(run):
    with pytest.raises(BundleError, match="has no model for onnx") as error:
        Predictor.open(run, runtime="onnx")
    assert "export RUN --format onnx" in error.value.hint


def test_an_export_of_earlier_weights_is_left_alone(run, data):
    needs("openvino")
    made = export(run, data, format="openvino")
    quick = made.card.export.model_copy(update={"seconds": {"before": 1.0, "after": 0.1}})
    (made.folder / "card.json").write_text(
        made.card.model_copy(update={"export": quick}).model_dump_json()
    )
    assert engine_of(run) == "OpenVinoRuntime"
    save_bundle(run.best, network(filters=4))
    assert engine_of(run) == "KerasRuntime"


def test_an_export_with_earlier_settings_is_left_alone(run, data):
    needs("openvino")
    made = export(run, data, format="openvino")
    quick = made.card.export.model_copy(update={"seconds": {"before": 1.0, "after": 0.1}})
    (made.folder / "card.json").write_text(
        made.card.model_copy(update={"export": quick}).model_dump_json()
    )
    assert engine_of(run) == "OpenVinoRuntime"
    best = Bundle.open(run.best)
    post = best.card.post.model_copy(update={"averaging": "flips"})
    copy_bundle(best, best.folder, best.card.model_copy(update={"post": post}))
    assert engine_of(run) == "KerasRuntime"


def test_of_several_the_one_that_saves_most_predicts(run, data):
    """Whatever the seconds were on the day when it was made."""
    needs("openvino")
    shares = {"float32": {"before": 9.0, "after": 2.0}, "float16": {"before": 2.0, "after": 1.0}}
    for precision, seconds in shares.items():
        made = export(run, data, format="openvino", precision=precision)
        told = made.card.export.model_copy(update={"seconds": seconds})
        card = made.card.model_copy(update={"export": told})
        (made.folder / "card.json").write_text(card.model_dump_json())
    assert engine_of(run) == "OpenVinoRuntime"
    assert Predictor.open(run).card.precision == "float32"


def test_an_export_whose_engine_does_not_run_here_keeps_nobody_from_predicting(run, data):
    """As of a run that was exported on a machine with a GPU, and copied."""
    needs("savedmodel")
    made = export(run, data, format="savedmodel")
    told = made.card.export.model_copy(update={"seconds": {"before": 1.0, "after": 0.1}})
    for runtime in ("savedmodel", "tensorrt"):
        member = made.card.members[0].model_copy(update={"runtime": runtime})
        card = made.card.model_copy(update={"export": told, "members": (member,)})
        (made.folder / "card.json").write_text(card.model_dump_json())
        # A SavedModel is a program: it is run where that is asked for, and only there.
        assert engine_of(run) == "KerasRuntime"
    with pytest.raises((BackendError, MissingExtraError, BundleError)):
        Predictor.open(run, runtime="tensorrt")


def test_what_is_said_of_objects_is_proven_too(tmp_path, data, monkeypatch):
    needs("openvino")
    image = layers.Input((None, None, 3))
    said = layers.Conv2D(4, 3, padding="same", activation="sigmoid")(
        layers.Rescaling(1 / 255)(image)
    )
    source = save_bundle(
        tmp_path / "source", keras.Model(image, said), objects=("boundary",), output="softmax"
    )
    real = OpenVinoRuntime.run

    def run(self, images):
        found = real(self, images)
        found[..., 3] = 0
        return found

    export(source.folder, data, format="openvino", to=tmp_path / "out")
    monkeypatch.setitem(export_module.TOLERANCES, "int8", Tolerance(None, 1.0, 1.0, 0.1))
    monkeypatch.setattr(OpenVinoRuntime, "run", run)
    with pytest.raises(BundleError, match="what is said of objects differs by"):
        export(source.folder, data, format="openvino", precision="int8", to=tmp_path / "int8")


def test_an_engine_that_meets_what_it_lacks_is_an_error(tmp_path, bundle, data, monkeypatch):
    needs("openvino")

    def run(self, images):
        raise RuntimeError("no such operation\nand more")

    monkeypatch.setattr(OpenVinoRuntime, "run", run)
    with pytest.raises(BundleError, match="float32 does not run: no such operation"):
        export(bundle.folder, data, format="openvino", to=tmp_path / "a" / "b")
    assert not list((tmp_path / "a").iterdir())


def fail(*said, **more):
    raise RuntimeError("no such operation\nand more")


def failing(name):
    """Return an opened model whose engine meets what it lacks at its first image."""
    index = [{"index": 0}]
    inputs, outputs = (lambda: index), (lambda: index)
    interpreter = SimpleNamespace(
        get_input_details=inputs, get_output_details=outputs, resize_tensor_input=fail
    )
    session = SimpleNamespace(get_inputs=lambda: [SimpleNamespace(name="image")], run=fail)
    model = SimpleNamespace(is_dynamic=lambda: False, has_rt_info=lambda path: False)
    return {
        "ONNX Runtime": OnnxRuntime(session),
        "OpenVINO": OpenVinoRuntime(SimpleNamespace(compile_model=fail), model),
        "LiteRT": LiteRtRuntime(interpreter),
        "TensorFlow": SavedModelRuntime(None, fail),
    }[name]


@pytest.mark.parametrize("name", ["ONNX Runtime", "OpenVINO", "LiteRT", "TensorFlow"])
def test_an_engine_that_fails_at_an_image_is_an_error_with_a_way_out(name):
    with pytest.raises(BundleError) as error:
        failing(name).run(np.zeros((1, 8, 8, 3), np.float32))
    assert error.value.message == f"{name} cannot predict with this model: no such operation."
    assert "--runtime keras" in error.value.hint


@pytest.mark.parametrize("what", ["run", "best", "files", "a file"])
def test_what_is_no_export_is_not_replaced(tmp_path, run, data, what):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "notes.txt").write_text("mine")
    places = {"run": run.folder, "best": run.best, "files": tmp_path / "files"}
    target = places.get(what, tmp_path / "files" / "notes.txt")
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="something else than an export") as error:
        export(run, data, format="openvino", to=target)
    assert error.value.hint
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_an_export_is_replaced_by_a_new_one(tmp_path, bundle, data):
    needs("openvino")
    for _ in range(2):
        made = export(bundle.folder, data, format="openvino", to=tmp_path / "out")
    assert Bundle.open(tmp_path / "out").card == made.card


def test_probabilities_that_are_no_numbers_are_refused(tmp_path, bundle, data, monkeypatch):
    needs("openvino")
    real = OpenVinoRuntime.run

    def run(self, images):
        found = real(self, images)
        found[0, 0, 0, 0] = np.nan
        return found

    monkeypatch.setattr(OpenVinoRuntime, "run", run)
    with pytest.raises(BundleError, match="are no numbers"):
        export(bundle.folder, data, format="openvino", to=tmp_path / "a" / "b")
    assert not list((tmp_path / "a").iterdir())


def test_quantizing_leaves_the_logging_of_others_alone(tmp_path, bundle, data, monkeypatch):
    needs("openvino")
    monkeypatch.setitem(export_module.TOLERANCES, "int8", Tolerance(None, 1.0, 1.0, 1.0))
    logger, handler = logging.getLogger("nncf"), logging.NullHandler()
    handler.setLevel(logging.INFO)
    logger.addHandler(handler)
    before = logger.level
    for _ in range(2):
        export(bundle.folder, data, format="openvino", precision="int8", to=tmp_path / "out")
    assert (handler.level, logger.level) == (logging.INFO, before)
    logger.removeHandler(handler)


def test_what_cannot_be_converted_is_an_error_with_a_hint(tmp_path, bundle, data, monkeypatch):
    def write(model, path, precision, calibration):
        raise RuntimeError("no such operation\nand more")

    broken = Format(write, "model.xml", "NumPy", "numpy", ("float32",))
    monkeypatch.setattr("delineate.exporting.writing.find", lambda table, name: broken)
    if keras.backend.backend() != "tensorflow":
        pytest.skip("written by another process")
    with pytest.raises(BundleError, match="float32: no such operation") as error:
        export(bundle.folder, data, format="openvino", to=tmp_path / "out")
    assert error.value.hint


def test_what_makes_no_sense_is_refused(tmp_path, bundle, data):
    with pytest.raises(UsageError, match="no format 'openvin'"):
        export(bundle.folder, data, format="openvin", to=tmp_path / "out")
    with pytest.raises(UsageError, match="onnx has no precision 'bfloat16'"):
        export(bundle.folder, data, format="onnx", precision="bfloat16", to=tmp_path / "out")
    with pytest.raises(UsageError, match="where should its export go"):
        export(bundle.folder, data, format="onnx")
    assert not (tmp_path / "out").exists()


def test_a_missing_engine_is_an_error_with_the_line_that_installs_it(
    tmp_path, bundle, data, monkeypatch
):
    for module in ("openvino", "openvino.tools.ovc"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="openvino") as error:
        export(bundle.folder, data, format="openvino", to=tmp_path / "out")
    assert error.value.hint == "pip install 'delineate[openvino]'"
