"""TIFF files read in parts: each part is what the whole file holds there."""

from contextlib import closing

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.errors import ImageError
from delineate.imaging import read_image
from delineate.prediction.rasters.raster import is_read_in_parts, open_raster

SIZE = (150, 203)
PLACES = [
    ((0, 150), (0, 203)),
    ((3, 40), (100, 203)),
    ((149, 150), (202, 203)),
    ((64, 128), (0, 7)),
]


def pixels(channels=3, dtype=np.uint8):
    high = np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    found = rng.integers(0, high + 1, (*SIZE, channels), dtype=dtype)
    # Something that can be compressed.
    found[:40] = 7
    return found


def check_parts(path, expected):
    raster = open_raster(path)
    assert (raster.size, raster.channels) == (expected.shape[:2], expected.shape[2])
    assert raster.dtype == expected.dtype
    for rows, columns in PLACES:
        part = raster.read(slice(*rows), slice(*columns))
        np.testing.assert_array_equal(part, expected[slice(*rows), slice(*columns)])
    raster.close()


WAYS = {
    "one strip": {},
    "strips": {"rowsperstrip": 16},
    "tiles": {"tile": (64, 48)},
    "deflated": {"rowsperstrip": 7, "compression": "zlib"},
    "deflated tiles with predictor": {"tile": (32, 32), "compression": "zlib", "predictor": True},
    "one deflated strip": {"compression": "zlib", "rowsperstrip": 150},
    "BigTIFF": {"bigtiff": True, "tile": (64, 64)},
    "big-endian": {"byteorder": ">", "rowsperstrip": 16, "compression": "zlib"},
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("way", WAYS)
def test_a_part_is_what_the_whole_file_has_there(tmp_path, way, channels, dtype):
    image = pixels(channels, dtype)
    kind = "rgb" if channels == 3 else "minisblack"
    stored = image[..., 0] if channels == 1 else image
    more = {"planarconfig": "contig"} if channels > 1 else {}
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=kind, **more, **WAYS[way])
    check_parts(tmp_path / "a.tif", image)


@pytest.mark.parametrize("way", ["one strip", "tiles", "deflated"])
def test_channels_may_lie_one_after_the_other(tmp_path, way):
    image = pixels(3)
    planes = np.moveaxis(image, 2, 0)
    tifffile.imwrite(
        tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", **WAYS[way]
    )
    check_parts(tmp_path / "a.tif", image)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_strips_that_another_program_has_compressed_are_read(tmp_path, compression):
    Image.fromarray(pixels(3)).save(tmp_path / "a.tif", compression=compression)
    check_parts(tmp_path / "a.tif", pixels(3))


def test_jpeg_strips_are_read_as_the_whole_file_is(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    whole = read_image(tmp_path / "a.tif")
    assert np.abs(whole.astype(int) - smooth()).mean() < 3
    check_parts(tmp_path / "a.tif", whole)


def smooth():
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([rows, columns, (rows + columns) // 2], axis=2).astype(np.uint8)


def test_white_as_zero_is_turned_round_and_alpha_left_out(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", pixels(1)[..., 0], photometric="miniswhite")
    check_parts(tmp_path / "a.tif", 255 - pixels(1))
    four = pixels(4)
    four[..., 3] = 255
    tifffile.imwrite(tmp_path / "b.tif", four, photometric="rgb", extrasamples=["unassalpha"])
    check_parts(tmp_path / "b.tif", four[..., :3])


def test_the_smaller_copies_of_a_pyramid_are_left_out(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels(3), photometric="rgb", subifds=1, tile=(64, 64))
        file.write(pixels(3)[::2, ::2], photometric="rgb", subfiletype=1, tile=(64, 64))
    check_parts(tmp_path / "a.tif", pixels(3))


def test_what_is_kept_does_not_grow_with_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.prediction.rasters.tiff._KEPT", 20_000)
    tifffile.imwrite(tmp_path / "a.tif", pixels(3), photometric="rgb", tile=(32, 32))
    raster = open_raster(tmp_path / "a.tif")
    for row in range(150):
        raster.read(slice(row, row + 1), slice(0, 203))
    assert 0 < raster._kept.bytes <= 20_000
    raster.close()


def refused(path, message):
    with pytest.raises(ImageError, match=message) as error, closing(open_raster(path)) as raster:
        raster.read(slice(0, raster.size[0]), slice(0, raster.size[1]))
    assert str(path) in error.value.message
    assert error.value.hint


def test_what_cannot_be_read_in_parts_is_refused_with_a_reason(tmp_path):
    refused(tmp_path / "none.tif", "does not exist")
    (tmp_path / "no.tif").write_bytes(b"II*\0 and then nothing")
    refused(tmp_path / "no.tif", "damaged")
    tifffile.imwrite(tmp_path / "float.tif", np.zeros((20, 20), np.float32))
    refused(tmp_path / "float.tif", "values of type float32")
    tifffile.imwrite(
        tmp_path / "stack.tif", np.zeros((5, 20, 20), np.uint8), photometric="minisblack"
    )
    refused(tmp_path / "stack.tif", "several pictures")


def test_a_stack_that_hides_behind_one_page_is_refused(tmp_path):
    stack = np.zeros((5, 20, 20), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", truncate=True)
    refused(tmp_path / "a.tif", "several pictures")


def test_a_file_that_ends_too_early_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", pixels(3), photometric="rgb", tile=(64, 64))
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(content[:-5000])
    refused(tmp_path / "b.tif", "ends within part|damaged")


def test_long_compressed_strips_are_refused_with_the_way_to_save_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.prediction.rasters.tiff._LONGEST", 1000)
    tifffile.imwrite(tmp_path / "a.tif", pixels(3), photometric="rgb", compression="zlib")
    refused(tmp_path / "a.tif", "has strips of")
    # As most programs write files: any part of it can be read.
    tifffile.imwrite(tmp_path / "b.tif", pixels(3), photometric="rgb")
    check_parts(tmp_path / "b.tif", pixels(3))


def changed(path, tag, value):
    """Change a tag of a file."""
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[tag].overwrite(value)


def test_missing_strips_are_refused_before_anything_is_read(tmp_path):
    for name, more in (("strips", {"rowsperstrip": 16}), ("tiles", {"tile": (32, 32)})):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, pixels(3), photometric="rgb", compression="zlib", **more)
        kind = "StripOffsets" if name == "strips" else "TileOffsets"
        with tifffile.TiffFile(path) as file:
            offsets = file.pages[0].tags[kind].value
        changed(path, kind, offsets[:3])
        with pytest.raises(ImageError, match="damaged"):
            open_raster(path)


def test_strips_that_are_longer_than_their_rows_are_not_read_as_one(tmp_path):
    image, path = pixels(1), tmp_path / "a.tif"
    tifffile.imwrite(path, image[..., 0], rowsperstrip=50)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        rows = [image[first : first + 50].tobytes() for first in (0, 50, 100)]
    # Each strip is followed by some bytes that are counted as its own.
    begin = path.stat().st_size
    padded = b"".join(row + b"12345678" for row in rows)
    path.write_bytes(path.read_bytes() + padded)
    length = len(rows[0]) + 8
    changed(path, "StripOffsets", tuple(begin + number * length for number in range(3)))
    changed(path, "StripByteCounts", (length, length, length))
    assert page.rowsperstrip == 50
    check_parts(path, image)


def test_packed_bits_and_bits_turned_round_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels(1, np.uint16)[..., 0], rowsperstrip=16)
    changed(path, "BitsPerSample", 12)
    refused(path, "12 bits")
    Image.fromarray(pixels(1)[..., 0]).save(path, compression="tiff_lzw", tiffinfo={266: 2})
    refused(path, "FillOrder")


def test_transparent_pixels_are_refused(tmp_path):
    image = pixels(4)
    image[..., 3] = 255
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", extrasamples=["unassalpha"])
    check_parts(tmp_path / "a.tif", image[..., :3])
    image[3, 5, 3] = 254
    tifffile.imwrite(tmp_path / "b.tif", image, photometric="rgb", extrasamples=["unassalpha"])
    refused(tmp_path / "b.tif", "transparent")


def test_files_that_are_only_read_whole_are_not_read_in_parts_while_they_fit(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.prediction.rasters.raster.LARGE", 30_000)
    Image.fromarray(pixels(3)).convert("CMYK").save(tmp_path / "a.tif")
    assert not is_read_in_parts(tmp_path / "a.tif")
    monkeypatch.setattr("delineate.prediction.rasters.raster.MAX_PIXELS", 30_400)
    assert is_read_in_parts(tmp_path / "a.tif")


def test_only_large_files_and_folders_of_zarr_are_read_in_parts(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", pixels(1)[..., 0])
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "a.ome.zarr").mkdir()
    (tmp_path / "a.ome.zarr" / ".zattrs").write_text('{"multiscales": [{}]}')
    assert not is_read_in_parts(tmp_path / "a.tif")
    monkeypatch.setattr("delineate.prediction.rasters.raster.LARGE", 30_000)
    assert is_read_in_parts(tmp_path / "a.tif")
    assert not is_read_in_parts(tmp_path / "a.png")
    assert is_read_in_parts(tmp_path / "a.ome.zarr")
