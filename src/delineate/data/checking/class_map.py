"""Where in the frame each class lies, over the images of a data set."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.data.checking.tiles import png
from delineate.data.classes import IGNORE
from delineate.data.dataset import Dataset
from delineate.errors import DataError
from delineate.report import Gallery, Tile

GRID = 48  # cells along the longer side
IMAGES = 120
MOST = 24  # classes
_CAPTION = (
    "All images are laid on one frame, whatever their size; bright is where the class lies most "
    "often. A class that keeps to one place can be told by the place alone: flips and turns that "
    "move it elsewhere then make pictures that never occur."
)


def class_map(dataset: Dataset) -> Gallery | None:
    """Return a panel for each class: how often it lies where; None where classes are not known.

    Args:
        dataset: Records that can be read; at most 120 of them, evenly spread, are looked at.
    """
    try:
        names = dataset.classes
    except DataError:
        return None
    if not len(dataset):
        return None
    shares, count = measure_places(dataset)
    tiles = tuple(_panel(names, shares, number) for number in _chosen(shares, len(names)))
    about = f"The mean of {count:,} images. " if count > 1 else ""
    return Gallery("", about + _CAPTION, tiles) if tiles else None


def measure_places(dataset: Dataset) -> tuple[NDArray[np.float64], int]:
    """Return how often each class lies where, and of how many images that is the mean.

    Returns:
        (rows, columns, classes + 1), shares 0 to 1 of the images; the last channel is ignored
        pixels. The frame has the proportions of the images' median size.
    """
    picked = np.linspace(0, len(dataset) - 1, min(len(dataset), IMAGES)).round().astype(int)
    frame = _frame([dataset.facts[index].size for index in picked.tolist()])
    classes = len(dataset.classes)
    total = np.zeros((*frame, classes + 1))
    rows, columns = np.indices(frame)
    done = 0
    for ids in _thinned(dataset, picked.tolist(), frame):
        total[rows, columns, np.where(ids == IGNORE, classes, ids)] += 1
        done += 1
    return total / max(done, 1), done


def _thinned(
    dataset: Dataset, picked: Sequence[int], frame: tuple[int, int]
) -> Iterator[NDArray[Any]]:
    """Yield the class ids of some records at the cells of a frame."""
    for index in picked:
        try:
            decoded = dataset.decoded(index)
            height, width = decoded.labels.shape
            rows = (np.arange(frame[0]) * 2 + 1) * height // (2 * frame[0])
            columns = (np.arange(frame[1]) * 2 + 1) * width // (2 * frame[1])
            thinned = np.asarray(decoded.labels[rows[:, None], columns])
            yield dataset.encoding.encode(thinned, decoded.facts.colours)
        except DataError:
            continue  # it was changed since it was inspected


def _frame(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    ratio = float(np.median([height / width for height, width in sizes]))
    height, width = min(1.0, ratio), min(1.0, 1 / ratio)
    return max(4, round(GRID * height)), max(4, round(GRID * width))


def _chosen(shares: NDArray[np.float64], classes: int) -> list[int]:
    """Return the channels to be shown, the most frequent where there are too many."""
    means = shares.mean(axis=(0, 1))
    # Of two classes one is the other's complement.
    numbers = [1] if classes == 2 else list(range(classes))
    if len(numbers) > MOST:
        numbers = sorted(sorted(numbers, key=lambda number: -means[number])[:MOST])
    return [number for number in [*numbers, classes] if means[number] > 0]


def _panel(names: Sequence[str], shares: NDArray[np.float64], number: int) -> Tile:
    name = names[number] if number < len(names) else "ignored"
    share = shares[..., number]
    most = float(share.max())
    levels = cv2.GaussianBlur((share * (255 / most)).astype(np.float32), (3, 3), 0)
    shown = cv2.applyColorMap(levels.clip(0, 255).round().astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    picture = cv2.resize(shown, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    # OpenCV's maps are BGR.
    brightest = f"in up to {100 * most:.0f} % of images"
    return Tile(png(np.asarray(picture)[..., ::-1].astype(np.uint8)), name, brightest)
