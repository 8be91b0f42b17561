"""Pictures of outlines: fluorescent, stained and bright-field microscopy, from noise and blur.

Noise is normal, never Poisson, so that no rejected draw can shift the stream of random numbers;
nothing is scaled by a sum over pixels, whose order differs between processors.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate.data.synthetic.shapes import (
    REFERENCE_AREA,
    Blob,
    Crowd,
    Field,
    Range,
    Size,
    direction,
    draw_blob,
    place,
)

# Optical densities of red, green and blue per unit of dye. Haematoxylin is that of Ruifrok and
# Johnston 2001 ("Quantification of histochemical staining by color deconvolution", Anal Quant Cytol
# Histol 23:291). Their eosin looks neon on a screen: this one is as slide scanners show it.
_HAEMATOXYLIN = (0.65, 0.70, 0.29)
_EOSIN = (0.13, 0.80, 0.34)
_VIOLET = (0.62, 0.92, 0.14)
_MAGENTA = (0.34, 0.98, 0.30)


def _clouds(size: Size, scale: float, rng: np.random.Generator) -> Field:
    """Return smooth noise of mean 0 and standard deviation about 1, features ``scale`` wide."""
    noise = ndimage.gaussian_filter(rng.standard_normal(size), scale, mode="wrap")
    # White noise under a Gaussian of width s keeps a standard deviation of 1 / (2 s sqrt(pi)).
    return np.asarray(noise * (2 * math.sqrt(math.pi) * scale))


def _streaks(size: Size, rng: np.random.Generator) -> Field:
    """Return noise drawn out along one random, slightly bent direction, about -2 to 2."""
    side = 2 * max(size)
    noise = ndimage.gaussian_filter(rng.standard_normal((side, side)), (1.5, 9), mode="wrap")
    noise *= 2 * math.sqrt(math.pi * 1.5 * 9)
    turn = direction(rng)
    down, right = np.mgrid[: size[0], : size[1]].astype(np.float64)
    along = right * turn.real + down * turn.imag
    across = down * turn.real - right * turn.imag + 5 * _clouds(size, 24, rng)
    return np.asarray(ndimage.map_coordinates(noise, [across, along], order=1, mode="grid-wrap"))


def _illumination(size: Size, fall: float, rng: np.random.Generator) -> Field:
    """Return light that falls from 1 at a random spot to 1 - ``fall`` at the far corner."""
    row, column = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    down = np.arange(size[0], dtype=np.float64)[:, None] - row
    right = np.arange(size[1], dtype=np.float64)[None, :] - column
    squared = down * down + right * right
    return np.asarray(1 - fall * squared / squared.max())


def _specks(size: Size, number: int, width: Range, rng: np.random.Generator) -> Field:
    """Return small sharp grains of random height up to 1; ``width`` in pixels."""
    peaks = np.zeros(size)
    down, right = np.mgrid[: size[0], : size[1]].astype(np.float64)
    for _ in range(number):
        row, column = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        squared = (down - row) ** 2 + (right - column) ** 2
        peaks += rng.uniform(0.2, 1.0) * np.exp(-squared / (2 * rng.uniform(*width) ** 2))
    return peaks


def _fibres(size: Size, number: int, width: Range, rng: np.random.Generator) -> Field:
    """Return thin bent threads of height 0 to 1; ``width`` in pixels."""
    threads = np.zeros(size)
    position = np.linspace(0, 1, 80)[:, None, None]
    down, right = np.mgrid[: size[0], : size[1]].astype(np.float64)
    for _ in range(number):
        first = complex(rng.uniform(0, size[1]), rng.uniform(0, size[0]))
        ahead = direction(rng)
        bend = first + rng.uniform(15, 40) * ahead
        last = bend + rng.uniform(15, 40) * (ahead + 0.8 * direction(rng))
        curve = first * (1 - position) ** 2 + 2 * bend * position * (1 - position)
        curve = curve + last * position**2
        squared = ((right - curve.real) ** 2 + (down - curve.imag) ** 2).min(axis=0)
        thread = np.exp(-squared / (2 * rng.uniform(*width) ** 2))
        threads = np.maximum(threads, rng.uniform(0.4, 1.0) * thread)
    return threads


def _between(low: float, high: float, rng: np.random.Generator) -> float:
    """Return a number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _paint(
    blobs: Sequence[Blob], size: Size, amounts: Sequence[float], *, dome: float, rim: float = 0.0
) -> Field:
    """Return the sum of the blobs' dye or light.

    Args:
        blobs: The outlines.
        size: (height, width) of the picture.
        amounts: What each blob holds at its centre.
        dome: Share that the outline lacks against the centre: 0 is a flat disc.
        rim: Extra share along the outline, as of chromatin on the nuclear membrane.

    Returns:
        (height, width) float64; a pixel on an outline is half covered.
    """
    total = np.zeros(size)
    for blob, amount in zip(blobs, amounts, strict=True):
        depth = blob.depth(size)
        coverage = np.clip(depth + 0.5, 0, 1)
        height = 1 - dome * (1 - np.clip(depth / blob.minor, 0, 1)) ** 2
        edge = rim * np.exp(-((depth - 1.2) ** 2) / 1.5)
        total[blob.window(size)] += amount * coverage * (height + edge)
    return total


def _nucleoli(blobs: Sequence[Blob], size: Size, rng: np.random.Generator) -> Field:
    """Return one to four round spots of height 1 in each blob."""
    spots = np.zeros(size)
    down, right = np.mgrid[: size[0], : size[1]].astype(np.float64)
    for blob in blobs:
        for _ in range(int(rng.integers(1, 5))):
            centre = complex(blob.column, blob.row) + blob.turn * complex(
                rng.uniform(-0.6, 0.6) * blob.major, rng.uniform(-0.6, 0.6) * blob.minor
            )
            squared = (down - centre.imag) ** 2 + (right - centre.real) ** 2
            width = rng.uniform(0.08, 0.16) * blob.minor + 0.3
            spots = np.maximum(spots, np.exp(-squared / (2 * width**2)))
    return spots


def _expose(light: Field, shot: float, read: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture a camera takes of the light.

    Args:
        light: (height, width) or (height, width, 3), expected grey levels, 0 to 255.
        shot: Variance of the shot noise per grey level.
        read: Standard deviation of the read noise, in grey levels.
        rng: Source of the noise.

    Returns:
        (height, width, 3) uint8; a grey picture has three equal channels.
    """
    spread = np.sqrt(shot * np.clip(light, 0, None) + read * read)
    noisy = light + spread * rng.standard_normal(light.shape)
    levels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return levels if levels.ndim == 3 else np.repeat(levels[:, :, None], 3, axis=2)


def fluorescence(
    blobs: Sequence[Blob],
    size: Size,
    rng: np.random.Generator,
    *,
    dye: Range,
    blur: Range,
    grain: float,
) -> NDArray[np.uint8]:
    """Return bright nuclei on a dark uneven ground: widefield fluorescence of a DNA dye.

    Nuclei hold very unequal amounts of dye, the lamp is off centre, and bright grains, threads and
    blurred light from other planes are no nuclei.
    """
    area = size[0] * size[1] / REFERENCE_AREA
    amounts = [_between(*dye, rng) for _ in blobs]
    chromatin = 1 + 0.13 * _clouds(size, 0.35 * grain, rng) + 0.13 * _clouds(size, grain, rng)
    chromatin -= 0.35 * _nucleoli(blobs, size, rng)
    nuclei = _paint(blobs, size, amounts, dome=0.35) * np.clip(chromatin, 0.3, 1.7)
    light = ndimage.gaussian_filter(nuclei, rng.uniform(*blur))
    # Light of the same nuclei out of focus: the glow around bright clusters.
    light = 0.9 * light + 0.12 * ndimage.gaussian_filter(nuclei, 9)
    light += rng.uniform(5, 16) * (1 + 0.25 * _clouds(size, 20, rng))
    light *= _illumination(size, rng.uniform(0.25, 0.5), rng)
    light += rng.uniform(120, 230) * _specks(
        size, round(rng.uniform(2, 14) * area), (0.5, 1.4), rng
    )
    light += rng.uniform(60, 160) * _fibres(size, int(rng.integers(0, 3)), (0.6, 1.0), rng)
    return _expose(light, rng.uniform(0.1, 0.35), rng.uniform(1.0, 2.5), rng)


def _stained(
    density: Sequence[tuple[tuple[float, float, float], Field]],
    size: Size,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return white light that went through dyes, by the law of Beer and Lambert.

    Args:
        density: Each dye's optical density per unit, and its amounts, (height, width).
        size: (height, width) of the picture.
        rng: Source of the lamp's place, the lens's blur and the noise.
    """
    white = (
        np.array([243.0, 240.0, 236.0])
        * _illumination(size, rng.uniform(0.05, 0.25), rng)[:, :, None]
    )
    absorbed = sum(np.array(dye) * amount[:, :, None] for dye, amount in density)
    light = white * np.exp(-np.clip(absorbed, 0, None))
    blur = rng.uniform(0.5, 0.9)
    return _expose(ndimage.gaussian_filter(light, (blur, blur, 0)), 0.03, 1.2, rng)


def purple_tissue(blobs: Sequence[Blob], size: Size, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return violet nuclei in lavender, streaky cytoplasm: a section with one strong dye."""
    amounts = [_between(0.45, 1.8, rng) for _ in blobs]
    chromatin = 1 + 0.2 * _clouds(size, 0.9, rng) + 0.2 * _clouds(size, 2.5, rng)
    nuclei = _paint(blobs, size, amounts, dome=0.1, rim=0.3) * np.clip(chromatin, 0.4, 1.8)
    streaks = _streaks(size, rng)
    lumen = np.clip(_clouds(size, 14, rng) - 0.9, 0, 1)
    cytoplasm = 0.33 + 0.07 * _clouds(size, 7, rng) + 0.035 * _clouds(size, 1.2, rng)
    cytoplasm += 0.05 * streaks + 0.25 * ndimage.gaussian_filter(np.minimum(nuclei, 1.0), 5)
    cytoplasm = np.clip(cytoplasm * (1 - 0.6 * lumen), 0.05, None)
    dense = np.clip(_clouds(size, 11, rng) - 0.1, 0, 1.6) * np.clip(1 + 0.2 * streaks, 0, 2)
    return _stained(
        [(_VIOLET, nuclei + cytoplasm + 0.12 * dense), (_EOSIN, 0.5 * dense)], size, rng
    )


def pink_tissue(blobs: Sequence[Blob], size: Size, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return magenta nuclei among pale red cells on off-white: haematoxylin and eosin."""
    amounts = [_between(0.42, 1.8, rng) for _ in blobs]
    chromatin = 1 + 0.2 * _clouds(size, 1.0, rng) + 0.15 * _clouds(size, 2.5, rng)
    nuclei = _paint(blobs, size, amounts, dome=0.1, rim=0.15) * np.clip(chromatin, 0.3, 1.8)
    red_cells = Crowd((4, 12), (5, 7.5), (1.0, 1.25), 0.05, 0.5, 0.1)
    cells, _ = place(red_cells, size, rng)
    eosin = _paint(cells, size, [_between(0.3, 1.1, rng) for _ in cells], dome=-0.5, rim=0.2)
    halo = ndimage.gaussian_filter(np.minimum(nuclei, 1.0), 4)
    matrix = np.clip(_clouds(size, 12, rng) + 0.1, 0, 2) * (1 + 0.3 * _streaks(size, rng))
    eosin += 0.36 * matrix + 0.38 * halo + 0.03
    nuclei = 0.85 * nuclei + 1.5 * _specks(size, int(rng.integers(0, 6)), (0.6, 1.0), rng)
    return _stained([(_MAGENTA, nuclei), (_HAEMATOXYLIN, 0.5 * nuclei), (_EOSIN, eosin)], size, rng)


def bright_field(blobs: Sequence[Blob], size: Size, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return small dark nuclei in large translucent grey cells on a bright uneven ground."""
    cells = [
        draw_blob(
            Crowd((1, 1), (24, 38), (1.0, 1.7), 0.28, 0, 0), complex(blob.column, blob.row), rng
        )
        for blob in blobs
    ]
    flat = _paint(cells, size, [_between(0.1, 0.35, rng) for _ in cells], dome=0.0, rim=0.12)
    # Cells that lie over each other are pressed thin: density grows less than their number.
    flat = 0.92 * flat / (0.5 + flat)
    grain = 1 + 0.12 * _clouds(size, 0.8, rng) + 0.15 * _clouds(size, 5, rng)
    folds = _fibres(size, int(rng.integers(1, 6)), (0.6, 1.1), rng) * np.minimum(flat, 0.5)
    chromatin = 1 + 0.15 * _clouds(size, 1.2, rng)
    nuclei = _paint(blobs, size, [_between(0.6, 1.6, rng) for _ in blobs], dome=0.15, rim=0.1)
    dirt = 1.2 * _specks(size, int(rng.integers(3, 12)), (0.6, 1.1), rng)
    absorbed = flat * np.clip(grain, 0, 2) + folds + nuclei * chromatin + dirt
    light = 235 * _illumination(size, rng.uniform(0.15, 0.45), rng) * np.exp(-absorbed)
    return _expose(ndimage.gaussian_filter(light, rng.uniform(0.6, 1.0)), 0.03, 1.5, rng)
