import pytest

from delineate.training import watching
from delineate.training.watching import Pace


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(watching.time, "perf_counter", lambda: now[0])
    return now


def test_the_pace_counts_images_and_says_how_long_is_left(clock):
    pace = Pace()
    for _ in range(4):
        clock[0] += 0.5
        pace.step(images=8)
    assert pace.seconds == 2.0
    assert pace.images_per_second == 16.0
    assert pace.seconds_left(16) == pytest.approx(16 * 0.5)


def test_an_onlooker_is_told_a_few_times_a_second(clock):
    pace = Pace()
    told = []
    for _ in range(10):
        clock[0] += 0.125
        told.append(pace.due())
    assert sum(told) == 5
