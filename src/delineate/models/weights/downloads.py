"""The ImageNet weights that keras.applications publishes: where they are, and getting them."""

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from delineate.data.cache import default_folder
from delineate.data.fetching.download import download
from delineate.data.fetching.unpack import Progress
from delineate.errors import DataError, RecipeError, WeightsError
from delineate.files import flush, flush_folder
from delineate.recipe import Model

ROOT = "https://storage.googleapis.com"

# What stands in a recipe for the weights that are published for an encoder.
BY_NAME = "imagenet"

_MD5_DIGITS = 32

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """A file of weights.

    Attributes:
        folder: Where it is, below ``ROOT``.
        name: Its name there, and in Keras's own folder.
        checksum: MD5 or SHA-256 in hexadecimal, told apart by length; None: none is published.
    """

    folder: str
    name: str
    checksum: str | None

    @property
    def url(self) -> str:
        """The address."""
        return f"{ROOT}/{self.folder}/{self.name}"


def _published(folder: str, name: str, checksum: str | None) -> Published:
    return Published(f"tensorflow/keras-applications/{folder}", name, checksum)


def _mobilenet_v2(width: float) -> Published:
    # Keras publishes no checksum of these: that every tensor fits is all that can be verified.
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_224_no_top.h5"
    return _published("mobilenet_v2", name, None)


def _mobilenet_v3(name: str, checksum: str) -> Published:
    return _published("mobilenet_v3", f"weights_mobilenet_v3_{name}_float_no_top_v2.h5", checksum)


def _tf_kernels(folder: str, name: str, checksum: str) -> dict[float, Published]:
    file = f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return {1.0: _published(folder, file, checksum)}


def _efficientnet(name: str, checksum: str) -> dict[float, Published]:
    return {1.0: Published("keras-applications", f"efficientnet{name}_notop.h5", checksum)}


def _efficientnet_v2(name: str, checksum: str) -> dict[float, Published]:
    return {1.0: _published("efficientnet_v2", f"efficientnetv2-{name}_notop.h5", checksum)}


def _convnext(name: str, checksum: str) -> dict[float, Published]:
    return {1.0: _published("convnext", f"convnext_{name}_notop.h5", checksum)}


# By encoder and width. Names and checksums are those of Keras 3.15; a test compares.
IMAGENET: dict[str, dict[float, Published]] = {
    "mobilenetv2": {width: _mobilenet_v2(width) for width in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)},
    "mobilenetv3small": {
        0.75: _mobilenet_v3("small_224_0.75", "ebdb5cc8e0b497cd13a7c275d475c819"),
        1.0: _mobilenet_v3("small_224_1.0", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    },
    "mobilenetv3large": {
        0.75: _mobilenet_v3("large_224_0.75", "40af19a13ebea4e2ee0c676887f69a2e"),
        1.0: _mobilenet_v3("large_224_1.0", "07fb09a5933dd0c8eaafa16978110389"),
    },
    "densenet121": _tf_kernels("densenet", "densenet121", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": _tf_kernels("densenet", "densenet169", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201": _tf_kernels("densenet", "densenet201", "c13680b51ded0fb44dff2d8f86ac8bb1"),
    "resnet50": _tf_kernels("resnet", "resnet50", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": _tf_kernels("resnet", "resnet101", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet50v2": _tf_kernels("resnet", "resnet50v2", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": _tf_kernels("resnet", "resnet101v2", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "efficientnetb0": _efficientnet("b0", "50bc09e76180e00e4465e1a485ddc09d"),
    "efficientnetb1": _efficientnet("b1", "74c4e6b3e1f6a1eea24c589628592432"),
    "efficientnetb2": _efficientnet("b2", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "efficientnetb3": _efficientnet("b3", "af6d107764bb5b1abb91932881670226"),
    "efficientnetb4": _efficientnet("b4", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "efficientnetb5": _efficientnet("b5", "38879255a25d3c92d5e44e04ae6cec6f"),
    "efficientnetb6": _efficientnet("b6", "9ecce42647a20130c1f39a5d4cb75743"),
    "efficientnetb7": _efficientnet("b7", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
    "efficientnetv2b0": _efficientnet_v2("b0", "893217f2bb855e2983157299931e43ff"),
    "efficientnetv2b1": _efficientnet_v2("b1", "0e80663031ca32d657f9caa404b6ec37"),
    "efficientnetv2b2": _efficientnet_v2("b2", "1dfe2e7a5d45b6632553a8961ea609eb"),
    "efficientnetv2b3": _efficientnet_v2("b3", "f6abf7b5849ac99a89b50dd3fd532856"),
    "efficientnetv2s": _efficientnet_v2("s", "af0682fb74e8c54910f2d4393339c070"),
    "efficientnetv2m": _efficientnet_v2("m", "1b8dc055df72dde80d614482840fe342"),
    "efficientnetv2l": _efficientnet_v2("l", "b0b66b5c863aef5b46e8608fe1711615"),
    "convnexttiny": _convnext(
        "tiny", "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"
    ),
    "convnextsmall": _convnext(
        "small", "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab"
    ),
    "convnextbase": _convnext(
        "base", "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"
    ),
    "convnextlarge": _convnext(
        "large", "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd"
    ),
    "convnextxlarge": _convnext(
        "xlarge", "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05"
    ),
    "vgg16": _tf_kernels("vgg16", "vgg16", "6d6bbae143d832006294945121d1f1fc"),
}


def published(encoder: str, width: float) -> Published:
    """Return which file has the ImageNet weights of an encoder.

    Raises:
        RecipeError: There is none for this encoder, or for this width.
    """
    widths = IMAGENET.get(encoder)
    if widths is None:
        raise RecipeError(
            f"There are no ImageNet weights of the encoder '{encoder}'.",
            hint=f"Set model.weights to a file, or model.encoder to one of {', '.join(IMAGENET)}.",
        )
    if width not in widths:
        raise RecipeError(
            f"There are no ImageNet weights of the encoder '{encoder}' of width {width:g}.",
            hint=f"Set model.width to {' or '.join(f'{each:g}' for each in widths)}, or "
            "model.weights to a file.",
        )
    return widths[width]


def is_published(path: Path, encoder: str, width: float) -> bool:
    """Return whether a file has an encoder's published ImageNet weights."""
    file = IMAGENET.get(encoder, {}).get(width)
    if file is None:
        return False
    # Where no checksum is published, the name is all that can tell.
    return path.name == file.name if file.checksum is None else _is_right(path, file)


def has_checksum(encoder: str, width: float) -> bool:
    """Return whether a checksum is published for an encoder's ImageNet weights."""
    file = IMAGENET.get(encoder, {}).get(width)
    return file is not None and file.checksum is not None


def have_weights(settings: Model, progress: Progress | None = None) -> None:
    """Download the ImageNet weights that a recipe asks for, unless they are at hand.

    Args:
        settings: The recipe's section `[model]`.
        progress: Called with bytes done and bytes in all (0: unknown).

    Raises:
        RecipeError: There are none for this encoder and width.
        WeightsError: They cannot be downloaded, or are others than they should be.
    """
    if settings.weights == BY_NAME:
        imagenet_file(settings.encoder, settings.width, progress)


def weights_path(settings: Model) -> Path | None:
    """Return the path of the weights that a recipe names; None: it names none, or ImageNet's."""
    if settings.weights in (None, BY_NAME):
        return None
    return Path(str(settings.weights)).expanduser()


def at_hand(encoder: str, width: float = 1.0) -> bool:
    """Return whether an encoder's ImageNet weights are on this machine, so that nothing is loaded.

    Args:
        encoder: Its name in the table of encoders.
        width: Factor on its channels.
    """
    file = IMAGENET.get(encoder, {}).get(width)
    if file is None:
        return False
    places = (_keras_folder() / file.name, default_folder() / "weights" / file.name)
    return any(place.is_file() and _is_right(place, file) for place in places)


def imagenet_file(encoder: str, width: float, progress: Progress | None = None) -> Path:
    """Return the path of an encoder's ImageNet weights; they are downloaded if need be.

    They are looked for in Keras's own folder (``~/.keras/models``, or below ``KERAS_HOME``), then
    in the cache of delineate, into which they are downloaded.

    Args:
        encoder: Its name in the table of encoders.
        width: Factor on its channels.
        progress: Called with bytes done and bytes in all (0: unknown).

    Raises:
        RecipeError: There is no such file.
        WeightsError: It cannot be downloaded, or is another one than it should be.
    """
    file = published(encoder, width)
    of_keras = _keras_folder() / file.name
    if of_keras.is_file():
        if _is_right(of_keras, file):
            return of_keras
        logger.warning("%s is passed over: its checksum is not that of %s", of_keras, file.url)
    place = default_folder() / "weights" / file.name
    if place.is_file():
        if _is_right(place, file):
            return place
        logger.warning("%s is deleted: its checksum is not that of %s", place, file.url)
        place.unlink()
    _fetch(file, place, progress)
    return place


def _fetch(file: Published, place: Path, progress: Progress | None) -> None:
    part = place.with_name(f"{place.name}.part")
    try:
        logger.info("downloading %s to %s", file.url, place)
        _download(file, part, place, progress)
        if not _is_right(part, file):
            part.unlink()
            raise WeightsError(
                f"What {file.url} gives has another checksum than the published one "
                f"({file.checksum}); it was deleted.",
                hint=f"Try again; or get the file by other means and put it at {place}.",
            )
        flush(part)
        part.replace(place)
        flush_folder(place.parent)
    except OSError as error:
        raise WeightsError(
            f"{place} cannot be written: {error.strerror}.",
            hint="Free space on the disk, or set XDG_CACHE_HOME to a folder that may be written.",
        ) from error
    logger.info("downloaded %s: %.1f MB", place, place.stat().st_size / 1e6)


def _download(file: Published, part: Path, place: Path, progress: Progress | None) -> None:
    remedy = (
        f"Get {file.url} by other means and put it at {place}, or set model.weights to its path."
    )
    try:
        download([file.url], part, name=file.name, remedy=remedy, progress=progress)
    except DataError as error:
        raise WeightsError(error.message, hint=error.hint) from error


def _is_right(path: Path, file: Published) -> bool:
    if file.checksum is None:
        return True
    algorithm = "md5" if len(file.checksum) == _MD5_DIGITS else "sha256"
    with path.open("rb") as content:
        return hashlib.file_digest(content, algorithm).hexdigest() == file.checksum


def _keras_folder() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
