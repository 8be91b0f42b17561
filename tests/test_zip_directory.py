"""Lists of members are found where zipfile finds them, and their members are counted."""

import io
import struct
import zipfile

import pytest

from delineate import zip_directory
from delineate.zip_directory import Directory, count_members, directory_of

NAMES = ["one", "two/three", "n" * 300, "ö"]


def packed(names=NAMES, comment=b""):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.comment = comment
        for name in names:
            archive.writestr(name, b"content")
    return content


@pytest.fixture
def wide(monkeypatch):
    """An archive whose end is one of 64 bits."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    return packed()


def same_as_zipfile(content, directory):
    # What zipfile says of where the list starts; its size is that of the entries.
    with zipfile.ZipFile(content) as archive:
        sizes = [46 + len(each.orig_filename.encode()) for each in archive.infolist()]
        return (directory.start, directory.size) == (archive.start_dir, sum(sizes))


@pytest.mark.parametrize("comment", [b"", b"a", b"c" * 65_535])
def test_the_list_is_found_before_the_end_and_its_comment(comment):
    content = packed(comment=comment)
    directory = directory_of(content)
    assert same_as_zipfile(content, directory)
    assert directory.comment == len(comment)
    assert not directory.is_wide


def test_the_list_of_an_archive_of_64_bits_is_found(wide):
    directory = directory_of(wide)
    assert same_as_zipfile(wide, directory)
    assert directory.is_wide


def test_an_empty_archive_has_an_empty_list():
    assert directory_of(packed([])) == Directory(0, 0, is_wide=False, comment=0)


def test_what_does_not_end_as_an_archive_has_no_list():
    for content in (b"", b"PK\x03\x04", b"x" * 100, packed().getvalue()[:-1]):
        assert directory_of(io.BytesIO(content)) is None


def test_the_size_is_that_of_64_bits_where_there_is_one(wide):
    content = bytearray(wide.getvalue())
    struct.pack_into("<Q", content, content.index(b"PK\x06\x06") + 40, 2**40)
    assert directory_of(io.BytesIO(content)).size == 2**40


@pytest.mark.parametrize(
    ("place", "form", "value"),
    [(b"PK\x06\x06", "<Q", 45), (b"PK\x06\x07", "<Q", 0), (b"PK\x06\x06", "<I", 0)],
    ids=["length", "position", "none"],
)
def test_records_of_64_bits_that_contradict_each_other_are_refused(wide, place, form, value):
    """Versions of zipfile look for the first of them in different places."""
    content = bytearray(wide.getvalue())
    offset = {b"PK\x06\x06": 4, b"PK\x06\x07": 8}[place] if form == "<Q" else 0
    struct.pack_into(form, content, content.index(place) + offset, value)
    with pytest.raises(ValueError, match="contradict each other"):
        directory_of(io.BytesIO(content))


@pytest.mark.parametrize("chunk", [1, 3, 4, 7, 2**20])
def test_members_are_counted_across_chunks_whatever_the_archive_says(monkeypatch, chunk):
    monkeypatch.setattr(zip_directory, "_CHUNK", chunk)
    content = bytearray(packed().getvalue())
    # The two numbers of members.
    struct.pack_into("<HH", content, len(content) - 14, 1, 1)
    file = io.BytesIO(content)
    assert count_members(file, directory_of(file)) == len(NAMES)


def test_a_list_that_is_longer_than_the_archive_is_damage():
    content = bytearray(packed().getvalue())
    struct.pack_into("<I", content, len(content) - 10, 2**31)
    file = io.BytesIO(content)
    with pytest.raises(zipfile.BadZipFile, match="cut short"):
        count_members(file, directory_of(file))
