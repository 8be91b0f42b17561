"""Work that is done in a thread, in order, while the caller goes on."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from delineate.share import give_way


class Background:
    """Does one thing after the other beside what goes on, and after it where cores are few.

    What goes wrong is raised when the next thing is to be done, or waited for; nothing that was to
    come after it is done.

    Args:
        most: So many things may wait or be in work before the next one has to wait for them.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(1, "background", initializer=give_way)
        self._waiting: deque[Future[None]] = deque()
        self._failed = False

    def do(self, work: Callable[[], None]) -> None:
        """Have something done soon.

        Args:
            work: What is done; it must not touch what the caller goes on to change.

        Raises:
            Exception: What went wrong before; this is then not done.
        """
        while len(self._waiting) >= self._most:
            self._take()
        self._waiting.append(self._pool.submit(self._unless_failed, work))

    def wait(self) -> None:
        """Wait until everything is done.

        Raises:
            Exception: What went wrong.
        """
        while self._waiting:
            self._take()

    def close(self) -> None:
        """Leave out what has not been begun, and wait for the rest, whatever becomes of it."""
        self._failed = True
        self._pool.shutdown()
        self._waiting.clear()

    def _take(self) -> None:
        try:
            self._waiting.popleft().result()
        except BaseException:
            # What came after it has been left out.
            for other in self._waiting:
                other.exception()
            self._waiting.clear()
            self._failed = False
            raise

    def _unless_failed(self, work: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            work()
        except BaseException:
            self._failed = True
            raise
