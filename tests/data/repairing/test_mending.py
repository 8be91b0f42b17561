import numpy as np
import pytest
from PIL import Image, ImageOps

from delineate.data.repairing.mending import FloatRange, turn
from delineate.decoding.stored import orientation_of
from delineate.imaging import read_image


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_an_orientation_turns_an_array_as_pillow_turns_the_file(tmp_path, orientation, suffix):
    cells = np.zeros((32, 48), np.uint8)
    cells[:16, :16], cells[:16, 16:32] = 200, 90
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    lossless = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(cells).save(path, exif=exif, **lossless)
    assert orientation_of(path) == orientation
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("L"), int)
    assert np.abs(turn(cells, orientation) - expected).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_file_is_turned_as_it_is_read(tmp_path, orientation):
    cells = np.random.default_rng(0).integers(0, 255, (5, 7), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(cells).save(tmp_path / "a.tif", exif=exif)
    assert orientation_of(tmp_path / "a.tif") == orientation
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], turn(cells, orientation))


def test_what_has_no_orientation_is_upright(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert orientation_of(tmp_path / "broken.png") == orientation_of(tmp_path / "missing.png") == 1


def test_floating_point_values_fill_16_bits_and_what_is_no_number_gets_the_nearest_end():
    values = np.array([-2.0, 0.0, 2.0, np.nan, np.inf, -np.inf], np.float32)
    found = FloatRange(-2, 2).scale(values)
    assert found.dtype == np.uint16
    assert found.tolist() == [0, 32768, 65535, 0, 65535, 0]


def test_images_of_one_value_become_zero():
    assert FloatRange(3, 3).scale(np.full(4, 3.0)).tolist() == [0] * 4
