"""Which pictures of a data set are nearly the same, found from their fingerprints."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.data.looks.fingerprints import (
    CONTENT,
    FREQUENCIES,
    MARGIN,
    SIDE,
    Fingerprint,
    Float,
    by_digest,
)
from delineate.imaging import reorient

_BLOCK = 32  # rows of the matrix of distances held at once
# Two pictures with one nucleus each can be laid over each other: a shift is only tried where the
# contrast is spread over at least so many thumbnail cells; the fewer below, the higher the bar.
_SPREAD = 128.0
_SPARSE_DISTANCE = 64
_SPARSE_SPREADS, _SPARSE_CORRELATIONS = (48.0, _SPREAD), (0.97, 0.85)
_FAINTEST = 0.25  # contrast in levels of 255 below which a thumbnail holds rounding and noise


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
    usable = by_digest(
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


def join(labels: NDArray[np.intp], first: int, second: int) -> None:
    """Give everything that is labelled like ``second`` the label of ``first``, in place."""
    labels[labels == labels[second]] = labels[first]


def groups_of(labels: NDArray[np.intp]) -> list[list[int]]:
    """Return the ascending indices of each label that occurs twice or more, first index first."""
    members: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(int(label), []).append(index)
    return [group for group in members.values() if len(group) > 1]


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
    """Return the signs that the picture would have after :func:`~delineate.imaging.reorient`.

    Transposing a picture transposes its coefficients; mirroring negates the odd ones.
    """
    square = signs.reshape(-1, FREQUENCIES, FREQUENCIES)
    if orientation & 4:
        square = square.transpose(0, 2, 1)
    odd = np.arange(FREQUENCIES) % 2 * np.ones((FREQUENCIES, 1), np.uint8)
    negated = odd.T * (orientation >> 1 & 1) != odd * (orientation & 1)
    changed: NDArray[np.uint8] = square ^ (negated & CONTENT).astype(np.uint8)
    return changed.reshape(len(signs), -1)


def _distances(rows: NDArray[np.uint64], columns: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return (rows, columns) Hamming distances, at most 250: six of the bits are never set."""
    total = np.zeros((rows.shape[1], columns.shape[1]), np.uint8)
    for row, column in zip(rows, columns, strict=True):
        total += np.bitwise_count(row[:, np.newaxis] ^ column)
    return total


def _alike(first: Fingerprint, second: Fingerprint, orientation: int, correlation: float) -> bool:
    a, b = _cells(first), reorient(_cells(second), orientation)
    spread = min(first.spread, second.spread)
    if spread < _SPREAD:
        needed = max(correlation, np.interp(spread, _SPARSE_SPREADS, _SPARSE_CORRELATIONS))
        return bool(np.corrcoef(a.ravel(), b.ravel())[0, 1] >= needed)
    inner = a[MARGIN:-MARGIN, MARGIN:-MARGIN]
    return bool(cv2.matchTemplate(b, inner, cv2.TM_CCOEFF_NORMED).max() >= correlation)


def _cells(one: Fingerprint) -> Float:
    return np.frombuffer(one.thumbnail, np.int8).reshape(SIDE, SIDE).astype(np.float32)
