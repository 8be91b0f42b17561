"""Events for TensorBoard, on each backend, without TensorFlow."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from delineate.errors import MissingExtraError
from delineate.imaging import read_image

Logs = dict[str, float]


def event_writer() -> Any:
    """Return the class that writes events.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "callbacks.tensorboard = true needs the package tensorboardX.",
            hint="Run: pip install 'delineate[tensorboard]'; or set it to false.",
        ) from error
    return SummaryWriter


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
        self.writers: dict[str, Any] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the files."""
        for name in ("train", "validation"):
            self.writers[name] = self.open(str(self.folder / name))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's scores and picture."""
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            self.writers[part].add_scalar(name.removeprefix("val_"), value, epoch + 1)
        picture = self.pictures / f"epoch{epoch + 1:04d}.png"
        if picture.is_file():
            image = np.moveaxis(read_image(picture), 2, 0)
            self.writers["validation"].add_image("predictions", image, epoch + 1)
        for writer in self.writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        for writer in self.writers.values():
            writer.close()
