"""The bytes of a tar archive, and what in them is looked at before tarfile reads it."""

import io
import re
import tarfile
from typing import Any

from delineate.data.fetching.meter import Meter, refusal
from delineate.errors import DataError

CHUNK_BYTES = 2**20
# Of all that extends the header of one member: the longest path that is unpacked has half of it.
MAX_HEADER_BYTES = 32 * 2**10
# Of all that holds for the rest of an archive: git writes 52 bytes.
MAX_GLOBAL_BYTES = 32 * 2**10
# In a row: before Python 3.11.10 and 3.12.6 tarfile needs the square of the time (CVE-2024-6232).
MAX_DIGITS = 100

_RECORD_TYPES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_NAME_TYPES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
# The length of a whole record, a space, and "keyword=value" with a line feed (POSIX.1-2017, pax).
_RECORD = re.compile(rb"([1-9][0-9]{0,5}) ([^=\n]+)=")
_SPARSE = b"GNU.sparse."
_DIGITS = re.compile(rb"[0-9]+")


class Member(tarfile.TarInfo):
    """A member of a :class:`TarStream`, which looks at each header before tarfile goes on."""

    __slots__ = ()

    def _proc_member(self, archive: Any) -> Any:
        # Where tarfile lets a subclass read kinds of headers in its own way.
        archive.fileobj.look_ahead(self.type, self.size)
        return super()._proc_member(archive)  # type: ignore[misc]


class TarStream(io.RawIOBase):
    """The bytes of a tar archive, forward only and counted.

    tarfile reads an extended header whole, whatever size it claims and whatever it holds, keeps
    what holds for the rest of the archive, and takes a broken header for its end: all are caught
    here. It has to be read with :class:`Member`.
    """

    def __init__(self, plain: io.BufferedIOBase, meter: Meter) -> None:
        self.plain = plain
        self.meter = meter
        self.last = b""
        # What has been looked at, and not been read yet.
        self.ahead = b""
        self.extended = 0
        self.lasting = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most so many."""
        if not 0 <= size <= CHUNK_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        seen, self.ahead = self.ahead[:size], self.ahead[size:]
        self.last = seen + self.plain.read(size - len(seen))
        self.meter.add(len(self.last))
        return self.last

    def tell(self) -> int:
        """Return how many bytes have been read."""
        return self.meter.total

    def seek(self, position: int, _whence: int = io.SEEK_SET) -> int:
        """Read on up to a position, and return where that has led."""
        while self.tell() < position and self.read(min(CHUNK_BYTES, position - self.tell())):
            pass
        return self.tell()

    def look_ahead(self, kind: bytes, size: int) -> None:
        """Look at what follows a header, where it belongs to the header of the next member.

        Args:
            kind: The type that the header says.
            size: How many bytes follow, by the header.

        Raises:
            DataError: They are too many, or tell of a sparse file.
            tarfile.ReadError: They are no records.
        """
        if kind == tarfile.GNUTYPE_SPARSE:
            raise self._sparse()
        if kind not in _RECORD_TYPES + _NAME_TYPES:
            self.extended = 0
            return
        blocks = -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        self.extended += blocks
        if size < 0 or self.extended > MAX_HEADER_BYTES:
            raise refusal(self.meter.archive, f"has a header of {self.extended} bytes")
        if kind in _RECORD_TYPES:
            self.ahead = self.plain.read(blocks)
            self._judge(self.ahead.rstrip(b"\0"), is_global=kind == tarfile.XGLTYPE)

    def _judge(self, records: bytes, *, is_global: bool) -> None:
        if any(keyword.startswith(_SPARSE) for keyword in _keywords(records)):
            raise self._sparse()
        if any(len(digits) > MAX_DIGITS for digits in _DIGITS.findall(records)):
            problem = f"has a header with a number of more than {MAX_DIGITS} digits"
            raise refusal(self.meter.archive, problem)
        if is_global:
            self.lasting += len(records)
        if self.lasting > MAX_GLOBAL_BYTES:
            problem = f"has global headers of more than {MAX_GLOBAL_BYTES} bytes"
            raise refusal(self.meter.archive, problem)

    def _sparse(self) -> DataError:
        # The map of its parts may be as long as the archive.
        return refusal(self.meter.archive, "has a sparse file")

    def finish(self) -> None:
        """Check that the archive ends as it should, and read on, for the decompressor's checksum.

        Raises:
            tarfile.ReadError: The last header read is not the block of zeros that ends an archive.
        """
        if self.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it breaks off")
        while self.read(CHUNK_BYTES):
            pass


def _keywords(records: bytes) -> list[bytes]:
    """Return the keyword of each record.

    Raises:
        tarfile.ReadError: They are no records, each of which ends where it says.
    """
    found, position = [], 0
    while position < len(records):
        record = _RECORD.match(records, position)
        after = position + int(record[1]) if record else 0
        if record is None or after <= record.end() or records[after - 1 : after] != b"\n":
            raise tarfile.ReadError("a header without records")
        found.append(record[2])
        position = after
    return found
