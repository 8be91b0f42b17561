import errno
import hashlib
import os
from pathlib import Path

import pytest

from delineate.files import flush, flush_folder, sha256, whole_file, write_whole


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"the good old content")
    return path


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_text_and_bytes_are_written_and_the_folders_are_made(tmp_path):
    write_whole(tmp_path / "a" / "b" / "text.txt", "grüße")
    write_whole(tmp_path / "a" / "b" / "data.bin", b"\x00\xff")
    assert (tmp_path / "a/b/text.txt").read_bytes() == "grüße".encode()
    assert (tmp_path / "a/b/data.bin").read_bytes() == b"\x00\xff"


def test_the_old_content_stands_until_the_block_has_ended(old):
    with whole_file(old) as temporary:
        temporary.write_bytes(b"new")
        assert old.read_bytes() == b"the good old content"
        assert temporary.parent == old.parent
        assert temporary.suffix == old.suffix
    assert old.read_bytes() == b"new"
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(old, monkeypatch, name):
    monkeypatch.setattr(*((os, "fsync") if name == "fsync" else (Path, "replace")), full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_whole(old, b"new content")
    assert old.read_bytes() == b"the good old content"
    assert list(old.parent.iterdir()) == [old]


def test_a_disk_that_is_full_while_writing_leaves_the_old_file_and_nothing_else(old, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_whole(old, b"new content")
    assert old.read_bytes() == b"the good old content"
    assert list(old.parent.iterdir()) == [old]


def test_an_interrupted_writer_leaves_the_old_file_and_nothing_else(old):
    def write():
        with whole_file(old) as temporary:
            temporary.write_bytes(b"half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert old.read_bytes() == b"the good old content"
    assert list(old.parent.iterdir()) == [old]


def test_a_folder_of_that_name_is_not_replaced(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_whole(tmp_path / "taken", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_the_content_is_on_the_disk_before_it_takes_the_name(old, monkeypatch):
    calls = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("flush"), fsync(handle)))
    monkeypatch.setattr(
        Path, "replace", lambda one, other: (calls.append("rename"), replace(one, other))
    )
    write_whole(old, b"new")
    assert calls == ["flush", "rename", "flush"]


def test_what_can_be_made_again_does_not_wait_for_the_disk(old, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    write_whole(old, b"new", durable=False)
    assert old.read_bytes() == b"new"


def test_others_may_read_the_file(old):
    write_whole(old, b"new")
    assert old.stat().st_mode & 0o777 == 0o644


def test_the_checksum_is_sha256(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(content)
    assert sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_what_is_not_there_cannot_be_flushed(tmp_path):
    for wait in (flush, flush_folder):
        with pytest.raises(FileNotFoundError):
            wait(tmp_path / "missing")
