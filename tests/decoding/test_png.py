"""PNG files: every kind comes out as it was written, and none that is damaged comes out."""

import struct
import threading
import zlib

import numpy as np
import pytest
from tests.image_files import GREY, RGB, chunk, exif_of, png, read_values, refused, saved

from delineate.decoding import png as module
from delineate.decoding import stored
from delineate.decoding.formats import decode
from delineate.errors import ImageError
from delineate.imaging import read_image, read_size

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [
    (bits, colour)
    for colour, depths in {
        0: (1, 2, 4, 8, 16),
        2: (8, 16),
        3: (1, 2, 4, 8),
        4: (8, 16),
        6: (8, 16),
    }.items()
    for bits in depths
]
PALETTE = np.arange(768, dtype=np.uint8).reshape(256, 3)[::-1].copy()
# Adam7: first row, first column, row step, column step.
PASSES = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]


def packed(samples: np.ndarray, bits: int) -> bytes:
    """Return (height, width, channels) as rows of a PNG, without a filter."""
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in samples]
    else:
        ones = np.unpackbits(samples.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
        rows = [np.packbits(row.ravel()).tobytes() for row in ones]
    return b"".join(b"\x00" + row for row in rows)


def written(path, samples, bits, colour, *, interlace=0, **chunks):
    rows = packed(samples, bits)
    if interlace:
        parts = [samples[a::rows, b::columns] for a, b, rows, columns in PASSES]
        rows = b"".join(packed(part, bits) for part in parts if part.size)
    if colour == 3:
        chunks = {"PLTE": PALETTE[: 2**bits].tobytes()} | chunks
    return png(path, bits, colour, samples.shape[:2], rows, interlace=interlace, **chunks)


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (9, 17), (16, 16)])
@pytest.mark.parametrize(("bits", "colour"), KINDS)
def test_every_kind_comes_out_as_it_was_written(tmp_path, bits, colour, size, interlace):
    rng = np.random.default_rng(bits)
    samples = rng.integers(0, 2**bits, (*size, CHANNELS[colour]))
    path = written(tmp_path / "a.png", samples, bits, colour, interlace=interlace)
    found = decode(path)
    shown = samples[..., :-1] if colour in (4, 6) else samples
    assert found.pixels.dtype == (np.uint16 if bits == 16 else np.uint8)
    assert found.pixels.flags.c_contiguous
    assert found.pixels.flags.writeable
    step = {1: 255, 2: 85, 4: 17}.get(bits, 1) if colour == 0 else 1
    assert found.step == step
    np.testing.assert_array_equal(found.pixels, shown * step)
    if colour in (4, 6):
        np.testing.assert_array_equal(found.alpha, samples[..., -1])
        hidden = samples[..., -1] < 2**bits - 1
        np.testing.assert_array_equal(found.hidden if hidden.any() else hidden, hidden)
    if colour == 3:
        np.testing.assert_array_equal(found.palette, PALETTE[: 2**bits])
    assert read_size(path) == size


def test_nothing_but_the_pixels_changes_the_pixels(tmp_path):
    odd = {
        "gAMA": struct.pack(">I", 22_000),
        "cHRM": struct.pack(">8I", *range(8)),
        "sRGB": b"\x00",
        "iCCP": b"x\x00\x00" + zlib.compress(b"no profile"),
        "sBIT": b"\x01\x01\x01",
        "bKGD": bytes(6),
        "zTXt": b"bomb\x00\x00" + zlib.compress(bytes(10_000_000)),
        "tIME": b"nonsense",
    }
    path = written(tmp_path / "a.png", RGB, 8, 2, **odd)
    np.testing.assert_array_equal(read_image(path), RGB)


def test_pixels_in_many_chunks_are_joined(tmp_path):
    whole = written(tmp_path / "a.png", RGB, 8, 2).read_bytes()
    start = whole.index(b"IDAT") - 4
    length = struct.unpack(">I", whole[start : start + 4])[0]
    data = whole[start + 8 : start + 8 + length]
    parts = [chunk(b"IDAT", data[at : at + 9]) for at in range(0, length, 9)]
    rest = whole[start + 12 + length :]
    (tmp_path / "a.png").write_bytes(whole[:start] + b"".join(parts) + chunk(b"IDAT", b"") + rest)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


def test_no_truncation_gives_a_picture(tmp_path):
    whole = saved(tmp_path / "a.png", GREY).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "a.png").write_bytes(whole[:length])
        refused(tmp_path / "a.png", "damaged|no format|empty")


def test_no_damaged_byte_changes_a_picture(tmp_path):
    # IDAT's length may grow over the chunks behind it, and the sum is then wrong.
    whole = saved(tmp_path / "a.png", GREY).read_bytes()
    path = tmp_path / "a.png"
    for place in range(len(whole)):
        for change in (1, 0x20, 0xFF):
            damaged = bytearray(whole)
            damaged[place] ^= change
            path.write_bytes(damaged)
            with pytest.raises(ImageError):
                read_image(path)


ROWS = packed(GREY[..., None], 8)
WHOLE = zlib.compress(ROWS)


@pytest.mark.parametrize(
    "compressed",
    [
        b"",
        WHOLE[:2],
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-5],
        zlib.compress(ROWS[: 15 * 8]),
        zlib.compress(ROWS[:-1]),
        zlib.compress(b"\x09" + ROWS[1:]),
        WHOLE[:-1] + bytes([WHOLE[-1] ^ 1]),
        WHOLE[:40] + bytes([WHOLE[40] ^ 0x5A]) + WHOLE[41:],
        ROWS,
    ],
    ids=[
        "none",
        "head",
        "half",
        "no end",
        "a row less",
        "a byte less",
        "unknown filter",
        "wrong sum",
        "damaged",
        "not compressed",
    ],
)
def test_pixels_that_are_damaged_under_a_right_checksum_are_refused(tmp_path, compressed):
    path = png(tmp_path / "a.png", 8, 0, (9, 14), b"", compressed=compressed)
    for reader in (read_image, read_values):
        refused(path, "incomplete or damaged", reader)
    assert read_size(path) == (9, 14)


@pytest.mark.parametrize("more", [WHOLE + b"more", zlib.compress(ROWS + bytes(15))])
def test_what_follows_the_pixels_is_passed_over(tmp_path, more):
    path = png(tmp_path / "a.png", 8, 0, (9, 14), b"", compressed=more)
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bits": 3}, "3 bits of colour type 0"),
        ({"colour": 5}, "8 bits of colour type 5"),
        ({"bits": 16, "colour": 3}, "16 bits of colour type 3"),
        ({"colour": 3}, "palette"),
        ({"colour": 3, "PLTE": b"1234"}, "palette"),
        ({"interlace": 9}, "makes no sense"),
        ({"size": (0, 3)}, "3 x 0"),
        ({"tRNS": b"\x00"}, "transparent colour"),
        ({"NEWx": b"1"}, "chunk 'NEWx' is not known"),
        ({"IHDR": bytes(13)}, "header"),
        ({"size": (1, 1_000_001)}, "on a side"),
    ],
    ids=str,
)
def test_headers_that_say_nonsense_are_refused(tmp_path, change, words):
    kind = {"bits": 8, "colour": 0, "size": (9, 14)} | change
    bits, colour, size = (kind.pop(name) for name in ("bits", "colour", "size"))
    refused(png(tmp_path / "a.png", bits, colour, size, ROWS, **kind), words)


def test_other_chunks_among_those_of_the_pixels_are_refused(tmp_path):
    whole = saved(tmp_path / "a.png", GREY).read_bytes()
    end = whole.index(b"IEND") - 4
    more = chunk(b"tEXt", b"a\x00b") + chunk(b"IDAT", b"")
    (tmp_path / "a.png").write_bytes(whole[:end] + more + whole[end:])
    refused(tmp_path / "a.png", "other chunks stand among")


def test_a_file_without_pixels_is_refused(tmp_path):
    whole = saved(tmp_path / "a.png", GREY).read_bytes()
    start, end = whole.index(b"IDAT") - 4, whole.index(b"IEND") - 4
    (tmp_path / "a.png").write_bytes(whole[:start] + whole[end:])
    refused(tmp_path / "a.png", "no pixels")


def test_a_header_that_is_not_first_is_refused(tmp_path):
    whole = saved(tmp_path / "a.png", GREY).read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:8] + chunk(b"tEXt", b"a\x00b") + whole[8:])
    refused(tmp_path / "a.png", "come first")


def test_reading_waits_for_no_other_thread(tmp_path):
    path = saved(tmp_path / "a.png", RGB)
    reader = threading.Thread(target=read_image, args=[path], daemon=True)
    with stored._QUIET:
        reader.start()
        reader.join(10)
        assert not reader.is_alive()


def test_exif_is_read_where_it_stands_alone(tmp_path):
    path = written(tmp_path / "a.png", RGB, 8, 2, eXIf=exif_of(8)[6:])
    np.testing.assert_array_equal(read_image(path), np.rot90(RGB))


def test_a_picture_that_opencv_cannot_decode_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", GREY)
    for result in (None, np.zeros((9, 13), np.uint8)):
        monkeypatch.setattr(module.cv2, "imdecode", lambda *_, result=result: result)
        refused(path, "incomplete or damaged")
