"""Batches prepared ahead of the step, in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from delineate.data.batches import Batches
from delineate.data.pipeline import Window
from delineate.share import give_way


def feed(batches: Batches, epoch: int, steps: Iterable[int], workers: int) -> Iterator[Window]:
    """Yield the batches of some steps of an epoch in order, prepared by threads ahead of time.

    Args:
        batches: The batches.
        epoch: The epoch, from 0.
        steps: The steps wanted.
        workers: Threads; 0 prepares each batch when it is asked for.
    """
    if workers == 0:
        for step in steps:
            yield batches.batch(epoch, step)
        return
    waiting: deque[Future[Window]] = deque()
    with ThreadPoolExecutor(workers, "feeding", initializer=give_way) as pool:
        try:
            for step in steps:
                waiting.append(pool.submit(batches.batch, epoch, step))
                if len(waiting) > workers + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
