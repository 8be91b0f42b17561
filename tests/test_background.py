"""What is done in the background: in order, no error is lost, and nothing is done after one."""

import threading

import pytest

from delineate.background import Background


def fail():
    raise OSError(28, "No space left on device")


def test_the_caller_goes_on_meanwhile():
    go_on, done = threading.Event(), []
    background = Background()
    background.do(lambda: go_on.wait(timeout=60) and done.append(1))
    assert not done
    go_on.set()
    background.wait()
    assert done == [1]


@pytest.mark.parametrize("most", [1, 3])
def test_things_are_done_in_order(most):
    done = []
    background = Background(most)
    for number in range(5):
        background.do(lambda number=number: done.append(number))
    background.wait()
    assert done == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("notice", ["do", "wait"])
def test_an_error_is_raised_once_by_what_comes_next(notice):
    done = []
    background = Background()
    background.do(fail)
    with pytest.raises(OSError, match="No space left"):
        background.wait() if notice == "wait" else background.do(lambda: done.append(1))
    assert not done
    background.do(lambda: done.append(2))
    background.wait()
    assert done == [2]


def test_nothing_is_done_after_what_failed():
    go_on, done = threading.Event(), []
    background = Background(4)
    background.do(lambda: go_on.wait(timeout=60) and fail())
    background.do(lambda: done.append(1))
    background.do(lambda: done.append(2))
    go_on.set()
    with pytest.raises(OSError, match="No space left"):
        background.wait()
    assert not done


def test_closing_leaves_out_what_has_not_begun(monkeypatch):
    begun, go_on, done = threading.Event(), threading.Event(), []

    def slow():
        begun.set()
        go_on.wait(timeout=60)
        done.append("slow")

    background = Background(4)
    background.do(slow)
    background.do(lambda: done.append("later"))
    assert begun.wait(timeout=60)
    shut_down = background._pool.shutdown
    monkeypatch.setattr(background._pool, "shutdown", lambda: (go_on.set(), shut_down()))
    background.close()
    assert done == ["slow"]
