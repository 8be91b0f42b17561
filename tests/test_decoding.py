"""Files of every kind become the right pixels, or an ImageError."""

import contextlib
import io
import os
import struct
import threading
import time
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from delineate import decoding
from delineate.errors import ImageError
from delineate.imaging import IMAGE_SUFFIXES, MAX_PIXELS, read_image, read_mask, read_size

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 14), dtype=np.uint8)
RGB = RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (9, 14), dtype=np.uint16)
RGB16 = RNG.integers(0, 65536, (9, 14, 3), dtype=np.uint16)
IDS = RNG.integers(0, 5, (9, 14), dtype=np.uint8)
HUGE = "bomb_valid_20000x20000_1bit.png"  # valid, under the limit, and 400 MB of pixels


def saved(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def png(path: Path, bits: int, colour: int, size: tuple[int, int], rows: bytes, **chunks) -> Path:
    """Write a PNG by hand: rows come with their filter bytes; extra chunks before IDAT."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", size[1], size[0], bits, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header)]
    late = chunks.pop("late", b"")
    parts += [chunk(name.encode(), data) for name, data in chunks.items()]
    parts += [chunk(b"IDAT", zlib.compress(rows))]
    parts += [chunk(b"eXIf", late)] if late else []
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))
    return path


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def refused(path: Path, word: str, reader=read_image) -> ImageError:
    with pytest.raises(ImageError, match=word) as caught:
        reader(path)
    assert str(path) in caught.value.message
    assert caught.value.hint.endswith(".")
    return caught.value


# What is read


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tif"])
def test_lossless_rgb_comes_back_as_it_was(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", RGB, **({"lossless": True} if suffix == ".webp" else {}))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    np.testing.assert_array_equal(image, RGB)
    assert read_size(path) == (9, 14)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_grey_has_one_channel_and_is_its_own_mask(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", GREY)
    np.testing.assert_array_equal(read_image(path), GREY[..., None])
    np.testing.assert_array_equal(read_mask(path), GREY)


@pytest.mark.parametrize("array", [GREY, RGB])
def test_a_jpeg_is_what_pillow_decodes(tmp_path, array):
    path = saved(tmp_path / "a.jpg", array)
    expected = np.asarray(Image.open(path)).reshape(9, 14, -1)
    np.testing.assert_array_equal(read_image(path), expected)


def test_the_suffix_does_not_decide_the_format(tmp_path):
    path = saved(tmp_path / "a.jpg", RGB, format="PNG")
    np.testing.assert_array_equal(read_image(path), RGB)


def test_opaque_alpha_is_dropped(tmp_path):
    opaque = np.dstack([RGB, np.full((9, 14), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.png", opaque)), RGB)
    grey = np.dstack([GREY, np.full((9, 14), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "b.png", grey)), GREY[..., None])


def test_transparent_pixels_are_refused_and_counted(tmp_path):
    alpha = np.full((9, 14), 255, np.uint8)
    alpha[0, :3] = 254
    error = refused(saved(tmp_path / "a.png", np.dstack([RGB, alpha])), "3 transparent pixels")
    assert "Flatten" in error.hint


@pytest.mark.parametrize(
    ("array", "key"), [(GREY, 77), (RGB, (10, 20, 30)), (GREY16, 300)], ids=["grey", "rgb", "deep"]
)
def test_a_transparent_colour_is_refused_only_where_it_occurs(tmp_path, array, key):
    array = array.copy()
    array[(array == key) if np.isscalar(key) else (array == key).all(-1)] += 1
    path = saved(tmp_path / "a.png", array, transparency=key)
    np.testing.assert_array_equal(read_image(path), array.reshape(9, 14, -1))
    array[4, 4] = key
    refused(saved(path, array, transparency=key), "1 transparent pixels")


def test_a_palette_becomes_rgb_as_image_and_indices_as_mask(tmp_path):
    picture = Image.fromarray(IDS)
    picture.putpalette(bytes(range(30, 45)))
    picture.save(tmp_path / "a.png")
    expected = np.arange(30, 45, dtype=np.uint8).reshape(5, 3)[IDS]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), IDS)


@pytest.mark.parametrize("transparency", [0, b"\x00\xff\x80"])
def test_a_palette_with_a_transparent_background_is_a_mask_but_no_image(tmp_path, transparency):
    picture = Image.fromarray(IDS)
    picture.putpalette(bytes(range(30, 45)))
    picture.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), IDS)
    refused(
        tmp_path / "a.png", f"{np.isin(IDS, [0, 2] if transparency else [0]).sum()} transparent"
    )


def test_an_index_outside_the_palette_is_no_colour(tmp_path):
    rows = b"\x00\x00\x01\x02"
    path = png(tmp_path / "a.png", 8, 3, (1, 3), rows, PLTE=b"\x01\x02\x03\x04\x05\x06")
    refused(path, "colour 2 of a palette of 2")
    assert read_mask(path).tolist() == [[0, 1, 2]]


def test_cmyk_becomes_rgb(tmp_path):
    for name in ("a.jpg", "a.tif"):
        Image.new("CMYK", (14, 9), (0, 255, 255, 0)).save(tmp_path / name)
        image = read_image(tmp_path / name)
        assert image.shape == (9, 14, 3)
        assert (image[..., 0] > 250).all()
        assert (image[..., 1:] < 5).all()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_one_bit_is_0_and_255_as_image_and_0_and_1_as_mask(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", IDS > 2)
    np.testing.assert_array_equal(read_image(path), (IDS > 2)[..., None] * np.uint8(255))
    np.testing.assert_array_equal(read_mask(path), IDS > 2)
    assert read_mask(path).dtype == np.uint8


@pytest.mark.parametrize(("bits", "packed"), [(2, b"\x1b"), (4, b"\x01\x23")])
def test_few_bits_are_scaled_as_image_and_stored_values_as_mask(tmp_path, bits, packed):
    path = png(tmp_path / "a.png", bits, 0, (1, 4), b"\x00" + packed, tRNS=b"\x00\x03")
    assert read_mask(path).tolist() == [[0, 1, 2, 3]]
    refused(path, "1 transparent pixels")
    path = png(tmp_path / "b.png", bits, 0, (1, 4), b"\x00" + packed)
    step = 255 // (2**bits - 1)
    assert read_image(path)[0, :, 0].tolist() == [0, step, 2 * step, 3 * step]


def test_sixteen_bits_stay_sixteen_bits(tmp_path):
    for name, array in (("g", GREY16), ("c", RGB16)):
        for suffix in (".png", ".tif"):
            path = tmp_path / f"{name}{suffix}"
            path.write_bytes(
                cv2.imencode(suffix, array[..., ::-1] if array.ndim == 3 else array)[1]
            )
            image = read_image(path)
            assert image.dtype == np.uint16
            np.testing.assert_array_equal(image, array.reshape(9, 14, -1))
    np.testing.assert_array_equal(read_mask(tmp_path / "g.png"), GREY16)


def test_sixteen_bits_with_alpha_follow_the_same_rules(tmp_path):
    rows = b"".join(
        b"\x00" + np.dstack([row, row | 65535]).astype(">u2").tobytes() for row in GREY16
    )
    path = png(tmp_path / "a.png", 16, 4, (9, 14), rows)
    np.testing.assert_array_equal(read_image(path), GREY16[..., None])
    half = np.dstack([RGB16, np.full((9, 14), 65534, np.uint16)])
    (tmp_path / "b.png").write_bytes(cv2.imencode(".png", half)[1])
    refused(tmp_path / "b.png", "126 transparent")


@pytest.mark.parametrize("orientation", range(1, 10))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_exif_orientation_is_applied(tmp_path, suffix, orientation):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = saved(tmp_path / f"a{suffix}", GREY, exif=exif_of(orientation), **options)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("L"))
    np.testing.assert_array_equal(read_mask(path), expected)
    np.testing.assert_array_equal(read_image(path)[..., 0], expected)
    assert read_size(path) == expected.shape


def test_orientation_is_found_behind_the_pixels_too(tmp_path):
    path = png(tmp_path / "a.png", 8, 0, (1, 2), b"\x00\x05\x06", late=exif_of(6)[6:])
    assert read_mask(path).tolist() == [[5], [6]]
    assert read_size(path) == (2, 1)


def test_broken_exif_does_not_spoil_a_picture(tmp_path):
    path = png(tmp_path / "a.png", 8, 0, (1, 2), b"\x00\x05\x06", eXIf=b"nonsense")
    assert read_mask(path).tolist() == [[5, 6]]
    path = saved(tmp_path / "a.jpg", GREY, exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert read_image(path).shape == (9, 14, 1)
    path = saved(tmp_path / "b.jpg", GREY, exif=b"Exif\x00\x00nonsense")
    assert read_size(path) == (9, 14)


# Masks


def test_a_mask_saved_as_rgb_with_equal_channels_is_read(tmp_path):
    path = saved(tmp_path / "a.png", np.dstack([IDS] * 3))
    np.testing.assert_array_equal(read_mask(path), IDS)
    opaque = np.dstack([IDS] * 3 + [np.full_like(IDS, 255)])
    np.testing.assert_array_equal(read_mask(saved(path, opaque)), IDS)


def test_a_colour_mask_asks_for_a_colour_table(tmp_path):
    error = refused(saved(tmp_path / "a.png", RGB), "colour picture", read_mask)
    assert "dataset.toml" in error.hint


def test_alpha_that_repeats_the_values_is_accepted_and_alpha_that_adds_to_them_is_not(tmp_path):
    same = np.dstack([IDS * 50] * 3 + [np.where(IDS > 0, 255, 0).astype(np.uint8)])
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "a.png", same)), IDS * 50)
    all_white = same.copy()
    all_white[..., :3] = 255
    refused(saved(tmp_path / "b.png", all_white), "transparency", read_mask)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint32])
def test_wide_labels_fit_16_bits_or_are_refused(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", IDS.astype(kind))
    mask = read_mask(tmp_path / "a.tif")
    assert mask.dtype == np.uint16
    np.testing.assert_array_equal(mask, IDS)
    refused(tmp_path / "a.tif", f"type {np.dtype(kind)}")
    bad = IDS.astype(kind)
    bad[0, 0] = np.iinfo(kind).min or 70_000
    tifffile.imwrite(tmp_path / "a.tif", bad)
    refused(tmp_path / "a.tif", "values from", read_mask)


# TIFF


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
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), IDS)


@pytest.mark.parametrize("array", [GREY, GREY16])
def test_white_as_zero_is_turned_in_images_and_refused_in_masks(tmp_path, array):
    tifffile.imwrite(tmp_path / "a.tif", ~array, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), array[..., None])
    refused(tmp_path / "a.tif", "white as zero", read_mask)


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
    for reader in (read_image, read_mask, read_size):
        assert "uint16" in refused(tmp_path / "a.tif", np.dtype(kind).name, reader).hint


@pytest.mark.parametrize(
    "options", [{}, {"imagej": True}, {"volumetric": True, "tile": (2, 16, 16)}]
)
def test_stacks_are_refused_with_what_to_do(tmp_path, options):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((4, 32, 32), np.uint8), photometric="minisblack", **options
    )
    for reader in (read_image, read_mask, read_size):
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


def test_other_colour_spaces_and_bands_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="cielab")
    refused(tmp_path / "a.tif", "CIELAB")
    tifffile.imwrite(
        tmp_path / "b.tif",
        np.zeros((8, 8, 5), np.uint8),
        photometric="minisblack",
        planarconfig="contig",
    )
    refused(tmp_path / "b.tif", "5 channels")
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((8, 8, 4), np.uint16), photometric="separated")
    refused(tmp_path / "c.tif", "SEPARATED, uint16")


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize(
    ("mode", "kind"), [("LAB", "3 channels of kind CIELAB"), ("PA", "PALETTE")]
)
def test_colours_that_pillow_alone_knows_are_refused(tmp_path, mode, kind, compression):
    Image.new(mode, (4, 4)).save(tmp_path / "a.tif", compression=compression)
    refused(tmp_path / "a.tif", kind)


def test_a_kind_of_pixel_that_pillow_may_invent_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", GREY)
    monkeypatch.setattr(decoding.PngImageFile, "load", lambda self: setattr(self, "_mode", "HSV"))
    refused(path, "kind 'HSV'")


# What is refused


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_truncated_file_is_refused(tmp_path, suffix):
    whole = io.BytesIO()
    kind = Image.registered_extensions()[suffix]
    Image.fromarray(np.tile(RGB, (20, 20, 1))).save(whole, kind)
    path = tmp_path / f"a{suffix}"
    for share in (0, 0.001, 0.01, 0.3, 0.6, 0.99):
        path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * share)])
        for reader in (read_image, read_mask):
            refused(path, "empty" if share == 0 else "damaged|no format", reader)


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("tag", [273, 279])
def test_a_tiff_whose_parts_are_missing_is_refused(tmp_path, compression, tag):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.tile(GREY, (9, 9)), compression=compression, rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        values = list(tiff.pages[0].tags[tag].value)
        tiff.pages[0].tags[tag].overwrite([0 if i == 1 else v for i, v in enumerate(values)])
    refused(path, "damaged")


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path):
    content = bytearray(saved(tmp_path / "a.png", RGB).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    refused(tmp_path / "a.png", "checksum")


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_animations_are_refused(tmp_path, suffix):
    frames = [Image.fromarray(np.roll(RGB, shift, axis=0)) for shift in range(3)]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    for reader in (read_image, read_mask, read_size):
        refused(tmp_path / f"a{suffix}", "several pictures", reader)


def test_bombs_are_refused_by_their_header(tmp_path):
    bomb = png(tmp_path / "a.png", 8, 0, (25_000, 20_001), b"")
    tiff = tmp_path / "a.tif"
    tifffile.imwrite(tiff, GREY)
    with tifffile.TiffFile(tiff, mode="r+b") as opened:
        for name in ("ImageWidth", "ImageLength"):
            opened.pages[0].tags[name].overwrite(30_000)
    start = time.monotonic()
    for path in (bomb, tiff):
        for reader in (read_image, read_mask, read_size):
            assert f"{MAX_PIXELS}" in refused(path, "the limit is", reader).message
    assert time.monotonic() - start < 1
    limit = png(tmp_path / "b.png", 8, 0, (25_000, 20_000), b"")
    assert read_size(limit) == (25_000, 20_000)


def test_other_formats_are_refused_with_those_that_are_read(tmp_path):
    error = refused(saved(tmp_path / "a.png", GREY, format="GIF"), "GIF89a|GIF87a")
    assert "PNG" in error.hint


def test_what_is_no_file_is_refused(tmp_path):
    refused(tmp_path / "missing.png", "does not exist")
    refused(tmp_path, "not a regular file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        refused(tmp_path / "pipe.png", "not a regular file")


def test_what_may_not_be_read_is_said_so(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", GREY)

    def deny(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    refused(path, "may not be read")


def test_16_bit_colour_that_opencv_cannot_decode_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".png", RGB16)[1])
    monkeypatch.setattr(decoding.cv2, "imdecode", lambda *_: None)
    refused(path, "16-bit colours")


def test_threads_that_read_leave_the_warning_filters_as_they_were(tmp_path):
    path = saved(tmp_path / "a.jpg", GREY, exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=lambda: [read_image(path) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


# Real files


def test_every_odd_file_gives_a_picture_or_an_image_error_in_time(real_data):
    paths = [p for p in sorted((real_data / "odd_images").glob("*/*")) if p.name != HUGE]
    assert len(paths) > 150
    read = 0
    for path in paths:
        for reader in (read_image, read_mask, read_size):
            start = time.monotonic()
            with contextlib.suppress(ImageError):
                result = reader(path)
                assert min(result if reader is read_size else result.shape[:2]) > 0
                read += reader is read_image
            assert time.monotonic() - start < 3, path
    assert read > 35


def test_odd_files_that_pillow_reads_as_plain_rgb_or_grey_have_its_pixels(real_data):
    compared = 0
    for path in sorted((real_data / "odd_images").glob("*/*")):
        if path.name == HUGE:
            continue
        try:
            image = read_image(path)
        except ImageError:
            continue
        with Image.open(path) as picture:
            if image.dtype != np.uint8 or picture.mode not in ("L", "RGB"):
                continue
            picture.load()
            expected = np.asarray(ImageOps.exif_transpose(picture))
        np.testing.assert_array_equal(image, expected.reshape(image.shape), err_msg=str(path))
        compared += 1
    assert compared > 15


def test_a_huge_picture_under_the_limit_has_its_size(real_data):
    assert read_size(real_data / "odd_images/made" / HUGE) == (20_000, 20_000)


def test_real_masks_hold_their_documented_ids(real_data):
    voc = read_mask(real_data / "voc2012_sample/SegmentationClass/2007_000032.png")
    assert set(np.unique(voc)) <= {*range(21), 255}
    assert 255 in voc
    camvid = next((real_data / "camvid/val/masks").iterdir())
    assert set(np.unique(read_mask(camvid))) <= set(range(12))
    labels = read_mask(real_data / "tiff/mask2d.tif")
    np.testing.assert_array_equal(labels, tifffile.imread(real_data / "tiff/mask2d.tif"))


def test_a_large_photograph_is_what_opencv_shows(real_data):
    image = read_image(real_data / "large_photo_4032x3024.jpg")
    content = np.frombuffer((real_data / "large_photo_4032x3024.jpg").read_bytes(), np.uint8)
    shown = cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]
    assert image.shape == shown.shape
    assert np.abs(image[::7, ::7].astype(int) - shown[::7, ::7]).mean() < 1
