"""Which kinds of picture a data set has, found from their fingerprints."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree

from delineate.data.looks.fingerprints import Fingerprint, by_digest
from delineate.errors import DataError

_SUBSET = 3000  # pictures that are clustered; the others join their nearest
_FEWEST = 10  # pictures among which one may be a stranger
# Distance in feature units, and in medians, beyond which a picture belongs to no kind.
_FAR, _FAR_BEYOND = 3.1, 3.0
_DARK, _BRIGHT = 35.0, 65.0  # CIE lightness
_GREY = 10.0  # CIE chroma below which nobody would name a colour
_HUES = (
    (20, "pink"),
    (50, "red"),
    (75, "orange"),
    (105, "yellow"),
    (185, "green"),
    (225, "cyan"),
    (300, "blue"),
    (335, "purple"),
    (361, "pink"),
)  # where each named hue ends, in degrees of CIE Lab
_UNITS = np.array([25.0, 20.0, 20.0, 40.0, 40.0, 1.0, 0.9])
"""How much of each feature makes two pictures differ by one."""


def kinds(fingerprints: Sequence[Fingerprint], *, threshold: float = 1.55) -> list[int]:
    """Return the kind of each picture: 0 is the most frequent, 1 the next.

    Average linkage over the features in fixed units, so that what is one kind does not depend on
    what else is in the data set. The result depends on the pictures, not on their order.

    Args:
        fingerprints: One per picture.
        threshold: Mean distance in feature units at which kinds stay apart. Lower: more kinds.
    """
    if len(fingerprints) < 2:
        return [0] * len(fingerprints)
    order = by_digest(range(len(fingerprints)), fingerprints)
    points = np.array([fingerprints[i].features for i in order]) / _UNITS
    picked = np.unique(np.linspace(0, len(order) - 1, min(len(order), _SUBSET)).astype(np.intp))
    clusters = fcluster(linkage(points[picked], "average"), threshold, "distance")
    nearest = cKDTree(points[picked]).query(points)[1]
    labels = np.empty(len(order), np.intp)
    labels[order] = _by_frequency(clusters[nearest])
    return [int(label) for label in labels]


def describe_kind(fingerprints: Sequence[Fingerprint], members: Sequence[int]) -> str:
    """Return a phrase such as "dark background, grey objects of about 12 pixels".

    Args:
        fingerprints: One per picture.
        members: Indices of the pictures of the kind.

    Raises:
        DataError: If there are no members.
    """
    if len(members) == 0:
        raise DataError(
            "A kind of picture without members cannot be described.",
            hint="Pass the indices of at least one picture.",
        )
    median = np.median([fingerprints[i].features for i in members], axis=0)
    lightness, behind_a, behind_b, object_a, object_b, _, width = (float(v) for v in median)
    shade = "dark" if lightness < _DARK else "bright" if lightness > _BRIGHT else "mid-tone"
    behind, objects = _colour_name(behind_a, behind_b), _colour_name(object_a, object_b)
    ground = shade if behind == "grey" else f"{shade} {behind}"
    return f"{ground} background, {objects} objects of about {2**width:.0f} pixels"


def find_strangers(fingerprints: Sequence[Fingerprint]) -> list[int]:
    """Return the pictures that resemble none but a few others, the strangest first.

    A few are two, or one in a hundred. Of less than ten pictures each may be a kind of its own:
    none is returned.

    Args:
        fingerprints: One per picture.
    """
    if len(fingerprints) < _FEWEST:
        return []
    few = max(2, len(fingerprints) // 100)
    points = np.array([one.features for one in fingerprints]) / _UNITS
    apart = cKDTree(points).query(points, k=few + 1)[0][:, -1]
    order = np.argsort(-apart, kind="stable")[:few]
    limit = max(_FAR, _FAR_BEYOND * float(np.median(apart)))
    return [int(index) for index in order if apart[index] > limit]


def _by_frequency(clusters: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return labels from 0, the most frequent first; of equally frequent ones the earlier."""
    _, first, inverse, counts = np.unique(
        clusters, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(first), np.intp)
    rank[np.lexsort((first, -counts))] = np.arange(len(first))
    return rank[inverse]


def _colour_name(a: float, b: float) -> str:
    """Return the name of a CIE Lab chroma, or "grey"."""
    if np.hypot(a, b) < _GREY:
        return "grey"
    hue = np.degrees(np.arctan2(b, a)) % 360
    return next(name for end, name in _HUES if hue < end)
