"""Images read, predicted and written in parts: the same as in memory, and resumed."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tifffile
from keras import layers
from PIL import Image

from delineate.errors import DataError, ImageError, UsageError
from delineate.imaging import read_image, read_labels
from delineate.models.receptive_field import receptive_field
from delineate.normalisation import normalise
from delineate.prediction import large_outputs
from delineate.prediction.large import predict_large
from delineate.prediction.many import predict_files
from delineate.prediction.outputs import Wanted
from delineate.prediction.predictor import Predictor
from delineate.prediction.rasters import raster as raster_module
from delineate.prediction.rasters.work import WorkFile
from delineate.recipe import Post
from tests.bundles import pointwise_model, save_bundle

SIZE = (333, 290)


def network(*, whole=False):
    """Return a network with a stride of 4 that looks some 20 pixels around; or at everything."""
    keras.utils.set_random_seed(3)
    image = layers.Input((None, None, 3))
    found = layers.Rescaling(1 / 128, offset=-1)(image)
    found = layers.Conv2D(6, 3, padding="same", activation="relu")(found)
    found = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(found)
    found = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(found)
    if whole:
        found = layers.Multiply()([found, layers.GlobalAveragePooling2D(keepdims=True)(found)])
    found = layers.UpSampling2D(4)(found)
    logits = layers.Conv2D(3, 3, padding="same", name="logits")(found)
    return keras.Model(image, layers.Activation("softmax", name="probabilities")(logits))


@pytest.fixture(scope="module")
def picture():
    """Smooth blobs, so that the classes hang together."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (SIZE[0] // 9 + 1, SIZE[1] // 9 + 1, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(small).resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC))
    return np.array(large)


@pytest.fixture
def path(tmp_path, picture):
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "a.tif", picture, photometric="rgb", tile=(64, 64))
    return tmp_path / "in" / "a.tif"


def bundle(folder, *, whole=False, **changes):
    model = network(whole=whole)
    said = {"stride": 4, "tile": 96, "receptive_field": receptive_field(model)}
    predictor = Predictor.open(save_bundle(folder, model, **(said | changes)))
    # Small tiles also where each of their sizes is compiled.
    predictor.runtimes[0].granularity = 1
    return predictor


def probabilities(predictor, image, tile):
    card = predictor.card.model_copy(update={"tile": tile})
    return replace(predictor, card=card).predict(image).probabilities


def test_exact_tiles_give_what_the_whole_image_gives(tmp_path, picture):
    predictor = bundle(tmp_path / "bundle")
    assert predictor.tiling.exact
    tiled, whole = (probabilities(predictor, picture, tile) for tile in (96, 1024))
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
    # A margin that is too small would be seen.
    narrow = predictor.card.model_copy(update={"receptive_field": 2})
    tight = picture[:280, :280]
    wrong = probabilities(replace(predictor, card=narrow), tight, 96)
    assert np.abs(wrong - probabilities(predictor, tight, 1024)).max() > 1e-3


def test_networks_that_see_everything_are_blended_and_differ_little(tmp_path, picture):
    predictor = bundle(tmp_path / "bundle", whole=True)
    assert not predictor.tiling.exact
    tiled, whole = (probabilities(predictor, picture, tile) for tile in (96, 1024))
    assert 0 < np.abs(tiled - whole).mean() < 0.05


@pytest.mark.parametrize(
    ("whole", "averaging"), [(False, "none"), (True, "none"), (False, "mirror"), (False, "turns")]
)
def test_a_mask_made_in_parts_is_that_of_the_image_in_memory(
    tmp_path, path, picture, whole, averaging
):
    post = Post(averaging=averaging)
    predictor = bundle(tmp_path / "bundle", whole=whole, post=post)
    summary = predict_large(predictor, path, tmp_path / "out" / "a", Wanted())
    expected = predictor.predict(picture).mask
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, expected)
    assert [item["pixels"] for item in summary["classes"]] == np.bincount(expected.ravel()).tolist()
    assert summary == json.loads((tmp_path / "out" / "a.json").read_text())
    assert sorted(item.name for item in (tmp_path / "out").iterdir()) == [
        "a.json",
        "a.tif",
        "a_preview.png",
    ]


@pytest.mark.parametrize("normalisation", ["range", "percentile", "channel", "stain"])
def test_the_whole_image_is_normalised_as_one(tmp_path, path, picture, normalisation):
    predictor = bundle(tmp_path / "bundle", normalisation=normalisation)
    if normalisation == "stain":
        # Between the colours of haematoxylin and eosin.
        share = picture[..., :1] / 255
        stained = 255 * (1 - share) * [0.35, 0.3, 0.7] + 255 * share * [0.9, 0.4, 0.85]
        picture = stained.astype(np.uint8)
        tifffile.imwrite(path, picture, photometric="rgb", tile=(64, 64))
    elif normalisation == "range":
        # Values that do not use all of their range.
        picture = 40 + picture // 2
        tifffile.imwrite(path, picture, photometric="rgb", tile=(64, 64))
    assert (normalise(picture, normalisation) != picture).any()
    predict_large(predictor, path, tmp_path / "out" / "a", Wanted())
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, predictor.predict(picture).mask)


def test_the_mask_is_cleaned_as_in_memory(tmp_path, path, picture):
    post = Post(smallest_object=150, largest_hole=60, largest_only=(2,))
    predictor = bundle(tmp_path / "bundle", post=post)
    predict_large(predictor, path, tmp_path / "out" / "a", Wanted())
    found = read_labels(tmp_path / "out" / "a.tif").values
    expected = predictor.predict(picture).mask
    np.testing.assert_array_equal(found, expected)
    plain = replace(predictor, card=predictor.card.model_copy(update={"post": Post()}))
    assert (plain.predict(picture).mask != expected).any()


class InterruptionError(Exception):
    """What stops a prediction."""


@pytest.mark.parametrize("whole", [False, True])
def test_an_interrupted_prediction_goes_on_where_it_was(tmp_path, path, picture, whole):
    predictor = bundle(tmp_path / "bundle", whole=whole)
    told = []

    def stop(done, count):
        told.append((done, count))
        if done > 0.6 * count:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        predict_large(predictor, path, tmp_path / "out" / "a", Wanted(), stop)
    assert not (tmp_path / "out" / "a.tif").exists()
    later = []
    predict_large(
        predictor, path, tmp_path / "out" / "a", Wanted(), lambda *said: later.append(said)
    )
    assert 0 < len(later) < told[0][1]
    assert later[-1] == (told[0][1], told[0][1])
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, predictor.predict(picture).mask)
    assert not list((tmp_path / "out").glob(".*"))


def test_what_is_done_is_not_done_again(tmp_path, path):
    predictor, out = bundle(tmp_path / "bundle"), tmp_path / "out" / "a"
    first = predict_large(predictor, path, out, Wanted())
    assert predict_large(predictor, path, out, Wanted(), lambda *said: pytest.fail("no")) == first
    (tmp_path / "out" / "a.tif").unlink()
    told = []
    assert predict_large(predictor, path, out, Wanted(), lambda *said: told.append(said)) == first
    assert told
    assert (tmp_path / "out" / "a.tif").exists()


def test_what_is_wanted_beside_the_mask_may_change_while_it_is_made(tmp_path, path):
    predictor, out = bundle(tmp_path / "bundle"), tmp_path / "out" / "a"
    interrupted(predictor, path, out, 0.6)
    told = []
    predict_large(predictor, path, out, Wanted(overlay=True), lambda *said: told.append(said))
    assert told[0][0] > 0.3 * told[0][1]
    again = []
    predict_large(predictor, path, out, Wanted(), lambda *said: again.append(said))
    assert again, "the preview is another one"


def test_what_is_left_of_an_image_whose_name_goes_on_is_kept(tmp_path, path):
    predictor, longer = bundle(tmp_path / "bundle"), path.with_name("a.part1.tif")
    longer.write_bytes(path.read_bytes())
    interrupted(predictor, longer, tmp_path / "out" / "a.part1", 0.6)
    before = sorted((tmp_path / "out").iterdir())
    predict_large(predictor, path, tmp_path / "out" / "a", Wanted())
    assert set(before) <= set((tmp_path / "out").iterdir())


def interrupted(predictor, path, out, share):
    """Predict until so much of it is done."""

    def stop(done, count):
        if done > share * count:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        predict_large(predictor, path, out, Wanted(), stop)


def test_another_prediction_that_came_between_is_not_gone_on_with(tmp_path, path, picture):
    predictor, out = bundle(tmp_path / "bundle"), tmp_path / "out" / "a"
    other = bundle(tmp_path / "other", normalisation="range")
    interrupted(predictor, path, out, 0.6)
    interrupted(other, path, out, 0.6)
    predict_large(predictor, path, out, Wanted())
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, predictor.predict(picture).mask)


def test_a_shortened_work_file_is_not_gone_on_with(tmp_path, path, picture):
    predictor, out = bundle(tmp_path / "bundle"), tmp_path / "out" / "a"
    interrupted(predictor, path, out, 0.6)
    work = tmp_path / "out" / ".a.part0"
    work.write_bytes(work.read_bytes()[:-1])
    predict_large(predictor, path, out, Wanted())
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, predictor.predict(picture).mask)


@pytest.mark.parametrize("stage", [1, 2, 3, None])
def test_cleaning_that_is_interrupted_is_done_once(tmp_path, path, picture, monkeypatch, stage):
    post = Post(smallest_object=150, largest_hole=60, largest_only=(2,))
    predictor, out = bundle(tmp_path / "bundle", post=post), tmp_path / "out" / "a"
    real = WorkFile.rewrite

    def rewrite(work, bands):
        real(work, bands)
        if work.stage == stage:
            raise InterruptionError

    monkeypatch.setattr(WorkFile, "rewrite", rewrite)
    if stage is None:
        monkeypatch.setattr(large_outputs, "write_tiff", fail)
    with pytest.raises(InterruptionError):
        predict_large(predictor, path, out, Wanted())
    monkeypatch.undo()
    predict_large(predictor, path, out, Wanted())
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, predictor.predict(picture).mask)
    assert not list((tmp_path / "out").glob(".*"))


def fail(*said, **more):
    raise InterruptionError


def test_what_is_left_of_another_image_is_not_gone_on_with(tmp_path, path, picture):
    predictor = bundle(tmp_path / "bundle")

    def stop(done, count):
        if done > 0.6 * count:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        predict_large(predictor, path, tmp_path / "out" / "a", Wanted(), stop)
    other = 255 - picture
    tifffile.imwrite(path, other, photometric="rgb", tile=(32, 32))
    predict_large(predictor, path, tmp_path / "out" / "a", Wanted())
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, predictor.predict(other).mask)


def test_where_on_earth_an_image_lies_is_kept(tmp_path, picture):
    rasterio = pytest.importorskip("rasterio")
    from rasterio import Affine

    transform = Affine(0.2, 0, 500_000, 0, -0.2, 5_700_000)
    with rasterio.open(
        tmp_path / "a.tif",
        "w",
        driver="GTiff",
        height=SIZE[0],
        width=SIZE[1],
        count=3,
        dtype="uint8",
        crs="EPSG:32632",
        transform=transform,
        tiled=True,
        blockxsize=64,
        blockysize=64,
    ) as file:
        file.write(np.moveaxis(picture, 2, 0))
    predictor = bundle(tmp_path / "bundle")
    predict_large(predictor, tmp_path / "a.tif", tmp_path / "out" / "a", Wanted())
    with rasterio.open(tmp_path / "out" / "a.tif") as file:
        assert file.crs.to_epsg() == 32632
        assert file.transform == transform
        np.testing.assert_array_equal(file.read(1), predictor.predict(picture).mask)


def test_an_ome_zarr_image_gives_an_ome_zarr_mask(tmp_path, picture):
    zarr = pytest.importorskip("zarr")
    from tests.prediction.rasters.test_ome_zarr import write_image

    write_image(tmp_path / "in" / "a.ome.zarr", np.moveaxis(picture, 2, 0), "cyx")
    predictor = bundle(tmp_path / "bundle")
    done = predict_files(tmp_path / "bundle", [str(tmp_path / "in")], to=tmp_path / "out")
    assert [item["mask"] for item in done.written] == [str(tmp_path / "out" / "a.ome.zarr")]
    found = zarr.open_group(tmp_path / "out" / "a.ome.zarr", mode="r")["0"]
    np.testing.assert_array_equal(np.asarray(found), predictor.predict(picture).mask)


def test_a_folder_that_delineate_has_not_written_is_not_replaced(tmp_path, picture):
    pytest.importorskip("zarr")
    from tests.prediction.rasters.test_ome_zarr import write_image

    for folder in ("in", "out"):
        write_image(tmp_path / folder / "a.zarr", np.moveaxis(picture, 2, 0), "cyx")
    predictor, image = bundle(tmp_path / "bundle"), tmp_path / "in" / "a.zarr"
    refused("is no mask", predictor, image, tmp_path / "out" / "a", Wanted())
    for _ in range(2):
        predict_large(predictor, image, tmp_path / "more" / "a", Wanted())
        (tmp_path / "more" / "a.json").unlink()


def test_images_within_a_zarr_folder_are_found(tmp_path, picture):
    pytest.importorskip("zarr")
    from tests.prediction.rasters.test_ome_zarr import write_image

    for name in ("0", "1"):
        write_image(tmp_path / "plate.zarr" / name, np.moveaxis(picture, 2, 0), "cyx")
    bundle(tmp_path / "bundle")
    done = predict_files(tmp_path / "bundle", [str(tmp_path / "plate.zarr")], to=tmp_path / "out")
    masks = [item["mask"] for item in done.written]
    assert masks == [str(tmp_path / "out" / "0.zarr"), str(tmp_path / "out" / "1.zarr")]


def test_the_preview_lays_the_mask_on_the_image_where_that_is_wanted(
    tmp_path, path, picture, monkeypatch
):
    monkeypatch.setattr("delineate.prediction.large_outputs.PREVIEW", 100)
    predictor = bundle(tmp_path / "bundle")
    predict_large(predictor, path, tmp_path / "out" / "a", Wanted(overlay=True))
    preview = read_image(tmp_path / "out" / "a_preview.png")
    assert preview.shape == (84, 73, 3)
    predict_large(predictor, path, tmp_path / "plain" / "a", Wanted())
    plain = read_image(tmp_path / "plain" / "a_preview.png")
    colours = {tuple(colour) for colour in plain.reshape(-1, 3).tolist()}
    assert colours <= set(predictor.card.colours)
    assert (plain != preview).any()


def test_files_of_many_pixels_are_predicted_in_parts_and_others_beside_them(
    tmp_path, path, picture, monkeypatch
):
    monkeypatch.setattr(raster_module, "LARGE", 50_000)
    tifffile.imwrite(path.parent / "small.tif", picture[:50, :60], photometric="rgb")
    bundle(tmp_path / "bundle")
    done = predict_files(tmp_path / "bundle", [str(path.parent)], to=tmp_path / "out")
    assert not done.failures
    assert {item["mask"] for item in done.written} == {
        str(tmp_path / "out" / "a.tif"),
        str(tmp_path / "out" / "small.png"),
    }


def test_objects_of_images_that_fit_into_memory_are_found_in_memory(
    tmp_path, path, picture, monkeypatch
):
    monkeypatch.setattr(raster_module, "LARGE", 50_000)
    bundle(tmp_path / "bundle")
    done = predict_files(
        tmp_path / "bundle", [str(path)], to=tmp_path / "out", wanted=Wanted(instances=True)
    )
    assert not done.failures
    assert done.written[0]["mask"] == str(tmp_path / "out" / "a.png")
    monkeypatch.setattr(raster_module, "MAX_PIXELS", 60_000)
    done = predict_files(
        tmp_path / "bundle", [str(path)], to=tmp_path / "more", wanted=Wanted(instances=True)
    )
    assert "gives no instances" in done.failures[0].message


def refused(message, predictor, path, to, wanted):
    with pytest.raises((DataError, UsageError), match=message) as error:
        predict_large(predictor, path, to, wanted)
    assert error.value.hint


def test_hidden_pixels_are_refused_before_anything_is_written(tmp_path, path, picture):
    image = np.dstack([picture, np.full(SIZE, 255, np.uint8)])
    image[-1, -1, 3] = 0
    tifffile.imwrite(path, image, photometric="rgb", extrasamples=["unassalpha"], tile=(64, 64))
    with pytest.raises(ImageError, match="transparent"):
        predict_large(bundle(tmp_path / "bundle"), path, tmp_path / "out" / "a", Wanted())
    assert not (tmp_path / "out").exists()


def test_the_summary_of_an_earlier_mask_does_not_speak_for_a_later_one(
    tmp_path, path, picture, monkeypatch
):
    predictor, out = bundle(tmp_path / "bundle"), tmp_path / "out" / "a"
    predict_large(predictor, path, out, Wanted())
    other = tmp_path / "other" / "a.tif"
    other.parent.mkdir()
    tifffile.imwrite(other, 255 - picture, photometric="rgb", tile=(64, 64))
    with monkeypatch.context() as patch:
        patch.setattr(large_outputs, "write_png", fail)
        with pytest.raises(InterruptionError):
            predict_large(predictor, other, out, Wanted())
    predict_large(predictor, path, out, Wanted())
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, predictor.predict(picture).mask)


def test_what_is_not_done_in_parts_is_refused_before_anything_is_written(tmp_path, path):
    predictor = bundle(tmp_path / "bundle")
    out = tmp_path / "out" / "a"
    refused("gives no instances", predictor, path, out, Wanted(instances=True))
    refused("gives no probabilities", predictor, path, out, Wanted(probabilities=True))
    resizing = bundle(tmp_path / "resizing", fit="resize")
    refused("resizes each image to 16×16", resizing, path, out, Wanted())
    grey = Predictor.open(save_bundle(tmp_path / "grey", pointwise_model([0.5])))
    refused("has 3 channels", grey, path, out, Wanted())
    deep = bundle(tmp_path / "deep", dtype="uint16")
    refused("is uint8", deep, path, out, Wanted())
    refused("would replace it", predictor, path, path.with_suffix(""), Wanted())
    assert not (tmp_path / "out").exists()


def test_bands_of_a_few_rows_give_what_the_whole_image_gives(tmp_path, path, picture, monkeypatch):
    post = Post(smallest_object=150, largest_hole=60, largest_only=(2,))
    predictor = bundle(tmp_path / "bundle", post=post, normalisation="percentile")
    whole = predict_large(predictor, path, tmp_path / "whole" / "a", Wanted(overlay=True))
    monkeypatch.setattr(raster_module, "BAND", 5_000)
    monkeypatch.setattr("delineate.prediction.large_outputs.PREVIEW", 100)
    assert len(raster_module.bands_of(SIZE, 3, whole=64)) > 3
    parts = predict_large(predictor, path, tmp_path / "out" / "a", Wanted(overlay=True))
    assert parts["classes"] == whole["classes"]
    found = read_labels(tmp_path / "out" / "a.tif").values
    np.testing.assert_array_equal(found, predictor.predict(picture).mask)
    np.testing.assert_array_equal(found, read_labels(tmp_path / "whole" / "a.tif").values)
    assert read_image(tmp_path / "out" / "a_preview.png").shape == (84, 73, 3)


def test_the_summary_says_whether_tiles_are_exact(tmp_path, path):
    for whole, said in ((False, "exact"), (True, "blended")):
        predictor = bundle(tmp_path / said, whole=whole)
        summary = predict_large(predictor, path, tmp_path / "out" / said, Wanted())
        assert (summary["tiles"], summary["runtime"]) == (said, "keras")


def write_placed(path, picture):
    """Write a TIFF file that says where on Earth it lies."""
    tags = [(33550, "d", 3, (0.2, 0.2, 0.0), True), (33922, "d", 6, (0, 0, 0, 5e5, 5e6, 0), True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, picture, photometric="rgb", extratags=tags)


@pytest.mark.parametrize("how", ["parts", "resized", "objects"])
def test_an_image_that_says_where_it_lies_keeps_it_whatever_its_size(tmp_path, picture, how):
    write_placed(tmp_path / "in" / "a.tif", picture)
    changes = {"fit": "resize", "size": (64, 64)} if how == "resized" else {}
    predictor = bundle(tmp_path / "bundle", **changes)
    wanted = Wanted(instances=how == "objects")
    given = [str(tmp_path / "in")]
    done = predict_files(tmp_path / "bundle", given, to=tmp_path / "out", wanted=wanted)
    assert [item["mask"] for item in done.written] == [str(tmp_path / "out" / "a.tif")]
    with tifffile.TiffFile(tmp_path / "out" / "a.tif") as file:
        assert file.pages[0].tags[33922].value == (0, 0, 0, 5e5, 5e6, 0)
        np.testing.assert_array_equal(file.asarray(), predictor.predict(picture).mask)


def test_an_image_that_is_stored_turned_has_no_mask_that_lies_on_earth(tmp_path, picture):
    tags = [(274, "H", 1, 3, True), (33922, "d", 6, (0, 0, 0, 5e5, 5e6, 0), True)]
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", extratags=tags)
    predictor = bundle(tmp_path / "bundle")
    done = predict_files(tmp_path / "bundle", [str(tmp_path / "a.tif")], to=tmp_path / "out")
    assert [item["mask"] for item in done.written] == [str(tmp_path / "out" / "a.png")]
    found = read_labels(tmp_path / "out" / "a.png").values
    np.testing.assert_array_equal(found, predictor.predict(picture[::-1, ::-1]).mask)
    assert not (tmp_path / "out" / "a.tif").exists()


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_a_mask_that_lies_on_earth_replaces_no_image(tmp_path, picture, fit):
    write_placed(tmp_path / "in" / "sub" / "a.TIF", picture)
    write_placed(tmp_path / "out" / "sub" / "a.tif", picture)
    bundle(tmp_path / "bundle", fit=fit, size=(64, 64))
    given = [str(tmp_path / "in"), str(tmp_path / "out" / "sub" / "a.tif")]
    with pytest.raises(UsageError, match="would replace an image"):
        predict_files(tmp_path / "bundle", given, to=tmp_path / "out")


def test_the_more_classes_the_sooner_an_image_is_large(tmp_path, path, monkeypatch):
    pixels = SIZE[0] * SIZE[1]
    monkeypatch.setattr(raster_module, "LARGE", 2 * pixels)
    assert not raster_module.is_read_in_parts(path, values=2)
    assert raster_module.is_read_in_parts(path, values=3)
