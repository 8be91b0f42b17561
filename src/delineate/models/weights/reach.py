"""How far into an encoder the weights of a network reach."""

from collections.abc import Callable, Collection
from typing import Any

import keras
from keras import layers

from delineate.models.graph import replay
from delineate.models.weights.tensors import leaves_of, prepares

# The layers with weights that a tensor depends on.
Behind = frozenset[str]


def reached(model: keras.Model, names: Collection[str]) -> keras.Model:
    """Return the part of a model that needs no weights but those of some layers.

    It is the whole model if that part lacks any of these layers: then weights are missing inside.

    Args:
        model: An encoder's model.
        names: The layers whose weights there are.
    """
    behind = _behind(model)
    complete = {name: needed for name, needed in behind.items() if needed <= set(names)}
    if not complete:
        return model
    furthest = max(complete, key=lambda name: len(complete[name]))
    covered = complete[furthest]
    present = {name for needed in behind.values() for name in needed} & set(names)
    if covered != present:
        return model
    # Of all that need the same weights, the last: activations come after normalisations.
    last = [name for name, needed in complete.items() if needed == covered][-1]
    return keras.Model(model.input, model.get_layer(last).output, name=model.name)


def _behind(model: keras.Model) -> dict[str, Behind]:
    """Return for each layer which layers with weights its output depends on, in order."""
    found: dict[str, Behind] = {}

    def operation(old: Any) -> Callable[..., Behind]:
        own = _weighty(old)

        def call(*values: Any, **named: Any) -> Behind:
            inputs = [v for v in keras.tree.flatten((values, named)) if isinstance(v, frozenset)]
            needed = own.union(*inputs)
            if isinstance(old, layers.Layer):
                found[str(old.name)] = needed
            return needed

        return call

    replay(model, [frozenset()], operation)
    return found


def _weighty(old: Any) -> Behind:
    if isinstance(old, keras.Model):
        return frozenset(str(leaf.name) for leaf in leaves_of(old) if leaf.weights)
    weighty = isinstance(old, layers.Layer) and old.weights and not prepares(old)
    return frozenset({str(old.name)} if weighty else ())
