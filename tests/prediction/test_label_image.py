"""Label images are read again as they were, by others and by delineate."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.imaging import read_labels
from delineate.prediction.label_image import label_image_dtype, write_labels


@pytest.mark.parametrize(
    ("count", "dtype"),
    [(0, np.uint16), (65_535, np.uint16), (65_536, np.int32), (2**31 - 1, np.int32)],
)
def test_sixteen_bits_are_used_as_long_as_they_number_all_objects(count, dtype):
    assert label_image_dtype(count) is dtype


@pytest.mark.parametrize("highest", [0, 300, 65_535])
def test_up_to_65535_objects_are_a_png_of_16_bits(tmp_path, highest):
    instances = np.linspace(0, highest, 35).astype(np.int32).reshape(5, 7)
    path = write_labels(tmp_path / "new" / "a_instances.png", instances)
    assert path == tmp_path / "new" / "a_instances.png"
    with Image.open(path) as picture:
        assert picture.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(picture), instances)
    np.testing.assert_array_equal(read_labels(path).values, instances)


def test_more_objects_are_a_tiff_of_32_bits(tmp_path):
    instances = np.int32([[0, 65_536, 2**31 - 1], [1, 2, 3]])
    path = write_labels(tmp_path / "a_instances.png", instances)
    assert path == tmp_path / "a_instances.tif"
    stored = tifffile.imread(path)
    assert stored.dtype == np.int32
    np.testing.assert_array_equal(stored, instances)
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), instances)
    assert [item.name for item in tmp_path.iterdir()] == ["a_instances.tif"]
