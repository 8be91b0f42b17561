"""The weights of Keras models, which are files of HDF5."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.campaigns.probes.making import MODEL, Probe, rezip

# Where the kernel of the only convolution is.
GROUP, KERNEL = "layers/conv2d/vars", "layers/conv2d/vars/0"


def _changed(change: Callable[[Any], None]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / MODEL) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r+") as file:
            change(file)
        rezip(folder, weights=content.getvalue())

    return make


def _is(content: bytes) -> Callable[[Path], None]:
    return lambda folder: rezip(folder, weights=content)


def _external_link(file: Any) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("/etc/passwd", "/anything")


def _soft_link(file: Any) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink(f"/{GROUP}/1")


def _external_storage(file: Any) -> None:
    del file[KERNEL]
    file[GROUP].create_dataset("0", (1, 1, 1, 1), "f4", external=[("/etc/passwd", 0, 4)])


def _virtual(file: Any) -> None:
    del file[KERNEL]
    layout = h5py.VirtualLayout((1, 1, 1, 1), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "anything", (1, 1, 1, 1), "f4")
    file[GROUP].create_virtual_dataset("0", layout)


def _circle(file: Any) -> None:
    file[f"{GROUP}/again"] = file["layers"]


def _many_groups(file: Any) -> None:
    inside = file.create_group("many")
    for number in range(50_001):
        inside[str(number)] = file[GROUP]


def _words(file: Any) -> None:
    del file[KERNEL]
    file[KERNEL] = np.full((1, 1, 1, 1), b"word")


def _promised(file: Any) -> None:
    # 64 GiB of zeros, of which nothing is stored.
    file.create_dataset("large", (2**17, 2**17), "f4", chunks=(1024, 1024), compression="gzip")


def _bytes(file: Any) -> None:
    # 16 MiB and a byte, of which nothing is stored: four times as many as floats.
    file.create_dataset("large", (2**24 + 1,), "u1", chunks=(2**16,), compression="gzip")


def _of_one_byte(file: Any) -> None:
    del file[KERNEL]
    file[KERNEL] = np.zeros((1, 1, 1, 1), np.uint8)


def _other_shape(file: Any) -> None:
    del file[KERNEL]
    file[KERNEL] = np.zeros((1, 1, 1, 2), np.float32)


def _missing(file: Any) -> None:
    del file[KERNEL]


PROBES = {
    "weights in another file, by a link": Probe(_changed(_external_link), "is a link"),
    "weights by a link": Probe(_changed(_soft_link), "is a link"),
    "weights stored in another file": Probe(_changed(_external_storage), "no data set of this"),
    "weights seen through to another file": Probe(_changed(_virtual), "no data set of this"),
    "groups in a circle": Probe(_changed(_circle), "too many, or too deep"),
    "50,001 groups": Probe(_changed(_many_groups), "too many, or too deep"),
    "words as weights": Probe(_changed(_words), "holds no numbers"),
    "64 GiB of nothing": Probe(_changed(_promised), "its numbers have more than"),
    "bytes that become 64 MiB of floats": Probe(_changed(_bytes), "its numbers have more than"),
    "weights of one byte each": Probe(_changed(_of_one_byte), "which the file has not as float32"),
    "weights of another shape": Probe(_changed(_other_shape), "which the file has not"),
    "no weights": Probe(_changed(_missing), "which the file has not"),
    "no HDF5": Probe(_is(b"no HDF5 at all"), "cannot be read as a file of Keras weights"),
    "HDF5 that breaks off": Probe(
        _is(b"\x89HDF\r\n\x1a\n" + bytes(2000)), "cannot be read as a file of Keras weights"
    ),
}
