"""Which threads go first."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from delineate.background import Background
from delineate.share import give_way
from delineate.training.feeding import feed


def niceness():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


class Batches:
    """Stands for batches, each of which is the niceness of the thread that makes it."""

    def batch(self, epoch, step):
        return niceness()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness on Linux only")
def test_what_is_done_beside_the_step_gives_way_to_it():
    own, seen = niceness(), []
    # There is none above 19.
    nicer = min(own + 10, 19)
    with ThreadPoolExecutor(1, initializer=give_way) as pool:
        assert pool.submit(niceness).result() == nicer
    assert set(feed(Batches(), 0, range(3), 1)) == {nicer}
    background = Background()
    background.do(lambda: seen.append(niceness()))
    background.wait()
    assert seen == [nicer]
    assert niceness() == own


def test_elsewhere_nothing_changes(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    own = niceness()
    with ThreadPoolExecutor(1, initializer=give_way) as pool:
        assert pool.submit(niceness).result() == own
