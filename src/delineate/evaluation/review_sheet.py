"""Pictures of the places where a network and the truth disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.data.panels import SIDE, Strip, strip_sheet
from delineate.data.records import Sample
from delineate.data.sheet import Colours, Pixels, fit
from delineate.evaluation.disagreement import Disagreement, regions_of
from delineate.imaging import overlay
from delineate.prediction.predictor import Prediction

_LEAST_SIDE = 64  # of what is cut out, in pixels of the image
_INNER, _OUTER = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True)
class Crop:
    """What is shown of a disagreement: its surroundings, no larger than a panel.

    Attributes:
        about: The disagreement.
        image: (height, width, 3) uint8.
        truth: (height, width) class ids.
        prediction: (height, width) class ids.
        region: (height, width) bool: where they disagree.
    """

    about: Disagreement
    image: Pixels
    truth: NDArray[Any]
    prediction: NDArray[Any]
    region: NDArray[np.bool_]


def cut(sample: Sample, prediction: Prediction, about: Disagreement) -> Crop:
    """Return the surroundings of a disagreement, three times as large as it, scaled to a panel.

    Args:
        sample: The image and its truth.
        prediction: The prediction.
        about: A disagreement of these.
    """
    regions = regions_of(sample, prediction)
    region = (regions == regions[about.place]).astype(np.uint8)
    window = _window(about.box, sample.size)
    masks = [mask[window] for mask in (sample.mask, prediction.mask, region)]
    image, (truth, found, inside) = fit(sample.image[window], masks, side=SIDE)
    return Crop(about, image, truth, found, inside > 0)


def review_sheet(crops: Sequence[Crop], colours: Colours, *, names: Sequence[str] = ()) -> bytes:
    """Return image, truth and prediction of each crop side by side, what is in dispute outlined.

    Args:
        crops: What to show, in order.
        colours: The colour (red, green, blue; 0 .. 255) of each class id.
        names: The name of each class, for the legend.

    Returns:
        The content of a PNG file.

    Raises:
        DataError: There are no crops.
    """
    keys = list(zip(colours, names, strict=False))[1:]
    return strip_sheet(
        [_strip(crop, colours) for crop in crops], ("Image", "Truth", "Prediction"), keys=keys
    )


def _window(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[slice, slice]:
    """Return a square around a box, as far as the image goes."""
    top, left, bottom, right = box
    side = max(3 * (bottom - top), 3 * (right - left), _LEAST_SIDE)
    return _span(top + bottom, side, size[0]), _span(left + right, side, size[1])


def _span(twice_middle: int, side: int, end: int) -> slice:
    first = min(max((twice_middle - side) // 2, 0), max(end - side, 0))
    return slice(first, min(first + side, end))


def _strip(crop: Crop, colours: Colours) -> Strip:
    masks = crop.truth, crop.prediction
    tinted = (overlay(crop.image, mask, colours) for mask in masks)
    panels = (crop.image.copy(), *tinted)
    for panel in panels:
        _outline(panel, crop.region)
    about = crop.about
    what = f"{about.true_class}, predicted as {about.predicted_class}"
    sure = f"score {about.score:.2f}, probability {about.predicted_probability:.2f}"
    where = f"row {about.place[0]}, column {about.place[1]}; {about.area:,} pixels"
    return Strip(panels, (f"{what}; {sure}", f"{about.image}: {where}"))


def _outline(picture: Pixels, region: NDArray[np.bool_]) -> None:
    """Draw a white line with a dark border around a region, which is seen on any ground."""
    square = np.ones((3, 3), np.uint8)
    inside = region.astype(np.uint8)
    inner = cv2.dilate(inside, square)
    outer = cv2.dilate(inner, square)
    picture[(outer > inner)] = _OUTER
    picture[(inner > inside)] = _INNER
