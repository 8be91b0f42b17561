"""Polygons that are filled again are the objects, pixel for pixel."""

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from scipy import ndimage
from skimage.draw import polygon2mask

from delineate.errors import DataError
from delineate.prediction.geojson import outlines, write_geojson
from delineate.prediction.object_table import ObjectRow

SIDES = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
COLOURS = {"cell": (230, 159, 0), "gland": (86, 180, 233)}
SHAPES = {
    "one pixel": ["x"],
    "one pixel inside": ["...", ".x.", "..."],
    "the whole picture": ["xxx", "xxx"],
    "a ring": ["xxx", "x.x", "xxx"],
    "a hole that opens at a corner": ["xxx.", "x.xx", "xxxx"],
    "a ring that meets itself at a corner": ["xxx", "x.x", "xx."],
    "a hole that touches the outside": [".xxx", "x.xx", "xxxx"],
    "two holes that touch": ["xxxx", "x.xx", "xx.x", "xxxx"],
    "two pixels at a corner": ["x.", ".x"],
    "a chessboard": ["x.x.", ".x.x", "x.x."],
    "two parts": ["xx.x", "xx.x"],
    "a pixel in a ring": ["xxxxx", "x...x", "x.x.x", "x...x", "xxxxx"],
    "one object around another": ["xxxx", "xoox", "xxxx"],
    "two objects around one corner": ["xo", "ox"],
    "a spiral": ["xxxxx", "x....", "x.xxx", "x...x", "xxxxx"],
}


def drawn(lines):
    return np.array([[".xo".index(sign) for sign in line] for line in lines], np.int32)


def noise(seed, *, size=(9, 12), objects=2):
    return np.random.default_rng(seed).integers(0, objects + 1, size).astype(np.int32)


def cells(seed, *, size=(60, 45)):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size), 1.5)
    return ndimage.label(np.abs(field) > 0.08)[0].astype(np.int32)


def fill_with_scikit_image(ring, shape):
    """Pixel centres lie half a pixel from the edges on which the corners lie."""
    corners = np.array(ring)[:, ::-1] - 0.5
    return polygon2mask(shape, corners)


def fill_with_matplotlib(ring, shape):
    rows, columns = np.indices(shape) + 0.5
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
    return Outline(np.array(ring)).contains_points(centres).reshape(shape)


def filled(found, shape, fill):
    """The label image that the polygons show: outer rings less their holes."""
    picture = np.zeros(shape, np.int32)
    for number, polygons in found.items():
        for outer, *holes in polygons:
            inside = fill(outer, shape)
            for hole in holes:
                assert inside[fill(hole, shape)].all()
                inside &= ~fill(hole, shape)
            assert not picture[inside].any()
            picture[inside] = number
    return picture


def shoelace(ring):
    x, y = np.array(ring).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


@pytest.mark.parametrize("fill", [fill_with_scikit_image, fill_with_matplotlib])
@pytest.mark.parametrize("lines", SHAPES.values(), ids=SHAPES.keys())
def test_the_polygons_of_a_drawn_shape_are_it_when_filled(lines, fill):
    instances = drawn(lines)
    np.testing.assert_array_equal(filled(outlines(instances), instances.shape, fill), instances)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@examples(max_examples=60, deadline=None)
def test_the_polygons_of_noise_are_it_when_filled(seed, objects):
    instances = noise(seed, objects=objects)
    found = outlines(instances)
    for fill in (fill_with_scikit_image, fill_with_matplotlib):
        np.testing.assert_array_equal(filled(found, instances.shape, fill), instances)


@pytest.mark.parametrize("seed", range(3))
def test_the_polygons_of_round_objects_are_them_when_filled(seed):
    instances = cells(seed) * 1000
    found = outlines(instances)
    assert any(len(polygon) > 1 for polygons in found.values() for polygon in polygons)
    np.testing.assert_array_equal(filled(found, instances.shape, fill_with_scikit_image), instances)


@given(st.integers(0, 2**32 - 1))
@examples(max_examples=60, deadline=None)
def test_rings_are_closed_turn_at_each_corner_and_visit_none_twice(seed):
    for polygons in outlines(noise(seed)).values():
        for ring in (ring for polygon in polygons for ring in polygon):
            assert ring[0] == ring[-1]
            assert len(set(ring[:-1])) == len(ring) - 1 >= 4
            steps = np.diff(np.array([*ring, ring[1]]), axis=0)
            assert ((steps != 0).sum(axis=1) == 1).all()
            assert ((steps[:-1] * steps[1:]).sum(axis=1) == 0).all()


@given(st.integers(0, 2**32 - 1))
@examples(max_examples=60, deadline=None)
def test_outer_rings_turn_one_way_and_holes_the_other_and_areas_are_pixels(seed):
    instances = noise(seed)
    for number, polygons in outlines(instances).items():
        for outer, *holes in polygons:
            assert shoelace(outer) > 0
            assert all(shoelace(hole) < 0 for hole in holes)
        area = sum(shoelace(ring) for polygon in polygons for ring in polygon)
        assert area == np.count_nonzero(instances == number)
        assert len(polygons) == ndimage.label(instances == number, SIDES)[1]


def test_objects_come_in_the_order_of_their_first_pixels():
    assert list(outlines(np.int32([[0, 9, 2], [5, 5, 2]]))) == [9, 2, 5]
    assert outlines(np.zeros((3, 4), np.int32)) == {}


def row(number, *, name="cell", **more):
    return ObjectRow(number, name, 8, (1, 1), (0, 0, 3, 3), (1.0,), 0.75, **more)


def test_the_file_is_a_feature_collection_with_what_qupath_reads(tmp_path):
    instances = drawn(["xxx..", "x.x.o", "xxx..", "...o."])
    physical = {"unit": "µm", "physical_area": 2.0, "physical_centroid": (0.5, 0.5)}
    rows = [row(1, **physical), row(2, name="gland")]
    write_geojson(tmp_path / "new" / "a.geojson", instances, rows, colours=COLOURS)
    content = json.loads((tmp_path / "new" / "a.geojson").read_text(encoding="utf-8"))
    assert content["type"] == "FeatureCollection"
    first, second = content["features"]
    assert first == {
        "type": "Feature",
        "geometry": {
            "type": "Polygon",
            "coordinates": [
                [[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]],
                [[1, 2], [2, 2], [2, 1], [1, 1], [1, 2]],
            ],
        },
        "properties": {
            "objectType": "detection",
            "name": "1",
            "classification": {"name": "cell", "color": [230, 159, 0]},
            "measurements": {"Area px^2": 8, "Confidence": 0.75, "Area µm^2": 2.0},
        },
    }
    assert second["geometry"]["type"] == "MultiPolygon"
    assert second["geometry"]["coordinates"] == [
        [[[4, 1], [5, 1], [5, 2], [4, 2], [4, 1]]],
        [[[3, 3], [4, 3], [4, 4], [3, 4], [3, 3]]],
    ]
    assert second["properties"]["classification"] == {"name": "gland", "color": [86, 180, 233]}
    assert second["properties"]["measurements"] == {"Area px^2": 8, "Confidence": 0.75}


def test_without_rows_the_collection_is_empty(tmp_path):
    write_geojson(tmp_path / "a.geojson", np.zeros((2, 2), np.int32), [], colours=COLOURS)
    content = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert content == {"type": "FeatureCollection", "features": []}


def test_a_row_of_another_label_image_and_a_class_without_a_colour_are_named(tmp_path):
    instances = drawn(["x"])
    with pytest.raises(DataError, match="object 7, which the label image has not"):
        write_geojson(tmp_path / "a.geojson", instances, [row(7)], colours=COLOURS)
    with pytest.raises(DataError, match="class 'hair' of object 1 has no colour") as caught:
        write_geojson(tmp_path / "a.geojson", instances, [row(1, name="hair")], colours=COLOURS)
    assert "cell, gland" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_many_objects_are_outlined_without_a_look_at_the_whole_image_for_each():
    field = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(2048, 2048)), 4)
    instances = ndimage.label(field > 0.04)[0].astype(np.int32)
    begin = time.process_time()
    found = outlines(instances)
    # 3 s at most on a quiet machine; a look for each of thousands takes minutes.
    assert time.process_time() - begin < 30
    assert len(found) == instances.max() > 3000
