"""The way through a model's graph."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

Tensor = Any


def replay(
    model: keras.Model, inputs: Sequence[Tensor], operation: Callable[[Any], Callable[..., Any]]
) -> list[Tensor]:
    """Return what a model's graph gives for other inputs, with other operations in it.

    Args:
        model: A functional or sequential model.
        inputs: One for each of the model's inputs.
        operation: Takes an operation of the graph, and returns what is called in its place.
    """
    # Keras has no public way through a graph; this one is what its own compute_output_shape takes.
    found = keras.Model(model.inputs, model.outputs)._run_through_graph(
        list(inputs), operation_fn=operation
    )
    return list(keras.tree.flatten(found))
