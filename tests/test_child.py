"""Children: plain values and arrays there, plain values or an error back, and not too much taken."""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from delineate.child import Limits, run_child
from delineate.errors import BundleError, MissingExtraError

PROGRAM = """
import errno, os, sys
from pathlib import Path
from delineate.errors import MissingExtraError
from delineate.child import serve

def work(said, arrays):
    print("for people")
    if said["do"] == "refuse":
        raise MissingExtraError("It lacks.", hint="Install it.")
    if said["do"] == "crash":
        os._exit(9)
    if said["do"] == "be killed":
        os.kill(os.getpid(), 9)
    if said["do"] == "turn":
        while True:
            pass
    if said["do"] == "take":
        return len(bytes(8 * 10**9))
    if said["do"] == "write":
        with open(said["to"], "wb") as file:
            for _ in range(100):
                file.write(bytes(2**20))
    if said["do"] == "fill":
        def fail(*_, **__):
            raise OSError(errno.ENOSPC, "No space left on device")
        Path.write_text = fail
        return None
    if said["do"] == "talk":
        return "word " * 2**25
    if said["do"] == "look":
        return {"path": sys.path, "folder": os.getcwd()}
    return {"shapes": [each.shape for each in arrays.values()], "backend": os.environ["KERAS_BACKEND"]}

serve(work)
"""
MEMORY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory")


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "child_of_a_test.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return "child_of_a_test"


def test_values_and_arrays_go_there_and_values_come_back(program, capfd):
    arrays = [np.zeros((2, 3), np.uint8), np.zeros((1, 4, 5), np.float32)]
    found = run_child(program, {"do": "work"}, arrays, backend="torch")
    assert found == {"shapes": [[2, 3], [1, 4, 5]], "backend": "torch"}
    told = capfd.readouterr()
    assert "for people" in told.err
    assert not told.out


@pytest.mark.parametrize("limits", [None, Limits()])
def test_an_error_comes_back_as_it_was(program, limits):
    with pytest.raises(MissingExtraError, match="It lacks") as error:
        run_child(program, {"do": "refuse"}, limits=limits)
    assert error.value.hint == "Install it."


def test_a_crash_is_told(program):
    with pytest.raises(BundleError, match="ended with 9") as error:
        run_child(program, {"do": "crash"})
    assert error.value.hint


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("crash", "model.keras could not be opened: the process that tried it ended with 9"),
        ("be killed", "model.keras could not be opened within 9 s and 2 GB"),
    ],
)
def test_a_crash_within_limits_names_what_was_opened(program, do, message):
    with pytest.raises(BundleError, match=message) as error:
        run_child(program, {"do": do}, limits=Limits(), name="model.keras")
    assert error.value.hint


def test_a_child_that_takes_too_long_is_killed(program):
    with pytest.raises(BundleError, match="the file could not be opened within 2 s and 2 GB"):
        run_child(program, {"do": "turn"}, limits=Limits(seconds=2.0), name="the file")


@MEMORY
def test_a_child_that_takes_too_much_memory_is_told(program):
    with pytest.raises(BundleError, match="the file could not be opened within 9 s and 1 GB"):
        run_child(program, {"do": "take"}, limits=Limits(memory=10**9), name="the file")


@MEMORY
def test_a_child_that_writes_too_much_is_stopped(program, tmp_path):
    said = {"do": "write", "to": str(tmp_path / "large")}
    with pytest.raises(BundleError, match="ended with 1"):
        run_child(program, said, limits=Limits(written=2**20), name="the file")
    assert (tmp_path / "large").stat().st_size <= 2**20


def test_an_answer_that_is_too_long_is_none(program):
    with pytest.raises(BundleError, match="could not be opened"):
        run_child(program, {"do": "talk"}, limits=Limits(written=2**30), name="the file")


@pytest.mark.parametrize("limits", [None, Limits()])
def test_a_child_without_room_for_its_answer_names_the_temporary_folder(program, limits):
    with pytest.raises(BundleError, match="has no room for what is in the file") as error:
        run_child(program, {"do": "fill"}, limits=limits, name="the file")
    assert tempfile.gettempdir() in error.value.message
    assert "TMPDIR" in error.value.hint


def test_limits_are_told_in_round_numbers():
    assert str(Limits(seconds=60.4, memory=3_123_456_789)) == "60 s and 3.1 GB"


def test_a_file_may_take_the_longer_the_larger_it_is():
    assert Limits.for_file(0) == Limits()
    given = Limits.for_file(3 * 10**8, seconds=60, memory=10**9, numbers=100)
    assert given == Limits(seconds=63, memory=10**9, written=64 * 2**20 + 100)


def test_a_child_with_limits_is_silent(program, capfd, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    run_child(program, {"do": "work"}, limits=Limits())
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")


@pytest.mark.parametrize("limits", [None, Limits()])
def test_a_child_imports_nothing_from_the_working_folder(program, tmp_path, monkeypatch, limits):
    """Python's own -m puts it first: a downloaded folder may hold a json.py."""
    folder = tmp_path / "downloaded"
    folder.mkdir()
    for name in ("json.py", "numpy.py", "delineate.py"):
        (folder / name).write_text(f"open({str(folder / 'has-run')!r}, 'w').close()\n")
    monkeypatch.chdir(folder)
    found = run_child(program, {"do": "look"}, limits=limits)
    assert str(folder) not in found["path"]
    assert "" not in found["path"]
    assert not (folder / "has-run").exists()
    assert (found["folder"] == str(folder)) == (limits is None)


def test_relative_places_of_packages_are_found_by_a_child_that_is_elsewhere(
    program, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.curdir)
    found = run_child(program, {"do": "look"}, limits=Limits())
    assert str(tmp_path) in found["path"]
    assert not Path(found["folder"]).exists(), "its own folder goes with it"
