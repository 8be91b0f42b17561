"""Unpacking zip and tar archives that may come from strangers.

Nothing is believed that an archive says: names, kinds and sizes are checked before a file is made,
and the bytes are counted again while they are written.
"""

import bz2
import gzip
import io
import lzma
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from delineate.data.fetching.meter import Meter, refusal
from delineate.data.fetching.tar_stream import CHUNK_BYTES, Member, TarStream
from delineate.data.fetching.xz_stream import XzStream
from delineate.errors import DataError
from delineate.zip_directory import count_members, directory_of

MAX_MEMBERS = 500_000
MAX_BYTES = 50 * 10**9
# Of the list of members of a zip: 268 for each.
MAX_LIST_BYTES = 128 * 2**20
MAX_COMPONENT_BYTES = 255
MAX_DEPTH = 64
# As many as file systems take. Of a path no more than its last name is kept for each file.
MAX_PATH_BYTES = 4096
# A folder takes a place on the disk and one in the memory, however short its name is.
MAX_FOLDERS = 100_000

Progress = Callable[[int, int], None]

_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
# zipfile bounds the memory that one read takes for these two only.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DECOMPRESSORS: dict[bytes, Callable[[io.BufferedReader, Path], io.BufferedIOBase]] = {
    b"\x1f\x8b": lambda raw, _: gzip.GzipFile(fileobj=raw),
    b"BZh": lambda raw, _: bz2.BZ2File(raw),
    b"\xfd7zXZ\x00": lambda raw, archive: io.BufferedReader(XzStream(raw, archive), CHUNK_BYTES),
}
_LITTER = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db"})
_DRIVE = re.compile(r"[A-Za-z]:")
# What the standard library raises on damaged input, beside an OSError without a number.
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, LookupError, NotImplementedError, OverflowError, RecursionError, ValueError),
)


def unpack(
    archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES, progress: Progress | None = None
) -> None:
    """Unpack a zip or tar archive (plain, gzip, bzip2, xz) into a folder, whole or not at all.

    The files are written to a temporary folder beside ``folder``, which takes its name at the end
    and is removed on any failure. Files and folders get plain modes. What macOS and Windows leave
    in archives (``__MACOSX``, ``.DS_Store``, ``Thumbs.db``) is skipped; archives inside are files.

    Args:
        archive: The archive; its first bytes decide what it is, not its name.
        folder: The folder to make. An empty one may exist.
        max_bytes: The most bytes that all files together may have.
        progress: Called after each member with the bytes of the archive done and its size.

    Raises:
        DataError: There is no such archive; ``folder`` is not empty; the archive is damaged, is
            encrypted, holds links, devices, sparse files, unsafe or duplicate names, too many
            members or bytes, or headers made to do harm, expands like a bomb, or takes too much
            memory; or the folder cannot be written.

    Example:
        >>> unpack(Path("stage1_train.zip"), Path("nuclei"))  # doctest: +SKIP
    """
    size = archive_size(archive)
    folder = free_folder(folder)
    with temporary_folder(folder.parent) as temporary:
        fresh = temporary / "unpacked"
        with closing(_unpack_members(archive, fresh, _Ledger(archive, max_bytes))) as steps:
            for done in steps:
                if progress is not None:
                    progress(min(done, size), size)
        move_into_place(fresh, folder)


def archive_size(archive: Path) -> int:
    """Return the size of an archive in bytes.

    Raises:
        DataError: There is no such file, or it may not be read.
    """
    try:
        with archive.open("rb") as file:
            return file.seek(0, io.SEEK_END)
    except OSError as error:
        raise DataError(
            f"The archive {archive} cannot be read: {error.strerror}.",
            hint="Name an archive that exists and may be read.",
        ) from error


def free_folder(folder: Path) -> Path:
    """Return the absolute path of a folder that does not exist yet or is empty.

    Raises:
        DataError: The folder holds something, or its name is taken by a file.
    """
    folder = folder.resolve()
    if folder.is_dir() and any(folder.iterdir()):
        problem = "exists and is not empty"
    elif folder.exists() and not folder.is_dir():
        problem = "is a file"
    else:
        return folder
    raise DataError(f"{folder} {problem}.", hint="Name a new folder, or remove what stands there.")


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in ``parent``, which is made if need be; it goes when the block ends.

    Raises:
        DataError: The folder cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=parent))
    except OSError as error:
        raise _cannot_write(parent, error) from error
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def move_into_place(fresh: Path, folder: Path) -> None:
    """Rename a finished folder to its final name, which is free or an empty folder.

    Raises:
        DataError: The name was taken in the meantime, or cannot be written.
    """
    try:
        if folder.is_dir():
            folder.rmdir()  # Windows cannot rename onto an empty folder.
        fresh.rename(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"{folder} cannot be written: {error.strerror}.",
        hint="Free space on the disk, or name a new folder that may be written.",
    )


@dataclass(frozen=True)
class _Entry:
    """One admitted member: where it goes, its declared size and its bytes (None: a folder)."""

    path: PurePosixPath
    size: int
    content: IO[bytes] | None
    position: int


class _Ledger:
    """What has been admitted from one archive, so that the next member can be judged."""

    def __init__(self, archive: Path, max_bytes: int) -> None:
        self.archive = archive
        self.declared = Meter(archive, max_bytes)
        self.written = Meter(archive, max_bytes)
        self.decompressed = Meter(archive, max_bytes)
        self.members = 0
        self.files = 0
        # What each folder holds, the first being the archive: the number of a folder; None: a file.
        self.folders: list[dict[str, int | None]] = [{}]

    def admit(
        self, name: str, *, size: int, is_folder: bool, is_file: bool
    ) -> PurePosixPath | None:
        """Return where a member goes, or None if it is to be skipped.

        Raises:
            DataError: It is no file or folder, its name is unsafe or taken, or the archive has
                become too large.
        """
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise refusal(self.archive, f"has more than {MAX_MEMBERS} members")
        self.declared.add(size)
        if not is_file and not is_folder:
            raise refusal(self.archive, f"has a member {name!r} that is a link or a device")
        path = PurePosixPath(name)
        fault = _name_fault(name, path.parts, is_folder)
        if fault is not None:
            raise refusal(self.archive, f"has a member {name!r} with {fault}")
        if not path.parts or not _LITTER.isdisjoint(path.parts):
            return None
        self._claim(path, is_folder)
        return path

    def _claim(self, path: PurePosixPath, is_folder: bool) -> None:
        # As file systems compare that know no case and no two spellings of one accented letter.
        parts = unicodedata.normalize("NFC", str(path)).casefold().split("/")
        inside = self.folders[0]
        for part in parts if is_folder else parts[:-1]:
            number = inside.setdefault(part, len(self.folders))
            if number is None:
                raise self._twice(path)
            if number == len(self.folders):
                self._add_folder()
            inside = self.folders[number]
        if not is_folder:
            if parts[-1] in inside:
                raise self._twice(path)
            inside[parts[-1]] = None
            self.files += 1

    def _add_folder(self) -> None:
        if len(self.folders) > MAX_FOLDERS:
            raise refusal(self.archive, f"has more than {MAX_FOLDERS} folders")
        self.folders.append({})

    def _twice(self, path: PurePosixPath) -> DataError:
        return refusal(self.archive, f"has the name {str(path)!r} twice, case aside")


def _name_fault(name: str, parts: tuple[str, ...], is_folder: bool) -> str | None:
    faults = {
        "a NUL character": "\0" in name,
        "a backslash": "\\" in name,
        "an absolute path": name.startswith("/"),
        "'..' in its path": ".." in parts,
        "a drive letter": any(_DRIVE.match(part) for part in parts),
        f"more than {MAX_COMPONENT_BYTES} bytes between two slashes": any(
            len(part.encode("utf-8", "surrogateescape")) > MAX_COMPONENT_BYTES for part in parts
        ),
        f"more than {MAX_DEPTH} folders": len(parts) > MAX_DEPTH,
        f"more than {MAX_PATH_BYTES} bytes": (
            len(name.encode("utf-8", "surrogateescape")) > MAX_PATH_BYTES
        ),
        "an empty name": not parts and not is_folder,
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def _unpack_members(archive: Path, fresh: Path, ledger: _Ledger) -> Generator[int, None, None]:
    with _one_kind_of_error(archive, fresh):
        fresh.mkdir()
        for entry in _entries(archive, ledger):
            _write(entry, fresh, ledger)
            yield entry.position
        if not ledger.files:
            raise DataError(f"{archive} holds no files.", hint="Fetch the archive again.")
        yield archive.stat().st_size


@contextmanager
def _one_kind_of_error(archive: Path, fresh: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, *_DAMAGE) as error:
        # The decompressors raise an OSError without a number for damaged input.
        if isinstance(error, OSError) and error.errno is not None:
            raise _cannot_write(fresh.parent.parent, error) from error
        raise DataError(
            f"{archive} is damaged, or is no zip or tar archive: {error}.",
            hint="Fetch the archive again.",
        ) from error


def _entries(archive: Path, ledger: _Ledger) -> Iterator[_Entry]:
    with archive.open("rb") as raw:
        is_zip = raw.read(4) in _ZIP_MAGICS
    return _zip_entries(archive, ledger) if is_zip else _tar_entries(archive, ledger)


def _zip_entries(archive: Path, ledger: _Ledger) -> Iterator[_Entry]:
    with archive.open("rb") as raw:
        _refuse_long_list(raw, archive)
        yield from _listed_entries(raw, ledger)


def _refuse_long_list(raw: IO[bytes], archive: Path) -> None:
    """Refuse too many members before zipfile makes an object of each of them."""
    directory = directory_of(raw)
    if directory is None:
        raise zipfile.BadZipFile("it breaks off")
    if directory.size > MAX_LIST_BYTES:
        raise refusal(archive, f"has a list of members of {directory.size} bytes")
    if count_members(raw, directory) > MAX_MEMBERS:
        raise refusal(archive, f"has more than {MAX_MEMBERS} members")


def _listed_entries(raw: IO[bytes], ledger: _Ledger) -> Iterator[_Entry]:
    with zipfile.ZipFile(raw) as opened:
        # A list: every member is judged before the first is written.
        judged = [(info, _admit_zip_member(info, ledger)) for info in opened.infolist()]
        position = 0
        for info, is_wanted in judged:
            position += info.compress_size
            if is_wanted:
                content = None if _is_folder(info) else opened.open(info)
                yield _Entry(PurePosixPath(info.orig_filename), info.file_size, content, position)


def _is_folder(info: zipfile.ZipInfo) -> bool:
    # Not ZipInfo.is_dir, which fails on a name that is empty, or cut at a NUL.
    return info.orig_filename.endswith("/")


def _admit_zip_member(info: zipfile.ZipInfo, ledger: _Ledger) -> bool:
    """Return whether a member is to be written; paths of all of them would take much memory."""
    # zipfile cuts the name at a NUL and turns backslashes on Windows; orig_filename is as stored.
    name, mode = info.orig_filename, info.external_attr >> 16
    if info.flag_bits & _ZIP_ENCRYPTED:
        raise refusal(ledger.archive, f"has an encrypted member {name!r}")
    if info.compress_type not in _ZIP_METHODS:
        method = f"has a member {name!r} compressed by method {info.compress_type}, not deflate"
        raise refusal(ledger.archive, method)
    path = ledger.admit(
        name,
        size=info.file_size,
        is_folder=_is_folder(info),
        is_file=stat.S_IFMT(mode) in (0, stat.S_IFREG),
    )
    return path is not None


def _tar_entries(archive: Path, ledger: _Ledger) -> Iterator[_Entry]:
    with ExitStack() as stack:
        raw = stack.enter_context(archive.open("rb"))
        stream = TarStream(stack.enter_context(_decompressed(raw, archive)), ledger.decompressed)
        opened = stack.enter_context(tarfile.TarFile(fileobj=stream, mode="r", tarinfo=Member))
        while (member := opened.next()) is not None:
            opened.members.clear()  # type: ignore[attr-defined]  # It would keep them all.
            path = ledger.admit(
                member.name, size=member.size, is_folder=member.isdir(), is_file=member.isreg()
            )
            if path is not None:
                yield _Entry(path, member.size, opened.extractfile(member), raw.tell())
        stream.finish()


def _decompressed(raw: io.BufferedReader, archive: Path) -> io.BufferedIOBase:
    start = raw.read(6)
    raw.seek(0)
    for magic, decompress in _DECOMPRESSORS.items():
        if start.startswith(magic):
            return decompress(raw, archive)
    return raw


def _write(entry: _Entry, fresh: Path, ledger: _Ledger) -> None:
    target = fresh.joinpath(*entry.path.parts)
    if entry.content is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    with entry.content as content:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while chunk := content.read(CHUNK_BYTES):
                ledger.written.add(len(chunk))
                out.write(chunk)
            if out.tell() != entry.size:
                raise EOFError(f"{entry.path} has {out.tell()} bytes and not {entry.size}")
