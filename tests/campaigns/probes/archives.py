"""Archives of data sets, as a download may bring them."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.campaigns.probes.making import Probe

NAME = "archive"


def _zip(*members: tuple[str, bytes], mode: int = 0) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / NAME, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                info = zipfile.ZipInfo(name)
                info.external_attr = mode << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)

    return make


def _tar(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        with tarfile.open(folder / NAME, "w:gz") as archive:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info, io.BytesIO())

    return make


def _promises(folder: Path) -> None:
    with tarfile.open(folder / NAME, "w:gz") as archive:
        info = tarfile.TarInfo("large")
        info.size = 10**15
        archive.addfile(info)


def _records(body: bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        content = _header(tarfile.XHDTYPE, body) + _header(tarfile.REGTYPE) + bytes(1024)
        (folder / NAME).write_bytes(gzip.compress(content))

    return make


def _header(kind: bytes, body: bytes = b"") -> bytes:
    info = tarfile.TarInfo("image.png")
    info.type, info.size = kind, len(body)
    return info.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % tarfile.BLOCKSIZE)


def _lasting(folder: Path) -> None:
    records = [b"98 keyword%06d=" % number + b"x" * 80 + b"\n" for number in range(20_000)]
    between = _header(tarfile.DIRTYPE)
    content = b"".join(_header(tarfile.XGLTYPE, record) + between for record in records)
    (folder / NAME).write_bytes(gzip.compress(content + bytes(1024)))


def _sparse(folder: Path) -> None:
    content = bytearray(_header(tarfile.GNUTYPE_SPARSE))
    # More of its map follows, and the sum of the bytes has to be right again.
    content[482] = 1
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content)
    part = (b"%011o\0" % 1 * 42).ljust(512, b"\1")
    (folder / NAME).write_bytes(gzip.compress(bytes(content) + part * 100_000))


def _listed(folder: Path) -> None:
    entry = b"PK\x01\x02" + bytes(24) + b"\1\0" + bytes(16) + b"a"
    _zip_of(folder / NAME, entry * 600_000, size=len(entry) * 600_000)


def _listed_at_length(folder: Path) -> None:
    _zip_of(folder / NAME, b"", size=200 * 2**20)


def _zip_of(path: Path, entries: bytes, *, size: int) -> None:
    """Write an archive with one member by its own account, and with a list of so many bytes."""
    begin = b"PK\x03\x04"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, len(begin), 0)
    with path.open("wb") as file:
        file.write(begin + entries)
        file.truncate(len(begin) + size)
        file.seek(0, io.SEEK_END)
        file.write(end)


_MEMBER = ("image.png", b"content")
PROBES = {
    "a zip with a file above": Probe(_zip(("../code.py", b"")), "'..' in its path"),
    "a zip with an absolute name": Probe(_zip(("/tmp/code.py", b"")), "an absolute path"),
    "a zip with a backslash": Probe(_zip(("..\\code.py", b"")), "a backslash"),
    "a zip with a link": Probe(_zip(("link", b"/etc/passwd"), mode=0o120777), "a link or a device"),
    "a zip with a name twice, case aside": Probe(_zip(_MEMBER, ("IMAGE.PNG", b"")), "twice"),
    "a zip that grows": Probe(_zip(("zeros", bytes(150 * 2**20))), "times its size"),
    "a tar with a file above": Probe(_tar("../code.py"), "'..' in its path"),
    "a tar with a symbolic link": Probe(_tar("link", tarfile.SYMTYPE, "/etc"), "link or a device"),
    "a tar with a hard link": Probe(_tar("link", tarfile.LNKTYPE, "/etc/passwd"), "link or a"),
    "a tar with a device": Probe(_tar("zero", tarfile.CHRTYPE), "link or a device"),
    "a tar that promises 1 PB": Probe(_promises, "more than"),
    "a tar with a header of digits": Probe(_records(b"1" * 2**20), "a header of 1048576 bytes"),
    "a tar with a number of 29,999 digits": Probe(
        _records(b"30014 comment=" + b"1" * 29_999 + b"\n"), "more than 100 digits"
    ),
    "a tar with records inside of records": Probe(
        _records(b"2 " * 15_000 + b"k="), "without records"
    ),
    "a tar with 20,000 headers for all members": Probe(_lasting, "global headers of more than"),
    "a tar with a sparse file of 2,000,000 pieces": Probe(_sparse, "a sparse file"),
    "a zip with 600,000 members": Probe(_listed, "more than 500000 members"),
    "a zip with a list of members of 200 MiB": Probe(_listed_at_length, "a list of members of"),
}
