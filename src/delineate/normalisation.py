"""Whole images with comparable values: stretched, or with the colours of their stains exchanged.

What is done to a pixel depends on all pixels of its image, so a network that sees windows cannot do
it. It is measured once on the whole image, before anything is cut; the windows of a training and
the predictor do it alike. The type stays, so that a network's input scale and the augmentation keep
their meaning. An image that gives no measure (flat, or with hardly any stain) is left as it is.

An image that holds nothing is stretched as well: its noise then fills the range.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.errors import DataError, UsageError, near_miss
from delineate.recipe import Normalisation

KINDS: tuple[str, ...] = get_args(Normalisation)

Correction = Callable[[NDArray[Any]], NDArray[Any]]
"""What is to be done to an image, or to any part of it."""

# The shares, in percent, between which values are stretched.
_PERCENTILES = (1.0, 99.8)

# The method's own parameters (Macenko et al. 2009): optical density from which a pixel is stained,
# percent of the pixels beyond either stain's direction, and percentile that stands for the maximum.
_BETA = 0.15
_ALPHA = 1.0
_MAXIMUM = 99.0

# Share of stained pixels, and angle between the stains, below which there is nothing to measure;
# and red in a direction above which it is no eosin, which has 0.05 to 0.22: of 103 violet pictures
# of the Data Science Bowl 2018, whose ground passes for haematoxylin, all have more, of 4 sections
# with both stains none.
_LEAST_STAINED = 0.01
_LEAST_ANGLE = math.radians(5)
_EOSIN_RED = 0.25

# Haematoxylin and eosin, each the densities of red, green and blue, from Ruifrok and Johnston,
# "Quantification of histochemical staining by color deconvolution", 2001; and the densities that
# the strongest of each gets.
_REFERENCE = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
_REFERENCE /= np.linalg.norm(_REFERENCE, axis=1, keepdims=True)
_REFERENCE_MAXIMA = np.array([0.85, 0.45])

# Pixels on which stains are measured, and values that are worked on at a time.
_MEASURED = 1 << 18
_BLOCK = 1 << 20

# The natural logarithm of the light that passes, by value; black lets the least through.
_LIGHT = np.log(np.maximum(np.arange(256), 1) / 255)


def normalise(image: NDArray[Any], kind: str) -> NDArray[Any]:
    """Return a whole image normalised.

    Args:
        image: (height, width, channels) uint8 or uint16.
        kind: "none": as it is. "range": the values from the smallest to the largest are stretched
            over the range of the type. "percentile": those from the 1st to the 99.8th percentile,
            and what lies beyond is clipped. "channel": likewise, each channel by itself. "stain":
            the haematoxylin and the eosin of a section are found and shown in the colours and the
            strength of a reference (Macenko et al., "A method for normalizing histology slides for
            quantitative analysis", ISBI 2009); 8-bit RGB only.

    Returns:
        The same shape and type. An image, or a channel, whose limits coincide is as it was, and
        so is, with "stain", one of which less than 1 % is stained or whose two stains are in doubt.

    Raises:
        UsageError: There is no such kind.
        DataError: "stain" is asked of an image that is not 8-bit RGB.

    Example:
        >>> normalise(np.array([[[3], [4], [5]]], np.uint8), "range").ravel().tolist()
        [0, 128, 255]
    """
    return correction(image, kind)(image)


def correction(image: NDArray[Any], kind: str) -> Correction:
    """Return what :func:`normalise` does to an image, to be done to it or to parts of it.

    Each pixel is changed by itself, so a part of the changed image is the changed part.

    Args:
        image: The whole image, (height, width, channels) uint8 or uint16.
        kind: One of ``KINDS``.

    Raises:
        UsageError: There is no such kind.
        DataError: "stain" is asked of an image that is not 8-bit RGB.

    Example:
        >>> image = np.array([[[3], [4], [5]]], np.uint8)
        >>> correction(image, "range")(image[:, 1:]).ravel().tolist()
        [128, 255]
    """
    size = image.shape[0], image.shape[1]
    return correction_of_bands([image], kind, size=size, channels=image.shape[2], dtype=image.dtype)


def correction_of_bands(
    bands: Iterable[NDArray[Any]], kind: str, *, size: tuple[int, int], channels: int, dtype: Any
) -> Correction:
    """Return what :func:`normalise` does to an image that is only there in parts.

    Args:
        bands: The image from top to bottom, each (rows, width, channels); with "none" they are not
            asked for.
        kind: One of ``KINDS``.
        size: (height, width) of the image.
        channels: Of the image.
        dtype: Of its values: uint8 or uint16.

    Raises:
        UsageError: There is no such kind.
        DataError: "stain" is asked of an image that is not 8-bit RGB.

    Example:
        >>> image = np.arange(8, dtype=np.uint8).reshape(4, 2, 1)
        >>> found = correction_of_bands(
        ...     [image[:1], image[1:]], "range", size=(4, 2), channels=1, dtype=np.uint8
        ... )
        >>> bool(np.array_equal(found(image), normalise(image, "range")))
        True
    """
    require_fitting(kind, channels=channels, dtype=dtype)
    if kind == "none":
        return _unchanged
    if kind == "stain":
        change = _stain_change(_some_pixels(bands, size[0] * size[1]))
        return _unchanged if change is None else partial(_restain, change=change)
    return partial(_stretch, limits=_limits(bands, kind, channels=channels, dtype=dtype))


def require_fitting(kind: str, *, channels: int, dtype: Any) -> None:
    """Refuse a kind that there is not, or that cannot be done to such images.

    Args:
        kind: The name.
        channels: Channels of the images.
        dtype: Their type.

    Raises:
        UsageError: There is no such kind.
        DataError: "stain" is asked of images that are not 8-bit RGB.
    """
    if kind not in KINDS:
        raise UsageError(
            f"There is no normalisation '{kind}'.{near_miss(kind, KINDS)}",
            hint=f"Use one of: {', '.join(KINDS)}.",
        )
    if kind == "stain" and (channels != 3 or np.dtype(dtype) != np.uint8):
        raise DataError(
            f"Stain normalisation is for 8-bit RGB, these images have {channels} channels of "
            f"{np.dtype(dtype)}.",
            hint='Set data.normalise to "percentile", "channel" or "none".',
        )


def _unchanged(image: NDArray[Any]) -> NDArray[Any]:
    return image


def _limits(
    bands: Iterable[NDArray[Any]], kind: str, *, channels: int, dtype: Any
) -> NDArray[np.float64]:
    """Return the values that become 0 and the largest: (channels, 2), or (1, 2) for all alike."""
    groups = [slice(None)]
    if kind == "channel":
        groups = [slice(each, each + 1) for each in range(channels)]
    levels = np.iinfo(dtype).max + 1
    counts = np.zeros((len(groups), levels), np.int64)
    for band in bands:
        for rows in _blocks(band):
            for number, group in enumerate(groups):
                counts[number] += np.bincount(band[rows][..., group].ravel(), minlength=levels)
    shares = (0.0, 100.0) if kind == "range" else _PERCENTILES
    return np.array([_percentiles(each, shares) for each in counts])


def _percentiles(counts: NDArray[np.int64], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """Return percentiles of the values that a histogram counts, interpolated linearly."""
    upto = np.cumsum(counts)
    places = np.array(shares) / 100 * (upto[-1] - 1)
    below, above = np.floor(places), np.ceil(places)
    low, high = (np.searchsorted(upto, place, side="right") for place in (below, above))
    return np.asarray(low + (high - low) * (places - below))


def _stretch(image: NDArray[Any], *, limits: NDArray[np.float64]) -> NDArray[Any]:
    top = np.iinfo(image.dtype).max
    tables = np.stack([_line(low, high, top) for low, high in limits], axis=-1).astype(image.dtype)
    if image.dtype == np.uint8:
        found = cv2.LUT(np.ascontiguousarray(image), tables[np.newaxis])
        return np.asarray(found).reshape(image.shape)
    if len(limits) == 1:
        return np.take(tables[:, 0], image)
    planes = [np.take(table, image[..., number]) for number, table in enumerate(tables.T)]
    return np.stack(planes, axis=-1)


def _line(low: float, high: float, top: int) -> NDArray[np.float64]:
    """Return what each value from 0 to ``top`` becomes."""
    levels = np.arange(top + 1, dtype=np.float64)
    if high <= low:
        return levels
    return np.clip(np.rint((levels - low) * (top / (high - low))), 0, top)


def _some_pixels(bands: Iterable[NDArray[Any]], count: int) -> NDArray[np.uint8]:
    """Return (pixels, 3): evenly chosen ones of an image of so many pixels."""
    step, passed, found = -(-count // _MEASURED), 0, []
    for band in bands:
        pixels = band.reshape(-1, 3)
        # Copied: a part of a band would hold all of it.
        found.append(pixels[-passed % step :: step].copy())
        passed += len(pixels)
    return np.concatenate(found)


def _stain_change(pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Return the (3, 3) matrix from a row of densities to that of the reference, or None."""
    densities = (-_LIGHT / math.log(10))[pixels]
    stained = densities[densities.mean(axis=1) >= _BETA]
    if len(stained) <= _LEAST_STAINED * len(pixels):
        return None
    stains = _stains(stained)
    if stains is None:
        return None
    unmix = np.linalg.pinv(stains)
    amounts = stained @ unmix
    first = amounts[:, 0] > amounts[:, 1]
    # Each stain's maximum is that of the pixels in which it prevails, however few they are.
    strongest = [
        np.percentile(amounts[prevails, number], _MAXIMUM)
        for number, prevails in enumerate((first, ~first))
    ]
    return np.asarray(unmix * (_REFERENCE_MAXIMA / strongest) @ _REFERENCE)


def _stains(stained: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the directions of haematoxylin and eosin, (2, 3) of length 1; None if in doubt.

    All mixtures of two stains lie in a plane through the origin, between the two stains. The plane
    is that of the two largest singular vectors, the stains its robustly outermost directions;
    haematoxylin holds back more red.
    """
    _, vectors = np.linalg.eigh(stained.T @ stained)
    plane = vectors[:, [2, 1]]
    plane[:, 0] *= np.sign(plane[:, 0].sum())
    along, across = (stained @ plane).T
    ends = np.percentile(np.arctan2(across, along), (_ALPHA, 100 - _ALPHA))
    if ends[1] - ends[0] < _LEAST_ANGLE:
        return None
    stains = np.stack([np.cos(ends), np.sin(ends)], axis=1) @ plane.T
    stains = stains[np.argsort(-stains[:, 0])]
    return None if stains[1, 0] > _EOSIN_RED else np.asarray(stains)


def _restain(image: NDArray[Any], *, change: NDArray[np.float64]) -> NDArray[Any]:
    result = np.empty(image.shape, np.uint8)
    # The last column makes 255, and not 1, of light that passes freely.
    full = math.log(255)
    matrix = np.column_stack([change.T, np.full(3, full)]).astype(np.float32)
    for rows in _blocks(image):
        light = cv2.LUT(np.ascontiguousarray(image[rows]), _LIGHT.astype(np.float32))
        changed = np.minimum(cv2.transform(light, matrix), full)
        result[rows] = np.rint(cv2.exp(changed))
    return result


def _blocks(image: NDArray[Any]) -> Iterator[slice]:
    """Yield rows that together hold no more than so many values, so that memory stays small."""
    step = max(1, _BLOCK // max(image[:1].size, 1))
    return (slice(first, first + step) for first in range(0, len(image), step))
