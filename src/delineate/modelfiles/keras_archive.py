"""The archive that a ``.keras`` file is: three members, plain or deflated, of bounded sizes."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from delineate.errors import BundleError
from delineate.modelfiles.keras_config import inspected
from delineate.temporary import room_told
from delineate.zip_directory import directory_of

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# The most bytes of each member.
MEMBERS = {CONFIG: 8 * 2**20, METADATA: 64 * 2**10, WEIGHTS: 4 * 2**30}
# Numbers hardly shrink, so a member that grows by more than this is made to.
MOST_GROWTH = 20

_CHUNK = 2**20
_ENCRYPTED = 0x1
# The most bytes of the list of members.
_MOST_DIRECTORY = 64 * 2**10
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OverflowError),
    *(RecursionError, ValueError),
)


def config_of(path: Path) -> dict[str, Any]:
    """Return the configuration of the model in a ``.keras`` file, as Keras may read it.

    Raises:
        BundleError: There is no such file, it is no such archive, or the configuration is refused.
    """
    with _opened(path) as archive:
        return inspected(archive.read(CONFIG))


def extract_weights(path: Path, target: Path) -> None:
    """Write the weights in a ``.keras`` file, an HDF5 file that nobody has looked at, to a file.

    Raises:
        BundleError: There is no such file, it is no such archive, or the temporary folder that
            ``target`` is in has no room.
        OSError: ``target`` cannot be written for another reason.
    """
    with _opened(path) as archive, room_told(str(path)), target.open("wb") as out:
        size = archive.getinfo(WEIGHTS).file_size
        with archive.open(WEIGHTS) as content:
            while chunk := content.read(_CHUNK):
                out.write(chunk)
                if out.tell() > size:
                    raise ValueError("its weights have more bytes than it says")


def refusal(path: Path, reason: str) -> BundleError:
    """Return the error for a ``.keras`` file that is not opened.

    Args:
        path: The file.
        reason: The end of a sentence.
    """
    return BundleError(
        f"Keras cannot open {path}: {reason.rstrip('.')}.",
        hint="Copy the file again; or ask whoever made it for a model of Keras's plain layers.",
    )


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Yield an archive of the right members; what goes wrong with it becomes one kind of error."""
    try:
        with path.open("rb") as file:
            _refuse_directory(file)
            with zipfile.ZipFile(file) as archive:
                _refuse_members(archive)
                yield archive
    except OSError as error:
        if error.filename is not None and str(error.filename) != str(path):
            raise
        raise refusal(path, error.strerror or str(error)) from error
    except _DAMAGE as error:
        raise refusal(path, str(error) or type(error).__name__) from error


def _refuse_directory(file: IO[bytes]) -> None:
    """Refuse an archive whose list of members is long, before that is read into the memory.

    It may have no comment, and no records of 64 bits.
    """
    size = file.seek(0, 2)
    if size > sum(MEMBERS.values()):
        raise ValueError(f"it has {size} bytes")
    directory = directory_of(file)
    if directory is None or directory.comment:
        raise ValueError("it is no Keras model, or cut short")
    if directory.size > _MOST_DIRECTORY:
        raise ValueError(f"its list of members has {directory.size} bytes")
    if directory.is_wide:
        raise ValueError("it is an archive of 64 bits")


def _refuse_members(archive: zipfile.ZipFile) -> None:
    names = sorted(info.orig_filename for info in archive.infolist())
    if names != sorted(MEMBERS):
        told = ", ".join(names)[:100]
        raise ValueError(f"it holds {told or 'nothing'}, and not {', '.join(sorted(MEMBERS))}")
    for info in archive.infolist():
        name = info.orig_filename
        if info.flag_bits & _ENCRYPTED:
            raise ValueError(f"its {name} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"its {name} is compressed by method {info.compress_type}")
        grown = name == WEIGHTS and info.file_size > MOST_GROWTH * info.compress_size + _CHUNK
        if info.file_size > MEMBERS[name] or grown:
            raise ValueError(f"its {name} would have {info.file_size} bytes")
