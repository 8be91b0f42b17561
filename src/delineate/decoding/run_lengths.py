"""Objects as run lengths, the text that the Data Science Bowl of 2018 exchanges them in.

``1 3 10 5`` are the pixels 1 to 3 and 10 to 14: a start and a length each. Pixels are counted from
1, down the first column and then down the next
(kaggle.com/competitions/data-science-bowl-2018, Evaluation).
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import DataError, ImageError

# No picture has as many pixels as 18 digits can count, and they fit into 64 bits.
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_COUNTED = "Count pixels from 1, down the first column and then down the next"


def encode(instances: NDArray[Any]) -> list[str]:
    """Return the runs of each object, in the order of their ids.

    Args:
        instances: (height, width) whole object ids, 0 = none; other ids may be missing.

    Returns:
        "start length start length …" for each id that occurs. The starts ascend, and no run
        begins where the one before ends.

    Raises:
        DataError: The array is none of whole ids from 0 in two dimensions.

    Example:
        >>> encode(np.array([[7, 0, 4], [7, 0, 4]]))
        ['5 2', '1 2']
    """
    if instances.ndim != 2 or instances.dtype.kind not in "iu" or instances.min(initial=0) < 0:
        raise DataError(
            f"The instances are {instances.dtype} of shape {instances.shape}, and the smallest of "
            f"them is {instances.min(initial=0)}.",
            hint="Give whole object ids from 0, of shape (height, width).",
        )
    flat = instances.ravel(order="F")
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([np.zeros(min(flat.size, 1), np.intp), borders])
    lengths = np.diff(starts, append=flat.size)
    ids = flat[starts]
    # Stable: the runs of an object stay in their order.
    order = np.argsort(ids, kind="stable")
    order = order[np.count_nonzero(ids == 0) :]
    words = [str(value) for value in np.stack([starts + 1, lengths], 1)[order].ravel().tolist()]
    firsts = np.flatnonzero(np.diff(ids[order].astype(np.int64), prepend=0))
    ends = [*(2 * firsts[1:]).tolist(), len(words)]
    return [" ".join(words[2 * a : b]) for a, b in zip(firsts.tolist(), ends, strict=False)]


def decode(
    runs: Sequence[str], size: tuple[int, int], *, origins: Sequence[str] = ()
) -> tuple[NDArray[np.int32], int]:
    """Return objects as one label image, and how many pixels belong to several of them.

    They are numbered from 1 in their order; where two overlap, the later one has the pixel. Runs
    may stand in any order; a pixel that is in two runs of one object is in it once.

    Args:
        runs: "start length start length …" for each object; an empty text is one without pixels.
        size: (height, width) in pixels.
        origins: What errors call each object, such as its line in a table; unset: its number.

    Returns:
        (height, width) int32 object ids, 0 = none, and the number of overlapping pixels.

    Raises:
        ImageError: A word is no number, a start has no length, either is below 1, or a run ends
            outside the picture.

    Example:
        >>> decode(["1 3", "6 1"], (2, 3))
        (array([[1, 1, 0],
               [1, 0, 2]], dtype=int32), 0)
    """
    height, width = size
    flat = np.zeros(height * width, np.int32)
    overlap = 0
    for number, text in enumerate(runs, 1):
        origin = origins[number - 1] if origins else f"Object {number}"
        starts, ends = _bounds(text, size, origin)
        pixels = _pixels(starts, ends)
        overlap += int(np.count_nonzero(flat[pixels]))
        flat[pixels] = number
    return np.ascontiguousarray(flat.reshape((height, width), order="F")), overlap


def _bounds(
    text: str, size: tuple[int, int], origin: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each run begins, counted from 0, and where it has ended."""
    values = _numbers(text, origin)
    starts, lengths = values[::2] - 1, values[1::2]
    for least, found, what in ((0, starts, "start"), (1, lengths, "length")):
        wrong = np.flatnonzero(found < least)
        if wrong.size:
            raise ImageError(
                f"{origin}: run {wrong[0] + 1} has the {what} {found[wrong[0]] + 1 - least}.",
                hint=f"{_COUNTED}; a run has at least one.",
            )
    outside = np.flatnonzero(starts + lengths > size[0] * size[1])
    if outside.size:
        start, length = values[2 * outside[0] :][:2]
        raise ImageError(
            f"{origin}: the run '{start} {length}' ends outside the image of {size[0]}×{size[1]} "
            f"pixels (height×width), which has {size[0] * size[1]:,}.",
            hint=f"{_COUNTED}; or find the image that the runs were drawn on, in its own size.",
        )
    return starts, starts + lengths


def _numbers(text: str, origin: str) -> NDArray[np.int64]:
    words = text.split()
    stranger = next((word for word in words if not _NUMBER.fullmatch(word)), None)
    if stranger is not None:
        raise ImageError(
            f"{origin}: '{stranger[:40]}' is no whole number of up to 18 digits.",
            hint="Write a start and a length for each run, parted by spaces: '1 3 10 5'.",
        )
    if len(words) % 2:
        raise ImageError(
            f"{origin} has {len(words):,} values, so a start has no length.",
            hint="Write a start and a length for each run; a text that is cut short lacks some.",
        )
    return np.array(words, np.int64)


def _pixels(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pixels of runs, each once, in ascending order."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    starts[1:] = np.maximum(starts[1:], ends[:-1])
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())
