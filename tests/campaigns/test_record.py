"""Which rows of a campaign are kept, and which cases are tried again."""

import re
import subprocess

import pytest

from tests.campaigns import record

NAME = "some"


@pytest.fixture(autouse=True)
def at(monkeypatch, tmp_path):
    """Sets the commit that rows are of."""
    monkeypatch.setattr(record, "ROWS", tmp_path / "rows")

    def choose(commit):
        monkeypatch.setattr(record, "circumstances", lambda: {"commit": commit})
        monkeypatch.setattr(record, "is_unchanged_since", lambda other: other == commit)

    choose("abc")
    return choose


def tried(cases, *, right=True, part=""):
    """Go on with a campaign; return which of its cases are tried."""
    found = []

    def try_one(case):
        found.append(case)
        return {"right": right}

    rows = record.go_on(NAME, cases, try_one, part=part)
    assert {row["case"] for row in rows} == set(cases)
    return found


@pytest.mark.parametrize("right", [True, False])
def test_what_has_its_row_of_this_commit_is_not_tried_again(at, right):
    assert tried(["a", "b"], right=right) == ["a", "b"]
    assert tried(["a", "b", "c"]) == ["c"]
    at("def")
    assert tried(["a"]) == ["a"]


def test_rows_stand_as_long_as_what_they_are_of_is_the_same(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr(record, "ROOT", tmp_path)

    def git(*said):
        named = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(
            ["git", "-C", tmp_path, *named, *said], check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(path):
        whole = tmp_path / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(f"{whole.exists()}")
        git("add", "-A")
        git("commit", "-q", "-m", path)
        record.is_unchanged_since.cache_clear()
        return git("rev-parse", "--short", "HEAD")

    git("init", "-q")
    first = commit("src/a.py")
    commit("tests/campaigns/rows/kills.json")
    commit("docs/reliability.md")
    assert record.is_unchanged_since(first)
    commit("src/a.py")
    assert not record.is_unchanged_since(first)
    assert not record.is_unchanged_since("0123456")


def test_rows_of_a_changed_tree_stand_for_no_other(at):
    at(f"abc{record.CHANGED}")
    assert tried(["a"]) == ["a"]
    assert tried(["a"]) == ["a"]


def test_what_could_not_be_tried_is_tried_again():
    assert tried(["a"], right=None) == ["a"]
    assert tried(["a"]) == ["a"]
    assert tried(["a"]) == []


def test_rows_of_cases_that_are_no_more_are_left_out_but_kept():
    tried(["a", "b"])
    tried(["b"])
    assert [row["case"] for row in record.read(NAME)] == ["b"]
    assert tried(["a", "b"]) == []


def test_each_part_has_its_own_cases():
    tried(["jax: a"], part="jax")
    tried(["torch: a", "torch: b"], part="torch")
    tried(["jax: c"], part="jax")
    assert record.cases_of(NAME) == ["jax: c", "torch: a", "torch: b"]


def test_what_is_not_as_it_should_be_ends_with_1_and_is_named(capsys):
    record.conclude([{"case": "a", "right": True}, {"case": "b", "right": None}], "things")
    said = capsys.readouterr().out
    assert "2 things, 0 not as they should be: none" in said
    assert "1 could not be tried here: b" in said
    with pytest.raises(SystemExit) as ended:
        record.conclude([{"case": "a", "right": False}], "things")
    assert ended.value.code == 1
    assert "1 not as they should be: a" in capsys.readouterr().out


def test_each_row_keeps_where_it_was_made(at, monkeypatch):
    def on(cores, commit="abc"):
        said = {"commit": commit, "cores": cores, "python": "3.11"}
        monkeypatch.setattr(record, "circumstances", lambda: said)

    on(2)
    tried(["a", "b"])
    on(8)
    tried(["a", "b", "c"])
    found = {row["case"]: row["circumstances"]["cores"] for row in record.read(NAME)}
    assert found == {"a": 2, "b": 2, "c": 8}
    assert {row["commit"] for row in record.read(NAME)} == {"abc"}


def test_older_rows_that_do_not_say_it_can_be_read():
    path = record.ROWS / f"{NAME}.json"
    path.parent.mkdir()
    path.write_text('{"circumstances": {}, "cases": {"": ["a"]}, "rows": [{"case": "a"}]}')
    (row,) = record.read(NAME)
    assert row["circumstances"] is None
    assert not record.stands(row)


def test_rows_depend_on_all_that_campaigns_take_from_other_tests():
    """By the name of each module of the tests that one of theirs imports."""
    found = set()
    for folder in ("campaigns", "properties"):
        for path in (record.ROOT / "tests" / folder).rglob("*.py"):
            found |= set(re.findall(r"from (tests\.[\w.]+) import", path.read_text("utf-8")))
    others = {
        name for name in found if not name.startswith(("tests.campaigns", "tests.properties"))
    }
    assert "tests.training.conftest" in others
    assert {f"{name.replace('.', '/')}.py" for name in others} <= set(record.TRIED)
