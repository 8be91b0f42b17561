"""Where a network and the truth disagree most surely: the places to look for wrong labels.

A network that was trained on good labels contradicts a wrong one, and is sure of it; so what it was
not trained on can be sorted by how surely it contradicts. That is the idea of confident learning:
Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal
of Artificial Intelligence Research 2021. What is sorted are regions: single pixels along outlines
are always in dispute. See Rottmann and Reese, "Automated Detection of Label Errors in Semantic
Segmentation Datasets via Deep Learning and Uncertainty Quantification", WACV 2023.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

from delineate.data.classes import IGNORE
from delineate.data.records import Sample
from delineate.prediction.predictor import Prediction

# A rim one pixel wide that is contradicted with certainty scores 0.2: nobody draws so exactly.
LEAST = 0.2
RADIUS = 2.0  # standard deviation, in pixels, of the surroundings that count
REACH = 8  # pixels beyond which they count for nothing
TEMPERATURE = 0.1

Floats = NDArray[np.float32]
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Disagreement:
    """A connected region with one true class and one predicted class, in one object at most.

    Attributes:
        image: The image's name.
        score: How surely the network contradicts the truth, 0 to 1.
        true_class: What the truth says.
        predicted_class: What the network says.
        true_probability: Of what the truth says, the mean over the region, 0 to 1.
        predicted_probability: Of what the network says, likewise.
        area: In pixels.
        place: (row, column) of the pixel where the contradiction is greatest.
        box: First row and column, and the row and the column after the last.
        object: The number of the true object that it is in; None where there is none.
        image_score: The :func:`label_doubt` of the whole image, 0 to 1.
    """

    image: str
    score: float
    true_class: str
    predicted_class: str
    true_probability: float
    predicted_probability: float
    area: int
    place: tuple[int, int]
    box: tuple[int, int, int, int]
    object: int | None
    image_score: float

    @property
    def order(self) -> tuple[Any, ...]:
        """What sorts them: the surest first, of equally sure ones the largest."""
        return (-self.score, -self.area, self.image, self.place)


def find_disagreements(
    sample: Sample, prediction: Prediction, names: Sequence[str], *, least: float = LEAST
) -> list[Disagreement]:
    """Return the regions in which a prediction surely contradicts the truth, the surest first.

    A pixel is contradicted by the probability of its predicted class less that of its true class
    (the normalised margin of confident learning, the other way round), and not at all outside of
    the region. Of that the mean over the surroundings is taken, weighted by a Gaussian; a region's
    score is the highest such mean in it. It is high in what is missed or invented, and low in the
    thin rims along outlines, in which any two people differ.

    Args:
        sample: The image and its truth. What is ignored is not contradicted.
        prediction: Of the same size.
        names: The class names, background first.
        least: Regions with a lower score are left out.

    Example:
        >>> image, truth, found = (np.zeros((16, 16), np.uint8) for _ in range(3))
        >>> found[4:14, 3:12] = 1
        >>> probabilities = np.where(found[..., None] == [0, 1], 0.95, 0.05)
        >>> sample, prediction = Sample("a", image, truth), Prediction(found, probabilities)
        >>> (one,) = find_disagreements(sample, prediction, ["ground", "cell"])
        >>> one.predicted_class, one.area, one.box, round(one.score, 2)
        ('cell', 90, (4, 3, 14, 12), 0.87)
    """
    maps = _Maps.of(sample, prediction)
    boxes = ndimage.find_objects(maps.regions)
    scores = ndimage.maximum(maps.around, maps.regions, range(1, len(boxes) + 1))
    doubt = label_doubt(maps.true[sample.mask != IGNORE])
    # What is seen from all regions together is at least what is seen from one.
    found = (
        _describe(maps, number, box, names=names, doubt=doubt)
        for number, (box, score) in enumerate(zip(boxes, scores, strict=True), 1)
        if score >= least
    )
    return sorted((each for each in found if each.score >= least), key=lambda each: each.order)


def regions_of(sample: Sample, prediction: Prediction) -> NDArray[np.int64]:
    """Return the regions in which prediction and truth disagree: numbers from 1 on, 0 = none.

    A region is connected, also by corners, and has one true and one predicted class. Where the data
    has objects, a region is in one true and in one predicted object at most.

    Args:
        sample: The image and its truth; what is ignored is in no region.
        prediction: Of the same size.

    Returns:
        (height, width) int64.
    """
    wrong = (sample.mask != prediction.mask) & (sample.mask != IGNORE)
    parts = [sample.mask, prediction.mask]
    if sample.instances is not None:
        parts += [sample.instances, prediction.instances]
    together = np.zeros(sample.mask.shape, np.int64)
    for part in parts:
        together = together * (int(part.max(initial=0)) + 1) + part
    found: NDArray[np.int64] = label(np.where(wrong, together + 1, 0), connectivity=2)
    return found.astype(np.int64)


def label_doubt(probabilities: NDArray[np.floating[Any]]) -> float:
    """Return how much a network doubts the truth of an image, by its least probable pixels.

    The mean over the pixels of what is missing to 1 in the probability of the true class, weighted
    towards the highest: 1 less the "softmin" of Lad and Mueller, "Estimating Label Quality and
    Errors in Semantic Segmentation Data via Any Model", 2023, by which they ranked images best.

    Args:
        probabilities: One per pixel, of any shape: of its true class, 0 to 1.

    Returns:
        0, all pixels surely are what the truth says, to 1, none is; 0 without any pixel.

    Example:
        >>> round(label_doubt(np.array([1.0, 1.0, 0.0])), 4)
        0.9999
    """
    against = 1 - np.asarray(probabilities, np.float64).ravel()
    if not against.size:
        return 0.0
    weights = np.exp((against - against.max()) / TEMPERATURE)
    return float((weights * against).sum() / weights.sum())


@dataclass(frozen=True)
class _Maps:
    """What is known of each pixel of an image.

    Attributes:
        sample: The image and its truth.
        prediction: The prediction.
        true: (height, width) probability of the true class; where it is ignored, of class 0.
        predicted: (height, width) probability of the predicted class.
        against: (height, width) float32: how surely each pixel is contradicted, 0 to 1.
        around: (height, width) float32: the same of its surroundings.
        regions: (height, width) int64, as from :func:`regions_of`.
    """

    sample: Sample
    prediction: Prediction
    true: Floats
    predicted: Floats
    against: Floats
    around: Floats
    regions: NDArray[np.int64]

    @classmethod
    def of(cls, sample: Sample, prediction: Prediction) -> "_Maps":
        known = np.where(sample.mask == IGNORE, 0, sample.mask)
        true = _probability(prediction.probabilities, known)
        predicted = _probability(prediction.probabilities, prediction.mask)
        regions = regions_of(sample, prediction)
        # A threshold, or what is done to a mask afterwards, may choose what is less probable.
        against = np.where(regions > 0, predicted - true, 0).clip(0).astype(np.float32)
        return cls(sample, prediction, true, predicted, against, _around(against), regions)

    def strongest(self, number: int, box: Box) -> tuple[float, tuple[int, int]]:
        """Return the score of a region, and the (row, column) of the pixel that has it."""
        rows, columns = (slice(max(side.start - REACH, 0), side.stop + REACH) for side in box)
        inside = self.regions[rows, columns] == number
        around = _around(np.where(inside, self.against[rows, columns], np.float32(0)))
        highest = np.where(inside, around, -1).argmax()
        row, column = (int(each) for each in np.unravel_index(highest, inside.shape))
        return float(around[row, column]), (rows.start + row, columns.start + column)


def _around(against: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(against, (0, 0), RADIUS), np.float32)


def _probability(probabilities: np.ndarray, ids: np.ndarray) -> Floats:
    chosen = np.take_along_axis(probabilities, ids[..., np.newaxis].astype(np.intp), axis=-1)
    return chosen[..., 0]


def _describe(
    maps: _Maps, number: int, box: Box, *, names: Sequence[str], doubt: float
) -> Disagreement:
    score, place = maps.strongest(number, box)
    inside = maps.regions[box] == number
    objects = maps.sample.instances
    return Disagreement(
        maps.sample.name,
        score,
        names[maps.sample.mask[place]],
        names[maps.prediction.mask[place]],
        float(maps.true[box][inside].mean()),
        float(maps.predicted[box][inside].mean()),
        int(inside.sum()),
        place,
        (box[0].start, box[1].start, box[0].stop, box[1].stop),
        None if objects is None else int(objects[place]) or None,
        doubt,
    )
