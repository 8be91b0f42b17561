"""Predictions of many files."""

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.decoding.run_lengths import decode
from delineate.errors import BundleError, DataError, UsageError
from delineate.imaging import PALETTE, write_png
from delineate.overlays import overlay as draw_overlay
from delineate.prediction import many
from delineate.prediction.inputs import ENDINGS, find_inputs
from delineate.prediction.many import predict, predict_files
from delineate.prediction.outputs import Wanted
from delineate.prediction.predictor import Predictor
from tests.bundles import classes_of

BOUNDS = [0.3, 0.7]


def picture(number, size=(9, 12)):
    return np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture
def images(tmp_path):
    """A folder with three images, one of them in a subfolder."""
    for number, name in enumerate(("a.png", "b.png", "deep/c.png")):
        write_png(tmp_path / "images" / name, picture(number))
    return tmp_path / "images"


@pytest.fixture
def run(colour_bundle):
    return colour_bundle.folder


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def names(inputs, to):
    return {path.name: str(name) for path, name in find_inputs([str(item) for item in inputs], to)}


def test_a_folder_gives_mask_colours_and_summary_of_each_image_and_keeps_subfolders(
    tmp_path, run, images
):
    to = tmp_path / "out"
    done = predict_files(run, [str(images)], to=to)
    assert files_in(to) == [
        *(
            f"{stem}{ending}"
            for stem in ("a", "b", "deep/c")
            for ending in (".json", ".png", "_colour.png")
        ),
        "review.csv",
        "review.png",
    ]
    assert not done.failures
    assert [item["image"] for item in done.written] == [
        str(images / name) for name in ("a.png", "b.png", "deep/c.png")
    ]


def test_the_mask_is_a_palette_picture_of_the_class_ids(tmp_path, run, images):
    predict_files(run, [str(images / "a.png")], to=tmp_path / "out")
    with Image.open(tmp_path / "out" / "a.png") as stored:
        assert stored.mode == "P"
        np.testing.assert_array_equal(np.asarray(stored), classes_of(picture(0), BOUNDS))
        colours = np.array(stored.getpalette()).reshape(-1, 3)[:3]
    assert colours.tolist() == [list(colour) for colour in PALETTE[:3]]


def test_the_colour_picture_shows_each_class_in_its_colour(tmp_path, run, images):
    predict_files(run, [str(images / "a.png")], to=tmp_path / "out")
    with Image.open(tmp_path / "out" / "a_colour.png") as stored:
        found = np.asarray(stored)
    np.testing.assert_array_equal(found, np.array(PALETTE)[classes_of(picture(0), BOUNDS)])


def test_overlay_and_probabilities_are_written_where_asked_for(tmp_path, run, images):
    to = tmp_path / "out"
    predict_files(
        run, [str(images / "a.png")], to=to, wanted=Wanted(overlay=True, probabilities=True)
    )
    assert files_in(to) == [
        "a.json",
        "a.png",
        "a_colour.png",
        "a_overlay.png",
        "a_probabilities.npy",
    ]
    prediction = Predictor.open(run).predict(picture(0))
    stored = np.load(to / "a_probabilities.npy", allow_pickle=False)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, prediction.probabilities)
    with Image.open(to / "a_overlay.png") as shown:
        expected = draw_overlay(picture(0), prediction.mask, PALETTE[:3])
        np.testing.assert_array_equal(np.asarray(shown), expected)


def test_objects_are_written_as_labels_table_and_outlines(tmp_path, run, images):
    to = tmp_path / "out"
    wanted = Wanted(instances=True, pixel_size=0.5)
    done = predict_files(run, [str(images / "a.png")], to=to, wanted=wanted)
    instances = Predictor.open(run).predict(picture(0)).instances
    with Image.open(to / "a_objects.png") as stored:
        np.testing.assert_array_equal(np.asarray(stored), instances)
    with (to / "a_objects.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    areas = np.bincount(instances.ravel())[1:]
    assert [int(row["area_pixels"]) for row in rows] == areas.tolist()
    assert [float(row["area_µm²"]) for row in rows] == pytest.approx((areas / 4).tolist())
    outlines = json.loads((to / "a_objects.geojson").read_text())
    assert len(outlines["features"]) == instances.max() == done.written[0]["objects"]["count"]


def test_all_images_are_in_one_table_of_run_lengths(tmp_path, run, images):
    table = tmp_path / "all.csv"
    predict_files(run, [str(images)], to=tmp_path / "out", wanted=Wanted(run_lengths=table))
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    predictor = Predictor.open(run)
    for number, name in enumerate("abc"):
        runs = [row["EncodedPixels"] for row in rows if row["ImageId"] == name]
        instances = predictor.predict(picture(number)).instances
        found, _ = decode(runs, instances.shape)
        np.testing.assert_array_equal(found, instances)


def test_a_file_whose_name_is_no_text_is_in_the_table_of_run_lengths(tmp_path, run):
    path = tmp_path / "images" / os.fsdecode(b"caf\xe9.png")
    try:
        write_png(path, picture(0))
    except OSError:
        pytest.skip("this file system has no such names")
    table = tmp_path / "all.csv"
    done = predict_files(run, [str(path)], to=tmp_path / "out", wanted=Wanted(run_lengths=table))
    assert not done.failures
    assert table.read_bytes().splitlines()[1].startswith(b"caf\xe9,")


@pytest.mark.parametrize(
    "name", ["out/review.csv", "out/deep/../deep/c.json", "out/a_objects.csv", "images/b.png"]
)
def test_a_table_in_the_place_of_another_file_is_refused_before_any_image_is_predicted(
    tmp_path, run, images, name
):
    before = (images / "b.png").read_bytes()
    wanted = Wanted(run_lengths=tmp_path / name)
    with pytest.raises(UsageError, match="would have the name of an image or of what is written"):
        predict_files(run, [str(images)], to=tmp_path / "out", wanted=wanted)
    assert not (tmp_path / "out").exists()
    assert (images / "b.png").read_bytes() == before


def test_a_table_may_lie_beside_the_predictions_and_the_json_names_all_tables(
    tmp_path, run, images
):
    to = tmp_path / "out"
    wanted = Wanted(run_lengths=to / "all.csv")
    told = predict_files(run, [str(images)], to=to, wanted=wanted).to_json()
    assert (told["review"], told["run_lengths"]) == (str(to / "review.csv"), str(to / "all.csv"))
    told = predict_files(run, [str(images / "a.png")], to=tmp_path / "one").to_json()
    assert (told["review"], told["run_lengths"]) == (None, None)


def test_each_file_that_is_written_of_an_image_is_known_beforehand(tmp_path, run, images):
    everything = Wanted(overlay=True, probabilities=True, instances=True)
    predict_files(run, [str(images / "a.png")], to=tmp_path / "out", wanted=everything)
    assert set(files_in(tmp_path / "out")) <= {f"a{ending}" for ending in ENDINGS}


def test_images_of_one_name_are_refused_for_one_table_before_any_is_predicted(
    tmp_path, run, images
):
    write_png(images / "deep" / "a.png", picture(3))
    wanted = Wanted(run_lengths=tmp_path / "all.csv")
    with pytest.raises(DataError, match="2 images are called 'a'"):
        predict_files(run, [str(images)], to=tmp_path / "out", wanted=wanted)
    assert not (tmp_path / "out").exists()


def test_of_several_images_the_one_that_the_network_is_least_sure_of_comes_first(
    tmp_path, run, images
):
    # All bright is a matter of course; where classes meet, the network cannot tell.
    for name, value in (("a", 255), ("b", 77), ("deep/c", 250)):
        write_png(images / f"{name}.png", np.full((9, 12, 3), value, np.uint8))
    (images / "broken.png").write_bytes(b"no image")
    predict_files(run, [str(images)], to=tmp_path / "out")
    with (tmp_path / "out" / "review.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert rows[0]["image"] == str(images / "b.png")
    assert float(rows[0]["uncertainty"]) > 0.5 > 0.01 > float(rows[1]["uncertainty"])
    assert (tmp_path / "out" / "review.png").read_bytes()[1:4] == b"PNG"


def test_a_single_image_is_not_ranked(tmp_path, run, images):
    predict_files(run, [str(images / "a.png")], to=tmp_path / "out")
    assert "review.csv" not in files_in(tmp_path / "out")


def test_no_prediction_has_the_name_of_the_sheet_and_the_sheet_replaces_no_image(tmp_path, run):
    for name in ("a.png", "review.png", "deep/review.png"):
        write_png(tmp_path / "images" / name, picture(0))
    pairs = find_inputs([str(tmp_path / "images")], tmp_path / "out")
    assert {str(name) for _, name in pairs} == {"a", "review_2", "deep/review"}
    given = [str(tmp_path / "images" / name) for name in ("deep/review.png", "review.png")]
    with pytest.raises(UsageError, match="would replace an image"):
        predict_files(run, given, to=tmp_path / "images")


def test_the_summary_counts_the_pixels_of_each_class(tmp_path, run, images):
    done = predict_files(run, [str(images / "a.png")], to=tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "a.json").read_text())
    counts = np.bincount(classes_of(picture(0), BOUNDS).ravel(), minlength=3)
    assert summary == done.written[0] == done.to_json()["predictions"][0]
    assert summary["size"] == [9, 12]
    assert summary["mask"] == str(tmp_path / "out" / "a.png")
    assert summary["classes"] == [
        {"name": name, "pixels": count, "share": round(count / 108, 6)}
        for name, count in zip(("background", "cell", "vessel"), counts.tolist(), strict=True)
    ]


def test_a_broken_image_is_listed_and_the_others_are_done(tmp_path, run, images):
    (images / "aa.png").write_bytes(b"no image")
    write_png(images / "b16.png", np.zeros((4, 4), np.uint16))
    write_png(images / "bb.png", np.zeros((4, 4), np.uint8))
    seen = []
    done = predict_files(
        run, [str(images)], to=tmp_path / "out", progress=lambda *step: seen.append(step)
    )
    assert [Path(item["image"]).name for item in done.written] == [
        "a.png",
        "b.png",
        "bb.png",
        "c.png",
    ]
    assert seen == [(number, 6) for number in range(1, 7)]
    messages = [failure.message for failure in done.failures]
    assert [message.count(str(images)) for message in messages] == [1, 1]
    assert "aa.png" in messages[0]
    assert messages[1].startswith(f"{images / 'b16.png'}: The image is uint16")
    assert done.to_json()["failed"] == [
        {"error": failure.message, "hint": failure.hint} for failure in done.failures
    ]
    assert all(failure.hint for failure in done.failures)


def test_a_file_that_is_named_is_tried_whatever_its_name(tmp_path, run):
    (tmp_path / "notes.txt").write_text("no image")
    done = predict_files(run, [str(tmp_path / "notes.txt")], to=tmp_path / "out")
    assert len(done.failures) == 1
    assert "notes.txt" in done.failures[0].message


def test_a_pattern_finds_images_in_all_folders(tmp_path, images):
    (images / "notes.txt").write_text("no image")
    assert names([images / "**/*"], tmp_path / "out") == {
        "a.png": "a",
        "b.png": "b",
        "c.png": "c",
    }


def test_a_file_whose_name_looks_like_a_pattern_is_taken_as_it_is(tmp_path):
    write_png(tmp_path / "a[1].png", picture(0))
    assert names([tmp_path / "a[1].png"], tmp_path / "out") == {"a[1].png": "a[1]"}


def test_hidden_files_in_a_folder_are_left_out(tmp_path, images):
    (images / "._a.png").write_bytes(b"what another system leaves behind")
    assert "._a.png" not in names([images], tmp_path / "out")


def test_files_that_differ_in_their_suffix_only_keep_it_in_the_name(tmp_path):
    for name in ("a.png", "a.tif", "b.png"):
        Image.fromarray(picture(0)).save(tmp_path / name)
    assert names([tmp_path], tmp_path / "out") == {
        "a.png": "a_png",
        "a.tif": "a_tif",
        "b.png": "b",
    }


def test_files_of_one_name_from_several_folders_get_numbers(tmp_path):
    paths = [tmp_path / folder / "a.png" for folder in ("one", "two", "three")]
    for path in paths:
        write_png(path, picture(0))
    found = find_inputs([str(path) for path in paths], tmp_path / "out")
    assert [(path, str(name)) for path, name in found] == [
        (paths[0], "a_png"),
        (paths[1], "a_png_2"),
        (paths[2], "a_png_3"),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_no_prediction_has_the_name_of_anothers_colour_picture_or_overlay(tmp_path, order):
    paths = [tmp_path / name for name in ("a.png", "a_colour.png", "a_overlay.png")][::order]
    for path in paths:
        write_png(path, picture(0))
    found = find_inputs([str(path) for path in paths], tmp_path / "out")
    written = [f"{name}{ending}.png" for _, name in found for ending in ("", "_colour", "_overlay")]
    assert len(set(written)) == len(written) == 9


def test_an_image_that_is_named_twice_is_predicted_once(tmp_path, images):
    found = find_inputs([str(images), str(images / "deep" / "c.png")], tmp_path / "out")
    assert [str(name) for _, name in found] == ["a", "b", "deep/c"]


@pytest.mark.parametrize("absolute", [True, False])
def test_predictions_of_an_earlier_call_below_the_folder_are_left_out(
    tmp_path, images, monkeypatch, absolute
):
    monkeypatch.chdir(images)
    write_png(images / "out" / "a.png", picture(0))
    given = str(images) if absolute else "."
    found = {str(name) for _, name in find_inputs([given], Path("out"))}
    assert found == {"a", "b", "deep/c"}


@pytest.mark.parametrize("name", ["a.png", "a_colour.png"])
def test_a_prediction_never_replaces_an_image(tmp_path, run, name):
    write_png(tmp_path / "a.png", picture(0))
    write_png(tmp_path / name, picture(0))
    before = (tmp_path / name).read_bytes()
    given = [str(tmp_path / item) for item in {"a.png", name}]
    with pytest.raises(UsageError, match="would replace an image"):
        predict_files(run, given, to=tmp_path)
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("given", ["nothing.png", "*.jpg", "empty"])
def test_an_input_that_names_no_image_is_refused_before_any_work(tmp_path, images, given):
    (images / "empty").mkdir()
    with pytest.raises(UsageError, match="names no image"):
        find_inputs([str(images / "a.png"), str(images / given)], tmp_path / "out")


def test_without_a_bundle_nothing_is_predicted(tmp_path, images):
    with pytest.raises(BundleError):
        predict_files(tmp_path / "nothing", [str(images)], to=tmp_path / "out")


def test_one_image_one_file_or_many_of_either_can_be_predicted(run, images):
    one, other = picture(0), picture(1, (5, 7))
    expected = classes_of(one, BOUNDS)
    for given in (one, images / "a.png", str(images / "a.png"), [one], one[np.newaxis]):
        found = predict(run, given)
        assert len(found) == 1
        np.testing.assert_array_equal(found[0].mask, expected)
    assert [item.mask.shape for item in predict(run, [one, other])] == [(9, 12), (5, 7)]


def test_an_array_that_does_not_fit_is_refused(run):
    with pytest.raises(DataError, match="trained on uint8"):
        predict(run, np.zeros((4, 4, 3)))


def test_an_image_whose_name_is_too_long_for_its_pictures_does_not_stop_the_others(
    tmp_path, run, images
):
    long = images / f"{'x' * 247}.png"
    write_png(long, picture(3))
    done = predict_files(run, [str(images)], to=tmp_path / "out")
    (failure,) = done.failures
    assert str(long) in failure.message
    assert "name too long" in failure.message
    assert "shorter name" in failure.hint
    assert len(done.written) == 3


@pytest.mark.parametrize("reason", [errno.EIO, errno.ESTALE, errno.ENAMETOOLONG])
def test_what_the_disk_refuses_of_one_image_does_not_stop_the_others(
    tmp_path, run, images, monkeypatch, reason
):
    refusing(monkeypatch, "b", reason)
    done = predict_files(run, [str(images)], to=tmp_path / "out")
    (failure,) = done.failures
    assert os.strerror(reason) in failure.message
    assert str(images / "b.png") in failure.message
    assert [Path(item["image"]).name for item in done.written] == ["a.png", "c.png"]


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_what_the_disk_refuses_of_all_ends_the_whole(tmp_path, run, images, monkeypatch, reason):
    refusing(monkeypatch, "a", reason)
    with pytest.raises(OSError) as caught:
        predict_files(run, [str(images)], to=tmp_path / "out")
    assert caught.value.errno == reason
    assert not files_in(tmp_path / "out")


def refusing(monkeypatch, name, reason):
    """Let the writing of one image's prediction fail as the system does."""
    write = many.write_prediction

    def refuse(stem, *arguments):
        if stem.name == name:
            raise OSError(reason, os.strerror(reason), str(stem))
        return write(stem, *arguments)

    monkeypatch.setattr(many, "write_prediction", refuse)


def test_a_pipe_among_the_images_is_named_and_not_waited_for(tmp_path, run, images):
    for name in ("pipe.png", "pipe.tif"):
        os.mkfifo(images / name)
    inputs = [str(images / "pipe.png"), str(images / "pipe.tif"), str(images / "a.png")]
    done = predict_files(run, inputs, to=tmp_path / "out")
    assert len(done.written) == 1
    assert ["not a regular file" in failure.message for failure in done.failures] == [True, True]
