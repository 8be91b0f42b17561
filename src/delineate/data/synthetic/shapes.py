"""Outlines of nuclei: smooth irregular blobs, laid out in crowds that touch and overlap.

Outlines need only ``+ - * /`` and square roots, which every processor rounds alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Size = tuple[int, int]
Field = NDArray[np.float64]
Range = tuple[float, float]

_SMALLEST_NUCLEUS = 20
REFERENCE_AREA = 128 * 128


@dataclass(frozen=True)
class Blob:
    """A smooth closed outline: an ellipse whose radius carries a few slow waves.

    Attributes:
        row: Row of the centre, in pixels; may lie outside the picture.
        column: Column of the centre, in pixels.
        major: Longer half axis, in pixels.
        minor: Shorter half axis, in pixels.
        turn: Direction of the longer axis, a complex number of length 1 (column + i row).
        waves: Amplitude and phase of the waves of order 2, 3, ... as a share of the radius.
    """

    row: float
    column: float
    major: float
    minor: float
    turn: complex
    waves: tuple[complex, ...]

    def window(self, size: Size) -> tuple[slice, slice]:
        """Return the part of a picture of this size that the blob can touch."""
        reach = 1.7 * self.major + 4
        return _span(self.row, reach, size[0]), _span(self.column, reach, size[1])

    def depth(self, size: Size) -> Field:
        """Return how far each pixel of the window lies inside the outline.

        Returns:
            (rows, columns) float64 of the window, in pixels along the ray from the centre: positive
            inside, 0 on the outline, negative outside.
        """
        rows, columns = self.window(size)
        down = np.arange(rows.start, rows.stop, dtype=np.float64)[:, None] - self.row
        right = np.arange(columns.start, columns.stop, dtype=np.float64)[None, :] - self.column
        # The tiny shift gives a pixel that lies on the centre itself a direction.
        along = right * self.turn.real + down * self.turn.imag + 1e-9
        across = down * self.turn.real - right * self.turn.imag
        distance = np.sqrt(along * along + across * across)
        cosine, sine = along / distance, across / distance
        stretched = (self.minor * cosine) ** 2 + (self.major * sine) ** 2
        radius = self.major * self.minor / np.sqrt(stretched)
        return np.asarray(radius * (1 + _waves(self.waves, cosine, sine)) - distance)


def _span(centre: float, reach: float, length: int) -> slice:
    """Return the part of 0 to ``length`` within ``reach`` of the centre, perhaps empty."""
    return slice(max(0, int(centre - reach)), max(0, min(length, int(centre + reach) + 1)))


def _waves(waves: Sequence[complex], cosine: Field, sine: Field) -> Field:
    """Return the sum of the waves of order 2, 3, ... at angles given by cosine and sine."""
    total = np.zeros_like(cosine)
    real, imaginary = cosine, sine
    for wave in waves:
        # One more turn of the angle: cos and sin of k + 1 angles from those of k, by products only.
        real, imaginary = real * cosine - imaginary * sine, real * sine + imaginary * cosine
        total += wave.real * real + wave.imag * imaginary
    return total


@dataclass(frozen=True)
class Crowd:
    """How many nuclei a kind of picture has, of what size, and how close together.

    Attributes:
        number: Least and most nuclei per 128 x 128 pixels.
        radius: Least and greatest radius of the circle of the same area, in pixels.
        elongation: Least and greatest ratio of the half axes.
        waviness: Amplitude of the slowest wave, as a share of the radius.
        company: Share of the nuclei that are set against another one.
        overlap: Largest share of a nucleus that may lie over its neighbours.
    """

    number: Range
    radius: Range
    elongation: Range
    waviness: float
    company: float
    overlap: float


def direction(rng: np.random.Generator) -> complex:
    """Return a random complex number of length 1."""
    right, down = rng.standard_normal(2)
    length = math.sqrt(right * right + down * down) + 1e-12
    return complex(right / length, down / length)


def draw_blob(crowd: Crowd, centre: complex, rng: np.random.Generator) -> Blob:
    """Return a random blob at the centre, given as column + i row."""
    radius = rng.uniform(*crowd.radius)
    stretch = math.sqrt(rng.uniform(*crowd.elongation))
    waves = tuple(
        direction(rng) * (crowd.waviness * rng.uniform(0.2, 1.0) / slow)
        for slow in (1, 1.2, 2.5, 5)
    )
    turn = direction(rng)
    return Blob(centre.imag, centre.real, radius * stretch, radius / stretch, turn, waves)


def _draw_centre(
    crowd: Crowd, size: Size, blobs: Sequence[Blob], rng: np.random.Generator
) -> complex:
    """Return a centre anywhere, or beside an earlier blob, as column + i row."""
    if blobs and rng.uniform() < crowd.company:
        other = blobs[int(rng.integers(len(blobs)))]
        step = rng.uniform(1.5, 2.1) * 0.5 * (crowd.radius[0] + crowd.radius[1])
        return complex(other.column, other.row) + step * direction(rng)
    margin = 0.5 * crowd.radius[0]
    return complex(
        rng.uniform(-margin, size[1] + margin - 1), rng.uniform(-margin, size[0] + margin - 1)
    )


def _fits(blob: Blob, instances: NDArray[np.int32], overlap: float) -> bool:
    """Tell whether a blob may be laid over the earlier ones.

    It must show enough of itself in one piece, hide little, and leave each nucleus below it large
    and whole. A border of the picture can cut a bent nucleus in two: such a one is refused.
    """
    size = (instances.shape[0], instances.shape[1])
    window, inside = blob.window(size), blob.depth(size) > 0
    below = instances[window][inside]
    if below.size < _SMALLEST_NUCLEUS or np.count_nonzero(below) > overlap * below.size:
        return False
    if ndimage.label(inside)[1] != 1:
        return False
    covered = np.zeros(size, bool)
    covered[window] = inside
    for other in np.unique(below[below > 0]):
        visible = (instances == other) & ~covered
        if np.count_nonzero(visible) < _SMALLEST_NUCLEUS or ndimage.label(visible)[1] != 1:
            return False
    return True


def place(
    crowd: Crowd, size: Size, rng: np.random.Generator
) -> tuple[list[Blob], NDArray[np.int32]]:
    """Return nuclei laid one over the other and the (height, width) int32 map of what shows."""
    instances = np.zeros(size, np.int32)
    blobs: list[Blob] = []
    area = size[0] * size[1] / REFERENCE_AREA
    wanted = max(3, round(rng.uniform(*crowd.number) * area))
    for _ in range(6 * wanted):
        blob = draw_blob(crowd, _draw_centre(crowd, size, blobs, rng), rng)
        if len(blobs) < wanted and _fits(blob, instances, crowd.overlap):
            blobs.append(blob)
            instances[blob.window(size)][blob.depth(size) > 0] = len(blobs)
    return blobs, instances
