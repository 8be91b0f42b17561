"""The process of the campaigns that may be lost."""

import itertools

import pytest

from tests.campaigns.worker import LostError, Worker


@pytest.fixture
def worker():
    worker = Worker("tests.campaigns.worker")
    yield worker
    worker.close()


def test_a_task_is_answered_and_what_is_printed_is_no_answer(worker):
    assert worker.ask({"a": [1, None]}, within=60) == {"a": [1, None]}
    assert worker.ask("again", within=60) == "again"


def test_a_process_that_has_died_is_lost(worker):
    with pytest.raises(LostError, match="ends with 3"):
        worker.ask("die", within=60)
    with pytest.raises(LostError, match="ends with 3"):
        worker.ask("anything", within=60)


def test_a_process_that_hangs_is_lost_once_nothing_moves(worker):
    assert worker.ask("ready", within=60) == "ready"
    steps = itertools.chain(range(3), itertools.repeat(3))
    with pytest.raises(LostError, match="hangs"):
        worker.ask("hang", within=0.1, moving=lambda: next(steps))
    assert next(steps) == 3
    assert worker.process.returncode is not None
