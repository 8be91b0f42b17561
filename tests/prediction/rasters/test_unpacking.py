"""What compressed data become is known before they are unpacked."""

import bz2
import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from delineate.prediction.rasters import unpacking
from delineate.prediction.rasters.unpacking import HEADS, fits

numcodecs = pytest.importorskip("numcodecs")

SIZE = 300_000
PLAIN = np.random.default_rng(0).integers(0, 7, SIZE, dtype=np.uint8).tobytes()


def packed(kind, data):
    """Compress data as zarr does."""
    return bytes(numcodecs.get_codec({"id": kind}).encode(np.frombuffer(data, np.uint8)))


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_what_zarr_has_written_is_as_large_as_it_was(kind):
    data = packed(kind, PLAIN)
    head = data if HEADS[kind] is None else data[: HEADS[kind]]
    assert fits(kind, head, SIZE)
    assert not fits(kind, head, SIZE - 1)


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_what_is_damaged_is_left_to_the_decoder(kind):
    data = packed(kind, PLAIN)
    for broken in (b"", b"x", b"nothing at all", data[: len(data) // 2], b"\0" * 20):
        assert isinstance(fits(kind, broken, 10 * SIZE), bool)


@pytest.mark.parametrize(
    ("kind", "join"),
    [("gzip", gzip.compress), ("zlib", zlib.compress), ("bz2", bz2.compress)],
)
def test_streams_one_behind_the_other_count_together(kind, join):
    data = b"".join(join(PLAIN) for _ in range(3))
    assert fits(kind, data, 3 * SIZE)
    assert not fits(kind, data, 3 * SIZE - 1)


def test_frames_of_zstandard_count_together_and_what_may_be_skipped_does_not():
    frame = packed("zstd", PLAIN)
    skipped = struct.pack("<II", 0x184D2A53, 5) + b"hello"
    assert fits("zstd", skipped + frame + skipped + frame, 2 * SIZE)
    assert not fits("zstd", skipped + frame + skipped + frame, 2 * SIZE - 1)


def frame_of(flags, said, blocks):
    """Write a frame of Zstandard by hand: blocks are (kind, size, data)."""
    parts = [struct.pack("<IB", 0xFD2FB528, flags), said]
    for number, (kind, size, data) in enumerate(blocks):
        last = number == len(blocks) - 1
        parts += [(last | kind << 1 | size << 3).to_bytes(3, "little"), data]
    return b"".join(parts)


@pytest.mark.parametrize(
    ("flags", "said", "size"),
    [
        (0x20, b"\x09", 9),
        (0x60, struct.pack("<H", 700 - 256), 700),
        (0x40, b"\x50" + struct.pack("<H", 700 - 256), 700),
        (0x80, b"\x50" + struct.pack("<I", 70_000), 70_000),
        (0xE0, struct.pack("<Q", 1 << 40), 1 << 40),
        (0xE1, b"\x07" + struct.pack("<Q", 1 << 40), 1 << 40),
        (0x84, b"\x50" + struct.pack("<I", 70_000), 70_000),
    ],
)
def test_a_frame_of_zstandard_says_its_size_in_many_ways(flags, said, size):
    frame = frame_of(flags, said, [(0, 3, b"abc")]) + (b"sums" if flags & 4 else b"")
    for count in (1, 2):
        assert fits("zstd", count * frame, count * size)
        assert not fits("zstd", count * frame, count * size - 1)


def test_a_frame_that_does_not_say_its_size_is_as_large_as_its_blocks_may_be():
    blocks = [(0, 3, b"abc"), (1, 100_000, b"x"), (2, 4, b"data")]
    frame = frame_of(0x00, b"\x50", blocks)
    assert fits("zstd", frame, 3 + 100_000 + (1 << 17))
    assert not fits("zstd", frame, 3 + 100_000 + (1 << 17) - 1)


@pytest.mark.parametrize("kind", ["bz2", "gzip", "zlib"])
def test_a_bomb_is_never_in_memory(kind):
    data = packed(kind, bytes(40_000_000))
    tracemalloc.start()
    try:
        assert not fits(kind, data, 20_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


EMPTY = {
    "bz2": bz2.compress(b""),
    "gzip": gzip.compress(b"", mtime=0),
    "zlib": zlib.compress(b""),
    "zstd": frame_of(0x20, b"\x00", [(0, 0, b"")]),
}


@pytest.mark.parametrize("kind", sorted(EMPTY))
def test_streams_that_give_nothing_are_soon_too_many(kind):
    assert fits(kind, 10 * EMPTY[kind], 0)
    assert not fits(kind, 1000 * EMPTY[kind], 0)
    assert fits(kind, 200 * EMPTY[kind], 1 << 20)


def test_blocks_of_zstandard_that_give_nothing_are_soon_too_many():
    few, many = (frame_of(0x00, b"\x50", [(0, 0, b"")] * count) for count in (500, 5000))
    assert fits("zstd", few, 0)
    assert not fits("zstd", many, 0)
    assert fits("zstd", many, 1 << 22)


@pytest.mark.parametrize("kind", ["bz2", "gzip", "zlib"])
def test_data_are_counted_right_where_the_pieces_that_are_looked_at_end_anywhere(kind, monkeypatch):
    data = 2 * packed(kind, PLAIN[:5000])
    for window in (1, 7, 100, 1 << 16):
        monkeypatch.setattr(unpacking, "_WINDOW", window)
        assert fits(kind, data, 10_000)
        assert not fits(kind, data, 9_999)


@pytest.mark.parametrize("kind", ["gzip", "zlib"])
def test_what_is_behind_a_stream_is_not_copied_for_each(kind, monkeypatch):
    monkeypatch.setattr(unpacking, "_PIECE", 1 << 10)
    data = 100 * EMPTY[kind] + packed(kind, np.random.default_rng(1).bytes(2_000_000))
    tracemalloc.start()
    try:
        assert fits(kind, data, 2_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
