"""Who kills trainings knows what was saved without asking the code that goes on with it."""

import os

import pytest

from tests.campaigns import kills
from tests.campaigns.commands import _Counter, saves_of

NAMES = ("epoch000000-step00000001.npz", "epoch000001-step00000000.npz")


def save(folder, name):
    last = folder / "last"
    last.mkdir(parents=True, exist_ok=True)
    (last / name).write_bytes(b"")


def test_what_is_about_to_be_saved_is_written_down_beside_the_run(tmp_path):
    run = tmp_path / "cut"
    counter = _Counter("count", 0, run)
    for name in NAMES:
        counter.heard("os.rename", (run / "last" / ".writing-a", run / "last" / name, -1, -1))
    counter.heard("os.rename", (run / ".writing-b", run / "recipe.toml", -1, -1))
    counter.heard("os.remove", (run / "last" / NAMES[0], -1))
    os.close(counter._log)
    assert [moment for _, moment in saves_of(run)] == [(1, 2), (2, 1)]
    assert counter.count == 4
    assert not run.exists()


def test_where_nothing_was_written_down_nothing_was_saved(tmp_path):
    assert saves_of(tmp_path / "cut") == []


@pytest.mark.parametrize(
    ("point", "saves", "kept"),
    [
        (None, [], True),
        (None, [(1, 2)], True),
        ((1, 2), [(1, 2)], True),
        ((1, 2), [(1, 2), (2, 1)], True),
        ((2, 1), [(1, 2), (2, 1)], True),
        (None, [(1, 2), (2, 1)], False),
        ((1, 2), [(1, 2), (2, 1), (2, 2)], False),
        ((1, 2), [], False),
    ],
    ids=str,
)
def test_a_training_may_lose_the_save_that_nobody_saw_and_no_other(point, saves, kept):
    assert kills.is_kept(point, saves) is kept


def test_where_a_training_stands_is_told_by_names_of_files(tmp_path):
    assert kills.stands_at(tmp_path) == "nothing"
    (tmp_path / "recipe.toml").write_text("")
    assert kills.stands_at(tmp_path) == "a recipe"
    save(tmp_path, ".writing-a.npz")
    assert kills.stands_at(tmp_path) == "a recipe"
    save(tmp_path, NAMES[0])
    assert kills.stands_at(tmp_path) == "a step"
    save(tmp_path, NAMES[1])
    assert kills.stands_at(tmp_path) == "an epoch"
    assert kills.newest_of(tmp_path) == (2, 1)


def test_every_second_training_is_killed_while_something_is_being_saved():
    usual = kills.Measured(20.0, 100, (12.0, 15.0))
    moments = kills.moments_of(usual, 100)
    assert len(moments) == 100
    assert all(12 <= moment <= 15 for moment in moments[1::2])
    assert min(moments[::2]) < 5
    assert max(moments[::2]) > 15
