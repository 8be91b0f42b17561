"""The adversarial step: a critic learns to tell true masks from refined ones, a refiner to deceive.

The refiner's loss is that of pix2pix (Isola et al., CVPR 2017): what the critic says of its mask,
and how far the mask is from the truth.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from delineate.data.classes import IGNORE
from delineate.losses.targets import counted, one_hot
from delineate.metrics import Scores
from delineate.models.refiner import logits_and_probabilities
from delineate.recipe import Refiner
from delineate.training.steppers import Losses

Tensor = Any
# As in pix2pix: with Keras's 0.9 the two networks chase each other.
BETA_1 = 0.5


class Verdict(keras.losses.Loss):
    """How far the critic is from calling a mask real, or refined: the mean over all patches.

    Args:
        real: Which of the two it is wanted to say.
    """

    def __init__(self, *, real: bool) -> None:
        super().__init__(name="verdict")
        self.sign = -1.0 if real else 1.0

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the cross-entropy of logits (batch, rows, columns, 1); the truth has no part."""
        return ops.mean(ops.softplus(self.sign * ops.cast(y_pred, "float32")))


class Distance(keras.losses.Loss):
    """The mean absolute difference of probabilities and truth (L1) where it is not ignored.

    Args:
        output: "softmax" or "sigmoid".
    """

    def __init__(self, *, output: str) -> None:
        super().__init__(name="distance")
        self.output = output

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the distance of logits (batch, height, width, channels), a scalar."""
        truth = ops.cast(y_true, "int32")
        probabilities = keras.activations.get(self.output)(ops.cast(y_pred, "float32"))
        valid = _valid(truth)
        apart = ops.abs(one_hot(truth, y_pred.shape[-1], IGNORE) - probabilities) * valid
        return ops.sum(ops.mean(apart, axis=-1)) / ops.maximum(ops.sum(valid), 1.0)


class AdversarialStepper:
    """Steps a refiner and its critic in turns; the network that is refined stays as it is.

    That network works as in prediction here, without dropout. Where the truth is ignored, the
    critic sees nothing: zeros stand in the true mask and in the refined one alike, so that such
    pixels teach neither of the two.

    Attributes:
        model: The refiner and the critic as the refiner's step sees them.
        scores: Counts the refined masks.
        stage: "refiner".

    Args:
        first: The network that is refined; ends in ``probabilities``.
        refiner: As from ``build_refiner``.
        critic: As from ``build_critic``.
        scores: The metric of the refined logits.
        settings: The recipe's section `[refiner]`.
        fidelity: The loss between truth and refined logits.
        compiled: Whether a step is one program of the backend's compiler.
    """

    def __init__(
        self,
        first: keras.Model,
        refiner: keras.Model,
        critic: keras.Model,
        scores: Scores,
        *,
        settings: Refiner,
        fidelity: keras.losses.Loss,
        compiled: bool = False,
    ) -> None:
        self.stage = "refiner"
        self.scores = scores
        self._first = logits_and_probabilities(first)
        self._refiner, self._critic = refiner, critic
        self.model = _refiner_trainer(refiner, critic)
        self.model.compile(
            optimizer=_adam(settings),
            loss={"refined": fidelity, "verdict": Verdict(real=True)},
            loss_weights={
                "refined": settings.fidelity_weight,
                "verdict": settings.adversarial_weight,
            },
            metrics={"refined": [scores]},
            jit_compile=compiled,
        )
        self._judge = _critic_trainer(critic)
        self._judge.compile(
            optimizer=_adam(settings),
            loss={"real": Verdict(real=True), "refined": Verdict(real=False)},
            jit_compile=compiled,
        )
        self.model.optimizer.build(refiner.trainable_variables)
        self._judge.optimizer.build(critic.trainable_variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """The refiner's, the critic's, and those of their optimizers."""
        networks = [*self._refiner.variables, *self._critic.variables]
        return [*networks, *self.model.optimizer.variables, *self._judge.optimizer.variables]

    def begin_epoch(self, epoch: int) -> None:
        """Nothing: all epochs are alike."""

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of both networks."""
        self.model.optimizer.learning_rate = rate
        self._judge.optimizer.learning_rate = rate

    def step(self, images: np.ndarray, masks: np.ndarray) -> Losses:
        """Step the critic, then the refiner; return their losses."""
        given = self._first.predict_on_batch(images)
        _, refined = self._refiner.predict_on_batch([images, *given])
        judged = self._judge.train_on_batch(
            [images, masks, refined], {"real": masks, "refined": masks}, return_dict=True
        )
        # Its optimizer moves what is trainable: on JAX and PyTorch as it is at each step, on
        # TensorFlow as it was at the first.
        self._critic.trainable = False
        try:
            found = self.model.train_on_batch(
                [images, *given, masks], {"refined": masks, "verdict": masks}, return_dict=True
            )
        finally:
            self._critic.trainable = True
        return {**_losses(found), "critic": float(judged["loss"]) / 2}

    def test(self, images: np.ndarray, masks: np.ndarray) -> Losses:
        """Return the refiner's losses."""
        given = self._first.predict_on_batch(images)
        found = self.model.test_on_batch(
            [images, *given, masks], {"refined": masks, "verdict": masks}, return_dict=True
        )
        return _losses(found)

    def shown(self) -> AbstractContextManager[None]:
        """Return a context that changes nothing: the weights that are stepped are shown."""
        return nullcontext()


def _refiner_trainer(refiner: keras.Model, critic: keras.Model) -> keras.Model:
    given = [keras.Input(shape[1:]) for shape in refiner.input_shape]
    truth = _truth_input()
    refined, probabilities = refiner(given)
    verdict = critic([given[0], probabilities * _valid(truth)])
    outputs = {"refined": refined, "verdict": verdict}
    return keras.Model([*given, truth], outputs, name="refiner_trainer")


def _critic_trainer(critic: keras.Model) -> keras.Model:
    image, refined = (keras.Input(shape[1:]) for shape in critic.input_shape)
    truth = _truth_input()
    # Ignored pixels are zero in each channel of the true mask, since no class has their id.
    real = critic([image, one_hot(truth, refined.shape[-1], IGNORE)])
    outputs = {"real": real, "refined": critic([image, refined * _valid(truth)])}
    return keras.Model([image, truth, refined], outputs, name="critic_trainer")


def _truth_input() -> Tensor:
    return keras.Input((None, None), dtype="int32", name="truth")


def _valid(truth: Tensor) -> Tensor:
    """Return float32 (batch, height, width, 1): 0 where the truth is ignored, else 1."""
    return ops.expand_dims(counted(truth, IGNORE), -1)


def _adam(settings: Refiner) -> keras.Optimizer:
    return keras.optimizers.Adam(settings.learning_rate, beta_1=BETA_1)


def _losses(found: dict[str, float]) -> Losses:
    return {
        "loss": float(found["loss"]),
        "fidelity": float(found["refined_loss"]),
        "adversarial": float(found["verdict_loss"]),
    }
