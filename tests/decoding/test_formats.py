"""Files of every kind become the right pixels, or an ImageError."""

import builtins
import errno
import io
import os
import re
import struct
import threading
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from tests.image_files import (
    GREY,
    GREY16,
    IDS,
    RGB,
    RGB16,
    exif_of,
    png,
    read_values,
    refused,
    saved,
)

from delineate.decoding import pictures
from delineate.decoding import png as png_reader
from delineate.decoding.formats import decode
from delineate.decoding.stored import orientation_of
from delineate.errors import DataError, NotNowError
from delineate.imaging import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    read_float,
    read_image,
    read_labels,
    read_size,
)

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
    np.testing.assert_array_equal(read_values(path), GREY)


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
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), IDS)


@pytest.mark.parametrize("transparency", [0, b"\x00\xff\x80"])
def test_a_palette_with_a_transparent_background_is_a_mask_but_no_image(tmp_path, transparency):
    picture = Image.fromarray(IDS)
    picture.putpalette(bytes(range(30, 45)))
    picture.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), IDS)
    refused(
        tmp_path / "a.png", f"{np.isin(IDS, [0, 2] if transparency else [0]).sum()} transparent"
    )


def test_an_index_outside_the_palette_is_no_colour(tmp_path):
    rows = b"\x00\x00\x01\x02"
    path = png(tmp_path / "a.png", 8, 3, (1, 3), rows, PLTE=b"\x01\x02\x03\x04\x05\x06")
    refused(path, "colour 2 of a palette of 2")
    assert read_values(path).tolist() == [[0, 1, 2]]


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
    np.testing.assert_array_equal(read_values(path), IDS > 2)
    assert read_values(path).dtype == np.uint8


@pytest.mark.parametrize(("bits", "packed"), [(2, b"\x1b"), (4, b"\x01\x23")])
def test_few_bits_are_scaled_as_image_and_stored_values_as_mask(tmp_path, bits, packed):
    path = png(tmp_path / "a.png", bits, 0, (1, 4), b"\x00" + packed, tRNS=b"\x00\x03")
    assert read_values(path).tolist() == [[0, 1, 2, 3]]
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
    np.testing.assert_array_equal(read_values(tmp_path / "g.png"), GREY16)


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
    np.testing.assert_array_equal(read_values(path), expected)
    np.testing.assert_array_equal(read_image(path)[..., 0], expected)
    assert read_size(path) == expected.shape


def test_orientation_is_found_behind_the_pixels_too(tmp_path):
    path = png(tmp_path / "a.png", 8, 0, (1, 2), b"\x00\x05\x06", late=exif_of(6)[6:])
    assert read_values(path).tolist() == [[5], [6]]
    assert read_size(path) == (2, 1)


def test_broken_exif_does_not_spoil_a_picture(tmp_path):
    path = png(tmp_path / "a.png", 8, 0, (1, 2), b"\x00\x05\x06", eXIf=b"nonsense")
    assert read_values(path).tolist() == [[5, 6]]
    path = saved(tmp_path / "a.jpg", GREY, exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert read_image(path).shape == (9, 14, 1)
    path = saved(tmp_path / "b.jpg", GREY, exif=b"Exif\x00\x00nonsense")
    assert read_size(path) == (9, 14)


# What is refused


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_truncated_file_is_refused(tmp_path, suffix):
    whole = io.BytesIO()
    kind = Image.registered_extensions()[suffix]
    Image.fromarray(np.tile(RGB, (20, 20, 1))).save(whole, kind)
    path = tmp_path / f"a{suffix}"
    for share in (0, 0.001, 0.01, 0.3, 0.6, 0.99):
        path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * share)])
        for reader in (read_image, read_values):
            refused(path, "empty" if share == 0 else "damaged|no format", reader)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_animations_are_refused(tmp_path, suffix):
    frames = [Image.fromarray(np.roll(RGB, shift, axis=0)) for shift in range(3)]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    for reader in (read_image, read_values, read_size):
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
        for reader in (read_image, read_values, read_size):
            assert f"{MAX_PIXELS}" in refused(path, "the limit is", reader).message
    assert time.monotonic() - start < 1
    limit = png(tmp_path / "b.png", 8, 0, (25_000, 20_000), b"", tEXt=bytes(400_000))
    assert read_size(limit) == (25_000, 20_000)


def test_files_that_hold_too_little_for_what_they_claim_are_refused_by_their_header(tmp_path):
    claimed = (20_000, 20_000)
    lying = png(tmp_path / "a.png", 8, 0, claimed, b"")
    tiff = tmp_path / "a.tif"
    tifffile.imwrite(tiff, GREY)
    with tifffile.TiffFile(tiff, mode="r+b") as opened:
        for name in ("ImageWidth", "ImageLength"):
            opened.pages[0].tags[name].overwrite(20_000)
    graymap = tmp_path / "a.pgm"
    graymap.write_bytes(b"P5 20000 20000 255\nabc")
    bitmap = saved(tmp_path / "a.bmp", GREY)
    content = bytearray(bitmap.read_bytes())
    struct.pack_into("<ii", content, 18, *claimed)
    bitmap.write_bytes(content)
    for path in (lying, tiff, graymap, bitmap):
        words = f"20000 x 20000 pixels, 381 MiB, in a file of {path.stat().st_size} bytes"
        for reader in (read_image, read_values, read_size):
            refused(path, words, reader)


def test_other_formats_are_refused_with_those_that_are_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%PDF-1.7\n1 0 obj")
    assert "PNG" in refused(tmp_path / "a.png", "%PDF-1.7").hint


def test_a_kind_of_pixel_that_pillow_may_invent_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.bmp", GREY)
    monkeypatch.setattr(pictures.BmpImageFile, "load", lambda self: setattr(self, "_mode", "HSV"))
    refused(path, "kind 'HSV'")


def test_a_file_that_was_read_before_is_not_read_again(tmp_path):
    for name in ("a.png", "a.jpg", "a.tif", "a.gif", "a.ppm"):
        path = saved(tmp_path / name, RGB)
        content, image, labels = path.read_bytes(), read_image(path), read_values(path)
        path.unlink()
        np.testing.assert_array_equal(read_image(path, content), image)
        np.testing.assert_array_equal(read_labels(path, content).values, labels)
        refused(path, "damaged", lambda path, content=content: decode(path, content[:-9]))
        refused(path, "empty", lambda path: decode(path, b""))


def rle_bmp(path: Path, runs: bytes) -> Path:
    """Write a BMP of 4 x 2 pixels in run lengths of 8 bits, with two grey colours."""
    palette = bytes([0, 0, 0, 0, 200, 200, 200, 0])
    start = 14 + 40 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(runs), 0, 0, 2, 0)
    path.write_bytes(head + info + palette + runs)
    return path


def test_run_lengths_are_read_where_they_stay_in_the_picture(tmp_path):
    path = rle_bmp(tmp_path / "a.bmp", bytes([4, 1, 0, 0, 1, 0, 3, 1, 0, 0, 0, 1]))
    assert read_values(path).tolist() == [[0, 1, 1, 1], [1, 1, 1, 1]]
    for runs in ([9, 1, 0, 0, 4, 1, 0, 0, 0, 1], [4, 1, 0, 0, 4, 1, 0, 0, 4, 1, 0, 0, 0, 1]):
        refused(rle_bmp(path, bytes(runs)), "damaged")
    for runs in ([4, 1, 0, 0, 1, 0], [4, 1, 0, 0, 1, 0, 0, 1], [4, 1, 0, 0, 0, 4, 1, 1]):
        refused(rle_bmp(path, bytes(runs)), "damaged")
    whole = [0, 4, 1, 0, 1, 0, 0, 0, 4, 1, 0, 1]
    assert read_values(rle_bmp(path, bytes(whole))).tolist() == [[1] * 4, [1, 0, 1, 0]]


def test_far_more_run_lengths_than_the_picture_needs_are_not_followed(tmp_path):
    path = rle_bmp(tmp_path / "a.bmp", bytes(30_000_000))
    start = time.monotonic()
    refused(path, "run lengths do not fit")
    assert time.monotonic() - start < 1


def test_damage_is_told_in_words_about_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a.bmp"
    path.write_bytes(saved(path, RGB).read_bytes()[:-9])
    refused(path, r"\(Pillow: image file is truncated")
    path.write_bytes(b"GIF89a")
    refused(path, r"\(its header is incomplete")

    def misled(*_args):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(pictures, "load", misled)
    refused(path, r"\(its structure makes no sense\)")


def test_what_is_no_file_is_refused(tmp_path):
    refused(tmp_path / "missing.png", "does not exist")
    refused(tmp_path, "not a regular file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        for reader in (read_image, read_values, read_size):
            refused(tmp_path / "pipe.png", "not a regular file", reader)
    refused(tmp_path / f"{'x' * 300}.png", "name too long")
    refused(tmp_path / "a\0b.png", "does not exist")
    (tmp_path / "round.png").symlink_to("round.png")
    refused(tmp_path / "round.png", "symbolic links")


def test_what_may_not_be_read_is_said_so(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", GREY)

    def deny(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    refused(path, "may not be read")


OF_MACHINE = [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETIMEDOUT]
OF_FILES = [errno.ENOENT, errno.EISDIR, errno.EINVAL]


def raising(error):
    """Return a function of any arguments that raises an error."""

    def fail(*_args, **_options):
        raise error

    return fail


def of_number(number):
    return OSError(number, os.strerror(number))


def not_now(path, words, reader):
    """Expect that a file cannot be read now, which is no error about data: none leaves it out."""
    with pytest.raises(NotNowError, match=re.escape(words)) as caught:
        reader(path)
    assert str(path) in caught.value.message
    assert "cannot be read now" in caught.value.message
    assert caught.value.hint.endswith(".")
    assert not isinstance(caught.value, DataError)


@pytest.mark.parametrize("number", OF_MACHINE, ids=errno.errorcode.get)
@pytest.mark.parametrize("reader", [read_image, read_values, read_size, orientation_of])
def test_what_the_machine_cannot_read_now_is_not_called_damaged(
    tmp_path, monkeypatch, number, reader
):
    path = saved(tmp_path / "a.tif", GREY)
    for owner in (Path, builtins):  # Pillow opens files by the second
        monkeypatch.setattr(owner, "open", raising(of_number(number)))
    not_now(path, os.strerror(number), reader)


@pytest.mark.parametrize("number", OF_MACHINE, ids=errno.errorcode.get)
def test_nor_is_what_it_cannot_look_at_or_read_to_its_end(tmp_path, monkeypatch, number):
    path = saved(tmp_path / "a.bmp", GREY)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", raising(of_number(number)))
        not_now(path, os.strerror(number), read_image)
    with monkeypatch.context() as patched:
        patched.setattr(pictures, "load", raising(of_number(number)))
        not_now(path, os.strerror(number), read_image)
    monkeypatch.setattr(Image.Image, "getexif", raising(of_number(number)))
    not_now(path, os.strerror(number), read_image)


@pytest.mark.parametrize("number", OF_FILES, ids=errno.errorcode.get)
def test_an_error_that_a_file_may_be_the_reason_of_is_one_about_the_file(
    tmp_path, monkeypatch, number
):
    path = saved(tmp_path / "a.bmp", GREY)
    monkeypatch.setattr(pictures, "load", raising(of_number(number)))
    refused(path, "truncated or damaged")


def test_a_picture_that_does_not_fit_into_the_memory_is_not_called_damaged(tmp_path, monkeypatch):
    grey, floats = saved(tmp_path / "a.png", GREY), tmp_path / "a.tif"
    tifffile.imwrite(floats, np.ones((4, 5), np.float32))
    lacking = cv2.error("Failed to allocate 5 bytes")
    lacking.code = cv2.Error.StsNoMem
    for error in (MemoryError(), lacking):
        with monkeypatch.context() as patched:
            patched.setattr(cv2, "imdecode", raising(error))
            not_now(grey, "not enough memory", read_image)
            not_now(grey, "not enough memory", lambda path: decode(path, path.read_bytes()))
        with monkeypatch.context() as patched:
            patched.setattr(tifffile.TiffPage, "asarray", raising(error))
            not_now(floats, "not enough memory", read_float)


def test_a_header_that_asks_for_much_memory_is_damaged(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", GREY)
    monkeypatch.setattr(png_reader, "_chunks", raising(MemoryError()))
    refused(path, "truncated or damaged")
    refused(path, "truncated or damaged", read_size)


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


def test_real_masks_hold_their_documented_ids(real_data):
    voc = read_values(real_data / "voc2012_sample/SegmentationClass/2007_000032.png")
    assert set(np.unique(voc)) <= {*range(21), 255}
    assert 255 in voc
    camvid = next((real_data / "camvid/val/masks").iterdir())
    assert set(np.unique(read_values(camvid))) <= set(range(12))
    labels = read_values(real_data / "tiff/mask2d.tif")
    np.testing.assert_array_equal(labels, tifffile.imread(real_data / "tiff/mask2d.tif"))


def test_a_large_photograph_is_what_opencv_shows(real_data):
    image = read_image(real_data / "large_photo_4032x3024.jpg")
    content = np.frombuffer((real_data / "large_photo_4032x3024.jpg").read_bytes(), np.uint8)
    shown = cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]
    assert image.shape == shown.shape
    assert np.abs(image[::7, ::7].astype(int) - shown[::7, ::7]).mean() < 1
