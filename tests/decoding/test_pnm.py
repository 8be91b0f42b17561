"""Netpbm's files: text and raw, 1 to 16 bits."""

import time
import tracemalloc

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.image_files import GREY, GREY16, IDS, RGB, RGB16, read_values, refused, saved

from delineate.decoding import pnm
from delineate.imaging import read_image, read_size


def text_of(array: np.ndarray) -> bytes:
    return b" ".join(b"%d" % value for value in array.ravel())


@pytest.mark.parametrize("array", [GREY, RGB, GREY16, RGB16], ids=["8", "3x8", "16", "3x16"])
def test_what_opencv_writes_raw_comes_back(tmp_path, array):
    suffix = ".ppm" if array.ndim == 3 else ".pgm"
    path = tmp_path / f"a{suffix}"
    path.write_bytes(cv2.imencode(suffix, array[..., ::-1] if array.ndim == 3 else array)[1])
    image = read_image(path)
    assert image.dtype == array.dtype
    assert image.flags.writeable
    np.testing.assert_array_equal(image, array.reshape(9, 14, -1))
    assert read_size(path) == (9, 14)


@pytest.mark.parametrize("array", [GREY, RGB, GREY16, RGB16], ids=["8", "3x8", "16", "3x16"])
def test_text_comes_back(tmp_path, array):
    most = 65535 if array.dtype == np.uint16 else 255
    head = b"P%d # made by hand\n#\n14\t9\n%d\n" % (3 if array.ndim == 3 else 2, most)
    (tmp_path / "a.pnm").write_bytes(head + text_of(array) + b" # the end\n")
    image = read_image(tmp_path / "a.pnm")
    assert image.dtype == array.dtype
    np.testing.assert_array_equal(image, array.reshape(9, 14, -1))


@pytest.mark.parametrize("kind", [1, 4])
def test_ones_of_a_bitmap_are_black_and_it_is_no_mask(tmp_path, kind):
    path = saved(tmp_path / "a.pbm", IDS > 2)
    if kind == 1:
        digits = text_of((IDS <= 2).astype(int)).replace(b" ", b"")
        path.write_bytes(b"P1\n14 9\n" + digits[:20] + b" # half a row\n" + digits[20:])
    np.testing.assert_array_equal(read_image(path)[..., 0], (IDS > 2) * np.uint8(255))
    refused(path, "white as zero", read_values)


@pytest.mark.parametrize(("most", "step"), [(1, 255), (4, 1), (5, 51), (15, 17), (255, 1)])
def test_values_are_the_labels_whatever_their_most_is(tmp_path, most, step):
    labels = IDS.clip(max=most)
    (tmp_path / "a.pgm").write_bytes(b"P5 14 9 %d\n" % most + labels.tobytes())
    np.testing.assert_array_equal(read_values(tmp_path / "a.pgm"), labels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.pgm")[..., 0], labels * step)
    if step != 1 or most == 255:
        with Image.open(tmp_path / "a.pgm") as picture:
            np.testing.assert_array_equal(read_image(tmp_path / "a.pgm")[..., 0], picture)


def test_twelve_bits_stay_as_they_are(tmp_path):
    values = GREY16 >> 4
    (tmp_path / "a.pgm").write_bytes(b"P5 14 9 4095\n" + values.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "a.pgm")[..., 0], values)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"P5 2 2 255\nabc", "1 bytes of its pixels are missing"),
        (b"P5 2 2 255\nabcdefg", "3 bytes follow"),
        (b"P5 2 2 255\nabcdP5 2 2 255\nabcd", "several pictures"),
        (b"P5 2 2 255", "header is incomplete"),
        (b"P5 2 -2 255\nabcd", "header"),
        (b"P5 2 0 255\nabcd", "2 x 0"),
        (b"P5 2 2 0\nabcd", "0 to 0"),
        (b"P5 2 2 65536\nabcdefgh", "0 to 65536"),
        (b"P5 30000 30000 255\nabcd", "the limit is"),
        (b"P5 2 2 7\n\x01\x02\x03\x08", "holds 8, but 7"),
        (b"P4 9 2\n\xff\xff\xff", "missing"),
        (b"P2 2 2 9\n1 2 3", "3 values instead of 4"),
        (b"P2 2 2 9\n1 2 3 4 5", "5 values instead of 4"),
        (b"P2 2 2 9\n1 2 3 x", "something else than numbers"),
        (b"P2 2 2 9\n1 2 3 -4", "something else than numbers"),
        (b"P2 2 2 9\n1 2 3 10", "holds 10, but 9"),
        (b"P2 2 2 65535\n1 2 3 " + b"9" * 4000, "holds 65536, but 65535"),
        (b"P1 2 2\n0112", "holds 2, but 1"),
        (b"P7\nWIDTH 2\n", "no format"),
        (b"Pf 2 2 -1.0\n" + bytes(16), "no format"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path, content, words):
    (tmp_path / "a.pnm").write_bytes(content)
    refused(tmp_path / "a.pnm", words)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 1 << 20])
def test_text_is_the_same_in_pieces_of_any_length(tmp_path, piece, monkeypatch):
    monkeypatch.setattr(pnm, "_PIECE", piece)
    numbers = text_of(GREY16)
    half = len(numbers) // 2
    half += numbers[half:].index(b" ")
    words = b"# half of it #\r\n".join([numbers[:half], numbers[half:]])
    (tmp_path / "a.pgm").write_bytes(b"P2\n14 9\n65535\n" + words + b"#end")
    if piece < 5:  # less than the longest number, which ends the reading
        refused(tmp_path / "a.pgm", f"a number of more than {piece} digits")
        return
    np.testing.assert_array_equal(read_image(tmp_path / "a.pgm")[..., 0], GREY16)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
def test_digits_of_a_bitmap_may_be_cut_anywhere(tmp_path, piece, monkeypatch):
    monkeypatch.setattr(pnm, "_PIECE", piece)
    digits = text_of((IDS <= 2).astype(int)).replace(b" ", b"")
    (tmp_path / "a.pbm").write_bytes(
        b"P1\n14 9\n" + digits[:20] + b"# 1 1 1\n \n" + digits[20:] + b"#"
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.pbm")[..., 0], (IDS > 2) * np.uint8(255))


@pytest.mark.parametrize("rest", [b"1 " * 2_000_000, b"1 2 3 4 " + b"5" * 3_000_000])
def test_text_without_end_is_read_piece_by_piece_and_not_kept(tmp_path, rest):
    (tmp_path / "a.pgm").write_bytes(b"P2 2 2 9\n" + rest)
    tracemalloc.start()
    try:
        refused(tmp_path / "a.pgm", "2000000 values instead of 4|more than 1048576 digits")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A piece of a mebibyte has half a million words of some 40 bytes.
    assert peak < 64 << 20


@pytest.mark.parametrize("kind", [b"P1 1 1\n", b"P2 1 1 255\n"], ids=["bits", "grey"])
@pytest.mark.parametrize("comment", [b"#", b"# ", b"#\r\n", b" #"])
def test_a_long_comment_takes_no_long_time(tmp_path, kind, comment):
    path = tmp_path / "a.pnm"
    path.write_bytes(kind + b"1 " + comment * (300_000 // len(comment)))
    begun = time.process_time()
    assert read_image(path).shape == (1, 1, 1)
    path.write_bytes(path.read_bytes()[:3] + comment * (300_000 // len(comment)))
    refused(path, "header")
    assert time.process_time() - begun < 5


def test_leading_zeros_do_not_make_a_number_large(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P2 2 1 255\n00000000000007 0000000000")
    assert read_values(tmp_path / "a.pgm").tolist() == [[7, 0]]


def test_a_file_too_short_for_its_values_is_refused_before_room_is_made_for_them(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P2 10000 10000 255\n1 2 3")
    refused(tmp_path / "a.pgm", "too short for 100000000 values")
