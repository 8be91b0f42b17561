"""Ctrl-C between two steps or frames, not within one; and SIGTERM, heeded like it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """A SIGTERM has been heeded: everything is tidy, and the process is to end."""


class Stopped(KeyboardInterrupt):
    """A Ctrl-C has been heeded: everything is saved."""


class StopRequest:
    """While open, the first SIGINT or SIGTERM only asks to stop; a second SIGINT interrupts.

    Attributes:
        asked: Whether a stop has been asked for.
        urgent: Whether by SIGTERM: whoever sends it soon ends the process by force.
    """

    def __init__(self) -> None:
        self.asked = self.urgent = False
        self._before: dict[int, object] = {}

    def heed(self) -> NoReturn:
        """End what goes on, which has saved everything.

        Raises:
            Terminated: The stop was asked for by SIGTERM.
            Stopped: It was asked for by Ctrl-C.
        """
        raise Terminated if self.urgent else Stopped

    def __enter__(self) -> "StopRequest":
        """Take over the signals, if this is the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        self.urgent = self.urgent or number == signal.SIGTERM


@contextmanager
def terminable() -> Iterator[None]:
    """While open, a SIGTERM ends what goes on as Ctrl-C does, so that it can tidy up.

    Raises:
        Terminated: There was one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
