"""Where a network and the truth disagree most surely: the places to look for wrong labels.

A network that was trained on good labels contradicts a wrong one, and is sure of it; so what it was
not trained on can be sorted by how surely it contradicts. That is the idea of confident learning:
Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal
of Artificial Intelligence Research 2021. What is sorted are regions: single pixels along outlines
are always in dispute. See Rottmann and Reese, "Automated Detection of Label Errors in Semantic
Segmentation Datasets via Deep Learning and Uncertainty Quantification", WACV 2023. Objects that
truth and network part differently are among them: see :mod:`delineate.evaluation.parting`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate.data.classes import IGNORE
from delineate.evaluation.contradiction import (
    Contradiction,
    Dispute,
    Kind,
    Place,
    strongest,
    widened,
)
from delineate.evaluation.parting import find_partings

# A rim one pixel wide that is contradicted with certainty scores 0.2: nobody draws so exactly.
LEAST = 0.2
TEMPERATURE = 0.1


@dataclass(frozen=True)
class Disagreement:
    """A place where network and truth disagree.

    It is a connected region with one true class and one predicted class, in one object at most; or
    an object of the one that is several objects to the other.

    Attributes:
        image: The image's name.
        score: How surely the network contradicts the truth, 0 to 1.
        kind: "class": the region has another class to the network. "joined": one object in the
            truth, several to the network. "split": several in the truth, one to the network.
        true_class: What the truth says.
        predicted_class: What the network says.
        true_probability: Of what the truth says, the mean over the region or object, 0 to 1.
        predicted_probability: Of what the network says, likewise.
        area: Of the region, or of the one object, in pixels.
        place: (row, column) of the pixel where the contradiction is greatest: of a region, or of
            the line between the several objects.
        box: First row and column, and the row and the column after the last.
        object: The number of the true object in dispute; None where there is none. Of several, that
            which is least one to the network.
        image_score: The :func:`label_doubt` of the whole image, 0 to 1.
    """

    image: str
    score: float
    kind: Kind
    true_class: str
    predicted_class: str
    true_probability: float
    predicted_probability: float
    area: int
    place: Place
    box: tuple[int, int, int, int]
    object: int | None
    image_score: float

    @property
    def order(self) -> tuple[Any, ...]:
        """What sorts them: the surest first, of equally sure ones the largest."""
        return (-self.score, -self.area, self.image, self.place, self.kind)


def find_disagreements(
    found: Contradiction, names: Sequence[str], *, least: float = LEAST
) -> list[Disagreement]:
    """Return the places in which a prediction surely contradicts the truth, the surest first.

    A pixel is contradicted by the probability of its predicted class less that of its true class
    (the normalised margin of confident learning, the other way round), and not at all outside of
    the region. Of that the mean over the surroundings is taken, weighted by a Gaussian; a region's
    score is the highest such mean in it. It is high in what is missed or invented, and low in the
    thin rims along outlines, in which any two people differ. That of objects is made to compare
    with it: see :func:`~delineate.evaluation.parting.find_partings`.

    Args:
        found: What is known of each pixel of the image.
        names: The class names, background first.
        least: Places with a lower score are left out.

    Example:
        >>> from delineate.data.records import Sample
        >>> from delineate.prediction.predictor import Prediction
        >>> image, truth, mask = (np.zeros((16, 16), np.uint8) for _ in range(3))
        >>> mask[4:14, 3:12] = 1
        >>> probabilities = np.where(mask[..., None] == [0, 1], 0.95, 0.05)
        >>> sample, prediction = Sample("a", image, truth), Prediction(mask, probabilities)
        >>> found = Contradiction.of(sample, prediction)
        >>> (one,) = find_disagreements(found, ["ground", "cell"])
        >>> one.predicted_class, one.area, one.box, round(one.score, 2)
        ('cell', 90, (4, 3, 14, 12), 0.87)
    """
    doubt = label_doubt(found.true[found.sample.mask != IGNORE])
    places = (
        _described(found, each, names=names, doubt=doubt)
        for each in _settled(found, _regions(found, least))
        if each.score >= least
    )
    return sorted(places, key=lambda each: each.order)


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


def _regions(found: Contradiction, least: float) -> Iterator[Dispute]:
    """Yield the regions of another class, without most of those that score less."""
    regions = found.labels["class"]
    boxes = ndimage.find_objects(regions)
    # What is seen from all regions together is at least what is seen from one.
    bounds = ndimage.maximum(found.around, regions, range(1, len(boxes) + 1))
    for number in (np.flatnonzero(np.asarray(bounds) >= least) + 1).tolist():
        near = widened(boxes[number - 1])
        score, (row, column) = strongest(found.against[near], regions[near] == number)
        place = row + near[0].start, column + near[1].start
        yield Dispute("class", number, boxes[number - 1], score, place, place)


def _settled(found: Contradiction, regions: Iterable[Dispute]) -> list[Dispute]:
    """Return regions with the objects in dispute, of two about one place only the surer.

    Where the network sees a gap in an object, the gap is a region and the object is two.
    """
    kept, objects = {each.number: each for each in regions}, []
    for dispute in find_partings(found):
        number = int(found.labels["class"][dispute.place])
        if number not in kept or kept[number].score < dispute.score:
            kept.pop(number, None)
            objects.append(dispute)
    return [*kept.values(), *objects]


def _described(
    found: Contradiction, dispute: Dispute, *, names: Sequence[str], doubt: float
) -> Disagreement:
    box, objects = dispute.box, found.sample.instances
    inside = found.labels[dispute.kind][box] == dispute.number
    return Disagreement(
        found.sample.name,
        dispute.score,
        dispute.kind,
        names[found.sample.mask[dispute.inner]],
        names[found.prediction.mask[dispute.inner]],
        float(found.true[box][inside].mean()),
        float(found.predicted[box][inside].mean()),
        int(inside.sum()),
        dispute.place,
        (box[0].start, box[1].start, box[0].stop, box[1].stop),
        None if objects is None else int(objects[dispute.inner]) or None,
        doubt,
    )
