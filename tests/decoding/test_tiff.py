"""TIFF files of many makes: channels, alpha, stacks, orientations, compressions."""

import struct
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.image_files import (
    GREY,
    GREY16,
    IDS,
    RGB,
    RGB16,
    in_lzw,
    lzw,
    read_values,
    refused,
    saved,
)

from delineate.decoding import stored
from delineate.imaging import read_float, read_image, read_size
from delineate.prediction.rasters.tiff import TiffRaster

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("array", [GREY, RGB, GREY16, RGB16], ids=["8", "3x8", "16", "3x16"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "deflate", "predictor": True},
        {"tile": (16, 16)},
        {"byteorder": ">"},
        {"bigtiff": True},
    ],
    ids=str,
)
def test_tiffs_of_all_common_makes_are_read(tmp_path, array, options):
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == array.dtype
    np.testing.assert_array_equal(image, array.reshape(9, 14, -1))


@pytest.mark.parametrize("array", [RGB, RGB16])
def test_a_planar_tiff_is_turned_round(tmp_path, array):
    planes = np.moveaxis(array, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, planarconfig="separate", photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), array)


def test_tiff_alpha_is_dropped_where_opaque(tmp_path):
    for alpha, fits in ((255, True), (200, False)):
        array = np.dstack([RGB, np.full((9, 14), alpha, np.uint8)])
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["unassalpha"])
        if fits:
            np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), RGB)
        else:
            refused(tmp_path / "a.tif", "126 transparent")


@pytest.mark.parametrize("scale", [1, 257])
def test_a_tiff_palette_gives_colours_and_indices(tmp_path, scale):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, :5] = np.arange(15).reshape(3, 5)
    tifffile.imwrite(tmp_path / "a.tif", IDS, photometric="palette", colormap=colours * scale)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), colours.T.astype(np.uint8)[IDS])
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), IDS)


@pytest.mark.parametrize("array", [GREY, GREY16])
def test_white_as_zero_is_turned_in_images_and_refused_in_masks(tmp_path, array):
    tifffile.imwrite(tmp_path / "a.tif", ~array, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), array[..., None])
    refused(tmp_path / "a.tif", "white as zero", read_values)


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "group4"])
def test_compressions_beyond_tifffile_are_left_to_pillow(tmp_path, compression):
    array = IDS > 2 if compression == "group4" else RGB
    path = saved(tmp_path / "a.tif", array, compression=compression)
    with Image.open(path) as picture:
        expected = np.asarray(picture.convert("L" if compression == "group4" else "RGB"))
    np.testing.assert_array_equal(read_image(path), expected.reshape(9, 14, -1))


@pytest.mark.parametrize("orientation", [1, 6])
def test_16_bit_colour_in_lzw_keeps_its_bits_and_is_turned(tmp_path, orientation):
    content = cv2.imencode(".tif", RGB16[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes()
    start = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, start)[0]
    entries = [content[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: entry[:2][::-1])
    directory = struct.pack("<H", count + 1) + b"".join(entries) + bytes(4)
    path = tmp_path / "a.tif"
    path.write_bytes(content[:4] + struct.pack("<I", len(content)) + content[8:] + directory)
    expected = RGB16 if orientation == 1 else np.rot90(RGB16, -1)
    np.testing.assert_array_equal(read_image(path), expected)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_tiff_is_applied_once(tmp_path, orientation, compression):
    # The eight turns as the EXIF standard words them: where row 0 and column 0 are shown.
    turns = {
        2: np.fliplr,
        3: lambda array: np.rot90(array, 2),
        4: np.flipud,
        5: lambda array: array.transpose(1, 0, 2),
        6: lambda array: np.rot90(array, -1),
        7: lambda array: np.rot90(array, 2).transpose(1, 0, 2),
        8: np.rot90,
    }
    path = saved(tmp_path / "a.tif", RGB, compression=compression, tiffinfo={274: orientation})
    expected = turns.get(orientation, lambda array: array)(RGB)
    np.testing.assert_array_equal(read_image(path), expected)
    assert read_size(path) == expected.shape[:2]


def test_an_oriented_cmyk_tiff_is_turned(tmp_path):
    array = np.zeros((9, 14, 4), np.uint8)
    array[2, 3] = 255
    Image.frombytes("CMYK", (14, 9), array.tobytes()).save(tmp_path / "a.tif", tiffinfo={274: 8})
    dark = np.argwhere(read_image(tmp_path / "a.tif").sum(-1) == 0)
    assert dark.tolist() == [[10, 2]]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16])
def test_float_tiffs_are_refused_with_what_to_do(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(kind))
    for reader in (read_image, read_values, read_size):
        assert "uint16" in refused(tmp_path / "a.tif", np.dtype(kind).name, reader).hint


@pytest.mark.parametrize(
    "options",
    [{}, {"imagej": True, "metadata": {"axes": "ZYX"}}, {"volumetric": True, "tile": (2, 16, 16)}],
)
def test_stacks_are_refused_with_what_to_do(tmp_path, options):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((4, 32, 32), np.uint8), photometric="minisblack", **options
    )
    for reader in (read_image, read_values, read_size):
        assert "page" in refused(tmp_path / "a.tif", "several pictures", reader).hint


def test_a_stack_that_hides_in_one_page_is_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif", imagej=True) as tiff:
        tiff.write(np.zeros((4, 32, 32), np.uint8), truncate=True)
    refused(tmp_path / "a.tif", "several pictures")


def test_reduced_copies_of_a_page_are_not_more_pictures(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(GREY)
        tiff.write(GREY[::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), GREY[..., None])


def test_other_colour_spaces_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="cielab")
    refused(tmp_path / "a.tif", "CIELAB")
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((8, 8, 4), np.uint16), photometric="separated")
    refused(tmp_path / "c.tif", "SEPARATED, uint16")


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize(
    ("mode", "kind"), [("LAB", "3 channels of kind CIELAB"), ("PA", "PALETTE")]
)
def test_colours_that_pillow_alone_knows_are_refused(tmp_path, mode, kind, compression):
    Image.new(mode, (4, 4)).save(tmp_path / "a.tif", compression=compression)
    refused(tmp_path / "a.tif", kind)


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("tag", [273, 279])
def test_a_tiff_whose_parts_are_missing_is_refused(tmp_path, compression, tag):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.tile(GREY, (9, 9)), compression=compression, rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        values = list(tiff.pages[0].tags[tag].value)
        tiff.pages[0].tags[tag].overwrite([0 if i == 1 else v for i, v in enumerate(values)])
    refused(path, "damaged")


# Channels


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("channels", [2, 4, 5, 13])
@pytest.mark.parametrize("make", [Path, in_lzw], ids=["plain", "lzw"])
def test_any_number_of_channels_is_read(tmp_path, channels, planarconfig, kind, make):
    array = RNG.integers(0, np.iinfo(kind).max, (9, 14, channels), kind)
    stored = array if planarconfig == "contig" else np.moveaxis(array, 2, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="minisblack", planarconfig=planarconfig)
    image = read_image(make(path))
    assert image.dtype == kind
    np.testing.assert_array_equal(image, array)
    assert read_size(path) == (9, 14)


def test_red_green_blue_and_infrared_are_four_channels(tmp_path):
    array = RNG.integers(0, 256, (9, 14, 4), np.uint8)
    options = {"photometric": "rgb", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", array, extrasamples=["unspecified"], **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), array)
    tifffile.imwrite(tmp_path / "a.tif", array, extrasamples=["unassalpha"], **options)
    refused(tmp_path / "a.tif", "transparent pixels")


@pytest.mark.parametrize(
    ("extra", "channels"), [("unspecified", 2), ("unassalpha", 1), ("assocalpha", 1)]
)
def test_grey_and_alpha_are_told_from_two_channels(tmp_path, extra, channels):
    array = np.dstack([GREY, np.full_like(GREY, 255)])
    tifffile.imwrite(
        tmp_path / "a.tif",
        array,
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=[extra],
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), array[..., :channels])


def test_alpha_is_found_among_further_channels(tmp_path):
    array = RNG.integers(0, 256, (9, 14, 6), np.uint8)
    array[..., 4] = 255
    tifffile.imwrite(
        tmp_path / "a.tif",
        array,
        photometric="rgb",
        planarconfig="contig",
        extrasamples=["unspecified", "unassalpha", "unspecified"],
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), array[..., [0, 1, 2, 3, 5]])


@pytest.mark.parametrize("last", [255, 254])
def test_a_last_channel_that_nothing_is_said_about_has_to_say_nothing(tmp_path, last):
    array = np.dstack([RGB, np.full((9, 14), last, np.uint8)])
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, photometric="rgb", extrasamples=["unassalpha"])
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags["ExtraSamples"].offset
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, place, 337)  # another tag, of no meaning here
    path.write_bytes(content)
    if last == 255:
        np.testing.assert_array_equal(read_image(path), RGB)
    else:
        refused(path, "last channel of 4 is transparency")


@pytest.mark.parametrize(
    ("options", "make"),
    [
        ({"imagej": True}, Path),  # whose pages in LZW would not stand together
        ({"ome": True}, Path),
        ({"ome": True}, in_lzw),
        ({}, Path),
        ({}, in_lzw),
    ],
    ids=["ImageJ", "OME", "OME in LZW", "tifffile", "tifffile in LZW"],
)
def test_pages_that_are_called_channels_are_channels(tmp_path, options, make):
    array = RNG.integers(0, 65536, (3, 9, 14), np.uint16)
    path = tmp_path / "a.tif"
    options = {"photometric": "minisblack", "metadata": {"axes": "CYX"}} | options
    tifffile.imwrite(path, array, **options)
    np.testing.assert_array_equal(read_image(make(path)), np.moveaxis(array, 0, 2))
    assert read_size(path) == (9, 14)


@pytest.mark.parametrize("axes", ["TCYX", "ZCYX", "CZYX"])
@pytest.mark.parametrize("make", ["imagej", "ome", "shaped"])
def test_channels_of_depths_or_times_are_refused(tmp_path, axes, make):
    if make == "imagej" and axes == "CZYX":
        axes = "TZYX"
    array = np.zeros((2, 2, 9, 14), np.uint8)
    options = {"metadata": {"axes": axes}} | ({} if make == "shaped" else {make: True})
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", **options)
    for reader in (read_image, read_size):
        assert "tiffsplit" in refused(tmp_path / "a.tif", "several pictures .4 pages", reader).hint


OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels DimensionOrder="XYCZT" ID="Pixels:0" SizeC="{count}" SizeT="1" '
    'SizeX="14" SizeY="9" SizeZ="1" Type="uint8">{data}</Pixels></Image>{more}</OME>'
)


@pytest.mark.parametrize(
    ("count", "data", "more", "read"),
    [
        (2, "<TiffData/>", "", True),
        (2, '<TiffData FirstC="0" IFD="0"/><TiffData FirstC="1" IFD="1"/>', "", True),
        (2, '<TiffData FirstC="1" IFD="0"/><TiffData FirstC="0" IFD="1"/>', "", False),
        (3, '<TiffData><UUID FileName="/etc/passwd">urn:uuid:1</UUID></TiffData>', "", False),
        (10**15, "<TiffData/>", "", False),
        (2, "<TiffData/>", '<Image ID="Image:1"><Pixels SizeC="2"/></Image>', False),
    ],
    ids=["all", "in order", "turned", "in other files", "bomb", "two images"],
)
def test_ome_metadata_are_followed_no_further_than_this_file(tmp_path, count, data, more, read):
    array = RNG.integers(0, 256, (2, 9, 14), np.uint8)
    text = OME.format(count=count, data=data, more=more)
    options = {"photometric": "minisblack", "metadata": None, "description": text}
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    if read:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.moveaxis(array, 0, 2))
    else:
        refused(tmp_path / "a.tif", "several pictures")


def test_too_many_channels_are_refused_by_the_header(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.zeros((9, 14, 5), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name in ("ImageWidth", "ImageLength"):
            tiff.pages[0].tags[name].overwrite(21_000)
    refused(path, "of 5 channels; the limit is 2000000000 values")


# Compressions


@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 7}, {}], ids=str)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.uint32])
def test_lzw_is_read_in_strips_and_tiles_of_all_types(tmp_path, kind, byteorder, layout, predictor):
    array = RNG.integers(0, 60_000 if np.dtype(kind).itemsize > 1 else 256, (37, 41)).astype(kind)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, array, compression="deflate", predictor=predictor, byteorder=byteorder, **layout
    )
    np.testing.assert_array_equal(read_values(in_lzw(path)), array)


@pytest.mark.parametrize("channels", [3, 5])
def test_lzw_with_differences_is_read_in_any_number_of_channels(tmp_path, channels):
    array = RNG.integers(0, 65536, (37, 41, channels), np.uint16)
    path = tmp_path / "a.tif"
    options = {"planarconfig": "contig", "photometric": "rgb" if channels == 3 else "minisblack"}
    tifffile.imwrite(path, array, compression="deflate", predictor=True, **options)
    np.testing.assert_array_equal(read_image(in_lzw(path)), array)


def test_lzw_that_is_cut_off_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.tile(GREY, (5, 5)), compression="deflate", rowsperstrip=8)
    in_lzw(path)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        count = tiff.pages[0].databytecounts[2]
    for shorter in (1, 2, count // 2, count - 1):
        path.write_bytes(whole)
        with tifffile.TiffFile(path, mode="r+b") as tiff:
            counts = list(tiff.pages[0].databytecounts)
            counts[2] -= shorter + 2  # the last code only marks the end
            tiff.pages[0].tags["StripByteCounts"].overwrite([max(n, 1) for n in counts])
        refused(path, "damaged")


def test_bits_in_the_other_order_are_read(tmp_path):
    path = saved(tmp_path / "a.tif", GREY, compression="tiff_lzw", tiffinfo={266: 2})
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].fillorder == 2
    np.testing.assert_array_equal(read_values(path), GREY)


@pytest.mark.parametrize("code", [34925, 50000, 34712])
def test_a_compression_that_is_not_read_is_named(tmp_path, code):
    tifffile.imwrite(tmp_path / "a.tif", GREY, compression="deflate")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(code)
    error = refused(tmp_path / "a.tif", f"compression {tifffile.COMPRESSION(code).name}")
    assert "tiffcp -c zip" in error.hint


def test_numbers_of_bits_that_no_reader_knows_are_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB16, photometric="rgb")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages[0].tags["BitsPerSample"].overwrite((12, 12, 12))
    refused(tmp_path / "a.tif", "3 channels and 12 bits")


# Floating-point numbers


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_are_read_for_repair(tmp_path, kind, channels):
    array = RNG.normal(0, 100, (9, 14, channels)).astype(kind)
    options = {"planarconfig": "contig"} if channels > 1 else {}
    array[0, 0] = np.nan
    array[0, 1] = np.inf
    tifffile.imwrite(tmp_path / "a.tif", array.squeeze(), photometric="minisblack", **options)
    found = read_float(tmp_path / "a.tif")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, array.astype(np.float32))


@pytest.mark.parametrize("predictor", [1, 2, 3])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_floats_are_read_from_differences(tmp_path, compression, predictor):
    array = RNG.normal(0, 100, (9, 14)).astype(np.float32)
    path = saved(tmp_path / "a.tif", array, compression=compression, tiffinfo={317: predictor})
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].predictor == predictor
    np.testing.assert_array_equal(read_float(path)[..., 0], array)


def test_whole_numbers_are_no_floats(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    refused(tmp_path / "a.tif", "uint8", read_float)
    refused(saved(tmp_path / "a.png", GREY), "only TIFF", read_float)


# Deflate, which is unpacked as far as it should go


@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 7}, {}], ids=str)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.uint32])
def test_deflate_is_read_in_strips_and_tiles_of_all_types(
    tmp_path, kind, predictor, byteorder, layout
):
    array = RNG.integers(0, 60_000 if np.dtype(kind).itemsize > 1 else 256, (37, 41)).astype(kind)
    path = tmp_path / "a.tif"
    options = {"compression": "deflate", "predictor": predictor, "byteorder": byteorder}
    tifffile.imwrite(path, array, **options, **layout)
    np.testing.assert_array_equal(read_values(path), array)
    np.testing.assert_array_equal(tifffile.imread(path), array)


@pytest.mark.parametrize("fillorder", [1, 2])
@pytest.mark.parametrize("array", [IDS > 2, GREY], ids=["1 bit", "8 bits"])
def test_bits_in_deflate_are_read_in_either_order(tmp_path, array, fillorder):
    path = saved(
        tmp_path / "a.tif", array, compression="tiff_adobe_deflate", tiffinfo={266: fillorder}
    )
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].fillorder == fillorder
        assert tiff.pages[0].compression == 8
    np.testing.assert_array_equal(read_values(path), array)


def with_strip(path, data):
    """Put other data in the place of a TIFF file's only strip."""
    content = path.read_bytes()
    path.write_bytes(content + data)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["StripOffsets"].overwrite([len(content)])
        tiff.pages[0].tags["StripByteCounts"].overwrite([len(data)])


def test_more_rows_than_the_picture_has_are_left_where_they_are(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, compression="deflate")
    with_strip(path, zlib.compress(GREY.tobytes() + bytes(300)))
    np.testing.assert_array_equal(read_values(path), GREY)


@pytest.mark.parametrize("array", [IDS > 2, GREY], ids=["1 bit", "8 bits"])
def test_a_strip_that_grows_without_end_is_not_unpacked(tmp_path, array):
    path = saved(tmp_path / "a.tif", array, compression="tiff_adobe_deflate")
    with_strip(path, zlib.compress(bytes(200_000_000)))
    tracemalloc.start()
    try:
        assert not read_values(path).any()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("array", [IDS > 2, GREY], ids=["1 bit", "8 bits"])
@pytest.mark.parametrize("damage", ["bits", "checksum", "end", "short"])
def test_deflate_that_is_damaged_is_refused(tmp_path, array, damage):
    path = saved(tmp_path / "a.tif", array, compression="tiff_adobe_deflate")
    with tifffile.TiffFile(path) as tiff:
        start, count = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    data = bytearray(path.read_bytes()[start : start + count])
    if damage == "bits":
        data[len(data) // 2] ^= 8
    elif damage == "checksum":
        data[-1] ^= 1
    elif damage == "end":
        data = data[:-5]
    else:
        data = zlib.compress(zlib.decompress(data)[:-1])
    with_strip(path, bytes(data))
    refused(path, "damaged")


# What a header claims beside the picture


def with_tags(path, *entries):
    """Add tags of 16 bits to the only page of a small TIFF file that Pillow has written."""
    content = path.read_bytes()
    start = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, start)[0]
    found = [content[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    found += [struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries]
    found.sort(key=lambda entry: entry[:2][::-1])
    directory = struct.pack("<H", len(found)) + b"".join(found) + bytes(4)
    path.write_bytes(content[:4] + struct.pack("<I", len(content)) + content[8:] + directory)
    return path


@pytest.mark.parametrize("reader", [read_image, read_size])
@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize(
    ("side", "words"),
    [(20_000, "claims 20000 x 20000 pixels, 381 MiB"), (32_000, "tiles of 32000 x 32000")],
)
def test_tiles_that_are_far_larger_than_the_picture_are_refused_by_the_header(
    tmp_path, side, words, compression, reader
):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(64, 64), compression=compression)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name in ("TileWidth", "TileLength"):
            tiff.pages[0].tags[name].overwrite(side)
    refused(path, words, reader)


def test_tiles_count_with_their_samples_and_the_depth_of_their_values(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    array = np.zeros((3, 10, 10), np.uint16)
    options = {"planarconfig": "separate", "photometric": "rgb", "compression": "deflate"}
    tifffile.imwrite(path, array, tile=(32, 32), **options)
    monkeypatch.setattr(stored, "MAX_GAIN", 0)
    monkeypatch.setattr(stored, "FREE_BYTES", 32 * 32 * 3 * 2)
    assert read_image(path).shape == (10, 10, 3)
    monkeypatch.setattr(stored, "FREE_BYTES", 32 * 32 * 3 * 2 - 1)
    refused(path, "claims 32 x 32 pixels")


@pytest.mark.parametrize("make", [zlib.compress, lzw], ids=["deflate", "lzw"])
def test_a_strip_of_far_more_bytes_than_it_can_hold_is_not_unpacked(tmp_path, make):
    path = tmp_path / "a.tif"
    array = np.zeros((1500, 1500), np.uint8)
    tifffile.imwrite(path, array, compression="deflate", rowsperstrip=1500)
    with_strip(path, make(bytes(10)))
    if make is lzw:
        with tifffile.TiffFile(path, mode="r+b") as tiff:
            tiff.pages[0].tags["Compression"].overwrite(5)
    refused(path, "of 2250000 bytes is stored in")


@pytest.mark.parametrize("compression", [None, "jpeg"])
@pytest.mark.parametrize("tag", [256, 277])
def test_a_tag_that_readers_would_take_once_each_is_refused(tmp_path, compression, tag):
    path = saved(tmp_path / "a.tif", RGB, compression=compression)
    assert read_image(path).shape == RGB.shape
    refused(with_tags(path, (tag, 1)), f"the tag {tag} more than once")


def test_pillow_has_to_see_the_same_size(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.tif", RGB, compression="jpeg")
    other = SimpleNamespace(size=(7, 9))
    monkeypatch.setattr("delineate.decoding.tiff.TiffImageFile", lambda _: other)
    refused(path, "14 x 9 pixels, and another size")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
def test_pages_that_go_round_in_a_circle_are_refused(tmp_path, big, steps):
    path = tmp_path / "circle.tif"
    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        for _ in range(3):
            writer.write(GREY, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        pages = [page.offset for page in tiff.pages]
        form = tiff.tiff
    content = bytearray(path.read_bytes())
    count = struct.unpack_from(form.tagnoformat, content, pages[-1])[0]
    place = pages[-1] + form.tagnosize + count * form.tagsize
    struct.pack_into(form.offsetformat, content, place, pages[-steps])
    path.write_bytes(content)
    refused(path, "go round in a circle")
    refused(path, "go round in a circle", TiffRaster.open)


def test_a_file_of_very_many_pages_is_refused_before_they_are_read(tmp_path):
    tag = struct.pack("<HHII", 256, 4, 1, 1)
    pages = b"".join(
        struct.pack("<H", 1) + tag + struct.pack("<I", 8 + 18 * number)
        for number in range(1, 20_000)
    )
    path = tmp_path / "many.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + pages + bytes(18))
    refused(path, "more than 10000 pages")
