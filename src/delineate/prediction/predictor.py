"""The predictor: an open bundle. Any image in, a prediction at the image's own size out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle, Card, Member
from delineate.catalog import RUNTIMES, find
from delineate.data.pipeline import adapt_channels
from delineate.errors import BundleError, DataError
from delineate.imaging import read_image
from delineate.normalisation import normalise
from delineate.prediction.prepare import Preparation, Runtime, to_mask


@dataclass(frozen=True)
class Prediction:
    """What a bundle says of one image.

    Attributes:
        mask: (height, width) uint8 class ids.
        probabilities: (height, width, classes) float32.
    """

    mask: np.ndarray
    probabilities: np.ndarray

    @property
    def instances(self) -> np.ndarray:
        """(height, width) int32: the connected parts of the foreground, 0 = none."""
        from skimage.measure import label

        found: np.ndarray = label(self.mask, connectivity=1).astype(np.int32)
        return found


@dataclass(frozen=True)
class Predictor:
    """An open bundle.

    Attributes:
        card: The bundle's card.
        runtimes: The engines, one for each member.

    Example:
        >>> predictor = Predictor.open("runs/first")  # doctest: +SKIP
        >>> predictor.predict(image).mask.shape == image.shape[:2]  # doctest: +SKIP
        True
    """

    card: Card
    runtimes: Sequence[Runtime]

    @classmethod
    def open(cls, path: Any, *, runtime: str | None = None) -> "Predictor":
        """Return the predictor of a bundle, or of a run's best one.

        Args:
            path: The folder of a bundle or of a run, or an opened Run or Bundle.
            runtime: A name in the table of runtimes; unset: the one that the card names.

        Raises:
            BundleError: There is no bundle, or it is damaged.
            BackendError: No Keras backend is installed.
        """
        folder: Path = getattr(path, "folder", path)
        bundle = Bundle.open(folder)
        if (runtime or bundle.card.members[0].runtime) == "keras":
            from delineate.backend import choose_backend

            choose_backend()
        return cls(
            bundle.card,
            [
                _engine(runtime, member).open(bundle.folder / member.file)
                for member in bundle.card.members
            ],
        )

    def predict(self, image: np.ndarray | str | Path) -> Prediction:
        """Return the prediction of one image, at its own size.

        Args:
            image: (height, width) or (height, width, channels) uint8 or uint16; or a file.

        Raises:
            ImageError: The file cannot be read.
            DataError: The image has another type or other channels than the network takes.
        """
        if isinstance(image, str | Path):
            name, image = str(image), read_image(Path(image))
        else:
            name, image = "The image", np.asarray(image)
        if image.ndim not in (2, 3) or not image.size:
            raise DataError(
                f"{name} has the shape {image.shape}.",
                hint="Give pixels of shape (height, width) or (height, width, channels).",
            )
        image = image[..., np.newaxis] if image.ndim == 2 else image
        if str(image.dtype) != self.card.dtype:
            raise DataError(
                f"{name} is {image.dtype}, the network was trained on {self.card.dtype}.",
                hint=f"Give {self.card.dtype} pixels of the range that the training images have.",
            )
        card = self.card
        image = normalise(adapt_channels(image, card.channels, name), card.normalisation)
        preparation = Preparation(
            card.fit, card.size, card.stride, card.tile, fixed=card.fixed_size
        )
        found = [preparation.predict(image, runtime) for runtime in self.runtimes]
        probabilities: np.ndarray = sum(found[1:], found[0]) / np.float32(len(found))
        mask = to_mask(probabilities, output=card.output, threshold=card.threshold)
        return Prediction(mask, probabilities)


def _engine(chosen: str | None, member: Member) -> Any:
    # What a bundle names must not import modules of its own choice; the caller may.
    if chosen is None and member.runtime not in RUNTIMES:
        raise BundleError(
            f"The bundle's card names the runtime '{member.runtime}', which delineate has not.",
            hint=f"Choose one of: {', '.join(RUNTIMES)}; or use the delineate that wrote it.",
        )
    return find("runtimes", chosen or member.runtime)
