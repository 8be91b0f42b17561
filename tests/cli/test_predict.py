"""What `delineate predict` writes for each of its options, and what it refuses."""

import csv
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.cli import main as cli
from delineate.decoding.run_lengths import decode
from delineate.imaging import write_png
from tests.bundles import pointwise_model, save_bundle

SQUARES = {"a": [(2, 3), (10, 12)], "b": [(6, 6)]}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_bundle(tmp_path_factory.mktemp("bundles") / "one", pointwise_model([0.5])).folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A PNG with two squares of 4 × 4 pixels, and a TIFF with one and pixels of 0.5 × 0.25 µm."""
    folder = tmp_path_factory.mktemp("images")
    write_png(folder / "a.png", picture("a"))
    sized = {"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(folder / "b.tif", picture("b"), metadata=None, **sized)
    return folder


def picture(name):
    image = np.full((18, 20), 30, np.uint8)
    for row, column in SQUARES[name]:
        image[row : row + 4, column : column + 4] = 220
    return image


@pytest.fixture
def predict(bundle, images, tmp_path, capsys):
    """Runs the command on both images; returns its JSON object."""

    def command(*options):
        given = ["predict", str(bundle), str(images), "--to", str(tmp_path / "out"), *options]
        assert cli.run([*given, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return command


def written(folder, name):
    return sorted(path.name.removeprefix(name) for path in folder.glob(f"{name}[_.]*"))


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


ALWAYS = [".json", ".png", "_colour.png"]
OBJECTS = ["_objects.csv", "_objects.geojson", "_objects.png"]


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ([], []),
        (["--overlay"], ["_overlay.png"]),
        (["--probabilities"], ["_probabilities.npy"]),
        (["--instances"], OBJECTS),
    ],
)
def test_each_option_adds_its_own_files(predict, tmp_path, options, more):
    told = predict(*options)
    for name in ("a", "b"):
        assert written(tmp_path / "out", name) == sorted([*ALWAYS, *more])
    assert told["review"] == str(tmp_path / "out" / "review.csv")
    assert told["run_lengths"] is None
    assert not told["failed"]


def test_instances_are_a_label_image_a_table_and_outlines(predict, tmp_path):
    told = predict("--instances")
    assert [item["objects"]["count"] for item in told["predictions"]] == [2, 1]
    with Image.open(tmp_path / "out" / "a_objects.png") as stored:
        labels = np.asarray(stored)
    np.testing.assert_array_equal(labels > 0, picture("a") > 128)
    rows = rows_of(tmp_path / "out" / "a_objects.csv")
    assert [row["area_pixels"] for row in rows] == ["16", "16"]
    assert "area_µm²" not in rows[0]
    outlines = json.loads((tmp_path / "out" / "a_objects.geojson").read_text(encoding="utf-8"))
    assert [len(feature["geometry"]["coordinates"]) for feature in outlines["features"]] == [1, 1]


def test_the_pixel_size_counts_instead_of_what_files_say(predict, tmp_path):
    def area():
        return float(rows_of(tmp_path / "out" / "b_objects.csv")[0]["area_µm²"])

    predict("--instances")
    assert area() == 16 * 0.5 * 0.25
    predict("--instances", "--pixel-size", "3")
    assert area() == 16 * 9
    assert float(rows_of(tmp_path / "out" / "a_objects.csv")[0]["area_µm²"]) == 16 * 9


def test_run_lengths_of_all_images_are_in_one_table(predict, tmp_path):
    table = tmp_path / "all.csv"
    told = predict("--rle", str(table))
    assert told["run_lengths"] == str(table)
    assert written(tmp_path / "out", "a") == ALWAYS
    rows = rows_of(table)
    assert [row["ImageId"] for row in rows] == ["a", "a", "b"]
    for name in SQUARES:
        runs = [row["EncodedPixels"] for row in rows if row["ImageId"] == name]
        found, _ = decode(runs, picture(name).shape)
        np.testing.assert_array_equal(found > 0, picture(name) > 128)


def test_run_lengths_in_the_place_of_what_the_command_writes_are_refused(
    bundle, images, tmp_path, capsys
):
    to = tmp_path / "out"
    given = ["predict", str(bundle), str(images), "--to", str(to), "--rle", str(to / "review.csv")]
    assert cli.run(given) == 2
    told = capsys.readouterr()
    assert "error: The table" in told.err
    assert "hint: Name another file" in told.err
    assert not to.exists()


def test_a_broken_image_is_told_and_the_others_are_predicted(bundle, images, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"no image")
    given = [str(images / "a.png"), str(tmp_path / "broken.png")]
    assert cli.run(["predict", str(bundle), *given, "--to", str(tmp_path / "out")]) == 1
    told = capsys.readouterr()
    assert "broken.png" in told.err
    assert told.out.strip() == f"1 predictions are in {tmp_path / 'out'}"
