"""Resume points: what is damaged is passed over, and what cannot be read now is not called damaged."""

import errno
import itertools
from pathlib import Path

import numpy as np
import pytest

from delineate.errors import RunError
from delineate.training import checkpoint
from delineate.training.checkpoint import ResumePoint


def point(epoch):
    large = np.random.default_rng(epoch).random((40, 50)).astype(np.float32)
    return ResumePoint(epoch, 0, False, 1.0, {"tally": {}}, [], [large, np.arange(3)])


@pytest.fixture
def folder(tmp_path):
    for epoch in (1, 2):
        checkpoint.save(tmp_path, point(epoch))
    return tmp_path


def newest(folder):
    return sorted(folder.glob("*.npz"))[-1]


def test_a_point_comes_back_as_it_was(folder):
    found = checkpoint.load(folder)
    assert (found.epoch, found.step, found.states) == (2, 0, {"tally": {}})
    for kept, array in zip(found.arrays, point(2).arrays, strict=True):
        np.testing.assert_array_equal(kept, array)
        assert kept.dtype == array.dtype


def test_wherever_a_byte_is_damaged_the_point_before_is_taken(folder):
    content = newest(folder).read_bytes()
    header = content.index(b"'descr'")
    places = [*range(header, header + 60, 3), *range(200, len(content) - 100, 911)]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 16
        newest(folder).write_bytes(damaged)
        assert checkpoint.load(folder).epoch in (1, 2)
    newest(folder).write_bytes(content[:-50])
    assert checkpoint.load(folder).epoch == 1


def test_whichever_bit_of_the_end_is_damaged_a_point_is_found(folder):
    content = newest(folder).read_bytes()
    for place, bit in itertools.product(range(len(content) - 22, len(content)), range(8)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        newest(folder).write_bytes(damaged)
        assert checkpoint.load(folder).epoch in (1, 2)


def test_a_damaged_header_of_an_array_is_damage(folder):
    content = bytearray(newest(folder).read_bytes())
    content[content.index(b"'descr'") + 1] ^= 32
    newest(folder).write_bytes(content)
    assert checkpoint.load(folder).epoch == 1


def test_a_disk_that_fails_now_does_not_make_a_point_damaged(folder, monkeypatch):
    bad, real = newest(folder), Path.open

    def fail(self, *said, **more):
        if self == bad:
            raise OSError(errno.EIO, "Input/output error", str(self))
        return real(self, *said, **more)

    monkeypatch.setattr(checkpoint, "_verify", lambda path: None)
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(OSError, match="Input/output"):
        checkpoint.load(folder)


def test_where_all_are_damaged_it_is_told(folder):
    for path in folder.glob("*.npz"):
        path.write_bytes(b"nothing")
    with pytest.raises(RunError, match="no resume point that is whole"):
        checkpoint.load(folder)
