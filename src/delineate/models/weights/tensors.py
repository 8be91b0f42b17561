"""What a file of weights holds, and how all of it comes to its place in a model."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from delineate.errors import WeightsError

# What follows the features in a classifier: left out wherever a file has it.
_HEAD = re.compile(r"(.*_)?(predictions|logits|probs|fc\d*|head_layernorm|head_dense)|conv_2")
_SHOWN = 3


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file.

    Attributes:
        name: Its name in the file.
        shape: Its shape, in Keras's order of axes.
        read: Returns it, in Keras's order of axes.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


# The tensors of each layer, in the order of its variables.
Stored = Mapping[str, Sequence[Tensor]]


def fill(
    model: keras.Model, stored: Stored, *, file: Path, encoder: str, others: bool = False
) -> list[str]:
    """Put every tensor of a file into the variable of a model that it belongs to.

    Nothing is changed unless all fit. Layers that normalise the image are passed over.

    Args:
        model: The model to fill.
        stored: The tensors by the names of the model's layers.
        file: What the errors call the file.
        encoder: What the errors call the model.
        others: Whether the file may hold other layers, such as a decoder.

    Returns:
        The layers of the file that were left out, sorted: those of the classifier, of the
        normalisation of the image, and the others.

    Raises:
        WeightsError: Tensors are missing, of another shape, not finite, or too many.
    """
    leaves = [layer for layer in leaves_of(model) if layer.weights and not prepares(layer)]
    stored = renumbered(stored, leaves)
    _refuse_missing(leaves, stored, file, encoder)
    fitting = [pair for leaf in leaves for pair in _fitting(leaf, stored[leaf.name], file, encoder)]
    rest = _rest(model, leaves, stored, others, file, encoder)
    values = [(variable, _finite(tensor, file)) for variable, tensor in fitting]
    for variable, value in values:
        variable.assign(value.reshape(variable.shape))
    return rest


def leaves_of(model: keras.Model) -> Iterator[layers.Layer]:
    """Yield the layers of a model, and in place of each model inside it the layers of that."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves_of(layer)
        else:
            yield layer


def variables_of(layer: layers.Layer) -> list[Any]:
    """Return a layer's variables in the order of all of Keras's files."""
    return [*layer.trainable_variables, *_still(layer)]


def prepares(layer: layers.Layer) -> bool:
    """Return whether a layer normalises the image: delineate does this itself."""
    return isinstance(layer, layers.Normalization | layers.Rescaling)


def few(names: Sequence[str]) -> str:
    """Return the first of many names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def renumbered(stored: Stored, leaves: Sequence[layers.Layer]) -> Stored:
    """Return the tensors with the names that Keras or we gave to nameless layers as in the model.

    Such a name ends in a number that depends on what else was built in the process.
    """
    renamed = dict(stored)
    for kind in {type(leaf).__name__ for leaf in leaves}:
        pattern = re.compile(rf"({snake_case(kind)}|encoder_{kind.lower()})_?(\d*)")
        wanted = [str(leaf.name) for leaf in leaves if pattern.fullmatch(leaf.name)]
        found = [name for name in stored if stored[name] and pattern.fullmatch(name)]
        if found != wanted and len(found) == len(wanted):
            tensors = [renamed.pop(name) for name in sorted(found, key=_number)]
            renamed |= zip(sorted(wanted, key=_number), tensors, strict=True)
    return renamed


def snake_case(name: str) -> str:
    """Return the name of a class as Keras writes it in the names of layers: re_lu for ReLU."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def is_head(name: str) -> bool:
    """Return whether a layer of this name belongs to a classifier, not to its features."""
    return _HEAD.fullmatch(name.replace("/", "_").lower()) is not None


def other_architecture(file: Path, encoder: str, names: Sequence[str]) -> WeightsError:
    """Return the error for a file without any layer of an encoder."""
    return WeightsError(
        f"{file} holds no weights of the encoder '{encoder}': none of its layers is in it "
        f"(the file has {few(names) or 'nothing'}).",
        hint="Set model.encoder to the architecture of these weights, or take others.",
    )


def _still(layer: layers.Layer) -> list[Any]:
    # The seeds of dropout are variables, too, which no file of weights has to hold.
    return [v for v in layer.non_trainable_variables if any(v is each for each in layer.weights)]


def _number(name: str) -> int:
    digits = re.search(r"\d+$", name)
    return int(digits[0]) if digits else 0


def _refuse_missing(
    leaves: Sequence[layers.Layer], stored: Stored, file: Path, encoder: str
) -> None:
    missing = [layer.name for layer in leaves if not stored.get(layer.name)]
    if len(missing) == len(leaves):
        raise other_architecture(file, encoder, [name for name in stored if stored[name]])
    if missing:
        raise WeightsError(
            f"{file} lacks {len(missing)} of the {len(leaves)} layers with weights of the encoder "
            f"'{encoder}': {few(missing)}.",
            hint="Set model.encoder and model.width to those of these weights, or take others.",
        )


def _fitting(
    layer: layers.Layer, tensors: Sequence[Tensor], file: Path, encoder: str
) -> list[tuple[Any, Tensor]]:
    variables = variables_of(layer)
    if len(variables) != len(tensors):
        raise WeightsError(
            f"{file} has {len(tensors)} tensors for the layer {layer.name} ({few(_names(tensors))})"
            f", which has {len(variables)} in the encoder '{encoder}'.",
            hint="Set model.encoder to the architecture of these weights, or take others.",
        )
    for variable, tensor in zip(variables, tensors, strict=True):
        if _squeezed(variable.shape) != _squeezed(tensor.shape):
            raise WeightsError(
                f"{tensor.name} of {file} has the shape {tuple(tensor.shape)}; "
                f"{layer.name}/{variable.name} of the encoder '{encoder}' has "
                f"{tuple(variable.shape)}.",
                hint="Set model.encoder and model.width to those of these weights, or take others.",
            )
    return list(zip(variables, tensors, strict=True))


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape; (channels,) for a factor for each channel, also of a depthwise kernel."""
    shape = tuple(int(side) for side in shape)
    return shape[2:3] if len(shape) == 4 and shape[:2] == (1, 1) and shape[3] == 1 else shape


def _names(tensors: Sequence[Tensor]) -> list[str]:
    return [tensor.name for tensor in tensors]


def _rest(
    model: keras.Model,
    leaves: Sequence[layers.Layer],
    stored: Stored,
    others: bool,
    file: Path,
    encoder: str,
) -> list[str]:
    used = {layer.name for layer in leaves}
    known = {layer.name for layer in leaves_of(model) if prepares(layer)}
    rest = [name for name, tensors in stored.items() if tensors and name not in used]
    surplus = [name for name in rest if not (is_head(name) or _prepares(name) or name in known)]
    if surplus and not others:
        raise WeightsError(
            f"{file} has {len(surplus)} layers that the encoder '{encoder}' has not: "
            f"{few(surplus)}.",
            hint="Set model.encoder to the architecture of these weights; of a whole network, pass "
            "the model (.keras) or its run folder, not its weights.",
        )
    return sorted(rest)


def _prepares(name: str) -> bool:
    return re.fullmatch(r"(normalization|rescaling)(_\d+)?", name) is not None


def _finite(tensor: Tensor, file: Path) -> np.ndarray:
    try:
        value = np.asarray(tensor.read(), np.float32)
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{tensor.name} of {file} cannot be read: {error}.",
            hint="Get the file again: it is damaged.",
        ) from error
    if not np.isfinite(value).all():
        raise WeightsError(
            f"{tensor.name} of {file} holds values that are not finite.",
            hint="Take the weights of another epoch, or get the file again.",
        )
    return value
