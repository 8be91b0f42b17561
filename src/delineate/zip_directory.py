"""The list of members at the end of a zip archive, measured before it is read into the memory.

zipfile makes an object of every member as soon as it opens an archive, however many there are. The
records are those of sections 4.3.12 to 4.3.16 of PKWARE's APPNOTE.TXT.
"""

import io
import zipfile
from dataclasses import dataclass
from typing import IO

# How the entry of a member begins, the record that ends an archive, and the two before it that an
# archive of 64 bits has; and how many bytes these three have.
_MEMBER, _END = b"PK\x01\x02", b"PK\x05\x06"
_WIDE, _LOCATOR = b"PK\x06\x06", b"PK\x06\x07"
_END_BYTES, _WIDE_BYTES, _LOCATOR_BYTES = 22, 56, 20
# What a record of 64 bits says of its own size: all but what says so.
_WIDE_SAYS = _WIDE_BYTES - 12
# As far back zipfile looks for the end.
_MOST_COMMENT = 2**16
_CHUNK = 2**20


@dataclass(frozen=True)
class Directory:
    """Where an archive's list of members is.

    Attributes:
        start: Its first byte; less than 0 where an archive says that it has more than there are.
        size: Its bytes.
        is_wide: Whether records of 64 bits follow it.
        comment: How many bytes follow the record that ends the archive.
    """

    start: int
    size: int
    is_wide: bool
    comment: int


def directory_of(file: IO[bytes]) -> Directory | None:
    """Return where the list of members is; None: the file does not end as an archive does.

    It is the list that zipfile would read. No more than 64 KiB are read.

    Args:
        file: Open for reading, and left anywhere.

    Raises:
        ValueError: It is an archive of 64 bits, whose records contradict each other.
    """
    begin = max(0, file.seek(0, io.SEEK_END) - _END_BYTES - _MOST_COMMENT)
    file.seek(begin)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        return None
    end, comment = begin + at, len(tail) - at - _END_BYTES
    size = _wide_size(file, end)
    if size is not None:
        start = end - _LOCATOR_BYTES - _WIDE_BYTES - size
        return Directory(start, size, is_wide=True, comment=comment)
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    return Directory(end - size, size, is_wide=False, comment=comment)


def count_members(file: IO[bytes], directory: Directory) -> int:
    """Return how many members a list has, at the most: how often an entry may begin in it.

    What an archive says of that number is not asked, since zipfile does not ask either.

    Args:
        file: Open for reading, and left anywhere.
        directory: Of this file.

    Raises:
        BadZipFile: The list has more bytes than there are.
    """
    if directory.start < 0:
        raise zipfile.BadZipFile("its list of members is cut short")
    file.seek(directory.start)
    left, count, last = directory.size, 0, b""
    while left and (chunk := file.read(min(left, _CHUNK))):
        left -= len(chunk)
        # The beginning of an entry may be in two chunks.
        joined = last + chunk
        count += joined.count(_MEMBER)
        last = joined[1 - len(_MEMBER) :]
    return count


def _wide_size(file: IO[bytes], end: int) -> int | None:
    """Return the size of the list that the record of 64 bits says; None: there is none.

    Of the versions of zipfile some look for that record where the next one says, and some right
    before it: it has to be there by both.
    """
    at = end - _LOCATOR_BYTES - _WIDE_BYTES
    file.seek(max(0, at))
    records = file.read(min(end, _LOCATOR_BYTES + _WIDE_BYTES))
    record, locator = records[:-_LOCATOR_BYTES], records[-_LOCATOR_BYTES:]
    if not locator.startswith(_LOCATOR):
        return None
    said, own = (int.from_bytes(each, "little") for each in (locator[8:16], record[4:12]))
    if said != at or own != _WIDE_SAYS or not record.startswith(_WIDE):
        raise ValueError("it is an archive of 64 bits, whose records contradict each other")
    return int.from_bytes(record[40:48], "little")
