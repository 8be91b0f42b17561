"""Random weights without a backend: JAX would compile for each shape of kernel."""

import numpy as np


def draw_kernels(model):
    """Give all kernels random numbers."""
    rng = np.random.default_rng(1)
    model.set_weights(
        [
            rng.normal(0, np.sqrt(2 / np.prod(value.shape[:3])), value.shape)
            if value.ndim == 4
            else value
            for value in model.get_weights()
        ]
    )
