import errno
import hashlib
import os
import tracemalloc

import pytest

from delineate.data import file_hashes as module
from delineate.data.file_hashes import GRAIN_NS, FileHashes
from delineate.errors import DataError, ImageError, NotNowError
from delineate.files import unsealed

LONG_AGO = 1_000_000_000  # seconds


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A file that was written longer ago than the clock's grain."""
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    later = path.stat().st_ctime_ns + 2 * GRAIN_NS
    monkeypatch.setattr("delineate.data.file_hashes.time.time_ns", lambda: later)
    return path


def sha(content):
    return hashlib.sha256(content).hexdigest()


def test_a_hash_is_that_of_the_content(old):
    assert FileHashes().of(old) == sha(b"one")


def test_an_unchanged_file_is_not_read_again(old, tmp_path, monkeypatch):
    hashes = FileHashes(tmp_path / "kept.json")
    hashes.of(old)
    hashes.keep()
    again = FileHashes.open(tmp_path / "kept.json")
    assert again.known
    monkeypatch.setattr(module, "sha256", lambda path: pytest.fail("read again"))
    assert hashes.of(old) == again.of(old) == sha(b"one")


def test_a_changed_file_is_read_again_even_where_its_size_and_time_are_as_before(old):
    hashes = FileHashes()
    hashes.of(old)
    before = old.stat()
    old.write_bytes(b"two")
    os.utime(old, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hashes.of(old) == sha(b"two")


def test_a_file_that_was_just_written_is_not_remembered(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    hashes = FileHashes()
    assert hashes.of(path) == sha(b"one")
    assert hashes.known == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": [[1, 2], "x"]}', "null"])
def test_damaged_hashes_are_forgotten(text, tmp_path):
    (tmp_path / "kept.json").write_text(text)
    assert FileHashes.open(tmp_path / "kept.json").known == {}


def test_nothing_is_written_where_nothing_is_new(old, tmp_path):
    hashes = FileHashes(tmp_path / "kept.json")
    hashes.keep()
    assert not (tmp_path / "kept.json").exists()
    hashes.of(old)
    hashes.keep()
    assert list(unsealed((tmp_path / "kept.json").read_text())) == [str(old)]


def test_hashes_that_have_changed_on_the_disk_are_forgotten(old, tmp_path):
    hashes = FileHashes(tmp_path / "kept.json")
    expected = hashes.of(old)
    hashes.keep()
    text = (tmp_path / "kept.json").read_text()
    assert FileHashes.open(tmp_path / "kept.json").known[str(old)][1] == expected
    for other in ("w", "0" if expected[0] != "0" else "1"):
        (tmp_path / "kept.json").write_text(text.replace(expected, other + expected[1:]))
        assert FileHashes.open(tmp_path / "kept.json").known == {}


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"b\.png cannot be read"):
        FileHashes().of(tmp_path / "b.png")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png. is not a regular file"):
        FileHashes().of(tmp_path / "a.png")


def test_a_file_is_not_in_memory_while_it_is_hashed(tmp_path):
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    try:
        assert FileHashes().of(path) == sha(bytes(50_000_000))
        tracemalloc.reset_peak()
        FileHashes().of(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_a_file_that_the_machine_cannot_read_now_is_none_to_be_left_out(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")

    def fail(_path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "sha256", fail)
    with pytest.raises(NotNowError, match=r"File .* cannot be read now: Input/output") as caught:
        FileHashes().of(path)
    assert str(path) in caught.value.message
    assert not isinstance(caught.value, DataError)
