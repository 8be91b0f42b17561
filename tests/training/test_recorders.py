"""The curves are drawn in the end, and in between as often as it costs little."""

import pytest

from delineate.runs import Run
from delineate.training import recorders
from delineate.training.recorders import Journal


@pytest.fixture
def clock(monkeypatch):
    """A clock that only goes on where it is told to; and that each drawing takes a second of."""
    now = [100.0]

    def draw(rows, *, title):
        now[0] += 1
        return str(len(rows)).encode()

    monkeypatch.setattr(recorders.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(recorders, "draw_curves", draw)
    return now


def test_the_curves_take_a_hundredth_of_the_time_and_are_whole_in_the_end(clock, tmp_path):
    journal, drawn = Journal(Run(tmp_path)), []
    for epoch in range(30):
        clock[0] += 15
        journal.on_epoch_end(epoch, {"loss": 1.0})
        drawn.append(int(journal.run.curves.read_bytes()))
    # Of the first epoch, and whenever a hundred seconds have gone by since.
    assert sorted(set(drawn)) == [1, 8, 15, 22, 29]
    journal.on_train_end()
    assert journal.run.curves.read_bytes() == b"30"


def test_nothing_is_drawn_of_no_epoch(clock, tmp_path):
    journal = Journal(Run(tmp_path))
    journal.on_train_end()
    assert not journal.run.curves.exists()
