"""How much each class counts: as given, or from how many pixels it has."""

import logging
from collections.abc import Callable, Sequence

import numpy as np

from delineate.data.dataset import Dataset
from delineate.data.shares import pixels_of_classes
from delineate.errors import DataError
from delineate.losses.segmentation import require_length

_log = logging.getLogger(__name__)


def class_weights(chosen: str | Sequence[float], dataset: Dataset) -> tuple[float, ...] | None:
    """Return a weight for each class, background first, or None where all classes are alike.

    Weights from the data have the mean 1 over the classes that it has; one without any pixel has
    the weight 0, and is named in a warning. Ignored pixels never count. Given weights stay as they
    are: the losses use only their ratios.

    Args:
        chosen: The weights themselves; or "none"; or "inverse": 1 / the class's share of the
            pixels; "root_inverse": its square root; or "median_frequency": the median of the
            classes' frequencies / the class's frequency, each its share of the pixels of those
            images that have it (Eigen and Fergus, ICCV 2015).
        dataset: The images and masks of the training part.

    Raises:
        RecipeError: There are more or fewer weights than classes.
        DataError: The masks hold no foreground at all.
    """
    if chosen == "none":
        return None
    if not isinstance(chosen, str):
        require_length(chosen, len(dataset.classes))
        return tuple(chosen)
    pixels = pixels_of_classes(dataset)
    present = pixels.sum(axis=0) > 0
    _tell_absent(present, dataset, chosen)
    weights = np.zeros(len(present))
    weights[present] = _RULES[chosen](pixels[:, present])
    weights /= weights[present].mean()
    return tuple(weights.tolist())


def _tell_absent(present: np.ndarray, dataset: Dataset, chosen: str) -> None:
    if not present[1:].any():
        raise DataError(
            f"No training mask of {dataset.name} holds anything but background: loss.class_weights "
            f"= {chosen} has nothing to count.",
            hint="Check the masks, or set loss.class_weights=none.",
        )
    absent = [name for name, there in zip(dataset.classes, present, strict=True) if not there]
    if absent:
        _log.warning(
            "loss.class_weights = %s: no training mask holds %s; the weight is 0",
            chosen,
            ", ".join(f"'{name}'" for name in absent),
        )


def _inverse(pixels: np.ndarray) -> np.ndarray:
    shares: np.ndarray = pixels.sum(axis=0) / pixels.sum()
    return 1 / shares


def _root_inverse(pixels: np.ndarray) -> np.ndarray:
    return _inverse(pixels) ** 0.5


def _median_frequency(pixels: np.ndarray) -> np.ndarray:
    of_images = pixels.sum(axis=1, keepdims=True)
    frequencies: np.ndarray = pixels.sum(axis=0) / ((pixels > 0) * of_images).sum(axis=0)
    return float(np.median(frequencies)) / frequencies


_RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inverse": _inverse,
    "root_inverse": _root_inverse,
    "median_frequency": _median_frequency,
}
