"""How unsure a network is of images that have no truth: which of them to label next.

The images of which a model is least sure are those from which it learns most: Settles, "Active
Learning Literature Survey", University of Wisconsin-Madison 2009.
"""

import csv
import io
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from delineate.data.panels import SIDE, Strip, strip_sheet
from delineate.data.sheet import Colours, fit
from delineate.files import write_whole
from delineate.imaging import overlay
from delineate.prediction.predictor import Prediction
from delineate.runs import Run

SHOWN = 12  # images that are drawn
LIKELY = 0.2  # from this probability of being foreground on, a pixel is worth a look
NEAR = 5  # pixels around those that count as well
_AROUND = 4.0  # standard deviation, in pixels, of the surroundings in which a place is unsure
# From dark blue, which is sure, over red to yellow.
_STOPS = ((10, 15, 50), (200, 60, 80), (255, 240, 120))
_HEAT = np.stack(
    [np.interp(np.arange(256), (0, 128, 255), side) for side in np.transpose(_STOPS)], axis=-1
).astype(np.uint8)
COLUMNS = ("image", "uncertainty", "mean_entropy", "row", "column")

Entropy = NDArray[np.float32]


@dataclass(frozen=True)
class Unsure:
    """How unsure a network is of an image.

    Attributes:
        image: The image's name.
        uncertainty: As from :func:`uncertainty`, 0 to 1.
        mean_entropy: The mean over all pixels, 0 to 1.
        place: (row, column) in whose surroundings it is least sure.
        strip: What is shown of it, where it is among the first.
    """

    image: str
    uncertainty: float
    mean_entropy: float
    place: tuple[int, int]
    strip: Strip | None = field(default=None, compare=False, repr=False)

    @property
    def order(self) -> tuple[float, str]:
        """What sorts them: the least sure first."""
        return (-self.uncertainty, self.image)


@dataclass
class LeastSure:
    """Images in the order of how unsure a network is of them; only of the first are there pictures.

    Attributes:
        colours: The colour of each class.
        items: The images so far, the least sure first.
    """

    colours: Colours
    items: list[Unsure] = field(default_factory=list)

    def add(self, name: str, image: NDArray[Any], prediction: Prediction) -> None:
        """Take in an image and its prediction.

        Args:
            name: The image's name.
            image: (height, width, channels), any type.
            prediction: Of the same size.
        """
        entropy = entropy_of(prediction.probabilities)
        found = Unsure(
            name,
            uncertainty(prediction.probabilities, entropy),
            float(entropy.mean(dtype=np.float64)),
            _least_sure(entropy),
        )
        if len(self.items) < SHOWN or found.order < self.items[SHOWN - 1].order:
            shown = _strip(found, image, prediction, entropy, colours=self.colours)
            found = replace(found, strip=shown)
        insort(self.items, found, key=lambda item: item.order)
        if len(self.items) > SHOWN:
            self.items[SHOWN] = replace(self.items[SHOWN], strip=None)


def entropy_of(probabilities: NDArray[np.floating[Any]]) -> Entropy:
    """Return how unsure each pixel is: the entropy of its probabilities over the greatest there is.

    Args:
        probabilities: (height, width, classes) in 0 to 1.

    Returns:
        (height, width) float32: 0, sure of a class, to 1, all are as likely.

    Example:
        >>> entropy_of(np.float32([[[0.5, 0.5], [1.0, 0.0]]])).tolist()
        [[1.0, 0.0]]
    """
    classes = probabilities.shape[-1]
    # Probabilities from sigmoids need not sum to 1.
    total = np.maximum(probabilities.sum(axis=-1, dtype=np.float32), np.finfo(np.float32).tiny)
    # Class by class: all of them at once would need the memory of the probabilities again.
    found = sum((entr(probabilities[..., each] / total) for each in range(classes)), 0 * total)
    return np.asarray(found / np.log(classes), np.float32).clip(0, 1)


def uncertainty(probabilities: NDArray[np.floating[Any]], entropy: Entropy | None = None) -> float:
    """Return how unsure a network is of an image: the mean entropy where there may be foreground.

    That is within 5 pixels of any pixel that is foreground with a probability of 0.2 or more; where
    there is none, all pixels count. The mean over the whole image would mostly say how much there
    is in it: every outline is unsure, and background is not, so that a crowded image that is well
    understood would come before a sparse one that is not. How pixels are brought together matters
    more than how each is measured: Kahl et al., "ValUES: A Framework for Systematic Validation of
    Uncertainty Estimation in Semantic Segmentation", ICLR 2024.

    Args:
        probabilities: (height, width, classes) in 0 to 1, background first.
        entropy: As from :func:`entropy_of`, where it is known.

    Returns:
        0, sure of everything, to 1, of nothing.

    Example:
        >>> cell = np.zeros((64, 64))
        >>> cell[8:20, 8:20] = 0.5
        >>> probabilities = np.stack([1 - cell, cell], axis=-1)
        >>> round(uncertainty(probabilities), 2), round(float(entropy_of(probabilities).mean()), 2)
        (0.32, 0.04)
    """
    entropy = entropy_of(probabilities) if entropy is None else entropy
    likely = (probabilities[..., 0] <= 1 - LIKELY).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * NEAR + 1, 2 * NEAR + 1))
    near = cv2.dilate(likely, disc) > 0
    return float(entropy[near].mean(dtype=np.float64) if near.any() else entropy.mean())


def write_review(folder: Path, items: Sequence[Unsure]) -> None:
    """Write ``review.csv``, the least sure image first, and ``review.png``, pictures of the first.

    Args:
        folder: The folder to write to.
        items: The images, as from :class:`LeastSure`.

    Raises:
        DataError: None of them has a picture.
        OSError: They cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (item.image, f"{item.uncertainty:.4f}", f"{item.mean_entropy:.4f}", *item.place)
        for item in items
    )
    strips = [item.strip for item in items if item.strip is not None]
    run = Run(folder)
    # File names may hold bytes that are no text; they are written as they were.
    write_whole(run.review, text.getvalue().encode("utf-8", "surrogateescape"))
    keys = [(_STOPS[0], "sure"), (_STOPS[-1], "unsure")]
    sheet = strip_sheet(strips, ("Image", "Prediction", "How sure it is"), keys=keys)
    write_whole(run.review_sheet, sheet)


def _least_sure(entropy: Entropy) -> tuple[int, int]:
    around = cv2.GaussianBlur(entropy, (0, 0), _AROUND)
    row, column = np.unravel_index(np.asarray(around).argmax(), entropy.shape)
    return int(row), int(column)


def _strip(
    about: Unsure,
    image: NDArray[Any],
    prediction: Prediction,
    entropy: Entropy,
    *,
    colours: Colours,
) -> Strip:
    doubt = (entropy * 255).round().astype(np.uint8)
    picture, (mask, shade) = fit(image, [prediction.mask, doubt], side=SIDE)
    panels = picture, overlay(picture, mask, colours), _HEAT[shade]
    where = f"least sure at row {about.place[0]}, column {about.place[1]}"
    return Strip(panels, (about.image, f"uncertainty {about.uncertainty:.2f}; {where}"))
