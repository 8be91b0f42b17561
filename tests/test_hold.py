"""A folder is written by one process at a time, and is free again once that has ended."""

import shutil
import signal
import subprocess
import sys

import pytest

from delineate.errors import RunError
from delineate.files import write_whole
from delineate.hold import LOCK, hold, make_folder

HOLD = """
import sys
from pathlib import Path
from delineate.hold import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path, holder):
    with pytest.raises(RunError, match=f"process {holder.pid} on ") as told, hold(tmp_path):
        pass
    assert "another --to" in told.value.hint


def test_what_the_lock_holds_is_left_alone(tmp_path, holder):
    before = (tmp_path / LOCK).read_bytes()
    with pytest.raises(RunError), hold(tmp_path):
        pass
    assert (tmp_path / LOCK).read_bytes() == before


def test_a_holder_that_was_killed_has_freed_it(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with hold(tmp_path):
        assert (tmp_path / LOCK).is_file()


def test_two_holders_in_one_process_refuse_each_other(tmp_path):
    with hold(tmp_path), pytest.raises(RunError, match="is being written by process"):
        hold(tmp_path).__enter__()
    with hold(tmp_path):
        pass


def test_it_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), hold(tmp_path):
        1 / 0  # noqa: B018
    with hold(tmp_path):
        pass


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_is_held_and_has_gone_is_not_written(tmp_path, again):
    run = tmp_path / "run"
    run.mkdir()
    with hold(run):
        write_whole(run / "deep" / "a.txt", "a")
        run.rename(tmp_path / "moved")
        if again:
            # Another process has made it anew, and has it.
            run.mkdir()
            (run / LOCK).touch()
        for write in (
            lambda: write_whole(run / "a.txt", "a"),
            lambda: write_whole(run / "deeper" / "a.txt", "a"),
            lambda: make_folder(run),
        ):
            with pytest.raises(FileNotFoundError) as told:
                write()
            assert told.value.filename == str(run)
        assert run.exists() == again
        make_folder(tmp_path / "run-2")
        if again:
            (run / LOCK).unlink()
            run.rmdir()
        (tmp_path / "moved").rename(run)
        write_whole(run / "b.txt", "b")
    shutil.rmtree(run)
    make_folder(run / "deep")
