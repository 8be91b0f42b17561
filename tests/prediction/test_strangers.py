"""Bundles from elsewhere: good ones predict as ours do, and those that do harm are refused."""

import json
import shutil
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from delineate.bundle import Bundle, Category, Member
from delineate.data.fetching.unpack import unpack
from delineate.errors import BundleError, DelineateError
from delineate.prediction import strangers
from delineate.prediction.predictor import Predictor
from delineate.prediction.strangers import Bound
from tests.bundles import classes_of, pointwise_model, save_bundle
from tests.campaigns import hostile_bundles as campaign
from tests.campaigns.probes import archives, cards, engines, networks, weights
from tests.campaigns.probes.making import (
    BAIT,
    bundle_from_elsewhere,
    config_of,
    layer_of,
    open_and_predict,
    rewrite,
    seal,
)

PROBES = cards.PROBES | networks.PROBES | weights.PROBES | engines.PROBES
# Those take as long as they may.
SLOW = {"a loop without an end", "16 GiB on the way"}


def needs(*modules):
    if not all(map(find_spec, modules)):
        pytest.skip(f"{', '.join(modules)}: not installed")


def some(size, channels):
    return np.random.default_rng(3).integers(0, 256, (*size, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return bundle_from_elsewhere(tmp_path_factory.mktemp("elsewhere") / "good")


# What is good


def test_a_bundle_from_elsewhere_predicts_what_it_should(good):
    assert not Bundle.open(good).ours
    image = some((37, 53), 1)
    found = Predictor.open(good).predict(image)
    np.testing.assert_array_equal(found.mask, classes_of(image, [0.5]))


def test_all_members_from_elsewhere_are_opened(tmp_path):
    members = (Member(file="one.keras"), Member(file="two.keras"))
    save_bundle(tmp_path / "b", pointwise_model([0.3, 0.7], channels=3), members=members)
    seal(tmp_path / "b")
    image = some((20, 30), 3)
    predictor = Predictor.open(tmp_path / "b")
    assert len(predictor.runtimes) == 2
    np.testing.assert_array_equal(predictor.predict(image).mask, classes_of(image, [0.3, 0.7]))


def test_one_size_and_channels_of_objects_may_be_what_the_card_says(tmp_path):
    image = keras.Input((24, 32, 3))
    said = layers.Conv2D(4, 3, padding="same", activation="sigmoid")(image)
    save_bundle(
        tmp_path / "b",
        keras.Model(image, said),
        objects=("boundary",),
        output="softmax",
        classes=tuple(Category(name=f"class {n}", colour=(n, n, n)) for n in range(3)),
        size=(24, 32),
        stride=8,
        fixed_size=True,
    )
    seal(tmp_path / "b")
    found = Predictor.open(tmp_path / "b").predict(some((40, 50), 3))
    assert found.probabilities.shape == (40, 50, 3)
    assert found.maps.keys() == {"boundary"}


# What does harm


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in PROBES]
)
def test_harm_is_refused_in_a_sentence_and_nothing_is_run_or_written(
    good, tmp_path, monkeypatch, name
):
    probe = PROBES[name]
    needs(*probe.needs)
    folder = Path(shutil.copytree(good, tmp_path / "place" / "bundle"))
    probe.make(folder)
    before = sorted(folder.parent.rglob("*"))
    # As who has downloaded a folder, and has gone there.
    monkeypatch.chdir(folder)
    if probe.told is None:
        open_and_predict(folder)
    else:
        with pytest.raises(BundleError, match=probe.told) as error:
            open_and_predict(folder)
        assert error.value.hint
        assert "\n" not in error.value.message
        assert len(error.value.message) < 1000
    assert not (folder.parent / BAIT).exists()
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("name", archives.PROBES)
def test_harm_in_an_archive_is_refused_and_nothing_is_unpacked(tmp_path, name):
    probe = archives.PROBES[name]
    (tmp_path / "place").mkdir()
    probe.make(tmp_path / "place")
    with pytest.raises(DelineateError, match=probe.told) as error:
        unpack(tmp_path / "place" / archives.NAME, tmp_path / "place" / "unpacked")
    assert error.value.hint
    assert [path.name for path in tmp_path.rglob("*")] == ["place", archives.NAME]


@pytest.mark.parametrize("kind", campaign.BATCHES)
def test_flipped_bytes_are_borne(good, tmp_path, kind):
    if kind == "ONNX":
        needs("onnx", "onnxruntime")
    rng = np.random.default_rng(7)
    for number in range({"card": 20, "marked card": 200, "archive": 20}.get(kind, 5)):
        folder = Path(shutil.copytree(good, tmp_path / str(number)))
        with suppress(DelineateError):
            campaign._FLIPPED[kind](folder, rng)(folder)


@pytest.mark.parametrize(
    ("channels", "bounds", "message"),
    [(3, [0.5], "its card says"), (1, [0.3, 0.6], "its card says")],
    ids=["other channels", "other classes"],
)
def test_a_model_that_is_not_its_cards_is_refused(tmp_path, channels, bounds, message):
    save_bundle(tmp_path / "other", pointwise_model(bounds, channels=channels))
    bundle_from_elsewhere(tmp_path / "b")
    shutil.copy(tmp_path / "other" / "model.keras", tmp_path / "b" / "model.keras")
    seal(tmp_path / "b")
    with pytest.raises(BundleError, match=message) as error:
        Predictor.open(tmp_path / "b")
    assert error.value.hint


# Of a tile of 1024 by 1024 the network makes three tensors of a number for each pixel, one of them
# by a multiplication; the image is a fourth one.
@pytest.mark.parametrize(
    ("name", "bound", "told"),
    [
        ("LARGEST", 2**20, "it has a tensor of 1048576 numbers for an image of"),
        ("TOGETHER", 4 * 2**20, "its tensors have 4194304 numbers for an image of"),
        ("STEPS", 2**20, "it takes 1048576 multiply-adds for an image of"),
    ],
)
def test_more_than_any_network_needs_is_refused(good, monkeypatch, name, bound, told):
    monkeypatch.setattr(strangers, name, Bound(0, bound, 2**40))
    Predictor.open(good)
    monkeypatch.setattr(strangers, name, Bound(0, bound - 1, 2**40))
    with pytest.raises(BundleError, match=told) as error:
        Predictor.open(good)
    assert error.value.hint


def test_a_bound_grows_with_the_image_between_its_ends():
    bound = Bound(10, 50, 200)
    assert [bound.of(pixels) for pixels in (0, 5, 6, 19, 20, 1000)] == [50, 50, 60, 190, 200, 200]


@pytest.mark.parametrize(
    ("card", "granularity", "size"),
    [
        ({"tile": 512}, 1, (512, 512)),
        ({"tile": 500, "stride": 32}, 1, (512, 512)),
        ({"tile": 500, "stride": 32}, 128, (512, 512)),
        ({"tile": 1000}, 128, (1024, 1024)),
        # Tiles have two steps at the least.
        ({"tile": 32, "stride": 64}, 1, (128, 128)),
        ({"fit": "resize", "size": [30, 40], "stride": 8}, 1, (32, 40)),
        ({"fixed_size": True, "size": [24, 40], "stride": 8}, 1, (24, 40)),
    ],
)
def test_a_network_is_worked_through_at_the_largest_size_it_predicts(
    good, tmp_path, card, granularity, size
):
    folder = Path(shutil.copytree(good, tmp_path / "b"))
    seal(folder, **card)
    assert strangers._largest_size(Bundle.open(folder).card, granularity) == size


def test_a_tile_too_large_for_its_network_is_refused(good, tmp_path):
    folder = Path(shutil.copytree(good, tmp_path / "b"))
    seal(folder, tile=16384)
    Predictor.open(folder)
    save_bundle(tmp_path / "colour", pointwise_model([0.3, 0.7], channels=3))
    seal(tmp_path / "colour", tile=16384)
    with pytest.raises(BundleError, match="it has a tensor of 805306368 numbers"):
        Predictor.open(tmp_path / "colour")


@pytest.mark.parametrize(
    ("card", "granularity", "pixels"),
    [
        ({"fit": "resize", "size": [2048, 2048]}, 1, 2048 * 2048),
        ({"fixed_size": True, "size": [2048, 2048]}, 1, 2048 * 2048),
        ({"fit": "resize", "size": [2050, 2048]}, 1, 2050 * 2048),
        ({"fixed_size": True, "size": [2048, 2050]}, 1, 2048 * 2050),
        # Each image is padded to what its sides have to divide by.
        ({"stride": 1023}, 1, 1023 * 1023),
        ({"stride": 1023}, 128, (1023 * 128) ** 2),
        # The windows of the training: an image may be smaller.
        ({"size": [16384, 16384]}, 1, 2**2),
    ],
)
def test_a_card_may_not_make_a_large_image_of_each(good, tmp_path, card, granularity, pixels):
    folder = Path(shutil.copytree(good, tmp_path / "b"))
    seal(folder, **card)
    opened = Bundle.open(folder).card
    if pixels <= strangers.MOST_PIXELS:
        strangers.require_modest(opened, folder, granularity=granularity)
        return
    with pytest.raises(BundleError, match=f"makes {pixels} pixels of the smallest") as error:
        strangers.require_modest(opened, folder, granularity=granularity)
    assert error.value.hint


@pytest.mark.parametrize(
    ("post", "looks"),
    [
        ({"averaging": "turns", "scales": [0.5, 0.75, 1.5, 2.0]}, None),
        ({"averaging": "turns", "scales": [4.0]}, 136),
        ({"averaging": "none", "scales": [4.0] * 8}, 129),
        ({"averaging": "flips", "scales": [4.0, 4.0]}, 132),
        ({"averaging": "mirror", "scales": [4.0] * 3}, None),
    ],
)
def test_a_card_may_not_have_each_pixel_predicted_often(good, tmp_path, post, looks):
    folder = Path(shutil.copytree(good, tmp_path / "b"))
    seal(folder, post=post)
    if looks is None:
        Predictor.open(folder)
        return
    with pytest.raises(BundleError, match=f"has each pixel predicted {looks} times"):
        Predictor.open(folder)


@pytest.mark.parametrize(
    ("card", "granularity", "expected"),
    [
        ({}, 1, [((1024, 1024), 1), ((256, 256), 16)]),
        ({"tile": 500, "stride": 32}, 1, [((512, 512), 1), ((128, 128), 15)]),
        ({"tile": 1000}, 128, [((1024, 1024), 1), ((256, 256), 15)]),
        ({"tile": 32, "stride": 64}, 1, [((128, 128), 1), ((64, 64), 1)]),
        ({"fit": "resize", "size": [256, 256]}, 1, [((256, 256), 16)]),
        ({"fit": "resize", "size": [512, 500], "stride": 8}, 1, [((512, 504), 4)]),
        ({"fixed_size": True, "size": [256, 256]}, 1, [((256, 256), 1)]),
    ],
)
def test_as_many_images_count_as_are_predicted_at_once(good, tmp_path, card, granularity, expected):
    folder = Path(shutil.copytree(good, tmp_path / "b"))
    seal(folder, **card)
    assert strangers._predicted(Bundle.open(folder).card, granularity) == expected


def test_what_a_network_takes_for_any_image_counts_for_each_of_those_at_once(tmp_path, monkeypatch):
    """Such as one that enlarges all images to a size of its own."""
    image = keras.Input((None, None, 1))
    enlarged = layers.Resizing(512, 512)(image)
    add = layers.Add()([image, layers.GlobalAveragePooling2D(keepdims=True)(enlarged)])
    save_bundle(tmp_path / "b", keras.Model(image, layers.Activation("sigmoid")(add)))
    seal(tmp_path / "b", tile=256)
    together = 16 * 512 * 512
    monkeypatch.setattr(strangers, "LARGEST", Bound(0, together, together))
    Predictor.open(tmp_path / "b")
    monkeypatch.setattr(strangers, "LARGEST", Bound(0, together - 1, together))
    told = f"it has a tensor of {together} numbers for 16 images of"
    with pytest.raises(BundleError, match=told):
        Predictor.open(tmp_path / "b")


def test_the_image_itself_counts(tmp_path, monkeypatch):
    image = keras.Input((None, None, 3))
    save_bundle(
        tmp_path / "b", keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(image))
    )
    seal(tmp_path / "b", tile=256)
    monkeypatch.setattr(strangers, "LARGEST", Bound(0, 3 * 256**2 - 1, 2**40))
    with pytest.raises(BundleError, match="it has a tensor of 196608 numbers for an image of"):
        Predictor.open(tmp_path / "b")


def test_settings_of_layers_are_those_of_the_file(tmp_path):
    """What is looked at is what is opened."""
    folder = bundle_from_elsewhere(tmp_path / "b")
    config = config_of(folder)
    layer_of(config, "probabilities")["config"]["activation"] = "linear"
    rewrite(folder, config)
    found = Predictor.open(folder).predict(np.full((4, 4), 255, np.uint8)).probabilities
    assert found[..., 1].min() > 10, "a logit"


# Which engine


def test_an_engine_that_is_not_the_cards_is_refused(good):
    with pytest.raises(BundleError, match="has no model for onnx"):
        Predictor.open(good, runtime="onnx")


def test_of_members_for_several_engines_none_opens_what_is_for_another(tmp_path):
    folder = bundle_from_elsewhere(tmp_path / "b")
    shutil.copy(folder / "model.keras", folder / "second.onnx")
    members = [{"file": "model.keras"}, {"file": "second.onnx", "runtime": "onnx"}]
    seal(folder, members=members)
    with pytest.raises(BundleError, match="it is for onnx, not for keras"):
        Predictor.open(folder, runtime="keras")


@pytest.fixture
def onnx_bundle(tmp_path):
    needs("onnx", "onnxruntime")
    folder = bundle_from_elsewhere(tmp_path / "b")
    engines.PROBES["an ONNX model that only computes"].make(folder)
    return folder


def test_a_model_that_went_well_is_not_tried_again(onnx_bundle, monkeypatch):
    children = []
    real = strangers.run_child
    monkeypatch.setattr(
        strangers, "run_child", lambda *said, **named: children.append(real(*said, **named))
    )
    for _ in range(2):
        open_and_predict(onnx_bundle)
    assert children == [True]
    content = bytearray((onnx_bundle / "model.onnx").read_bytes())
    (onnx_bundle / "model.onnx").write_bytes(content.replace(b"network", b"another"))
    seal(onnx_bundle)
    open_and_predict(onnx_bundle)
    assert children == [True, True]


def test_a_model_is_tried_again_by_another_delineate(onnx_bundle, monkeypatch):
    open_and_predict(onnx_bundle)
    children = []
    monkeypatch.setattr(strangers, "run_child", lambda *_, **__: children.append(1))
    open_and_predict(onnx_bundle)
    assert not children
    monkeypatch.setattr(strangers, "__version__", "another")
    open_and_predict(onnx_bundle)
    assert children == [1]


def test_a_model_that_did_not_go_well_is_tried_again(onnx_bundle, monkeypatch):
    def fail(*_, **__):
        raise BundleError("It did not go well.", hint="Try again.")

    with monkeypatch.context() as patch:
        patch.setattr(strangers, "run_child", fail)
        with pytest.raises(BundleError, match="did not go well"):
            open_and_predict(onnx_bundle)
    open_and_predict(onnx_bundle)


def test_what_was_made_here_is_opened_by_no_child(tmp_path, monkeypatch):
    save_bundle(tmp_path / "b", pointwise_model([0.5]))
    for place in ("delineate.prediction.strangers", "delineate.modelfiles.hdf5"):
        monkeypatch.setattr(f"{place}.run_child", lambda *_, **__: pytest.fail("a child"))
    open_and_predict(tmp_path / "b")


def test_a_runtime_of_the_callers_own_opens_what_it_likes(good):
    found = Predictor.open(good, runtime=f"{__name__}:Constant").predict(np.zeros((2, 2), np.uint8))
    assert found.mask.min() == 1


class Constant:
    """A runtime of the user's own."""

    granularity = 1

    @classmethod
    def open(cls, path):
        assert path.name == "model.keras"
        return cls()

    def run(self, images):
        return np.ones((*images.shape[:3], 1), np.float32)


def test_a_card_that_was_written_here_is_no_more_once_it_is_changed(tmp_path):
    save_bundle(tmp_path / "b", pointwise_model([0.5]))
    path = tmp_path / "b" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"precision": "bfloat16"}))
    assert not Bundle.open(tmp_path / "b").ours
    open_and_predict(tmp_path / "b")
