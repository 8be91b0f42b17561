"""How large a pixel is in what is written of a prediction: by the option, the file or the card."""

import csv
import json

import numpy as np
import pytest
import tifffile

from delineate.imaging import read_image
from delineate.prediction.outputs import Wanted, write_prediction
from delineate.prediction.predictor import Predictor

SIZED = {"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}  # 0.5 × 0.25 µm
TRAINED = {"pixel_size": (3.0, 2.0), "pixel_unit": "mm"}


@pytest.fixture(scope="module")
def predictor(grey_bundle):
    return Predictor.open(grey_bundle.folder)


def area_of(predictor, folder, *, said=None, card=None, **tags):
    """Return the physical area of an object of 3 × 4 pixels, by its unit, from table and outline."""
    image = np.zeros((10, 12), np.uint8)
    image[2:5, 3:7] = 255
    tifffile.imwrite(folder / "a.tif", image, metadata=None, **tags)
    stored = read_image(folder / "a.tif")
    write_prediction(
        folder / "a",
        folder / "a.tif",
        stored,
        predictor.predict(stored),
        predictor.card.model_copy(update=card or {}),
        Wanted(instances=True, pixel_size=said),
    )
    with (folder / "a_objects.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    outlines = json.loads((folder / "a_objects.geojson").read_text(encoding="utf-8"))
    measured = outlines["features"][0]["properties"]["measurements"]
    columns = {key: float(value) for key, value in row.items() if key.startswith("area_")}
    assert list(columns.values()) == [value for key, value in measured.items() if "Area" in key]
    columns.pop("area_pixels")
    return columns


def test_a_file_that_says_its_size_is_measured_by_it(predictor, tmp_path):
    assert area_of(predictor, tmp_path, **SIZED) == {"area_µm²": 12 * 0.5 * 0.25}


def test_the_option_counts_before_what_the_file_says(predictor, tmp_path):
    assert area_of(predictor, tmp_path, said=2.0, **SIZED) == {"area_µm²": 48}


def test_a_file_counts_before_the_data_that_was_trained_on(predictor, tmp_path):
    assert area_of(predictor, tmp_path, card=TRAINED, **SIZED) == {"area_µm²": 1.5}
    assert area_of(predictor, tmp_path, card=TRAINED, said=1.0) == {"area_µm²": 12}


def test_where_the_file_says_nothing_the_size_is_that_of_the_training_data(predictor, tmp_path):
    assert area_of(predictor, tmp_path, card=TRAINED) == {"area_mm²": 72}


def test_a_resolution_of_print_is_no_size_of_pixels(predictor, tmp_path):
    of_print = {"resolution": (118.11, 118.11), "resolutionunit": "CENTIMETER"}
    assert area_of(predictor, tmp_path, **of_print) == {}
    assert area_of(predictor, tmp_path) == {}
