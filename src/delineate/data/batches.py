"""Batches as a function of (seed, epoch, step)."""

import logging
from typing import Any

import keras
import numpy as np

from delineate.data.pipeline import Window, Windows, stack
from delineate.errors import DataError, ImageError

_log = logging.getLogger(__name__)


class Batches(keras.utils.PyDataset):
    """Endless stateless batches: the index counts all steps since the beginning.

    It works in a plain ``model.fit`` too, with ``steps_per_epoch=batches.steps``, since Keras then
    lets the index run on over the epochs; with ``shuffle=False`` it does not warn that the order is
    not its own. With ``workers`` above 1, Keras leaves out the first batch on JAX and PyTorch.

    Attributes:
        left_out: Which images could not be read so far, and why: a sentence for each.

    Args:
        windows: What the batches consist of.
        batch_size: Windows in a batch.
        seed: Of the order.
        shuffle: A new order in each epoch. The last batch is then filled up with the first windows
            of the order, so that all batches have one shape; otherwise it is smaller.
        skip: Where an image cannot be read, name it and take the next window; it is an error
            otherwise.
        options: Those of a ``PyDataset``.

    Raises:
        DataError: There are no windows.
    """

    def __init__(
        self,
        windows: Windows,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        skip: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if len(windows) == 0:
            raise DataError(
                "There are no images to make batches of.", hint="Give a split that holds images."
            )
        self.windows = windows
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.skip = skip
        self.left_out: list[str] = []
        self.steps = -(-len(windows) // batch_size)

    @property
    def num_batches(self) -> None:
        """None: endless."""
        return

    def __getitem__(self, index: int) -> Window:
        """Return the batch of a step counted from the beginning of the first epoch."""
        return self.batch(*divmod(index, self.steps))

    def batch(self, epoch: int, step: int) -> Window:
        """Return one batch.

        Args:
            epoch: From 0.
            step: From 0 to ``steps`` - 1.

        Returns:
            Images, float32 (batch, height, width, channels), values of the range of the
            stored type; masks, int32 (batch, height, width), 255 = ignore.
        """
        chosen = self.indices(epoch, step)
        return stack([self._window(epoch, int(index)) for index in chosen])

    def indices(self, epoch: int, step: int) -> np.ndarray:
        """Return the indices of a batch's windows, int64."""
        return self.order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]

    def _window(self, epoch: int, index: int) -> Window:
        """Return a window, or the next one that can be read where that is asked for."""
        last = len(self.windows) - 1 if self.skip else 0
        for further in range(last):
            try:
                return self.windows.window(epoch, (index + further) % len(self.windows))
            except ImageError as error:
                if error.message not in self.left_out:
                    self.left_out.append(error.message)
                    _log.warning("left out: %s", error.message)
        return self.windows.window(epoch, (index + last) % len(self.windows))

    def order(self, epoch: int) -> np.ndarray:
        """Return the indices of an epoch's windows in the order in which they are used, int64."""
        count = len(self.windows)
        if not self.shuffle:
            return np.arange(count)
        order = np.random.default_rng([self.seed, epoch]).permutation(count)
        return np.resize(order, self.steps * self.batch_size)
