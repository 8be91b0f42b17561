import io

import numpy as np
import pytest
from PIL import Image

from delineate.data.sheet import fit, legend_height, sample_sheet, write, write_legend
from delineate.errors import DataError

COLOURS = [(0, 0, 0), (230, 159, 0), (0, 114, 178)]


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def sample(name, height, width, label=1):
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = label
    return name, np.full((height, width, 3), 128, np.uint8), mask


def count(pixels, colour):
    return int((pixels == colour).all(axis=-1).sum())


def test_samples_of_any_size_and_depth_stand_in_rows_of_at_most_so_many():
    grey = np.full((40, 20, 1), 9000, np.uint16)
    samples = [sample("a", 300, 500), ("b", grey, np.zeros((40, 20), np.uint16)), sample("c", 9, 7)]
    one_row = pixels_of(sample_sheet(samples, COLOURS))
    two_rows = pixels_of(sample_sheet(samples, COLOURS, columns=2))
    assert two_rows.shape[0] > one_row.shape[0]
    assert two_rows.shape[1] < one_row.shape[1]


def test_each_mask_is_outlined_in_the_colour_of_its_class():
    samples = [sample("a", 100, 100, label=1), sample("b", 100, 100, label=2)]
    pixels = pixels_of(sample_sheet(samples, COLOURS))
    middle = pixels.shape[1] // 2
    assert count(pixels[:, :middle], COLOURS[1]) > 100
    assert count(pixels[:, middle:], COLOURS[2]) > 100
    assert count(pixels[:, :middle], COLOURS[2]) == 0


def test_a_mask_lies_where_it_lies_in_its_image():
    name, image, mask = sample("a", 352, 352)
    pixels = pixels_of(sample_sheet([(name, image, mask)], COLOURS))
    rows, columns = np.nonzero((pixels == COLOURS[1]).all(axis=-1))
    assert (rows.min() - 10, columns.min() - 10) == (44, 44)
    assert (rows.max() - 10, columns.max() - 10) == (87, 87)


def test_names_of_classes_make_a_legend_without_the_background():
    without = pixels_of(sample_sheet([sample("a", 50, 50, label=0)], COLOURS))
    named = pixels_of(
        sample_sheet([sample("a", 50, 50, label=0)], COLOURS, names=["none", "cell", "wall"])
    )
    assert named.shape[0] > without.shape[0]
    assert count(named, COLOURS[1]) == count(named, COLOURS[2]) == 144
    assert count(named, COLOURS[0]) == 0


def test_a_sheet_without_samples_is_refused():
    with pytest.raises(DataError, match="no samples"):
        sample_sheet([], COLOURS)


def test_a_mask_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(DataError, match=r"\(4, 5\).*\(5, 4\)"):
        fit(np.zeros((4, 5, 3), np.uint8), [np.zeros((5, 4), np.uint8)], side=8)


@pytest.mark.parametrize(
    ("size", "expected"), [((100, 50), (64, 32)), ((10, 20), (32, 64)), ((1000, 1), (64, 1))]
)
def test_fitting_keeps_the_proportions_and_the_ids(size, expected):
    mask = np.random.default_rng(0).choice(np.array([0, 3, 255], np.uint8), size)
    picture, (fitted,) = fit(np.zeros((*size, 3), np.uint8), [mask], side=64)
    assert picture.shape == (*expected, 3)
    assert fitted.shape == expected
    assert set(np.unique(fitted)) <= {0, 3, 255}


def test_an_image_shrinks_by_area_and_grows_in_whole_pixels():
    stripes = np.zeros((8, 8, 1), np.uint8)
    stripes[::2] = 200
    small, _ = fit(stripes, [], side=4)
    large, _ = fit(stripes, [], side=16)
    assert np.unique(small).tolist() == [100]
    np.testing.assert_array_equal(large[..., :1], stripes.repeat(2, 0).repeat(2, 1))


def extent(text, width):
    sheet = Image.new("RGB", (600, 40), "white")
    write(sheet, text, (5, 5), width=width)
    return int(np.nonzero((np.asarray(sheet) < 200).any(axis=(0, 2)))[0].max()) - 5


def test_text_that_is_too_long_loses_its_middle_and_stays_in_its_room():
    long = "patient_0001_slide_0002_with_a_very_long_name_0003.png"
    assert extent(long, 10_000) > 200
    assert extent(long, 120) <= 120
    assert extent(long, 120) > 90
    assert extent(long + "\nx", 120) <= 120


def test_a_legend_takes_as_many_lines_as_it_needs():
    keys = [((1, 2, 3), f"class {index}") for index in range(12)]
    assert legend_height([], 300) == 0
    assert legend_height(keys[:2], 300) < legend_height(keys, 300)
    sheet = Image.new("RGB", (300, legend_height(keys, 300)), "white")
    write_legend(sheet, keys, 0)
    assert count(np.asarray(sheet), (1, 2, 3)) == 12 * 144
