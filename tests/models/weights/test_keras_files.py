"""Keras's own files of weights: both layouts, right or refused."""

import h5py
import keras
import numpy as np
import pytest

from delineate.errors import WeightsError
from delineate.models.weights import load_weights
from delineate.models.weights.keras_files import keras_weights

REAL = {
    1.0: "mobilenet_v2_1.0_224_no_top_dequant.weights.h5",
    0.35: "mobilenet_v2_0.35_224_no_top_from_tm.weights_legacy.h5",
}


def application(width=0.35, **options):
    options = {"include_top": False, "weights": None, "input_shape": (None, None, 3)} | options
    return keras.applications.MobileNetV2(alpha=width, **options)


@pytest.fixture(scope="module")
def model():
    """With random weights in the running statistics, too."""
    keras.utils.set_random_seed(3)
    made = application()
    rng = np.random.default_rng(0)
    made.set_weights([rng.random(value.shape, np.float32) for value in made.get_weights()])
    return made


@pytest.fixture(scope="module")
def current(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("current") / "own.weights.h5"
    model.save_weights(path)
    return path


@pytest.fixture(scope="module")
def legacy(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("legacy") / "own.h5"
    write_legacy(path, model)
    return path


@pytest.fixture
def target():
    return application()


def write_legacy(path, model, spell=str):
    """The layout of Keras 2: groups of layers, with the names of their weights as attributes."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [spell(layer.name).encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(spell(layer.name))
            variables = [*layer.trainable_variables, *layer.non_trainable_variables]
            names = [f"{spell(layer.name)}/{number}:0" for number in range(len(variables))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, variables, strict=True):
                group[name] = keras.ops.convert_to_numpy(variable.value)


def copied(path, folder, change):
    copy = folder / f"copy-{path.name}"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        change(file)
    return copy


def same(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def load(target, path):
    return load_weights(target, str(path), encoder="mobilenetv2", width=0.35)


# What is read


@pytest.mark.parametrize("width", REAL)
def test_the_real_files_give_what_keras_reads_in_them(real_data, width):
    path = real_data.parent / "weights" / REAL[width]
    if not path.is_file():
        pytest.skip(f"needs {path}")
    loaded = load_weights(application(width), path, encoder="mobilenetv2", width=width)
    by_keras = application(width, weights=str(path), input_shape=(224, 224, 3))
    assert same(loaded.model, by_keras)
    assert loaded.convention is None
    assert loaded.left_out == ()
    assert len(loaded.sha256) == 64
    assert loaded.origin == f"{path.name}, Keras weights."


@pytest.mark.parametrize("which", ["current", "legacy"])
def test_both_layouts_are_read(request, model, target, which):
    loaded = load(target, request.getfixturevalue(which))
    assert loaded.model is target
    assert same(target, model)


def test_a_current_file_without_names_is_read_by_the_places_of_its_layers(
    model, target, current, tmp_path
):
    def forget(file):
        groups = []
        file.visititems(lambda _, group: groups.append(group) if "name" in group.attrs else None)
        for group in groups:
            del group.attrs["name"]
        assert groups

    load(target, copied(current, tmp_path, forget))
    assert same(target, model)


@pytest.mark.parametrize(
    "spell",
    [
        lambda name: name.replace("_depthwise", "/depthwise"),
        lambda name: name.replace("_BN", "/BN").replace("block", "Block"),
        lambda name: name.replace("Conv_1_bn", "Conv_1/BatchNorm"),
    ],
)
def test_names_are_read_as_keras_2_spelt_them(model, target, tmp_path, spell):
    write_legacy(tmp_path / "own.h5", model, spell)
    load(target, tmp_path / "own.h5")
    assert same(target, model)


def test_other_names_are_never_taken_by_their_order(model, target, tmp_path):
    write_legacy(tmp_path / "own.h5", model, lambda name: name.replace("block_3", "part_3"))
    with pytest.raises(WeightsError, match=r"lacks 6 of .*: block_3_expand, block_3_expand_BN"):
        load(target, tmp_path / "own.h5")


def test_a_long_list_of_names_may_be_in_pieces(model, target, legacy, tmp_path):
    def split(file):
        names = list(file.attrs["layer_names"])
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:50], names[50:]

    load(target, copied(legacy, tmp_path, split))
    assert same(target, model)


def test_the_weights_of_a_whole_model_in_hdf5_are_read(model, target, legacy, tmp_path):
    def whole(file):
        inside = file.create_group("model_weights")
        inside.attrs["layer_names"] = file.attrs["layer_names"]
        for name in list(file):
            if name != "model_weights":
                file.move(name, f"model_weights/{name}")
        del file.attrs["layer_names"]

    load(target, copied(legacy, tmp_path, whole))
    assert same(target, model)


def test_the_classifier_is_left_out_and_said(target, tmp_path):
    whole = application(include_top=True, classes=10, input_shape=(32, 32, 3))
    path = tmp_path / "whole.weights.h5"
    whole.save_weights(path)
    assert load(target, path).left_out == ("predictions",)
    np.testing.assert_array_equal(
        target.get_layer("Conv1").get_weights()[0], whole.get_layer("Conv1").get_weights()[0]
    )


def test_convnexts_inner_models_and_scales_are_read_in_both_layouts(tmp_path):
    made = [small_convnext() for _ in range(3)]
    write_legacy(tmp_path / "own.h5", made[0])
    made[0].save_weights(tmp_path / "own.weights.h5")
    for target, name in zip(made[1:], ("own.h5", "own.weights.h5"), strict=True):
        load_weights(target, tmp_path / name, encoder="convnexttiny", width=1.0)
        assert same(target, made[0])


def small_convnext():
    from keras.src.applications.convnext import ConvNeXt

    options = {"include_top": False, "weights": None, "include_preprocessing": False}
    return ConvNeXt(
        [1, 1, 1, 1], [8, 16, 24, 32], name="small", input_shape=(None, None, 3), **options
    )


# What is refused, before anything is changed


def drop(file):
    for place in ("block_3_expand", "layers/conv2d_6"):
        if place in file:
            del file[place]
    if "layer_names" in file.attrs:
        names = file.attrs["layer_names"]
        file.attrs["layer_names"] = [
            name for name in names if name not in ("block_3_expand", b"block_3_expand")
        ]


def more(file):
    group = file.create_group("layers/conv2d_99/vars")
    group.attrs["name"] = "decoder"
    group["0"] = np.zeros(3, np.float32)


def narrow(file):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = np.zeros((3, 3, 4, 16), np.float32)


def linked(file):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = h5py.ExternalLink("other.h5", "/secret")


def outside(file):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars"].create_dataset(
        "0", (3, 3, 3, 16), "f4", external=[("/etc/passwd", 0, 1728)]
    )


def words(file):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = np.full((3, 3, 3, 16), b"word")


def infinite(file):
    file["layers/conv2d/vars/0"][0, 0, 0, 0] = np.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, r"lacks 1 of the \d+ layers with weights of the encoder 'mobilenetv2'"),
        (more, r"has 1 layers that the encoder 'mobilenetv2' has not: decoder"),
        (narrow, r"layers/conv2d/0 of .* \(3, 3, 4, 16\); Conv1/kernel .* has \(3, 3, 3, 16\)"),
        (linked, "layers/conv2d/vars/0 is a link"),
        (outside, "layers/conv2d/vars/0 is no data set of this file"),
        (words, "layers/conv2d/vars/0 holds no numbers"),
        (infinite, "layers/conv2d/0 of .* holds values that are not finite"),
    ],
)
def test_files_that_do_not_fit_are_refused_and_change_nothing(
    target, current, tmp_path, change, message
):
    before = target.get_weights()
    with pytest.raises(WeightsError, match=message):
        load(target, copied(current, tmp_path, change))
    assert all(np.array_equal(*pair) for pair in zip(before, target.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (linked, "it has no 0"),
        (outside, "layers/conv2d/0 is no data set of this file"),
        (words, "layers/conv2d/0 holds no numbers"),
    ],
)
def test_a_file_that_is_read_as_it_is_cannot_lead_to_another(current, tmp_path, change, message):
    path = copied(current, tmp_path, change)
    with (
        pytest.raises(WeightsError, match=message),
        keras_weights(path, application(), proven=True) as stored,
    ):
        assert stored


def test_a_legacy_file_without_a_layer_is_refused(target, legacy, tmp_path):
    with pytest.raises(WeightsError, match=r"lacks 1 of .*: block_3_expand"):
        load(target, copied(legacy, tmp_path, drop))


def test_a_file_of_another_width_is_refused_with_both_shapes(current):
    message = r"has the shape \(3, 3, 3, 16\); Conv1/kernel .* has \(3, 3, 3, 24\)"
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(application(0.75), current, encoder="mobilenetv2", width=0.75)
    assert "model.width" in caught.value.hint


def test_a_file_of_another_architecture_is_refused(current):
    vgg = keras.applications.VGG16(include_top=False, weights=None)
    with pytest.raises(WeightsError, match="no weights of the encoder 'vgg16': none of its layers"):
        load_weights(vgg, current, encoder="vgg16", width=1.0)


def test_a_file_that_is_cut_short_is_an_error(target, current, tmp_path):
    path = tmp_path / "cut.weights.h5"
    path.write_bytes(current.read_bytes()[:-1000])
    with pytest.raises(
        WeightsError, match=r"cut.weights.h5 cannot be read as a file of Keras weights"
    ):
        load(target, path)


def test_hdf5_without_weights_is_refused(target, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = np.zeros(3)
    with pytest.raises(WeightsError, match="none of Keras weights: it holds images"):
        load(target, tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n0000", "is no file of weights"),
        (b"PK\x03\x04 and no more", "is cut short or damaged"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(target, tmp_path, content, message):
    path = tmp_path / "own.h5"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"own.h5 {message}") as caught:
        load(target, path)
    assert caught.value.hint


def test_a_file_that_is_not_there_is_an_error(target, tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere.h5 cannot be read: No such file") as caught:
        load(target, tmp_path / "nowhere.h5")
    assert "model.weights" in caught.value.hint
