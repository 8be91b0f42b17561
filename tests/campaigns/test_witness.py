"""What is changed where nothing should be is heard, and what is changed elsewhere is not."""

import os
import sys

import pytest

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
        witness = Witness([place])
        witness.heard(event, arguments)
        return [seen.removeprefix(f"{place.parent}/") for seen in witness.seen]

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
