"""What is changed where nothing should be is heard, and what is changed elsewhere is not."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from delineate.child import Limits, run_child
from delineate.errors import WeightsError
from tests.campaigns import witness
from tests.campaigns.witness import Witness

WRITE, READ = os.O_WRONLY | os.O_CREAT, os.O_RDONLY


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The only folder in which anything may be changed, and the working folder."""
    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def heard(place):
    """Returns what is kept of an event, below the folder above."""

    def hear(event, *arguments):
        listener = Witness([place])
        listener.heard(event, arguments)
        return [seen.removeprefix(f"{place.parent}/") for seen in listener.seen]

    return hear


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("open", ("../x", "w", WRITE)),
        ("open", (b"../x", None, WRITE)),
        ("os.mkdir", ("../x", 0o777, -1)),
        ("os.rename", ("y", "../x", -1, -1)),
        ("os.symlink", ("y", "../x", -1)),
        ("os.link", ("y", "../x", -1, -1)),
        ("os.remove", ("../x", -1)),
        ("os.truncate", ("../x", 0)),
    ],
)
def test_a_change_outside_is_heard(heard, event, arguments):
    assert heard(event, *arguments) == ["x"]


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("open", ("x", "w", WRITE)),
        ("open", ("../x", "r", READ)),
        ("open", (3, "w", WRITE)),
        ("os.mkdir", ("..", 0o777, -1)),
        ("os.rename", ("y", "x", -1, -1)),
        ("os.symlink", ("../y", "x", -1)),
        ("os.listdir", ("..",)),
        ("subprocess.Popen", (sys.executable, [], None, None)),
    ],
)
def test_what_may_be_done_is_not(heard, event, arguments):
    assert heard(event, *arguments) == []


def test_a_folder_beside_with_a_longer_name_is_outside(heard):
    assert heard("open", "../place2/x", "w", WRITE) == ["place2/x"]


def test_what_a_link_leads_to_is_what_is_written(heard, place):
    (place / "link").symlink_to(place.parent)
    assert heard("open", "link/x", "w", WRITE) == ["x"]


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the folder of a number")
def test_a_name_may_be_relative_to_an_open_folder(heard, place):
    for folder, expected in ((place, []), (place.parent, ["x"])):
        number = os.open(folder, os.O_RDONLY)
        try:
            assert heard("os.remove", "x", number) == expected
        finally:
            os.close(number)


@pytest.mark.parametrize("event", ["os.system", "os.exec", "subprocess.Popen"])
def test_another_program_is_heard(heard, event):
    assert heard(event, "/bin/true", [], None, None) == [f"{event} /bin/true"]


@pytest.fixture
def told(place, monkeypatch):
    """Where children tell what they do."""
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", witness._TO, witness._ALLOWED):
        # What is set below is taken back afterwards.
        monkeypatch.setenv(name, os.environ.get(name, ""))
    return witness.listen_to_children(place / "listening", [place, Path("/dev")])


def run_python(code):
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_what_a_child_writes_outside_is_told(place, told):
    run_python("open('../x', 'w').close()")
    assert told.read_text() == f"a child: {str(place.parent / 'x')!r}\n"


def test_what_a_child_of_a_child_starts_is_told(place, told):
    inner = "import subprocess; subprocess.run(['true'])"
    run_python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])")
    assert told.read_text() == "a child: 'subprocess.Popen true'\n"


def test_what_a_child_may_do_is_not_told(place, told):
    run_python("open('x', 'w').close(); open('../place/x').close()")
    assert (place / "x").is_file()
    assert told.read_text() == ""


def test_what_reads_a_model_from_elsewhere_is_heard(place, told, monkeypatch):
    """It is started without the working folder, and with limits."""
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setenv("TMPDIR", str(place))
    limits = Limits(seconds=60.0)
    said = {"file": str(place / "none.h5"), "to": str(place.parent / "x"), "most": 9, "name": "n"}
    (place / "none.h5").write_bytes(b"no HDF5")
    with pytest.raises(WeightsError):
        run_child("delineate.modelfiles.hdf5_reading", said, limits=limits, name="n")
    assert told.read_text() == ""
    with h5py.File(place / "some.h5", "w") as file:
        file["0"] = [1.0]
    said["file"] = str(place / "some.h5")
    run_child("delineate.modelfiles.hdf5_reading", said | {"most": 99}, limits=limits, name="n")
    assert told.read_text() == f"a child: {said['to']!r}\n"
