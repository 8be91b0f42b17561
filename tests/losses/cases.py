"""Truths and logits of every kind, and the gradient of a loss on the backend in use."""

from itertools import product

import keras
import numpy as np

from delineate.catalog import LOSSES
from delineate.errors import RecipeError
from delineate.losses import IGNORE, SegmentationLoss
from tests.losses.references import targets_of

CASES = ["random", "perfect", "wrong", "empty", "absent class", "ignored image", "all ignored"]
NETWORKS = [("sigmoid", 1), ("sigmoid", 3), ("softmax", 2), ("softmax", 4)]
WEIGHTS = (0.5, 2.0, 0.0, 1.25)


def goes_with(name, output):
    try:
        SegmentationLoss({name: 1.0}, output=output)
    except RecipeError:
        return False
    return True


LOSS_CASES = [
    (name, output, channels, case)
    for name, (output, channels), case in product(LOSSES, NETWORKS, CASES)
    if goes_with(name, output)
]


def make_case(case, channels, size=(6, 5)):
    """Return truth (2, height, width) and logits (2, height, width, channels)."""
    rng = np.random.default_rng(5)
    classes = max(channels, 2)
    truth = rng.integers(0, classes, (2, *size))
    logits = rng.normal(0, 2, (2, *size, channels)).astype(np.float32)
    if case == "empty":
        truth[:] = 0
    if case == "absent class":
        truth[truth == classes - 1] = 0
    if case in ("perfect", "wrong"):
        sign = 1 if case == "perfect" else -1
        logits = np.where(targets_of(truth, channels), 200 * sign, -200 * sign).astype(np.float32)
    truth[rng.random(truth.shape) < (1.0 if case == "all ignored" else 0.2)] = IGNORE
    if case == "ignored image":
        truth[1] = IGNORE
    return truth, logits


def gradient_of(loss, truth, logits):
    """Return the gradient of a loss by the logits."""
    logits = np.asarray(logits, np.float32)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        variable = tf.Variable(logits)
        with tf.GradientTape() as tape:
            result = loss(truth, variable)
        return tape.gradient(result, variable).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(lambda given: loss(truth, given))(logits))
    import torch

    given = torch.tensor(logits, requires_grad=True)
    loss(truth, given).backward()
    return given.grad.numpy()
