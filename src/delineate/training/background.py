"""Files that are written while the next steps are made."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Background:
    """Does one thing after the other beside the steps.

    What goes wrong is raised when the next thing is to be done, or waited for.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._last: Future[None] | None = None

    def do(self, write: Callable[[], None]) -> None:
        """Begin with something, as soon as what was begun before is done.

        Args:
            write: What is done; it must not touch what the steps change.

        Raises:
            Exception: What went wrong before.
        """
        self.wait()
        self._last = self._pool.submit(write)

    def wait(self) -> None:
        """Wait until everything is done.

        Raises:
            Exception: What went wrong.
        """
        last, self._last = self._last, None
        if last is not None:
            last.result()
