"""What all readers refuse before they decode: no files, too many bytes, too little for a claim."""

import io
import os
import tracemalloc
import zlib
from functools import partial

import numpy as np
import pytest
from PIL import Image
from tests.image_files import chunk, exif_of, lzw, png, read_values, refused, saved

from delineate.decoding import stored
from delineate.decoding.stored import MAX_BYTES, MAX_GAIN, bytes_of, check_file, check_size
from delineate.errors import ImageError
from delineate.imaging import read_image


def test_the_status_of_a_file_is_returned_also_where_a_link_leads_to_it(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to("a")
    assert check_file(tmp_path / "a").st_size == check_file(tmp_path / "b").st_size == 3


def test_what_is_no_regular_file_is_refused_and_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", tmp_path):
        with pytest.raises(ImageError, match=r"Video .* is not a regular file") as caught:
            check_file(path, what="Video")
        assert str(path) in caught.value.message
    with pytest.raises(FileNotFoundError):
        check_file(tmp_path / "none")


def test_a_file_of_too_many_bytes_is_refused_unless_it_is_read_in_parts(tmp_path):
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # of which the disk holds nothing
    refused(path, f"has {MAX_BYTES + 1} bytes; the limit is {MAX_BYTES}")
    assert check_file(path, most=None).st_size == MAX_BYTES + 1
    with path.open("wb") as file:
        file.truncate(MAX_BYTES)
    assert check_file(path).st_size == MAX_BYTES


def test_the_bytes_of_a_file_are_counted_without_moving_in_it():
    file = io.BytesIO(b"abcdef")
    file.seek(2)
    assert bytes_of(file) == 6
    assert file.tell() == 2


def test_as_much_as_a_mask_of_one_colour_needs_passes_at_any_size(tmp_path):
    """Deflate and LZW at their best, measured, are below the limit; bits that are packed are not."""
    zeros = bytes(8_000_000)
    deflated = len(zeros) / len(zlib.compress(zeros, 9))
    packed = len(zeros) / len(lzw(zeros))
    assert 1000 < deflated < MAX_GAIN
    assert 1000 < packed < MAX_GAIN
    held = int(20_000 * 20_000 / max(deflated, packed))
    check_size(tmp_path, 20_000, 20_000, held=held)
    with pytest.raises(ImageError, match=f"381 MiB, in a file of {held // 8} bytes"):
        check_size(tmp_path, 20_000, 20_000, held=held // 8)


@pytest.mark.parametrize(("channels", "depth"), [(1, 1), (3, 1), (1, 2), (4, 2)])
def test_below_a_number_of_bytes_anything_passes(tmp_path, channels, depth, monkeypatch):
    monkeypatch.setattr(stored, "FREE_BYTES", 100 * 10 * channels * depth)
    check_size(tmp_path, 100, 10, channels, depth=depth, held=0)
    with pytest.raises(ImageError, match="in a file of 0 bytes"):
        check_size(tmp_path, 101, 10, channels, depth=depth, held=0)


@pytest.mark.parametrize(
    ("bits", "colour", "factor"), [(8, 0, 1), (16, 0, 2), (8, 2, 3), (16, 6, 8), (1, 3, 3)]
)
def test_a_blank_png_passes_by_what_its_pixels_become(tmp_path, bits, colour, factor, monkeypatch):
    samples = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    row = b"\0" + bytes(-(-400 * samples * bits // 8))
    options = {"PLTE": bytes(6)} if colour == 3 else {}
    path = png(tmp_path / "a.png", bits, colour, (300, 400), row * 300, **options)
    monkeypatch.setattr(stored, "FREE_BYTES", 300 * 400 * factor)
    monkeypatch.setattr(stored, "MAX_GAIN", 0)
    if colour != 6:
        assert read_image(path).shape[:2] == (300, 400)
    monkeypatch.setattr(stored, "FREE_BYTES", 300 * 400 * factor - 1)
    refused(path, "claims 400 x 300 pixels")


def test_the_colours_of_a_palette_count_where_they_are_wanted_and_not_in_masks(
    tmp_path, monkeypatch
):
    picture = Image.fromarray(np.zeros((300, 400), np.uint8))
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(tmp_path / "a.png", bits=1)
    monkeypatch.setattr(stored, "FREE_BYTES", 300 * 400)
    monkeypatch.setattr(stored, "MAX_GAIN", 0)
    assert read_values(tmp_path / "a.png").shape == (300, 400)
    refused(tmp_path / "a.png", "claims 400 x 300 pixels")
    whole = (tmp_path / "a.png").read_bytes()
    with pytest.raises(ImageError, match=f"in a file of {len(whole)} bytes"):
        read_image(tmp_path / "a.png", whole)


def png_of(path, mode, **options):
    Image.new(mode, (2000, 1500)).save(path, "PNG", **options)


def gif_of(path, mode):
    Image.new(mode, (2000, 1500)).save(path, "GIF")


def jpeg_of(path, mode):
    Image.new(mode, (2000, 1500)).save(path, "JPEG")


def tiff_of(path, mode):
    Image.new(mode, (2000, 1500)).save(path, "TIFF", compression="tiff_adobe_deflate")


def two_colours(path, _):
    array = np.zeros((1500, 2000, 3), np.uint8)
    array[700:, :, 0] = 255
    Image.fromarray(array).save(path, "PNG")


@pytest.mark.parametrize(
    ("make", "mode", "claimed", "reader"),
    [
        (png_of, "1", 1, read_image),
        (png_of, "1", 1, read_values),
        (png_of, "P", 3, read_image),
        (png_of, "RGB", 3, read_image),
        (partial(png_of, transparency=(1, 2, 3)), "RGB", 3, read_image),
        (two_colours, "RGB", 3, read_values),
        (gif_of, "L", 1, read_image),
        (jpeg_of, "RGB", 3, read_image),
        (jpeg_of, "CMYK", 3, read_image),
        (tiff_of, "1", 1, read_image),
        (tiff_of, "RGB", 3, read_image),
    ],
)
def test_reading_holds_no_more_than_a_second_copy_of_the_pixels(
    tmp_path, monkeypatch, make, mode, claimed, reader
):
    """Of what Python has; Pillow holds its own copy beside one that is counted here."""
    monkeypatch.setattr("delineate.decoding.labels._BAND", 1 << 16)
    monkeypatch.setattr("delineate.decoding.pictures._BAND", 1 << 16)
    make(tmp_path / "a", mode)
    reader(tmp_path / "a")
    tracemalloc.start()
    try:
        reader(tmp_path / "a")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * 2000 * 1500 * claimed + (2 << 20)


def test_a_pipe_has_no_orientation_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert stored.orientation_of(tmp_path / "a.jpg") == 1
    path = saved(tmp_path / "b.jpg", np.zeros((4, 6), np.uint8), exif=exif_of(6))
    assert stored.orientation_of(path) == 6


def test_a_png_of_chunks_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("delineate.decoding.png._MAX_CHUNKS", 5)
    path = png(tmp_path / "a.png", 8, 0, (1, 2), b"\0\5\6")
    assert read_values(path).tolist() == [[5, 6]]
    whole = path.read_bytes()
    path.write_bytes(whole[:-12] + 3 * chunk(b"tEXt", b"") + whole[-12:])
    refused(path, "more than 5 chunks")
