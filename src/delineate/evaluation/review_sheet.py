"""Pictures of the places where a network and the truth disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from delineate.data.panels import SIDE, Strip, strip_sheet
from delineate.data.sheet import Colours, Pixels, fit
from delineate.evaluation.contradiction import Contradiction
from delineate.evaluation.disagreement import Disagreement
from delineate.imaging import overlay

_WHAT = {
    "class": "{0.true_class}, predicted as {0.predicted_class}",
    "joined": "{0.true_class}: one object in the truth, several predicted",
    "split": "{0.true_class}: several objects in the truth, one predicted",
}
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
        ends: Where objects are in dispute, (height, width) bool each: where the true ones end in
            the region, and where the predicted ones do.
    """

    about: Disagreement
    image: Pixels
    truth: NDArray[Any]
    prediction: NDArray[Any]
    region: NDArray[np.bool_]
    ends: tuple[NDArray[np.bool_], ...] = ()


def cut(found: Contradiction, about: Disagreement) -> Crop:
    """Return the surroundings of a disagreement, three times as large as it, scaled to a panel.

    Args:
        found: What is known of each pixel of the image.
        about: A disagreement in it.
    """
    window = _window(about.box, found.sample.size)
    labels = found.labels[about.kind]
    region = (labels[window] == labels[about.place]).astype(np.uint8)
    masks = [found.sample.mask[window], found.prediction.mask[window], region]
    if about.kind != "class":
        masks += [found.labels[kind][window] for kind in ("joined", "split")]
    image, (truth, predicted, inside, *objects) = fit(found.sample.image[window], masks, side=SIDE)
    ends = tuple(find_boundaries(each, mode="inner") & (inside > 0) for each in objects)
    return Crop(about, image, truth, predicted, inside > 0, ends)


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
    tinted = [overlay(crop.image, mask, colours) for mask in masks]
    for panel, ends in zip(tinted, crop.ends, strict=False):
        panel[ends] = _INNER
    panels = (crop.image.copy(), *tinted)
    for panel in panels:
        _outline(panel, crop.region)
    about = crop.about
    what = _WHAT[about.kind].format(about)
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
