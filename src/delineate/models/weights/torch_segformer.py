"""From the PyTorch tensors of SegFormer's encoder to a Mix Transformer of Keras layers."""

from pathlib import Path

import keras
import numpy as np
from keras import layers

from delineate.models.conventions import TORCH
from delineate.models.weights.segformer_names import segformer_modules, segformer_state
from delineate.models.weights.taken import Taken
from delineate.models.weights.tensors import Tensor, fill, leaves_of, other_architecture
from delineate.models.weights.torch_accounts import account
from delineate.models.weights.torch_files import State


def from_segformer(path: Path, state: State, application: keras.Model, *, encoder: str) -> Taken:
    """Return a Mix Transformer that computes what the PyTorch model with these tensors does.

    The names may be those of SegFormer's authors or of Hugging Face, of the encoder alone or of a
    whole SegFormer.

    Args:
        path: Of the file.
        state: The tensors.
        application: The encoder's model of RGB images; it is filled.
        encoder: Its name.

    Raises:
        WeightsError: The architecture is another one.
    """
    state = segformer_state(state)
    leaves = [layer for layer in leaves_of(application) if layer.weights]
    modules = segformer_modules([str(leaf.name) for leaf in leaves], state)
    names = {
        f"{module}.{part}"
        for each in modules.values()
        for module in each
        for part in ("weight", "bias")
    }
    if not names & set(state):
        raise other_architecture(path, encoder, list(state))
    left_out = account(path, state, sorted(names), optional=(), encoder=encoder)
    stored = {
        str(leaf.name): [
            tensor for module in modules[leaf.name] for tensor in _tensors(leaf, module, state)
        ]
        for leaf in leaves
    }
    fill(application, stored, file=path, encoder=encoder)
    return Taken(application, TORCH, left_out)


def _tensors(layer: layers.Layer, module: str, state: State) -> list[Tensor]:
    weight, bias = state[f"{module}.weight"], state[f"{module}.bias"]
    if isinstance(layer, layers.MultiHeadAttention):
        weight, bias = _of_attention(layer, module, weight, bias)
    elif weight.ndim == 4:
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        weight = weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    elif weight.ndim == 2:
        weight = weight.T
    return [_tensor(f"{module}.weight", weight), _tensor(f"{module}.bias", bias)]


def _of_attention(
    layer: layers.MultiHeadAttention, module: str, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of one projection by head; those of another shape as they are."""
    if weight.ndim != 2 or any(side % layer.num_heads for side in (*weight.shape, bias.size)):
        return weight, bias
    after, before = weight.shape
    if module.endswith(("proj", "dense")):
        return weight.T.reshape(layer.num_heads, -1, after), bias
    return weight.T.reshape(before, layer.num_heads, -1), bias.reshape(layer.num_heads, -1)


def _tensor(name: str, value: np.ndarray) -> Tensor:
    return Tensor(name, value.shape, lambda: value)
