"""Writing files whole or not at all."""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from delineate.hold import make_folder

# How the names of files begin that are being written. It is short: names have 255 bytes at most.
TEMPORARY = ".writing-"


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it once the block has ended well.

    The content is flushed to the disk before it takes the name, so that after a crash the name
    holds the previous content or the new one, never a part. On an error the temporary file goes.

    Args:
        path: The file to write; its folder is made, unless this process holds it and it has gone.
        durable: Whether to wait until the disk has it. Without, only a crash of the machine may
            leave a part: for what can be made again, and is verified when it is read.

    Raises:
        OSError: The file cannot be written (a full disk, no permission); ``path`` is untouched.
    """
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            flush(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


def write_whole(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write bytes, or text as UTF-8, whole or not at all.

    Args:
        path: The file to write; its folder is made.
        content: What to write.
        durable: As for :func:`whole_file`.

    Raises:
        OSError: The file cannot be written; what stood there before is untouched.
    """
    with whole_file(path, durable=durable) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def sealed(values: Any) -> str:
    """Return values as JSON, with the checksum of that.

    Args:
        values: Plain values.
    """
    return json.dumps({"sum": zlib.crc32(json.dumps(values).encode()), "values": values})


def unsealed(text: str) -> Any:
    """Return the values that :func:`sealed` has written.

    Args:
        text: What it has returned.

    Raises:
        ValueError: It is damaged.
        KeyError: It is other JSON, and likewise TypeError.
    """
    said = json.loads(text)
    if zlib.crc32(json.dumps(said["values"]).encode()) != said["sum"]:
        raise ValueError("its checksum is wrong")
    return said["values"]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until the disk has a file's content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the disk has a folder's names."""
    if os.name != "posix":  # pragma: no cover - Windows cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
