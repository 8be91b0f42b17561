"""Events: as tensorboardX writes them, but at once, so that a full disk is told."""

import errno
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from delineate.imaging import write_png
from delineate.training.faults import DISK
from delineate.training.tensorboard import TensorBoard

pytest.importorskip("tensorboardX")

# More of one part than tensorboardX's queue takes.
SCORES = {f"val_score {number}": number / 8 for number in range(12)}
LOGS = {"loss": 0.5, "learning_rate": 1e-3, "val_loss": 0.75, **SCORES}


@contextmanager
def limited(size):
    """Files may have so many bytes: writing more is an error of the system's."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def events_in(folder):
    """The records of the one event file in a folder: length, checksum, data, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    assert path.name.startswith("events.out.tfevents.")
    content, events = path.read_bytes(), []
    while content:
        length = int.from_bytes(content[:8], "little")
        events.append(Event.FromString(content[12 : 12 + length]))
        content = content[length + 16 :]
    return events


@pytest.fixture
def picture(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    write_png(tmp_path / "pictures" / "epoch0002.png", image)
    return image


@pytest.fixture
def board(tmp_path):
    return TensorBoard(tmp_path / "run", tmp_path / "pictures")


def test_the_events_are_those_that_tensorboardx_writes(board, picture, tmp_path):
    from tensorboardX import SummaryWriter

    board.on_train_begin()
    for epoch in range(2):
        board.on_epoch_end(epoch, LOGS)
    for part, prefix in (("train", ""), ("validation", "val_")):
        names = [name for name in LOGS if name.startswith("val_") == bool(prefix)]
        with SummaryWriter(str(tmp_path / "theirs" / part)) as writer:
            for step in (1, 2):
                for name in names:
                    writer.add_scalar(name.removeprefix(prefix), LOGS[name], step)
            if prefix:
                writer.add_image("predictions", np.moveaxis(picture, 2, 0), 2)
        ours, theirs = (events_in(tmp_path / who / part) for who in ("run", "theirs"))
        for event in [*ours, *theirs]:
            assert 0 <= time.time() - event.wall_time < 60
            event.wall_time = 0
        assert ours == theirs


def test_the_checksums_are_right(board, picture, tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    board.on_train_begin()
    board.on_epoch_end(1, LOGS)
    for part, count in (("train", 3), ("validation", 15)):
        paths = [str(path) for path in (tmp_path / "run" / part).iterdir()]
        assert len(list(tensorflow.data.TFRecordDataset(paths))) == count


def test_each_epoch_is_on_the_disk_when_it_has_ended(board, tmp_path):
    board.on_train_begin()
    for epoch in range(2):
        board.on_epoch_end(epoch, {"loss": 0.5})
        found = events_in(tmp_path / "run" / "train")
        assert [event.step for event in found] == list(range(epoch + 2))


def test_a_full_disk_is_an_error_in_the_epoch_and_no_thread_is_left(board, tmp_path):
    before = threading.enumerate()
    board.on_train_begin()
    assert threading.enumerate() == before
    board.on_epoch_end(0, LOGS)
    size = max(path.stat().st_size for path in (tmp_path / "run").rglob("events*"))
    with limited(size + 20), pytest.raises(OSError, match="too large") as error:
        board.on_epoch_end(1, LOGS)
    assert error.value.errno == errno.EFBIG
    assert error.value.errno in DISK
    assert threading.enumerate() == before
    # What there was before can be read, and with room again there is more of it.
    board.on_epoch_end(1, LOGS)


def test_files_that_cannot_be_begun_are_an_error(board):
    with limited(0), pytest.raises(OSError, match="too large"):
        board.on_train_begin()
