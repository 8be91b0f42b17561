"""An encoder with weights that were learnt elsewhere."""

import logging
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from delineate.catalog import find
from delineate.data.fetching.unpack import Progress
from delineate.files import sha256
from delineate.models.conventions import Convention
from delineate.models.weights.downloads import (
    BY_NAME,
    has_checksum,
    imagenet_file,
    is_published,
    published,
)
from delineate.models.weights.keras_files import keras_weights
from delineate.models.weights.keras_models import from_keras_model, model_file
from delineate.models.weights.kinds import file_kind
from delineate.models.weights.taken import Taken
from delineate.models.weights.tensors import fill
from delineate.models.weights.torch_files import State, safetensors_state, torch_state
from delineate.models.weights.torch_models import from_torch

UNKNOWN = "unknown: that of the file's author"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pretrained:
    """An encoder's model with its weights, and what is known of them.

    Attributes:
        model: The model. Its layers have the names of the application's. Those that normalise the
            image (EfficientNet's) are not filled: leave them out, and do what the convention says.
        convention: The values that it expects of an image; None: the encoder's own.
        origin: A sentence: which file, and where it is from.
        licence: Of the weights, as far as it is known.
        sha256: Of the file.
        left_out: Names of what the file holds besides, such as its classifier.
        first_kernel: float (height, width, channels, filters) of the first convolution, for red
            first, where the file's images have other channels than red, green and blue.
    """

    model: keras.Model
    convention: Convention | None
    origin: str
    licence: str
    sha256: str
    left_out: tuple[str, ...] = ()
    first_kernel: np.ndarray | None = None

    @property
    def provenance(self) -> str:
        """What a user of the trained network has to know: the file, its checksum, its licence."""
        return f"{self.origin} Licence: {self.licence}. SHA-256: {self.sha256}."


def load_weights(
    application: keras.Model,
    source: str | Path,
    *,
    encoder: str,
    width: float = 1.0,
    progress: Progress | None = None,
) -> Pretrained:
    """Return an encoder with pretrained weights, every tensor of which has been accounted for.

    Args:
        application: The encoder's model of RGB images, without classifier; it may be filled.
        source: "imagenet", or the path of Keras weights, a Keras model, a bundle or run folder, a
            PyTorch checkpoint or a safetensors file.
        encoder: Its name in the table of encoders.
        width: Factor on its channels.
        progress: Called with bytes done and bytes in all while a file is downloaded.

    Raises:
        RecipeError: There are no ImageNet weights for this encoder and width.
        WeightsError: The file cannot be had or read, or is not this encoder's.
        BundleError: The folder is no bundle, or damaged.
        MissingExtraError: The file's format needs a package that is not installed.

    Example:
        >>> application = keras.applications.MobileNetV2(include_top=False, weights=None)
        >>> load_weights(application, "imagenet", encoder="mobilenetv2").licence  # doctest: +SKIP
        'Apache-2.0'
    """
    if source == BY_NAME:
        path = imagenet_file(encoder, width, progress)
        origin = f"{path.name}, learnt from ImageNet, from {published(encoder, width).url}"
        return _from_hdf5(path, application, encoder, width, origin)
    path = Path(source).expanduser()
    if path.is_dir():
        file, licence, ours = model_file(path)
        taken = from_keras_model(file, application, encoder=encoder, ours=ours)
        return _pretrained(file, taken, f"the model of {path.name}", licence or UNKNOWN)
    return _from_file(path, application, encoder, width)


def _from_file(path: Path, application: keras.Model, encoder: str, width: float) -> Pretrained:
    kind = file_kind(path)
    if kind == "hdf5":
        return _from_hdf5(path, application, encoder, width, f"{path.name}, Keras weights")
    if kind == "keras":
        taken = from_keras_model(path, application, encoder=encoder)
        return _pretrained(path, taken, f"{path.name}, a Keras model", UNKNOWN)
    if kind == "torch":
        return _from_torch(path, torch_state(path), application, encoder, "a PyTorch checkpoint")
    state = safetensors_state(path)
    return _from_torch(path, state, application, encoder, "PyTorch tensors (safetensors)")


def _from_hdf5(
    path: Path, application: keras.Model, encoder: str, width: float, origin: str
) -> Pretrained:
    known = is_published(path, encoder, width)
    proven = known and has_checksum(encoder, width)
    with keras_weights(path, application, in_order=known, proven=proven) as stored:
        left_out = fill(application, stored, file=path, encoder=encoder)
    licence = find("encoders", encoder).licence if known else UNKNOWN
    return _pretrained(path, Taken(application, None, left_out), origin, licence)


def _from_torch(
    path: Path, state: State, application: keras.Model, encoder: str, what: str
) -> Pretrained:
    taken = from_torch(path, state, application, encoder=encoder)
    origin = f"{path.name}, {what}, converted"
    return _pretrained(path, taken, origin, UNKNOWN)


def _pretrained(path: Path, taken: Taken, origin: str, licence: str) -> Pretrained:
    if taken.left_out:
        _log.info("%s: left out %s", path, ", ".join(taken.left_out))
    return Pretrained(
        taken.model,
        taken.convention,
        f"{origin}.",
        licence,
        sha256(path),
        tuple(taken.left_out),
        taken.first_kernel,
    )
