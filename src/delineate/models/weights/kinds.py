"""What a file of weights is, by its content."""

import zipfile
from pathlib import Path
from stat import S_ISREG
from typing import IO, Literal

from delineate.errors import WeightsError
from delineate.zip_directory import count_members, directory_of

Kind = Literal["hdf5", "keras", "torch", "safetensors"]

MOST_BYTES = 4 * 2**30
"""Bytes of a file of weights: far more than any encoder has."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
# The little-endian length of its header, then the header, which is JSON.
_SAFETENSORS_HEADER_AT = 8
# Of an archive: a checkpoint has one member for each tensor.
_MOST_MEMBERS, _MOST_LIST_BYTES = 50_000, 16 * 2**20


def file_kind(path: Path) -> Kind:
    """Return what a file is.

    Raises:
        WeightsError: There is none, it has more than ``MOST_BYTES``, or it is no file of weights.
    """
    refuse_large(path)
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise _unreadable(path, error) from error
    found = _kind(path, head)
    if found is None:
        what = "is empty" if not head else f"is no file of weights (it begins with {head[:8]!r})"
        raise WeightsError(
            f"{path} {what}.",
            hint="Pass Keras weights (.weights.h5, .h5), a Keras model (.keras), a run folder, a "
            "PyTorch checkpoint (.pt, .pth) or a safetensors file.",
        )
    return found


def refuse_large(path: Path) -> int:
    """Return how many bytes a file has; it is not opened.

    Raises:
        WeightsError: They are more than ``MOST_BYTES``, it is no regular file, or there is none.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not S_ISREG(about.st_mode):
        raise WeightsError(f"{path} is no regular file.", hint="Name a file of weights.")
    if about.st_size > MOST_BYTES:
        raise WeightsError(
            f"{path} has {about.st_size} bytes; the limit is {MOST_BYTES}.",
            hint="Save the weights of the encoder alone, without the state of an optimizer.",
        )
    return about.st_size


def _unreadable(path: Path, error: OSError) -> WeightsError:
    return WeightsError(
        f"The weights {path} cannot be read: {error.strerror}.",
        hint="Set model.weights to 'imagenet', or to the path of a file or run folder.",
    )


def _kind(path: Path, head: bytes) -> Kind | None:
    if head.startswith(_HDF5):
        return "hdf5"
    if head.startswith(_ZIP):
        return _kind_of_zip(path)
    if head[_SAFETENSORS_HEADER_AT : _SAFETENSORS_HEADER_AT + 1] == b"{":
        return "safetensors"
    return "torch" if head.startswith(_PICKLE) else None


def _kind_of_zip(path: Path) -> Kind | None:
    try:
        with path.open("rb") as file:
            _refuse_long_list(file)
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path} is cut short or damaged: {error}.", hint="Get the file again."
        ) from error
    if "model.weights.h5" in names:
        return "keras"
    return "torch" if any(name.endswith("data.pkl") for name in names) else None


def _refuse_long_list(file: IO[bytes]) -> None:
    """Refuse a long list of members before zipfile makes an object of each of them."""
    directory = directory_of(file)
    if directory is None:
        raise zipfile.BadZipFile("it does not end as an archive does")
    if directory.size > _MOST_LIST_BYTES or count_members(file, directory) > _MOST_MEMBERS:
        raise ValueError(f"its list of members has {directory.size} bytes")
