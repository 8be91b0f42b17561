"""Objects as polygons, and back; that the rings are right is in tests/prediction/test_geojson.py."""

import json
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.prediction.geojson import outlines, write_geojson
from delineate.prediction.object_table import ObjectRow
from tests.properties.strategies import label_images


def filled(rings, size):
    """The pixels that have an odd number of upright edges on their left."""
    inside = np.zeros(size, bool)
    for ring in rings:
        for (x, y), (onward, below) in pairwise(ring):
            if x == onward:
                inside[min(y, below) : max(y, below), x:] ^= True
    return inside


@given(label_images())
def test_the_objects_of_a_file_of_polygons_are_those_that_were_written(folder, instances):
    numbers = [int(number) for number in np.unique(instances[instances > 0])]
    rows = [ObjectRow(each, "cell", 1, (0, 0), (0, 0, 1, 1), (0.0,), 0.5) for each in numbers]
    write_geojson(folder / "a.geojson", instances, rows, colours={"cell": (1, 2, 3)})
    found = np.zeros(instances.shape, np.int32)
    for feature in json.loads((folder / "a.geojson").read_text())["features"]:
        polygons = feature["geometry"]["coordinates"]
        if feature["geometry"]["type"] == "Polygon":
            polygons = [polygons]
        inside = filled([ring for polygon in polygons for ring in polygon], instances.shape)
        assert not found[inside].any()
        found[inside] = int(feature["properties"]["name"])
    np.testing.assert_array_equal(found, instances)


@given(label_images(), st.integers(0, 5), st.integers(0, 5))
def test_the_polygons_of_a_shifted_picture_are_shifted(instances, down, right):
    expected = {
        number: [[[(x + right, y + down) for x, y in ring] for ring in one] for one in polygons]
        for number, polygons in outlines(instances).items()
    }
    found = outlines(np.pad(instances, ((down, 0), (right, 0))))
    assert list(found) == list(expected)
    assert found == expected


@given(label_images(), st.lists(st.integers(1, 2**31 - 1), min_size=5, max_size=5, unique=True))
def test_the_polygons_are_the_same_whatever_the_numbers_are(instances, numbers):
    table = np.array([0, *numbers], np.int32)
    expected = {int(table[number]): each for number, each in outlines(instances).items()}
    assert outlines(table[instances]) == expected
