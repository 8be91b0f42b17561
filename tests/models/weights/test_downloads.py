"""ImageNet weights: the right file, from the right place, verified before use."""

import hashlib
import inspect
import logging
import time

import h5py
import keras
import pytest
from keras.src.applications import (
    convnext,
    densenet,
    efficientnet,
    efficientnet_v2,
    mobilenet_v3,
    resnet,
)
from keras.src.utils import file_utils

from delineate.errors import RecipeError, WeightsError
from delineate.models.weights import downloads, have_weights, load_weights
from delineate.models.weights.downloads import (
    IMAGENET,
    Published,
    at_hand,
    imagenet_file,
    published,
)
from delineate.recipe import Model
from tests.loopback import know_only_loopback, serving
from tests.models.weights.test_keras_files import application, load, same, write_legacy

WIDTH = 0.35
FILE = published("mobilenetv2", WIDTH)

# The table


class AskedError(Exception):
    """What Keras asks for instead of downloading it."""


def what_keras_asks_for(monkeypatch, name, **options):
    def get_file(file, url, cache_subdir, file_hash=None):
        assert cache_subdir == "models"
        raise AskedError(file, url, file_hash)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(AskedError) as asked:
        getattr(keras.applications, name)(include_top=False, weights="imagenet", **options)
    return asked.value.args


SMALL = [
    ("mobilenetv2", 0.35, "MobileNetV2", {"alpha": 0.35}),
    ("mobilenetv2", 1.4, "MobileNetV2", {"alpha": 1.4}),
    ("mobilenetv3small", 0.75, "MobileNetV3Small", {"alpha": 0.75}),
    ("mobilenetv3large", 1.0, "MobileNetV3Large", {"alpha": 1.0}),
    ("densenet121", 1.0, "DenseNet121", {}),
    ("resnet50", 1.0, "ResNet50", {}),
    ("efficientnetb0", 1.0, "EfficientNetB0", {}),
    ("efficientnetv2b0", 1.0, "EfficientNetV2B0", {}),
    ("convnexttiny", 1.0, "ConvNeXtTiny", {}),
    ("vgg16", 1.0, "VGG16", {}),
]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="asks the same on each backend, but slowly"
)
@pytest.mark.parametrize(("encoder", "width", "name", "options"), SMALL)
def test_file_address_and_checksum_are_those_of_the_installed_keras(
    monkeypatch, encoder, width, name, options
):
    file = published(encoder, width)
    asked = what_keras_asks_for(monkeypatch, name, input_shape=(224, 224, 3), **options)
    assert asked == (file.name, file.url, file.checksum)


HASHES = {
    "efficientnetb": {f"efficientnet{key}": pair for key, pair in efficientnet.WEIGHTS_HASHES.items()},
    "efficientnetv2": {f"efficientnetv2{key.strip('-')}": pair for key, pair in efficientnet_v2.WEIGHTS_HASHES.items()},
    "convnext": {key.replace("_", ""): pair for key, pair in convnext.WEIGHTS_HASHES.items()},
    "resnet": {key: pair for key, pair in resnet.WEIGHTS_HASHES.items() if key.removesuffix("v2") in ("resnet50", "resnet101")},
}  # fmt: skip


@pytest.mark.parametrize("family", HASHES)
def test_the_checksums_of_a_family_are_all_in_the_table(family):
    ours = {
        name: widths[1.0].checksum for name, widths in IMAGENET.items() if name.startswith(family)
    }
    assert ours == {name: checksum for name, (_, checksum) in HASHES[family].items()}


@pytest.mark.parametrize("size", [121, 169, 201])
def test_the_checksums_of_the_densenets_stand_in_the_installed_keras(size):
    file = published(f"densenet{size}", 1.0)
    source = inspect.getsource(densenet)
    assert f'file_hash="{file.checksum}"' in source
    assert file.name in source


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("width", [0.75, 1.0])
def test_the_checksums_of_mobilenetv3_are_those_of_the_installed_keras(size, width):
    checksum = mobilenet_v3.WEIGHTS_HASHES[f"{size}_224_{width}_float"][1]
    assert published(f"mobilenetv3{size}", width).checksum == checksum


def test_every_file_is_fetched_by_https():
    files = [file for widths in IMAGENET.values() for file in widths.values()]
    assert len(files) == len({file.url for file in files}) == 38
    assert all(file.url.startswith("https://storage.googleapis.com/") for file in files)


@pytest.mark.parametrize(("encoder", "width"), [("mobilenetv2", 0.4), ("resnet50", 0.5)])
def test_a_width_without_weights_is_refused_with_those_that_have_some(encoder, width):
    with pytest.raises(RecipeError, match=f"no ImageNet weights .* of width {width}") as caught:
        published(encoder, width)
    assert all(f"{each:g}" in caught.value.hint for each in IMAGENET[encoder])


def test_an_encoder_without_weights_is_refused():
    with pytest.raises(RecipeError, match="no ImageNet weights of the encoder 'plain'"):
        published("plain", 1.0)


# Getting a file


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """What the address gives: random weights in the layout of the real file."""
    path = tmp_path_factory.mktemp("published") / "own.h5"
    write_legacy(path, application())
    return path.read_bytes()


@pytest.fixture
def server(content, monkeypatch):
    know_only_loopback(monkeypatch)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with serving(content) as running:
        monkeypatch.setattr(downloads, "ROOT", running.address)
        yield running


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A home of its own, and a cache of its own below it."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "keras" / "models", tmp_path / "cache" / "delineate" / "weights"


@pytest.fixture
def checked(content, monkeypatch):
    """The file has a checksum, too."""
    file = Published(FILE.folder, FILE.name, hashlib.md5(content).hexdigest())  # noqa: S324
    monkeypatch.setitem(IMAGENET, "mobilenetv2", {WIDTH: file})
    return file


def test_the_file_is_downloaded_once_verified_and_kept(server, checked, content, folders, caplog):
    caplog.set_level(logging.INFO)
    calls = []
    path = imagenet_file("mobilenetv2", WIDTH, lambda *call: calls.append(call))
    assert path == folders[1] / FILE.name
    assert path.read_bytes() == content
    assert calls[-1] == (len(content), len(content))
    assert [entry.name for entry in folders[1].iterdir()] == [FILE.name]
    assert f"downloading {checked.url} to {path}" in caplog.text
    assert imagenet_file("mobilenetv2", WIDTH) == path
    assert server.asked == [f"/{FILE.folder}/{FILE.name}"]


def test_weights_that_a_recipe_asks_for_are_there_before_a_network_is_built(
    server, checked, folders
):
    calls = []
    wanted = Model(encoder="mobilenetv2", width=WIDTH, weights="imagenet")
    have_weights(wanted, lambda *call: calls.append(call))
    assert calls
    assert (folders[1] / FILE.name).is_file()
    for weights in (None, "own.h5"):
        have_weights(Model(encoder="mobilenetv2", width=WIDTH, weights=weights))
    assert len(server.asked) == 1


def test_a_connection_that_is_cut_is_continued(server, checked, content):
    server.plan = [{"cut": 1000}]
    assert imagenet_file("mobilenetv2", WIDTH).read_bytes() == content
    assert server.ranges == [None, "bytes=1000-"]


def test_the_folder_of_keras_is_looked_into_first(server, checked, content, folders):
    folders[0].mkdir(parents=True)
    (folders[0] / FILE.name).write_bytes(content)
    assert imagenet_file("mobilenetv2", WIDTH) == folders[0] / FILE.name
    assert server.asked == []


def test_a_wrong_file_in_the_folder_of_keras_is_passed_over_and_left(
    server, checked, folders, caplog
):
    folders[0].mkdir(parents=True)
    (folders[0] / FILE.name).write_bytes(b"wrong")
    assert imagenet_file("mobilenetv2", WIDTH) == folders[1] / FILE.name
    assert (folders[0] / FILE.name).read_bytes() == b"wrong"
    assert "is passed over" in caplog.text


@pytest.mark.parametrize("number", [0, 1], ids=["of keras", "ours"])
def test_weights_are_at_hand_where_the_file_is_there_and_whole(
    server, checked, content, folders, number
):
    assert not at_hand("mobilenetv2", WIDTH)
    place = folders[number] / FILE.name
    place.parent.mkdir(parents=True)
    place.write_bytes(content[:-1])
    assert not at_hand("mobilenetv2", WIDTH), "damaged"
    place.write_bytes(content)
    assert at_hand("mobilenetv2", WIDTH)
    assert not at_hand("mobilenetv2", 0.123)
    assert not at_hand("plain")
    assert server.asked == [], "asking loads nothing"


def test_a_wrong_file_in_our_cache_is_deleted_and_fetched_anew(
    server, checked, content, folders, caplog
):
    folders[1].mkdir(parents=True)
    (folders[1] / FILE.name).write_bytes(b"wrong")
    assert imagenet_file("mobilenetv2", WIDTH).read_bytes() == content
    assert "is deleted" in caplog.text


def test_a_download_with_a_wrong_checksum_is_refused_and_deleted(server, checked, folders):
    server.content = b"something else"
    with pytest.raises(WeightsError, match=f"another checksum .*{checked.checksum}") as caught:
        imagenet_file("mobilenetv2", WIDTH)
    assert str(folders[1] / FILE.name) in caught.value.hint
    assert list(folders[1].iterdir()) == []


def test_without_a_network_the_hint_says_which_file_goes_where(monkeypatch, folders):
    know_only_loopback(monkeypatch)
    with pytest.raises(WeightsError, match=f"{FILE.name} could not be downloaded") as caught:
        imagenet_file("mobilenetv2", WIDTH)
    assert FILE.url in caught.value.hint
    assert str(folders[1] / FILE.name) in caught.value.hint
    assert "model.weights" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_an_error(server, checked, folders):
    folders[1].parent.mkdir(parents=True)
    folders[1].write_bytes(b"a file where the folder should be")
    with pytest.raises(WeightsError, match="cannot be written"):
        imagenet_file("mobilenetv2", WIDTH)


def test_imagenet_weights_come_with_their_origin_and_licence(server, tmp_path, content):
    target, expected = application(), application()
    loaded = load_weights(target, "imagenet", encoder="mobilenetv2", width=WIDTH)
    (tmp_path / "own.h5").write_bytes(content)
    assert same(loaded.model, load(expected, tmp_path / "own.h5").model)
    assert loaded.licence == "Apache-2.0"
    assert FILE.name in loaded.origin
    assert FILE.url in loaded.origin
    assert loaded.sha256 == hashlib.sha256(content).hexdigest()
    assert loaded.convention is None


def test_a_published_file_given_by_its_path_has_its_licence_and_may_have_old_names(
    monkeypatch, tmp_path
):
    """Keras 2 named some layers otherwise; Keras reads its files by their order."""
    made, target = application(), application()
    path = tmp_path / "mobilenet.h5"
    write_legacy(path, made, lambda name: f"old_{name}")
    checksum = hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
    monkeypatch.setitem(IMAGENET, "mobilenetv2", {WIDTH: Published("", "x.h5", checksum)})
    assert load(target, path).licence == "Apache-2.0"
    assert same(target, made)
    with h5py.File(path, "r+") as file:
        file.attrs["another"] = 1
    with pytest.raises(WeightsError, match="none of its layers is in it"):
        load(target, path)
