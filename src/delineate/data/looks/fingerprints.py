"""What is remembered of a picture, to compare it with others: small fingerprints.

From them follow, without another look at the pictures, which are nearly the same and which kinds
there are (:mod:`delineate.data.splitting`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.errors import DataError

SIDE = 64  # rows and columns of a thumbnail
FREQUENCIES = 16  # rows and columns of the cosine coefficients behind the 256 bits
MARGIN = 4  # thumbnail cells by which a picture may be shifted
_CLIP = 3.0  # standard deviations: one bright spot must not be all that counts

Image = NDArray[Any]
Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is remembered of one picture to compare it with others.

    Attributes:
        digest: Hexadecimal BLAKE2b of shape, dtype and pixels: equal for identical pictures only.
        bits: Perceptual hash, 32 bytes: signs of the lowest 16 x 16 cosine coefficients.
        thumbnail: 64 x 64 int8 as bytes: grey, without uneven light, scaled by its own contrast.
        contrast: Standard deviation of the thumbnail before scaling, in levels of 0-255.
            0 if the picture has one value only.
        spread: Number of thumbnail cells, 0-3136, over which the contrast is spread.
        features: Background lightness (0-100), background a and b, object a and b (CIE Lab),
            polarity (-1 objects darker, 1 brighter), object width (log2 of pixels).
    """

    digest: str
    bits: bytes
    thumbnail: bytes
    contrast: float
    spread: float
    features: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        texts = {"bits": self.bits.hex(), "thumbnail": self.thumbnail.hex()}
        numbers = {"contrast": self.contrast, "spread": self.spread, "features": self.features}
        return {"digest": self.digest, **texts, **numbers}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Fingerprint":
        """Return the fingerprint that :meth:`as_json` has written."""
        texts = {key: bytes.fromhex(values[key]) for key in ("bits", "thumbnail")}
        return cls(**{**values, **texts, "features": tuple(values["features"])})


def _surfaces(degree: int) -> Float:
    """Return an orthonormal basis, (64 * 64, terms), of the polynomials of row and column."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) * 2 - 1
    terms = [rows**i * columns**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    basis: Float = np.linalg.qr(np.stack(terms, axis=-1).reshape(-1, len(terms)))[0]
    return basis.astype(np.float32)


_SURFACES = _surfaces(4)
"""Uneven light: taken out of thumbnails, since it is the microscope's and not the picture's."""

CONTENT = np.add.outer(np.arange(FREQUENCIES), np.arange(FREQUENCIES)) > 2
"""The cosine coefficients of the hash; the lowest six are uneven light again."""


def fingerprint(image: Image) -> Fingerprint:
    """Return the fingerprint of a picture; 1.5 ms for 256 x 256 pixels.

    The hash follows C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions" (2010), with signs in place of a median: mirrored pictures then differ by a fixed
    mask. A uint16 picture is measured against its own 99.9th percentile, because the bit depth
    that its camera used is not known.

    Args:
        image: (height, width, channels) uint8 or uint16. Of three or more channels the first
            three are red, green and blue; one or two are grey.

    Raises:
        DataError: If the array has another shape or dtype, or no pixels.

    Example:
        >>> fingerprint(np.zeros((256, 256, 3), np.uint8)).contrast
        0.0
    """
    if image.ndim != 3 or image.size == 0 or image.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"A fingerprint was asked of an array of shape {image.shape} and dtype {image.dtype}.",
            hint="Pass an image (height, width, channels) of dtype uint8 or uint16.",
        )
    colour, grey = _colour_and_grey(image)
    thumbnail, contrast = _thumbnail(grey)
    return Fingerprint(
        digest=_digest(image),
        bits=np.packbits(_signs(thumbnail)).tobytes(),
        thumbnail=thumbnail.tobytes(),
        contrast=0.0 if grey.min() == grey.max() else contrast,
        spread=_spread(thumbnail),
        features=_features(colour, grey),
    )


def by_digest(indices: Iterable[int], fingerprints: Sequence[Fingerprint]) -> NDArray[np.intp]:
    """Return indices in the order of their digests, which is not that of the pictures."""
    return np.array(sorted(indices, key=lambda i: fingerprints[i].digest), np.intp)


def _digest(image: Image) -> str:
    state = blake2b(f"{image.shape}{image.dtype}".encode(), digest_size=16)
    state.update(np.ascontiguousarray(image).data)
    return state.hexdigest()


def _colour_and_grey(image: Image) -> tuple[Float, Float]:
    """Return (64, 64, 3) and (height, width) float32, both 0 to 255."""
    if image.shape[2] >= 3:
        three = np.ascontiguousarray(image[..., :3])
        grey = cv2.cvtColor(three, cv2.COLOR_RGB2GRAY).astype(np.float32)
    else:
        grey = image.mean(axis=2, dtype=np.float32)
        three = grey[..., np.newaxis].repeat(3, axis=2)
    colour = cv2.resize(three, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    if image.dtype == np.uint16:
        scale = np.float32(255 / max(float(np.percentile(grey, 99.9)), 1.0))
        return np.minimum(colour * scale, 255), np.minimum(grey * scale, 255)
    return colour, grey


def _thumbnail(grey: Float) -> tuple[NDArray[np.int8], float]:
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = small - _light(small)
    contrast = float(small.std())
    scaled = np.clip(small / max(contrast, 1e-6), -_CLIP, _CLIP) * (127 / _CLIP)
    return np.rint(scaled).astype(np.int8), contrast


def _light(small: Float) -> Float:
    """Return the surface under the objects: fitted again without what stands out of it.

    A plain fit would bend towards an object in a corner, and leave its waves everywhere.
    """
    light, clipped = np.zeros_like(small), small
    for _ in range(4):
        light = (_SURFACES @ (_SURFACES.T @ clipped.ravel())).reshape(small.shape)
        rest = small - light
        clipped = light + np.clip(rest, -rest.std(), rest.std())
    return light


def _signs(thumbnail: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return (16, 16) booleans; those of the coefficients that stand for uneven light are false."""
    waves: Float = cv2.dct(thumbnail.astype(np.float32))[:FREQUENCIES, :FREQUENCIES]
    return (waves > 0) & CONTENT


def _spread(thumbnail: NDArray[np.int8]) -> float:
    """Return how many cells carry the contrast, of all or of the inner ones, whichever is less.

    An object in a corner is not among the inner ones, which then hold nothing but noise.
    """
    whole = thumbnail.astype(np.float64)
    inner = whole[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return min(_participation(whole), _participation(inner))


def _participation(cells: NDArray[np.float64]) -> float:
    """Return (sum of squares)^2 / sum of fourth powers, about the mean."""
    energy = (cells - cells.mean()) ** 2
    return float(energy.sum() ** 2 / max((energy**2).sum(), 1e-9))


def _features(colour: Float, grey: Float) -> tuple[float, ...]:
    lab = cv2.cvtColor(colour / np.float32(255), cv2.COLOR_RGB2Lab).reshape(-1, 3)
    ground = _most_frequent(lab[:, 0], 100.0)
    offset = np.abs(lab[:, 0] - ground)
    nearest, farthest = np.percentile(offset, (30, 98))
    behind = lab[offset <= nearest].mean(axis=0)
    objects = lab[offset >= farthest].mean(axis=0)
    width, polarity = _width_and_polarity(grey)
    return tuple(float(v) for v in (ground, *behind[1:], *objects[1:], polarity, width))


def _width_and_polarity(grey: Float) -> tuple[float, float]:
    """Return log2 of the mean chord of the objects in pixels, and -1 (darker) to 1 (brighter).

    The mean chord of a mask is its area over the number of runs, over rows and columns.
    """
    step = max(2, -(-max(grey.shape) // 512))
    height, width = (max(1, side // step) for side in grey.shape)
    small = cv2.blur(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), (3, 3))
    ground = _most_frequent(small, 255.0)
    low, high = np.percentile(small, (0.5, 99.5))
    reach = max(high - ground, ground - low)
    mask = np.abs(small - ground) > max(0.35 * reach, 3.0)
    runs = int((mask[:, 1:] & ~mask[:, :-1]).sum() + (mask[1:] & ~mask[:-1]).sum())
    chord = step * max(2 * int(mask.sum()) / max(runs, 1), 1.0)
    polarity = (high + low - 2 * ground) / max(high - low, 1.0)
    return float(np.clip(np.log2(chord), 1.5, 6.0)), float(np.clip(polarity, -1, 1))


def _most_frequent(values: Float, top: float) -> float:
    """Return the mode of values between 0 and ``top``, from a smoothed histogram."""
    counts = np.histogram(values, bins=64, range=(0, top))[0]
    return float((np.convolve(counts, [1, 2, 3, 2, 1], "same").argmax() + 0.5) * top / 64)
