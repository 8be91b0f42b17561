"""The mark of what was made here: nobody without the key can make it."""

import json
import logging
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from delineate import trust

VALUES = {"name": "é", "numbers": [1, 0.1, None, True], "inside": {"b": 1, "a": 2}}


@pytest.fixture
def state(tmp_path, monkeypatch):
    """An empty folder of state."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "delineate"


def test_what_was_marked_here_is_known(state):
    mark = trust.mark_of(VALUES)
    assert len(mark) == 64
    assert trust.is_marked(VALUES, mark)
    assert trust.mark_of(VALUES) == mark


def test_the_order_of_keys_and_a_way_through_json_change_nothing(state):
    mark = trust.mark_of(VALUES)
    again = json.loads(json.dumps(dict(reversed(VALUES.items())), indent=4, ensure_ascii=False))
    assert trust.is_marked(again, mark)


@pytest.mark.parametrize(
    "other",
    [
        VALUES | {"name": "e"},
        VALUES | {"more": 0},
        VALUES | {"numbers": [1, 0.1, None, 1]},
        {"name": "é"},
    ],
)
def test_anything_else_is_not_known(state, other):
    assert not trust.is_marked(other, trust.mark_of(VALUES))


@pytest.mark.parametrize("mark", [None, 1, "", "0" * 64, "é", ["0"]])
def test_what_is_no_mark_is_not_known(state, mark):
    trust.mark_of(VALUES)
    assert not trust.is_marked(VALUES, mark)


def test_the_mark_of_another_user_is_not_known(state, tmp_path, monkeypatch):
    mark = trust.mark_of(VALUES)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert not trust.is_marked(VALUES, mark)
    assert not (tmp_path / "other").exists(), "looking makes no key"
    assert trust.mark_of(VALUES) != mark


def test_the_key_is_its_users_alone(state):
    trust.mark_of(VALUES)
    assert [path.name for path in state.iterdir()] == ["key"]
    assert (state / "key").stat().st_size == trust.KEY_BYTES
    if sys.platform != "win32":
        assert stat.S_IMODE((state / "key").stat().st_mode) == 0o600


def test_two_that_need_a_key_at_once_get_the_same_one(state):
    with ThreadPoolExecutor(8) as pool:
        marks = set(pool.map(lambda _: trust.mark_of(VALUES), range(32)))
    assert len(marks) == 1


def test_a_key_that_was_cut_short_is_made_anew(state):
    first = trust.mark_of(VALUES)
    (state / "key").write_bytes(b"short")
    assert not trust.is_marked(VALUES, first)
    assert trust.is_marked(VALUES, trust.mark_of(VALUES))


def test_without_a_place_for_a_key_there_is_no_mark_and_a_warning(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        assert trust.mark_of(VALUES) == ""
    assert "what is saved here has no mark" in caplog.text
    assert not trust.is_marked(VALUES, "")


def test_the_folder_is_that_of_the_specification(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert trust.state_folder() == tmp_path / ".local" / "state" / "delineate"
