"""OME-Zarr images read in parts, and masks written as such."""

import json

import numpy as np
import pytest

from delineate.data.proposing.pixel_size import PixelSize
from delineate.errors import ImageError
from delineate.prediction.rasters.ome_zarr import write_zarr
from delineate.prediction.rasters.raster import open_raster

zarr = pytest.importorskip("zarr")


def write_image(path, array, axes, *, version="0.4", unit="micrometer", scale=0.5):
    """Write an image as the specification of a version has it."""
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    group.create_array("full", data=array, chunks=tuple(min(side, 16) for side in array.shape))
    described = [
        {"name": name, "type": "channel" if name == "c" else "space", "unit": unit} for name in axes
    ]
    scales = [{"type": "scale", "scale": [scale] * len(axes)}]
    multiscales = [
        {
            "version": version,
            "axes": described,
            "datasets": [{"path": "full", "coordinateTransformations": scales}],
        }
    ]
    said = {"multiscales": multiscales}
    group.attrs.update(said if version == "0.4" else {"ome": {"version": version, **said}})


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["yx", "cyx", "tczyx", "yxc"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_part_is_what_the_image_has_there(tmp_path, version, axes, dtype):
    channels = 3 if "c" in axes else 1
    image = np.random.default_rng(0).integers(0, 256, (40, 53, channels)).astype(dtype)
    sides = {"y": 40, "x": 53, "c": channels, "t": 1, "z": 1}
    stored = image if "c" in axes else image[..., 0]
    if axes in ("cyx", "tczyx"):
        stored = np.moveaxis(image, 2, 0).reshape([sides[name] for name in axes])
    write_image(tmp_path / "a.ome.zarr", stored, axes, version=version)
    raster = open_raster(tmp_path / "a.ome.zarr")
    assert (raster.size, raster.channels, raster.dtype) == ((40, 53), channels, dtype)
    assert raster.pixel_size == PixelSize(0.5, 0.5)
    np.testing.assert_array_equal(raster.read(slice(3, 30), slice(20, 53)), image[3:30, 20:53])
    raster.close()


def test_depths_and_times_are_refused_and_so_is_what_is_no_image(tmp_path):
    write_image(tmp_path / "deep.zarr", np.zeros((4, 9, 9), np.uint8), "zyx")
    with pytest.raises(ImageError, match="4 along z"):
        open_raster(tmp_path / "deep.zarr")
    write_image(tmp_path / "float.zarr", np.zeros((9, 9), np.float32), "yx")
    with pytest.raises(ImageError, match="float32"):
        open_raster(tmp_path / "float.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ImageError, match="is no OME-Zarr image"):
        open_raster(tmp_path / "empty.zarr")


def test_a_mask_is_written_with_smaller_copies_that_hold_its_own_ids(tmp_path):
    mask = np.random.default_rng(0).choice(np.uint8([0, 7, 200]), (1300, 1025))
    bands = (mask[first : first + 512] for first in range(0, 1300, 512))
    write_zarr(tmp_path / "mask.zarr", "mask", mask.shape, bands, PixelSize(0.25, 0.5))
    raster = open_raster(tmp_path / "mask.zarr")
    np.testing.assert_array_equal(raster.read(slice(0, 1300), slice(0, 1025))[..., 0], mask)
    assert raster.pixel_size == PixelSize(0.25, 0.5)
    group = zarr.open_group(tmp_path / "mask.zarr", mode="r")
    for number, step in ((1, 2), (2, 4)):
        np.testing.assert_array_equal(np.asarray(group[str(number)]), mask[::step, ::step])
    assert "3" not in group


def test_numbers_of_the_other_byte_order_are_read(tmp_path):
    image = np.arange(900, dtype=np.uint16).reshape(30, 30) * 70
    write_image(tmp_path / "a.zarr", image.astype(">u2"), "yx")
    raster = open_raster(tmp_path / "a.zarr")
    assert raster.dtype == np.uint16
    np.testing.assert_array_equal(raster.read(slice(0, 30), slice(0, 30))[..., 0], image)


def test_chunks_that_could_run_code_are_refused(tmp_path):
    write_image(tmp_path / "a.zarr", np.zeros((9, 9), np.uint8), "yx")
    described = tmp_path / "a.zarr" / "full" / ".zarray"
    said = json.loads(described.read_text())
    for change in ({"compressor": {"id": "pickle"}}, {"filters": [{"id": "pickle"}]}):
        described.write_text(json.dumps(said | change))
        with pytest.raises(ImageError, match=r"only 'pickle' decodes|damaged"):
            open_raster(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    "change",
    [
        {"datasets": [{"path": "none"}]},
        {"datasets": [{"path": "../a.zarr"}]},
        {"datasets": [{"path": "full"}], "axes": [{"name": "x"}]},
        {"datasets": [{"path": "full", "coordinateTransformations": [{"type": "scale"}]}]},
        {"datasets": {"path": "full"}},
        {"axes": 3},
    ],
)
def test_damaged_metadata_are_an_error_with_a_hint(tmp_path, change):
    write_image(tmp_path / "a.zarr", np.zeros((9, 9), np.uint8), "yx")
    described = tmp_path / "a.zarr" / ".zattrs"
    said = json.loads(described.read_text())
    said["multiscales"][0].update(change)
    described.write_text(json.dumps(said))
    with pytest.raises(ImageError) as caught:
        open_raster(tmp_path / "a.zarr")
    assert caught.value.hint


def test_damaged_chunks_are_an_error_with_a_hint(tmp_path):
    write_image(tmp_path / "a.zarr", np.ones((9, 9), np.uint8), "yx")
    for chunk in (tmp_path / "a.zarr" / "full").rglob("*"):
        if chunk.is_file() and not chunk.name.startswith("."):
            chunk.write_bytes(b"nothing")
    raster = open_raster(tmp_path / "a.zarr")
    with pytest.raises(ImageError, match="damaged") as caught:
        raster.read(slice(0, 9), slice(0, 9))
    assert caught.value.hint


def test_huge_chunks_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.prediction.rasters.ome_zarr._LARGEST", 100)
    write_image(tmp_path / "a.zarr", np.zeros((20, 20), np.uint8), "yx")
    with pytest.raises(ImageError, match="chunks of 16×16"):
        open_raster(tmp_path / "a.zarr")


def test_what_several_parts_need_is_decoded_once(tmp_path, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (50, 40), dtype=np.uint8)
    write_image(tmp_path / "a.zarr", image, "yx")
    monkeypatch.setattr("delineate.prediction.rasters.ome_zarr._BLOCK", 20)
    raster, decoded = open_raster(tmp_path / "a.zarr"), []
    real = type(raster)._decoded

    def count(self, rows, columns):
        decoded.append((rows.start, columns.start))
        return real(self, rows, columns)

    monkeypatch.setattr(type(raster), "_decoded", count)
    for row in range(50):
        part = raster.read(slice(row, row + 1), slice(3, 40))
        np.testing.assert_array_equal(part[..., 0], image[row : row + 1, 3:])
    assert sorted(decoded) == [(0, 0), (0, 32), (32, 0), (32, 32)]
