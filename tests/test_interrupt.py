import os
import signal
import threading
from contextlib import ExitStack

import pytest

from delineate.interrupt import Stopped, StopRequest, Terminated, terminable


def test_the_first_signal_only_asks_and_the_second_interrupts():
    with StopRequest() as stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
        assert not isinstance(caught.value, Stopped)


def test_a_sigterm_asks_to_stop():
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked


def test_who_stops_by_sigterm_is_in_a_hurry():
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop.urgent
        with pytest.raises(Stopped):
            stop.heed()
        signal.raise_signal(signal.SIGTERM)
        assert stop.urgent
        with pytest.raises(Terminated):
            stop.heed()


def test_a_sigterm_ends_what_goes_on_so_that_it_can_tidy_up():
    before, tidied = signal.getsignal(signal.SIGTERM), []

    def work():
        with terminable(), ExitStack() as stack:
            stack.callback(tidied.append, True)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Terminated):
        work()
    assert tidied
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_signals_are_given_back_even_after_an_error():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), StopRequest():
        1 / 0  # noqa: B018
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_outside_the_main_thread_the_signals_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with StopRequest():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
