import threading

import pytest

from delineate.training.feeding import feed


class Counted:
    """Stands for batches; remembers what was asked for and in which thread."""

    def __init__(self, fail_at=None):
        self.asked, self.threads, self.fail_at = [], set(), fail_at

    def batch(self, epoch, step):
        self.threads.add(threading.current_thread())
        self.asked.append((epoch, step))
        if step == self.fail_at:
            raise ValueError("a broken image")
        return epoch, step


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order_whatever_the_number_of_workers(workers):
    batches = Counted()
    assert list(feed(batches, 4, range(2, 9), workers)) == [(4, step) for step in range(2, 9)]
    assert (threading.current_thread() in batches.threads) == (workers == 0)


def test_only_a_few_batches_are_prepared_ahead():
    batches = Counted()
    feeding = feed(batches, 0, range(100), 2)
    next(feeding)
    feeding.close()
    assert len(batches.asked) <= 4


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_out_at_its_batch(workers):
    feeding = feed(Counted(fail_at=3), 0, range(10), workers)
    assert [next(feeding) for _ in range(3)] == [(0, 0), (0, 1), (0, 2)]
    with pytest.raises(ValueError, match="a broken image"):
        next(feeding)
