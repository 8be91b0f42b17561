"""The table of objects says what scikit-image says, and can be read again."""

import csv
import time

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import regionprops

from delineate.data.proposing.pixel_size import PixelSize
from delineate.errors import DataError
from delineate.prediction.object_table import ObjectRow, object_rows, write_csv

NAMES = ("background", "round", "long")


def scene(seed=0, *, size=(50, 70), channels=3, dtype=np.uint8):
    """Objects of several parts, with gaps in their numbers, of which some touch the borders."""
    rng = np.random.default_rng(seed)
    parts, count = ndimage.label(ndimage.gaussian_filter(rng.normal(size=size), 2) > 0.03)
    given = np.append(0, rng.integers(1, count, count) * 7)
    instances = given[parts].astype(np.int32)
    mask = np.where(instances > 0, 1 + instances % 2, 0).astype(np.uint8)
    probabilities = rng.dirichlet(np.ones(3), size).astype(np.float32)
    image = rng.integers(0, np.iinfo(dtype).max, (*size, channels)).astype(dtype)
    return instances, mask, probabilities, image


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_positions_sizes_and_intensities_are_those_of_regionprops(channels, dtype):
    instances, mask, probabilities, image = scene(channels=channels, dtype=dtype)
    rows = object_rows(instances, mask, probabilities, image, names=NAMES)
    regions = regionprops(instances, image)
    assert len(rows) == len(regions) > 5
    for row, region in zip(rows, regions, strict=True):
        assert row.number == region.label
        assert row.area == region.area
        assert row.box == region.bbox
        assert row.centroid == pytest.approx(region.centroid)
        assert row.intensity == pytest.approx(np.atleast_1d(region.intensity_mean))
        assert len(row.intensity) == channels


def test_the_scene_has_objects_of_several_parts_at_the_borders_and_gaps():
    """Else the comparison with regionprops would show less than it says."""
    instances, *_ = scene()
    found = np.unique(instances[instances > 0])
    assert any(ndimage.label(instances == number)[1] > 1 for number in found)
    for border in (instances[0], instances[-1], instances[:, 0], instances[:, -1]):
        assert border.any()
    assert len(found) < found.max()


def test_class_and_confidence_are_those_of_a_loop_over_the_objects():
    instances, mask, probabilities, image = scene()
    rows = object_rows(instances, mask, probabilities, image, names=NAMES)
    for row in rows:
        inside = instances == row.number
        category = NAMES.index(row.class_name)
        assert (mask[inside] == category).all()
        assert row.confidence == pytest.approx(probabilities[inside][:, category].mean())
    assert {row.class_name for row in rows} == {"round", "long"}


def test_an_object_of_two_classes_has_the_one_of_most_of_its_pixels():
    instances = np.int32([[4, 4, 4]])
    probabilities = np.float32([[[0, 0.5, 0.5], [0, 0.25, 0.75], [0, 0.5, 0.25]]])
    image = np.zeros((1, 3, 1), np.uint8)
    (row,) = object_rows(instances, np.uint8([[1, 2, 2]]), probabilities, image, names=NAMES)
    assert row.class_name == "long"
    assert row.confidence == pytest.approx(0.5)


def test_physical_sizes_are_those_of_regionprops_with_this_spacing():
    instances, mask, probabilities, image = scene()
    size = PixelSize(height=0.5, width=0.25, unit="µm")
    rows = object_rows(instances, mask, probabilities, image, names=NAMES, pixel_size=size)
    for row, region in zip(rows, regionprops(instances, spacing=(0.5, 0.25)), strict=True):
        assert row.unit == "µm"
        assert row.physical_area == pytest.approx(region.area)
        assert row.physical_centroid == pytest.approx(region.centroid)
        assert row.area == np.count_nonzero(instances == row.number)


def test_without_a_pixel_size_there_are_no_physical_sizes():
    row, *_ = object_rows(*scene(), names=NAMES)
    assert row.unit is row.physical_area is row.physical_centroid is None


def test_an_image_without_objects_has_no_rows():
    instances, mask, probabilities, image = scene()
    assert object_rows(instances * 0, mask * 0, probabilities, image, names=NAMES) == []


def test_what_differs_in_size_is_named():
    instances, mask, probabilities, image = scene()
    with pytest.raises(DataError, match=r"image has the size \(49, 70\), the objects \(50, 70\)"):
        object_rows(instances, mask, probabilities, image[1:], names=NAMES)
    with pytest.raises(DataError, match="There are 2 class names, 3 probabilities"):
        object_rows(instances, mask, probabilities, image, names=NAMES[:2])
    mask[0, 0] = 9
    with pytest.raises(DataError, match="a mask with the id 9"):
        object_rows(instances, mask, probabilities, image, names=NAMES)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_csv_file_holds_every_value(tmp_path, channels):
    size = PixelSize(height=0.5, width=0.25, unit="µm")
    rows = object_rows(*scene(channels=channels), names=NAMES, pixel_size=size)
    write_csv(tmp_path / "new" / "objects.csv", rows)
    with (tmp_path / "new" / "objects.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    means = ["mean_intensity"]
    if channels > 1:
        means = [f"mean_intensity_channel_{number}" for number in range(1, channels + 1)]
    boxes = [f"box_{side}_pixels" for side in ("top", "left", "bottom", "right")]
    assert len(table) == len(rows)
    for line, row in zip(table, rows, strict=True):
        assert (int(line["object"]), line["class"]) == (row.number, row.class_name)
        assert int(line["area_pixels"]) == row.area
        assert tuple(int(line[box]) for box in boxes) == row.box
        assert [float(line[mean]) for mean in means] == pytest.approx(row.intensity)
        assert float(line["confidence"]) == pytest.approx(row.confidence)
        for unit, place in (("pixels", row.centroid), ("µm", row.physical_centroid)):
            found = [float(line[f"centroid_{axis}_{unit}"]) for axis in ("row", "column")]
            assert found == pytest.approx(place)
        assert float(line["area_µm²"]) == pytest.approx(row.physical_area)
        assert len(line) == 13 + channels
    assert len((tmp_path / "new" / "objects.csv").read_bytes().split(b"\n")) == len(rows) + 2


def test_without_a_pixel_size_the_csv_file_has_no_physical_columns(tmp_path):
    write_csv(tmp_path / "objects.csv", object_rows(*scene(channels=1), names=NAMES))
    titles = (tmp_path / "objects.csv").read_text(encoding="utf-8").splitlines()[0]
    assert titles == (
        "object,class,area_pixels,centroid_row_pixels,centroid_column_pixels,box_top_pixels,"
        "box_left_pixels,box_bottom_pixels,box_right_pixels,confidence,mean_intensity"
    )


def test_without_objects_the_csv_file_is_a_line_of_titles(tmp_path):
    write_csv(tmp_path / "objects.csv", [])
    lines = (tmp_path / "objects.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("object,class,area_pixels,")


def test_a_class_name_with_a_comma_or_a_quote_stays_one_cell(tmp_path):
    row = ObjectRow(1, 'cell, "dividing"', 2, (0, 0.5), (0, 0, 1, 2), (1.0,), 0.5)
    write_csv(tmp_path / "objects.csv", [row])
    with (tmp_path / "objects.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["class"] == 'cell, "dividing"'


def test_many_objects_are_listed_without_a_look_at_the_whole_image_for_each():
    size = (2048, 2048)
    rows, columns = np.indices(size) // 28
    instances = (rows * 74 + columns + 1).astype(np.int32)
    instances[::28], instances[:, ::28] = 0, 0
    mask = (instances > 0).astype(np.uint8)
    probabilities = np.full((*size, 2), 0.5, np.float32)
    image = np.zeros((*size, 3), np.uint8)
    begin = time.process_time()
    found = object_rows(instances, mask, probabilities, image, names=NAMES[:2])
    # 2 s at most on a quiet machine; a look for each of thousands takes minutes.
    assert time.process_time() - begin < 30
    assert len(found) == len(np.unique(instances)) - 1 > 5000
