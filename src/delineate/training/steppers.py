"""Who moves the weights by a batch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import keras
import numpy as np

from delineate.metrics import Scores
from delineate.models.folding import validating
from delineate.training.checkpoint import restore, values_of
from delineate.training.optimizers import set_learning_rate

Losses = dict[str, float]


class Stepper(Protocol):
    """What a training steps: a network, its optimizers, and what they count.

    Attributes:
        model: What callbacks are given as their model; its ``stop_training`` is heeded.
        scores: Counts what the network says of a batch.
        stage: Its name for onlookers: "" for the network itself.
    """

    model: keras.Model
    scores: Scores
    stage: str

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """All variables that a step changes, in a fixed order: what a resume point holds."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Become what is stepped in an epoch, from 0; also before a resume point is restored."""
        ...

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        ...

    def step(self, images: np.ndarray, masks: np.ndarray) -> Losses:
        """Move the weights by one batch; return its losses, the one that is minimised as "loss".

        Args:
            images: float32 (batch, height, width, channels), values as stored.
            masks: int32 (batch, height, width), 255 = ignore; or (batch, height, width, 1 +
                targets) where objects are learnt too.
        """
        ...

    def test(self, images: np.ndarray, masks: np.ndarray) -> Losses:
        """Return the losses of a batch and leave all weights as they are."""
        ...

    def shown(self) -> AbstractContextManager[None]:
        """Return a context in which the network has the weights that are scored and saved."""
        ...


class PlainStepper:
    """One network with one loss, stepped by Keras's compiled train function.

    Args:
        model: Ends in logits; compiled.
        scores: The model's metric.
        encoder_rate: Factor on the learning rate of the encoder.
        averaged: Whether the optimizer keeps a moving average of the weights, which is then shown.
        thaw: Sets the encoder free and compiles the model anew; None: nothing is frozen for a time.
        thaw_after: How many epochs that is done after.
    """

    def __init__(
        self,
        model: keras.Model,
        scores: Scores,
        *,
        encoder_rate: float = 1.0,
        averaged: bool = False,
        thaw: Callable[[], None] | None = None,
        thaw_after: int = 0,
    ) -> None:
        self.model = model
        self.scores = scores
        self.stage = ""
        self._encoder_rate, self._averaged = encoder_rate, averaged
        self._thaw, self._thaw_after = thaw, thaw_after
        model.optimizer.build(model.trainable_variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """Weights, statistics, seeds, and the optimizer's."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def begin_epoch(self, epoch: int) -> None:
        """Set the encoder free if it is time."""
        if self._thaw is not None and epoch >= self._thaw_after:
            self._thaw()
            self._thaw = None
            self.model.optimizer.build(self.model.trainable_variables)

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        set_learning_rate(self.model.optimizer, rate, encoder_rate=self._encoder_rate)

    def step(self, images: np.ndarray, masks: np.ndarray) -> Losses:
        """Move the weights by one batch; return its loss."""
        return {"loss": float(self.model.train_on_batch(images, masks, return_dict=True)["loss"])}

    def test(self, images: np.ndarray, masks: np.ndarray) -> Losses:
        """Return the loss of a batch."""
        with validating():
            return {
                "loss": float(self.model.test_on_batch(images, masks, return_dict=True)["loss"])
            }

    def shown(self) -> AbstractContextManager[None]:
        """Return a context with the averaged weights, where there are some."""
        return self._with_average() if self._averaged else nullcontext()

    @contextmanager
    def _with_average(self) -> Iterator[None]:
        weights = self.model.trainable_variables
        if not int(self.model.optimizer.iterations):
            # Nothing has been averaged yet.
            yield
            return
        stepped = values_of(weights)
        self.model.optimizer.finalize_variable_values(weights)
        # As copies: on JAX a weight that is shown is given away, and the average with it.
        restore(weights, values_of(weights))
        try:
            yield
        finally:
            restore(weights, stepped)
