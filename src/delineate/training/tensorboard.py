"""Events for TensorBoard, on each backend, without TensorFlow."""

import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from socket import gethostname
from typing import Any

import keras

from delineate.errors import MissingExtraError
from delineate.hold import make_folder
from delineate.imaging import read_image

Logs = dict[str, float]


class EventFile:
    """A new file of events.

    It is tensorboardX's, and written by the caller's thread, between whose calls it is closed:
    tensorboardX's own thread would die of a full disk, and whoever adds events wait for ever.

    Args:
        folder: Where it goes; made where there is none.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.path = folder / f"events.out.tfevents.{int(time.time())}.{gethostname()}"
        self._write([{"file_version": "brain.Event:2"}])

    def add(self, summaries: Sequence[Any], step: int) -> None:
        """Write summaries, and wait until the disk has them.

        Args:
            summaries: As tensorboardX makes them.
            step: Of all of them.

        Raises:
            OSError: They cannot be written.
        """
        self._write([{"summary": each, "step": step} for each in summaries])

    def _write(self, events: Sequence[dict[str, Any]]) -> None:
        from tensorboardX.proto.event_pb2 import Event

        now = time.time()
        records = (_record(Event(wall_time=now, **said).SerializeToString()) for said in events)
        with self.path.open("ab") as file:
            file.write(b"".join(records))
            file.flush()
            os.fsync(file.fileno())


def _record(content: bytes) -> bytes:
    """Return a TFRecord: the length, its checksum, the content, its checksum."""
    from tensorboardX.record_writer import masked_crc32c

    def sum_of(part: bytes) -> bytes:
        return struct.pack("<I", masked_crc32c(part))

    length = struct.pack("<Q", len(content))
    return length + sum_of(length) + content + sum_of(content)


def event_writer() -> type[EventFile]:
    """Return the class that writes events.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "callbacks.tensorboard = true needs the package tensorboardX.",
            hint="Run: pip install 'delineate[tensorboard]'; or set it to false.",
        ) from error
    return EventFile


class TensorBoard(keras.callbacks.Callback):
    """Writes scores, the learning rate and the epoch's picture.

    Training and validation go into two folders under the same names, so that TensorBoard draws
    both into one chart.

    Args:
        folder: Where the events go.
        pictures: Where the epochs' pictures are.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path, pictures: Path) -> None:
        super().__init__()
        self.pictures = pictures
        self.folder = folder
        self.open = event_writer()
        self.files: dict[str, EventFile] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin the files.

        Raises:
            OSError: They cannot be written.
        """
        self.files = {name: self.open(self.folder / name) for name in ("train", "validation")}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's scores and picture.

        Raises:
            OSError: They cannot be written.
        """
        from tensorboardX.summary import image, scalar

        summaries: dict[str, list[Any]] = {name: [] for name in self.files}
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            summaries[part].append(scalar(name.removeprefix("val_"), value))
        picture = self.pictures / f"epoch{epoch + 1:04d}.png"
        if picture.is_file():
            shown = image("predictions", read_image(picture), dataformats="HWC")
            summaries["validation"].append(shown)
        for name, file in self.files.items():
            file.add(summaries[name], epoch + 1)
