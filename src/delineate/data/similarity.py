"""Which pictures of a data set are nearly the same, and which kinds of picture it has.

Both questions are answered from small fingerprints, so that each picture is read once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree

from delineate.errors import DataError

_SIDE = 64  # rows and columns of a thumbnail
_FREQUENCIES = 16  # rows and columns of the cosine coefficients behind the 256 bits
_CLIP = 3.0  # standard deviations: one bright spot must not be all that counts
_MARGIN = 4  # thumbnail cells by which a picture may be shifted
_BLOCK = 32  # rows of the matrix of distances held at once
# Two pictures with one nucleus each can be laid over each other: a shift is only tried where the
# contrast is spread over at least so many thumbnail cells; the fewer below, the higher the bar.
_SPREAD = 128.0
_SPARSE_DISTANCE = 64
_SPARSE_SPREADS, _SPARSE_CORRELATIONS = (48.0, _SPREAD), (0.97, 0.85)
_FAINTEST = 0.25  # contrast in levels of 255 below which a thumbnail holds rounding and noise
_SUBSET = 3000  # pictures that are clustered; the others join their nearest
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


_UNITS = np.array([25.0, 20.0, 20.0, 40.0, 40.0, 1.0, 0.9])
"""How much of each feature makes two pictures differ by one."""


def _surfaces(degree: int) -> Float:
    """Return an orthonormal basis, (64 * 64, terms), of the polynomials of row and column."""
    rows, columns = np.mgrid[:_SIDE, :_SIDE] / (_SIDE - 1) * 2 - 1
    terms = [rows**i * columns**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    basis: Float = np.linalg.qr(np.stack(terms, axis=-1).reshape(-1, len(terms)))[0]
    return basis.astype(np.float32)


_SURFACES = _surfaces(4)
"""Uneven light: taken out of thumbnails, since it is the microscope's and not the picture's."""

_CONTENT = np.add.outer(np.arange(_FREQUENCIES), np.arange(_FREQUENCIES)) > 2
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


def near_duplicates(
    fingerprints: Sequence[Fingerprint],
    *,
    distance: int = 96,
    correlation: float = 0.75,
    turned: bool = True,
) -> list[list[int]]:
    """Return the groups of pictures that show the same: ascending indices, at least two each.

    Found are copies, also compressed, noisy, rescaled, brighter or darker, or cut or shifted by
    some 3 % of a side, and any of these mirrored or turned by quarters. A picture belongs to a
    group if it resembles one member. Fields that merely overlap are not found. Pictures of a
    single value are never duplicates.

    Candidates are at most ``distance`` bits of 256 apart; they count if their thumbnails
    correlate. In nearly empty pictures few things have to coincide by chance, so these must agree
    more closely, and without a shift.

    Args:
        fingerprints: One per picture.
        distance: Bits in which the hashes of a pair may differ; unrelated pictures: 128 +- 8.
        correlation: Least correlation of the thumbnails at their best shift, -1 to 1.
        turned: Whether mirrored and turned copies are looked for: eight times the comparisons.
    """
    labels = _label_identical(fingerprints)
    # In the order of the digests, the result does not depend on the order of the pictures.
    usable = _by_digest(
        [i for i, f in enumerate(fingerprints) if f.contrast >= _FAINTEST], fingerprints
    )
    chosen = [fingerprints[i] for i in usable]
    limits = np.array(
        [min(distance, _SPARSE_DISTANCE if f.spread < _SPREAD else 255) for f in chosen], np.uint8
    )
    for first, second, orientation in _candidates(chosen, limits, usable, labels, turned):
        a, b = usable[first], usable[second]
        if labels[a] != labels[b] and _alike(
            chosen[first], chosen[second], orientation, correlation
        ):
            join(labels, a, b)
    return groups_of(labels)


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
    order = _by_digest(range(len(fingerprints)), fingerprints)
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


def join(labels: NDArray[np.intp], first: int, second: int) -> None:
    """Give everything that is labelled like ``second`` the label of ``first``, in place."""
    labels[labels == labels[second]] = labels[first]


def groups_of(labels: NDArray[np.intp]) -> list[list[int]]:
    """Return the ascending indices of each label that occurs twice or more, first index first."""
    members: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(int(label), []).append(index)
    return [group for group in members.values() if len(group) > 1]


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
    colour = cv2.resize(three, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    if image.dtype == np.uint16:
        scale = np.float32(255 / max(float(np.percentile(grey, 99.9)), 1.0))
        return np.minimum(colour * scale, 255), np.minimum(grey * scale, 255)
    return colour, grey


def _thumbnail(grey: Float) -> tuple[NDArray[np.int8], float]:
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
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
    waves: Float = cv2.dct(thumbnail.astype(np.float32))[:_FREQUENCIES, :_FREQUENCIES]
    return (waves > 0) & _CONTENT


def _spread(thumbnail: NDArray[np.int8]) -> float:
    """Return how many cells carry the contrast, of all or of the inner ones, whichever is less.

    An object in a corner is not among the inner ones, which then hold nothing but noise.
    """
    whole = thumbnail.astype(np.float64)
    inner = whole[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
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


def _by_digest(indices: Iterable[int], fingerprints: Sequence[Fingerprint]) -> NDArray[np.intp]:
    return np.array(sorted(indices, key=lambda i: fingerprints[i].digest), np.intp)


def _label_identical(fingerprints: Sequence[Fingerprint]) -> NDArray[np.intp]:
    first: dict[str, int] = {}
    pairs = enumerate(fingerprints)
    return np.array(
        [i if f.contrast == 0 else first.setdefault(f.digest, i) for i, f in pairs], np.intp
    )


def _candidates(
    chosen: Sequence[Fingerprint],
    limits: NDArray[np.uint8],
    usable: NDArray[np.intp],
    labels: NDArray[np.intp],
    turned: bool,
) -> Iterator[tuple[int, int, int]]:
    """Yield pairs (first, second > first, orientation) of near hashes not yet in one group.

    Block by block, so that memory grows with the number of pictures, not with its square.
    """
    if len(chosen) < 2:
        return
    packed = np.frombuffer(b"".join(f.bits for f in chosen), np.uint8).reshape(-1, 32)
    signs = np.unpackbits(packed, axis=1)
    words = _words(signs)
    oriented = [_words(_reorient_signs(signs, o)) for o in range(8 if turned else 1)]
    for start in range(0, len(chosen), _BLOCK):
        rows = slice(start, start + _BLOCK)
        allowed = np.minimum(limits[rows, np.newaxis], limits[np.newaxis, start:])
        for orientation, others in enumerate(oriented):
            near = _distances(words[:, rows], others[:, start:]) <= allowed
            first, second = (found + start for found in np.nonzero(near))
            wanted = (first < second) & (labels[usable[first]] != labels[usable[second]])
            for i, j in zip(first[wanted], second[wanted], strict=True):
                yield int(i), int(j), orientation


def _words(signs: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return (4, pictures) words of 64 bits from (pictures, 256) zeros and ones."""
    return np.ascontiguousarray(np.packbits(signs, axis=1).view(np.uint64).T)


def _reorient_signs(signs: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the signs that the picture would have after ``_reorient``.

    Transposing a picture transposes its coefficients; mirroring negates the odd ones.
    """
    square = signs.reshape(-1, _FREQUENCIES, _FREQUENCIES)
    if orientation & 4:
        square = square.transpose(0, 2, 1)
    odd = np.arange(_FREQUENCIES) % 2 * np.ones((_FREQUENCIES, 1), np.uint8)
    negated = odd.T * (orientation >> 1 & 1) != odd * (orientation & 1)
    changed: NDArray[np.uint8] = square ^ (negated & _CONTENT).astype(np.uint8)
    return changed.reshape(len(signs), -1)


def _reorient(cells: Float, orientation: int) -> Float:
    """Return (64, 64) cells transposed (4), then rows mirrored (2), then columns mirrored (1)."""
    if orientation & 4:
        cells = cells.T
    if orientation & 2:
        cells = cells[::-1]
    return np.ascontiguousarray(cells[:, ::-1] if orientation & 1 else cells)


def _distances(rows: NDArray[np.uint64], columns: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return (rows, columns) Hamming distances, at most 250: six of the bits are never set."""
    total = np.zeros((rows.shape[1], columns.shape[1]), np.uint8)
    for row, column in zip(rows, columns, strict=True):
        total += np.bitwise_count(row[:, np.newaxis] ^ column)
    return total


def _alike(first: Fingerprint, second: Fingerprint, orientation: int, correlation: float) -> bool:
    a, b = _cells(first), _reorient(_cells(second), orientation)
    spread = min(first.spread, second.spread)
    if spread < _SPREAD:
        needed = max(correlation, np.interp(spread, _SPARSE_SPREADS, _SPARSE_CORRELATIONS))
        return bool(np.corrcoef(a.ravel(), b.ravel())[0, 1] >= needed)
    inner = a[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return bool(cv2.matchTemplate(b, inner, cv2.TM_CCOEFF_NORMED).max() >= correlation)


def _cells(one: Fingerprint) -> Float:
    return np.frombuffer(one.thumbnail, np.int8).reshape(_SIDE, _SIDE).astype(np.float32)


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
