"""Archives in xz: bounded memory, and else as the standard library reads them."""

import io
import lzma
import tarfile
import zlib
from pathlib import Path

import pytest

from delineate.data.fetching.unpack import unpack
from delineate.data.fetching.xz_stream import MAX_MEMORY, XzStream
from delineate.errors import DataError

# How a block says its dictionary (the .xz file format 1.2.1, section 5.3.1).
DICTIONARIES = {64 * 2**20: 28, 128 * 2**20: 30, 256 * 2**20: 32, 2**29: 34, 2**32 - 1: 40}


def with_dictionary(content, size):
    """Return a stream whose first block asks for a dictionary of so many bytes."""
    packed = bytearray(lzma.compress(content, preset=0))
    head = slice(12, 12 + 4 * packed[12])
    assert packed[head][1:4] == b"\0\x21\x01"
    packed[16] = DICTIONARIES[size]
    packed[head.stop : head.stop + 4] = zlib.crc32(packed[head]).to_bytes(4, "little")
    return bytes(packed)


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"one"))
    return file.getvalue()


def plain(packed):
    return io.BufferedReader(XzStream(io.BytesIO(packed), Path("x.tar.xz"))).read()


@pytest.mark.parametrize("size", [2**29, 2**32 - 1])
def test_an_archive_that_takes_much_memory_is_refused(tmp_path, size):
    archive = tmp_path / "x.tar.xz"
    archive.write_bytes(with_dictionary(tar(), size))
    with pytest.raises(DataError, match="takes more than 256 MiB of memory") as caught:
        unpack(archive, tmp_path / "out")
    assert str(archive) in caught.value.message
    assert caught.value.hint.endswith(".")
    assert list(tmp_path.iterdir()) == [archive]


def test_so_is_one_whose_second_stream_does(tmp_path):
    archive = tmp_path / "x.tar.xz"
    archive.write_bytes(lzma.compress(tar()[:700]) + with_dictionary(tar()[700:], 2**32 - 1))
    with pytest.raises(DataError, match="takes more than 256 MiB of memory"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("size", [64 * 2**20, 128 * 2**20])
def test_what_the_xz_program_writes_at_most_is_unpacked(tmp_path, size):
    assert size < MAX_MEMORY
    (tmp_path / "x.tar.xz").write_bytes(with_dictionary(tar(), size))
    unpack(tmp_path / "x.tar.xz", tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"one"


def test_streams_one_after_the_other_are_one(tmp_path):
    content = tar()
    parts = [content[:100], b"", content[100:5000], content[5000:]]
    (tmp_path / "x.tar.xz").write_bytes(b"".join(map(lzma.compress, parts)))
    unpack(tmp_path / "x.tar.xz", tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"one"


@pytest.mark.parametrize(
    "packed",
    [
        lzma.compress(b""),
        lzma.compress(b"one"),
        lzma.compress(bytes(10**6)),
        lzma.compress(b"one") + lzma.compress(bytes(10**6)) + lzma.compress(b"two"),
        lzma.compress(b"one") + b"no stream",
        lzma.compress(b"one") + bytes(8) + lzma.compress(b"two"),
        lzma.compress(b"one") + b"\xfd7z",
        lzma.compress(b"one")[:-3],
        lzma.compress(bytes(range(256)) * 900)[:500],
        lzma.compress(b"one")[:30] + b"\xff" + lzma.compress(b"one")[31:],
        b"no stream",
        b"",
    ],
)
def test_streams_are_read_as_by_the_standard_library(packed):
    try:
        with lzma.open(io.BytesIO(packed)) as file:
            wanted = file.read()
    except (lzma.LZMAError, EOFError) as error:
        with pytest.raises(type(error)):
            plain(packed)
    else:
        assert plain(packed) == wanted
