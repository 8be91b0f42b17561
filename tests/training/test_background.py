"""What is written beside the steps: in order, and no error is lost."""

import threading

import pytest

from delineate.training.background import Background


def test_the_caller_goes_on_meanwhile():
    go_on, done = threading.Event(), []
    background = Background()
    background.do(lambda: go_on.wait(timeout=60) and done.append(1))
    assert not done
    go_on.set()
    background.wait()
    assert done == [1]


def test_things_are_done_in_order():
    done = []
    background = Background()
    for number in range(5):
        background.do(lambda number=number: done.append(number))
    background.wait()
    assert done == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("notice", ["do", "wait"])
def test_an_error_is_raised_once_by_what_comes_next(notice):
    def fail():
        raise OSError(28, "No space left on device")

    done = []
    background = Background()
    background.do(fail)
    with pytest.raises(OSError, match="No space left"):
        background.wait() if notice == "wait" else background.do(lambda: done.append(1))
    assert not done
    background.do(lambda: done.append(2))
    background.wait()
    assert done == [2]
