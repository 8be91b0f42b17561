"""What networks say of some images, with as much averaging as there is time for."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from delineate.data.dataset import Dataset
from delineate.data.pipeline import adapt_channels
from delineate.prediction.averaging import WAYS
from delineate.prediction.predictor import Predictor
from delineate.recipe import Post

Progress = Callable[[int, int], None]
Outputs = Sequence[np.ndarray]


def cost_of(post: Post) -> float:
    """Return how much an image takes to be predicted, in predictions without averaging.

    Example:
        >>> cost_of(Post(averaging="flips", scales=(0.5,)))
        5.0
    """
    return len(WAYS[post.averaging]) * (1 + math.fsum(scale**2 for scale in post.scales))


class Said:
    """Predicts some images, once for each kind of averaging, as long as there is time.

    Args:
        pairs: Networks, and the images that each of them predicts.
        seconds: The time there is for all of it, and for what is done with it in between.
        again: How often as many images will be predicted in the best way when all is done.
        between: How often what is done after the first prediction will be done again.
        progress: Called with (done, all) after each image.

    Example:
        >>> Said([])(Post())
        []
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Predictor, Dataset]],
        *,
        seconds: float = math.inf,
        again: float = 0.0,
        between: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self._pairs, self._progress = pairs, progress
        self._seconds, self._again, self._between = seconds, again, between
        self._begun = time.perf_counter()
        self._first: tuple[float, float] | None = None
        self._in_between: float | None = None

    def __call__(self, post: Post) -> Outputs | None:
        """Return what the networks say, float16, since all of it is kept; None: no time for it.

        Args:
            post: Whose averaging is done.
        """
        begun = time.perf_counter()
        if not self._fits(post, begun):
            return None
        found: list[np.ndarray] = []
        for predictor, part in self._pairs:
            settled = Predictor(
                predictor.card.model_copy(update={"post": post}), predictor.runtimes
            )
            for sample in part:
                image = adapt_channels(sample.image, predictor.card.channels, sample.name)
                found.append(settled.raw(image).astype(np.float16))
                self._tell(len(found))
        if self._first is None:
            ended = time.perf_counter()
            self._first = ended, (ended - begun) / cost_of(post)
        return found

    def is_over(self, post: Post) -> bool:
        """Return whether the time is used up, but for what is predicted when all is done.

        Args:
            post: How that will be predicted.
        """
        once = 0.0 if self._first is None else self._first[1]
        spent = time.perf_counter() - self._begun
        return spent + once * cost_of(post) * self._again > self._seconds

    def _fits(self, post: Post, now: float) -> bool:
        if self._first is None:
            return True
        ended, once = self._first
        if self._in_between is None:
            self._in_between = now - ended
        left = self._seconds - (now - self._begun) - self._between * self._in_between
        return once * cost_of(post) * (1 + self._again) <= left

    def _tell(self, done: int) -> None:
        if self._progress:
            self._progress(done, sum(len(part) for _, part in self._pairs))
