"""Pretrained weights: from Keras's own server, or from a file of Keras or PyTorch."""

from delineate.models.weights.downloads import have_weights, weights_path
from delineate.models.weights.first_kernel import adapt_first_kernel
from delineate.models.weights.pretrained import Pretrained, load_weights

__all__ = [
    "Pretrained",
    "adapt_first_kernel",
    "have_weights",
    "load_weights",
    "weights_path",
]
