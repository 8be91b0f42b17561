"""Weights out of a whole Keras model, such as a network that delineate has trained."""

from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from keras import layers

from delineate.bundle import Bundle
from delineate.errors import WeightsError, reason_of
from delineate.models.conventions import CONVENTIONS, TORCH, Convention
from delineate.models.weights.first_kernel import adapt_first_kernel
from delineate.models.weights.reach import reached
from delineate.models.weights.rewriting import Rewriting, changes, rewrite, rewritings_of
from delineate.models.weights.taken import Taken
from delineate.models.weights.tensors import (
    Stored,
    Tensor,
    fill,
    leaves_of,
    prepares,
    renumbered,
    variables_of,
)

# The layer with which delineate's own networks normalise the image.
_CONVENTION_LAYER = "encoder_convention"
_RGB = 3


def model_file(folder: Path) -> tuple[Path, str | None]:
    """Return the model of a bundle or of a run's best bundle, and the licence of its weights.

    Raises:
        BundleError: The folder is no bundle, or damaged.
        WeightsError: It has more than one model, or none of Keras.
    """
    bundle = Bundle.open(folder)
    members = bundle.card.members
    if len(members) != 1 or members[0].runtime != "keras":
        raise WeightsError(
            f"The bundle {folder} holds {len(members)} models ({members[0].runtime}); weights are "
            "taken from one Keras model.",
            hint="Pass the path of one model.keras.",
        )
    return bundle.folder / members[0].file, bundle.card.licences.get("weights")


def from_keras_model(path: Path, application: keras.Model, *, encoder: str) -> Taken:
    """Return an encoder with the weights that the layers of the same names have in a whole model.

    Where the stored encoder was converted from PyTorch, the graph is converted likewise. Where it
    ends early, as in a network that needs no coarser features, so does the encoder's model.

    Args:
        path: A ``.keras`` file. Code in it is refused.
        application: The encoder's model; it may be filled.
        encoder: Its name.

    Raises:
        WeightsError: The file cannot be opened, or holds no such encoder.
    """
    whole = _open(path)
    found = {str(layer.name): layer for layer in leaves_of(whole) if layer.weights}
    rewriting = _rewriting(whole, application, path, encoder)
    model = application if rewriting is None else rewrite(application, rewriting)
    stored: Stored = {name: _tensors(layer) for name, layer in found.items()}
    model = reached(model, renumbered(stored, list(leaves_of(model))))
    convention = _convention(whole, rewriting, path)
    first = next(layer for layer in leaves_of(application) if layer.weights and not prepares(layer))
    kernel, stored = _as_rgb(stored, str(first.name))
    if convention is not None and convention.reverse:
        stored = _turned(stored, str(first.name))
    left_out = fill(model, stored, file=path, encoder=encoder, others=True)
    return Taken(model, convention, left_out, kernel)


def _open(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError, AttributeError, BadZipFile) as error:
        raise WeightsError(
            f"Keras cannot open {path}: {reason_of(error)}.",
            hint="Get the file again, or pass the weights alone (save_weights).",
        ) from error


def _tensors(layer: layers.Layer) -> list[Tensor]:
    return [
        Tensor(
            f"{layer.name}/{variable.name}",
            tuple(variable.shape),
            partial(keras.ops.convert_to_numpy, variable.value),
        )
        for variable in variables_of(layer)
    ]


def _rewriting(
    whole: keras.Model, application: keras.Model, path: Path, encoder: str
) -> Rewriting | None:
    """Return the rewriting that leads from the application to the stored encoder, if any."""
    stored = {str(layer.name): layer for layer in leaves_of(whole)}
    pairs = [
        (layer, stored[layer.name])
        for layer in leaves_of(application)
        if layer.name in stored and not prepares(layer)
    ]
    for rewriting in (None, *rewritings_of(encoder)):
        if all(_agrees(layer, found, rewriting) for layer, found in pairs):
            return rewriting
    differing = next(layer.name for layer, found in pairs if not _agrees(layer, found, None))
    raise WeightsError(
        f"The layer {differing} of {path} is set otherwise than in the encoder '{encoder}'.",
        hint="Set model.encoder to the architecture of this model.",
    )


def _agrees(layer: layers.Layer, found: layers.Layer, rewriting: Rewriting | None) -> bool:
    wanted = _settings(layer.get_config())
    if rewriting is not None:
        wanted |= changes(layer, rewriting)
    return all(_same(wanted[key], found.get_config().get(key, wanted[key])) for key in wanted)


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    return {key: config[key] for key in ("epsilon", "strides", "padding") if key in config}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return abs(one - float(other)) <= abs(one) * 1e-4
    return bool(keras.tree.flatten(one) == keras.tree.flatten(other))


def _convention(whole: keras.Model, rewriting: Rewriting | None, path: Path) -> Convention | None:
    layer = next((each for each in leaves_of(whole) if each.name == _CONVENTION_LAYER), None)
    if layer is None:
        return TORCH if rewriting is not None else None
    scale, offset = np.ravel(layer.scale), np.ravel(layer.offset)
    for known in CONVENTIONS:
        if known.makes(scale, offset):
            return known
    raise WeightsError(
        f"{path} multiplies the image with {scale.tolist()} and adds {offset.tolist()}, which is "
        "no convention that is known here.",
        hint="Take a model whose input is prepared in one of the usual ways, or its weights alone.",
    )


def _as_rgb(stored: Stored, first: str) -> tuple[np.ndarray | None, Stored]:
    """Return the first kernel if it is not for three channels, and the tensors as if it were."""
    if first not in stored:
        return None, stored
    kernel, *rest = stored[first]
    if len(kernel.shape) != 4 or kernel.shape[2] == _RGB:
        return None, stored
    values = kernel.read()
    adapted = adapt_first_kernel(values, _RGB)
    return values, {**stored, first: [Tensor(kernel.name, adapted.shape, lambda: adapted), *rest]}


def _turned(stored: Stored, first: str) -> Stored:
    """Return the tensors with the first kernel's channels in the order of the published weights.

    Our networks keep that kernel in the order red, green, blue, whatever it was made from.
    """
    if first not in stored:
        return stored
    kernel, *rest = stored[first]
    turned = Tensor(kernel.name, kernel.shape, lambda: kernel.read()[:, :, ::-1])
    return {**stored, first: [turned, *rest]}
