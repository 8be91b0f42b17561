"""A full temporary folder is told, and nothing else is taken for one."""

import errno
import tempfile

import pytest

from delineate import temporary
from delineate.errors import BundleError
from delineate.temporary import room_told, temporary_folder


def test_the_folder_goes_with_what_is_in_it_even_after_an_error():
    made = []

    def work():
        with temporary_folder("the file") as folder:
            made.append(folder)
            (folder / "a").write_text("content")
            1 / 0  # noqa: B018

    with pytest.raises(ZeroDivisionError):
        work()
    assert not made[0].exists()


def test_a_folder_that_cannot_be_made_names_what_is_opened(monkeypatch):
    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(temporary, "TemporaryDirectory", fail)
    with (
        pytest.raises(BundleError, match="has no room for what is in the file"),
        temporary_folder("the file"),
    ):
        pytest.fail("it has begun")


NO_ROOM = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError(errno.EFBIG, "File too large"),
    RuntimeError("Can't decrement id ref count (file write failed: time = 1, errno = 28, ...)"),
]


@pytest.mark.parametrize("error", NO_ROOM, ids=str)
def test_a_full_temporary_folder_is_named_and_what_to_do(error):
    with (
        pytest.raises(BundleError, match="has no room for what is in the file") as told,
        room_told("the file"),
    ):
        raise error
    assert tempfile.gettempdir() in told.value.message
    assert "TMPDIR" in told.value.hint


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "Permission denied"),
        OSError("Unable to open file (truncated file: eof = 96, errno = 2)"),
        RuntimeError("another one"),
        ValueError("errno = 28"),
    ],
    ids=str,
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as told, room_told("the file"):
        raise error
    assert told.value is error


def test_disks_that_are_all_full_are_told(monkeypatch):
    """Python then finds no temporary folder."""

    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(temporary, "gettempdir", none)
    with (
        pytest.raises(BundleError, match="No temporary folder has room for what is in the file"),
        room_told("the file"),
    ):
        pytest.fail("it has begun")
