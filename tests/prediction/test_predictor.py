"""The predictor: any image in, a prediction at its own size out."""

import json
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from delineate.bundle import Bundle, Member
from delineate.data.dataset import Dataset
from delineate.data.pipeline import TrainingWindows, ValidationWindows
from delineate.errors import BundleError, DataError, ImageError, UsageError
from delineate.imaging import write_png
from delineate.normalisation import KINDS, normalise
from delineate.prediction.averaging import averaged
from delineate.prediction.predictor import Prediction, Predictor
from delineate.recipe import Augment, Post
from delineate.runs import Run
from tests.bundles import classes_of, pointwise_model, save_bundle
from tests.stains import section


def some(size, channels, dtype=np.uint8):
    high = np.iinfo(dtype).max
    return np.random.default_rng(3).integers(0, high + 1, (*size, channels), dtype=dtype)


@pytest.mark.parametrize("size", [(37, 53), (1, 1), (3, 200)])
def test_a_prediction_has_the_images_own_size_and_the_right_classes(colour_bundle, size):
    image = some(size, 3)
    found = Predictor.open(colour_bundle.folder).predict(image)
    np.testing.assert_array_equal(found.mask, classes_of(image, [0.3, 0.7]))
    assert (found.mask.dtype, found.probabilities.dtype) == (np.uint8, np.float32)
    assert found.probabilities.shape == (*size, 3)
    np.testing.assert_allclose(found.probabilities.sum(axis=-1), 1, rtol=1e-5)


def test_large_images_are_predicted_in_tiles_without_seams(tmp_path):
    bundle = save_bundle(tmp_path / "bundle", pointwise_model([0.5]), tile=64)
    image = some((150, 90), 1)
    found = Predictor.open(bundle).predict(image)
    np.testing.assert_array_equal(found.mask, classes_of(image, [0.5]))


def test_a_bundle_that_resizes_gives_masks_of_the_images_size(tmp_path):
    bundle = save_bundle(tmp_path / "bundle", pointwise_model([0.5]), fit="resize")
    image = np.zeros((40, 64, 1), np.uint8)
    image[:20] = 255
    mask = Predictor.open(bundle).predict(image).mask
    assert mask.shape == (40, 64)
    assert (mask[:19] == 1).all()
    assert (mask[21:] == 0).all()


def test_the_threshold_of_the_card_decides(tmp_path, grey_bundle):
    eager = save_bundle(tmp_path / "eager", pointwise_model([0.5]), post=Post(threshold=0.01))
    image = np.full((2, 2), 120, np.uint8)
    assert Predictor.open(grey_bundle.folder).predict(image).mask.max() == 0
    assert Predictor.open(eager).predict(image).mask.min() == 1


def test_bundle_folder_run_folder_and_opened_ones_are_all_taken(tmp_path, grey_bundle):
    save_bundle(tmp_path / "best", pointwise_model([0.5]))
    for place in (
        grey_bundle.folder,
        str(grey_bundle.folder),
        grey_bundle,
        tmp_path,
        Run(tmp_path),
        Bundle.open(tmp_path),
    ):
        assert Predictor.open(place).card.names == ("background", "cell")


def test_grey_images_may_come_without_an_axis_of_channels(grey_bundle):
    image = some((6, 7), 1)
    predictor = Predictor.open(grey_bundle.folder)
    np.testing.assert_array_equal(
        predictor.predict(image[..., 0]).mask, predictor.predict(image).mask
    )


def test_grey_is_repeated_for_a_network_of_colours(colour_bundle):
    image = some((6, 7), 1)
    found = Predictor.open(colour_bundle.folder).predict(image)
    np.testing.assert_array_equal(found.mask, classes_of(image, [0.3, 0.7]))


def test_a_file_is_read_by_its_path(tmp_path, grey_bundle):
    image = some((6, 7), 1)
    write_png(tmp_path / "grey.png", image)
    predictor = Predictor.open(grey_bundle.folder)
    for path in (tmp_path / "grey.png", str(tmp_path / "grey.png")):
        np.testing.assert_array_equal(predictor.predict(path).mask, predictor.predict(image).mask)


def test_sixteen_bit_images_go_to_a_network_of_their_own(tmp_path):
    model = pointwise_model([0.5], scale=1 / 65535)
    bundle = save_bundle(tmp_path / "bundle", model, dtype="uint16")
    image = some((5, 4), 1, np.uint16)
    found = Predictor.open(bundle).predict(image).mask
    np.testing.assert_array_equal(found, classes_of(image, [0.5], scale=1 / 65535))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 1), np.uint16), "is uint16, the network was trained on uint8"),
        (np.zeros((4, 4, 1), np.float32), "is float32, the network was trained on uint8"),
        (np.zeros((4, 4, 3), np.uint8), "has 3 channels, the network takes 1"),
        (np.zeros((1, 4, 4, 1), np.uint8), r"has the shape \(1, 4, 4, 1\)"),
        (np.zeros(4, np.uint8), r"has the shape \(4,\)"),
        (np.zeros((0, 4), np.uint8), r"has the shape \(0, 4\)"),
    ],
    ids=["16 bits", "floats", "colour", "a batch", "a line", "nothing"],
)
def test_an_image_that_does_not_fit_the_network_is_refused(grey_bundle, image, message):
    with pytest.raises(DataError, match=message):
        Predictor.open(grey_bundle.folder).predict(image)


def test_a_file_that_does_not_fit_is_named(tmp_path, grey_bundle):
    write_png(tmp_path / "colour.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"colour\.png has 3 channels"):
        Predictor.open(grey_bundle.folder).predict(tmp_path / "colour.png")


def test_a_file_that_is_no_image_is_refused(tmp_path, grey_bundle):
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"broken\.png"):
        Predictor.open(grey_bundle.folder).predict(tmp_path / "broken.png")


def test_the_probabilities_of_all_members_are_averaged(grey_bundle):
    card = grey_bundle.card

    def engine(share):
        run = lambda images: np.full((*images.shape[:3], 1), share, np.float32)  # noqa: E731
        return SimpleNamespace(granularity=1, run=run)

    found = Predictor(card, [engine(0.2), engine(0.6), engine(0.4)]).predict(
        np.zeros((2, 2), np.uint8)
    )
    np.testing.assert_allclose(found.probabilities[0, 0], [0.6, 0.4], rtol=1e-6)


def test_the_card_says_what_is_averaged(tmp_path):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    said = keras.layers.Conv2D(1, 5, padding="same", activation="sigmoid")(
        keras.layers.Rescaling(1 / 255)(image)
    )
    post = Post(averaging="flips", scales=(0.5,))
    predictor = Predictor.open(save_bundle(tmp_path, keras.Model(image, said), post=post))
    alone = replace(predictor, card=predictor.card.model_copy(update={"post": Post()}))
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    expected = averaged(picture, alone.raw, ways="flips", scales=(0.5,))
    found = predictor.predict(picture).probabilities
    np.testing.assert_allclose(found[..., 1], expected[..., 0], atol=1e-5)
    assert np.abs(found - alone.predict(picture).probabilities).max() > 1e-3


def test_every_member_of_a_bundle_is_opened(tmp_path):
    members = (Member(file="one.keras"), Member(file="two.keras"))
    bundle = save_bundle(tmp_path / "bundle", pointwise_model([0.5]), members=members)
    assert len(Predictor.open(bundle).runtimes) == 2


def test_the_connected_parts_of_the_foreground_are_the_instances():
    mask = np.array([[1, 0, 2], [1, 0, 2], [0, 1, 0]], np.uint8)
    found = Prediction(mask, np.zeros((3, 3, 3), np.float32)).instances
    assert found.dtype == np.int32
    assert len(np.unique(found[found > 0])) == 3
    assert ((found > 0) == (mask > 0)).all()


def test_without_a_bundle_nothing_is_opened(tmp_path):
    with pytest.raises(BundleError, match="There is no run or bundle"):
        Predictor.open(tmp_path / "nothing")


def test_an_unknown_runtime_is_refused(grey_bundle):
    with pytest.raises(UsageError, match=r"no 'keros' among the runtimes\. Did you mean 'keras'"):
        Predictor.open(grey_bundle.folder, runtime="keros")


class Constant:
    """A runtime of the user's own."""

    granularity = 1

    @classmethod
    def open(cls, path):
        return cls()

    def run(self, images):
        return np.ones((*images.shape[:3], 1), np.float32)


def test_a_runtime_of_the_callers_own_is_found_by_its_module_and_name(grey_bundle):
    predictor = Predictor.open(grey_bundle.folder, runtime=f"{__name__}:Constant")
    assert predictor.predict(np.zeros((2, 2), np.uint8)).mask.min() == 1
    assert predictor.engine["runtime"] == f"{__name__}:Constant"


class Counting:
    """An engine that keeps how many images it was given at once, and says them again."""

    granularity = 1

    def __init__(self):
        self.counts = []

    def run(self, images):
        self.counts.append(len(images))
        return images[..., :1] / 255


@pytest.mark.parametrize(
    ("post", "fit", "size", "counts"),
    [
        ({}, "crop", 32, [16, 16, 1, 1]),
        ({}, "resize", 64, [16, 16, 1, 1]),
        ({}, "crop", 128, [4] * 8 + [1, 1]),
        ({}, "crop", 300, None),
        ({}, "resize", 300, None),
        ({"averaging": "flips"}, "crop", 32, None),
    ],
)
def test_many_images_of_one_size_go_through_the_engine_at_once(
    grey_bundle, post, fit, size, counts
):
    card = Bundle.open(grey_bundle.folder).card
    changes = {"tile": 256, "fit": fit, "size": (64, 64), "post": Post(**post)}
    engine = Counting()
    predictor = Predictor(card.model_copy(update=changes), [engine])
    rng = np.random.default_rng(0)
    images = list(rng.integers(0, 256, (34 if counts else 3, size, size), dtype=np.uint8))
    found = [each.probabilities for each in predictor.predict_many(iter(images))]
    assert (engine.counts == counts) if counts else (set(engine.counts) == {1})
    for each, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(each, predictor.predict(image).probabilities)


def test_several_members_are_padded_and_averaged_at_once_as_one_by_one(grey_bundle):
    card = Bundle.open(grey_bundle.folder).card.model_copy(update={"stride": 8, "tile": 128})
    first, second = Counting(), Counting()
    first.granularity = 3
    predictor = Predictor(card, [first, second])
    images = list(np.random.default_rng(0).integers(0, 256, (8, 37, 51), dtype=np.uint8))
    found = [each.probabilities for each in predictor.predict_many(images)]
    # 48 by 72 pixels for the one that needs most.
    assert first.counts == second.counts == [4, 4]
    for each, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(each, predictor.predict(image).probabilities)


def test_images_of_several_sizes_stay_in_order(grey_bundle):
    predictor = Predictor(Bundle.open(grey_bundle.folder).card, [Counting()])
    sizes = [(32, 32)] * 17 + [(48, 32), (32, 32)]
    images = [np.full(size, number, np.uint8) for number, size in enumerate(sizes)]
    found = [each.probabilities[0, 0, 1] for each in predictor.predict_many(images)]
    np.testing.assert_allclose(found, np.arange(len(sizes)) / 255, rtol=1e-6)


@pytest.mark.parametrize("runtime", ["tests.prediction.test_predictor:Constant", "unheard-of"])
def test_what_a_card_names_is_never_imported(tmp_path, runtime):
    bundle = save_bundle(tmp_path / "bundle", pointwise_model([0.5]))
    path = bundle.folder / "card.json"
    card = json.loads(path.read_text())
    card["members"][0]["runtime"] = runtime
    path.write_text(json.dumps(card))
    with pytest.raises(BundleError, match=f"names the runtime '{runtime}'"):
        Predictor.open(bundle.folder)


def test_opening_a_keras_bundle_keeps_the_backend_that_is_loaded(grey_bundle):
    before = keras.backend.backend()
    Predictor.open(grey_bundle.folder)
    assert keras.backend.backend() == before


class Witness:
    """An engine that keeps what it was given."""

    granularity = 1

    def run(self, images):
        self.given = images[0]
        return np.full((*images.shape[:3], 3), 1 / 3, np.float32)


ALIKE = [(kind, np.uint8) for kind in KINDS]
ALIKE += [(kind, np.uint16) for kind in KINDS if kind != "stain"]


@pytest.mark.parametrize(("kind", "dtype"), ALIKE)
@pytest.mark.parametrize(("fit", "size"), [("crop", (60, 80)), ("resize", (32, 48))])
def test_a_network_is_given_the_same_pixels_in_training_validation_and_prediction(
    colour_bundle, kind, dtype, fit, size
):
    image = section().astype(dtype) * np.array(1 if dtype == np.uint8 else 150, dtype)
    data = Dataset.from_arrays([image], [np.zeros((60, 80), np.uint8)])
    still = Augment(flip=False, quarter_turns=False)
    training = TrainingWindows(data, size, fit, 3, still, seed=0, normalise=kind)
    validation = ValidationWindows(data, size, fit, 3, normalise=kind)
    told = {"fit": fit, "size": size, "normalisation": kind, "dtype": str(np.dtype(dtype))}
    witness = Witness()
    Predictor(colour_bundle.card.model_copy(update=told), [witness]).predict(image)
    np.testing.assert_array_equal(witness.given, training.window(0, 0)[0])
    np.testing.assert_array_equal(witness.given, validation.window(0, 0)[0])
    if fit == "crop":
        np.testing.assert_array_equal(witness.given, normalise(image, kind))
        assert np.array_equal(witness.given, image) == (kind == "none")


def test_large_images_are_normalised_whole_and_not_tile_by_tile(colour_bundle):
    image = np.zeros((100, 64, 3), np.uint8)
    image[:50], image[50:] = 40, 80
    told = {"normalisation": "range", "tile": 64}
    found = Predictor(colour_bundle.card.model_copy(update=told), [Mean()]).predict(image)
    assert found.probabilities[:50].max() == 0
    assert found.probabilities[50:].min() == pytest.approx(1)


class Mean:
    """An engine that gives back the pixel values as probabilities."""

    granularity = 1

    def run(self, images):
        return images / np.float32(255)


@pytest.mark.parametrize("kind", KINDS)
def test_grey_images_of_a_network_of_colours_are_normalised_alike_too(colour_bundle, kind):
    image = some((6, 8), 1) // 4
    data = Dataset.from_arrays([image], [np.zeros((6, 8), np.uint8)])
    told = {"normalisation": kind}
    witness = Witness()
    Predictor(colour_bundle.card.model_copy(update=told), [witness]).predict(image)
    windows = ValidationWindows(data, (6, 8), "crop", 3, normalise=kind)
    np.testing.assert_array_equal(witness.given, windows.window(0, 0)[0])
