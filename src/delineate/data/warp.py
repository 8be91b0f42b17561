"""Random warps: scale, rotation, shear and an elastic field in one map, sampled once.

The map says for each pixel of the window where in the source it comes from, so that the image is
resampled once, bilinearly and reflected at its border, and mask and instances once, nearest and
filled with ignore and with none.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from delineate.data.source import Source
from delineate.data.windows import (
    Parts,
    Size,
    Turn,
    corner_bounds,
    ignore_value,
    mask_size,
    resize_parts,
    where,
)
from delineate.recipe import Augment

# Source pixels per window pixel above which bilinear sampling would alias.
_ALIASING = 1.5

# Pixels between the nodes of the elastic grid, where its displacements are small.
_ELASTIC_SPACING = 32

# Node distance in units of the largest displacement. The slope of the bicubic interpolation between
# nodes is then below a half along each axis, even at its worst, so the field cannot fold.
_ELASTIC_STIFFNESS = 6


@dataclass(frozen=True)
class Warp:
    """Where each window pixel comes from.

    Attributes:
        rows: (height, width) float32, in source pixels; pixel centres are whole numbers.
        columns: The same for columns.
        density: Source pixels per window pixel, along the source's rows and columns.
    """

    rows: np.ndarray
    columns: np.ndarray
    density: tuple[float, float]


def draws_warp(settings: Augment, rng: np.random.Generator) -> bool:
    """Return whether this sample is warped at all."""
    bounds = settings.scale, settings.rotation, settings.shear, settings.elastic
    return any(bounds) and rng.random() < settings.warp_probability


def draw_warp(
    source: Size,
    native: Size,
    turn: Turn,
    size: Size,
    *,
    settings: Augment,
    rng: np.random.Generator,
    around: tuple[int, int] | None = None,
) -> Warp:
    """Return a random warp.

    Args:
        source: (height, width) of the image.
        native: (height, width) of the part of the source that fills the window at zoom 1.
        turn: How the window is laid down.
        size: (height, width) of the window.
        settings: The bounds.
        rng: The randomness.
        around: (row, column) of a source pixel that is to lie in the window; None: anywhere.
    """
    bound = -math.log1p(-settings.scale)
    zoom = math.exp(rng.uniform(-bound, bound))
    extent = [side / zoom for side in native]
    spare = [have - need for have, need in zip(source, extent, strict=True)]
    bounds = map(corner_bounds, spare, extent, around or (None, None))
    corner = [rng.uniform(low, max(low, high)) for low, high in bounds]
    centre = [low + (need - 1) / 2 for low, need in zip(corner, extent, strict=True)]
    density = [need / side for need, side in zip(extent, turn.before(size), strict=True)]
    # In the source's own pixels, so that a resize that changes the aspect is not turned with it.
    linear = _draw_affine(settings, rng) @ np.diag(density) @ turn.matrix()
    rows, columns = _coordinates(centre, linear, size)
    if settings.elastic:
        bend_rows, bend_columns = _draw_elastic(linear, size, settings.elastic, rng)
        rows += bend_rows
        columns += bend_columns
    return Warp(rows, columns, (density[0], density[1]))


def _draw_affine(settings: Augment, rng: np.random.Generator) -> np.ndarray:
    angle = math.radians(rng.uniform(-settings.rotation, settings.rotation))
    cosine, sine = math.cos(angle), math.sin(angle)
    shear = np.eye(2)
    axis = int(rng.integers(2))
    shear[axis, 1 - axis] = math.tan(math.radians(rng.uniform(-settings.shear, settings.shear)))
    return np.array([[cosine, -sine], [sine, cosine]]) @ shear


def _coordinates(
    centre: list[float], linear: np.ndarray, size: Size
) -> tuple[np.ndarray, np.ndarray]:
    down = (np.arange(size[0], dtype=np.float32) - (size[0] - 1) / 2)[:, None]
    right = np.arange(size[1], dtype=np.float32) - (size[1] - 1) / 2
    (rows_down, rows_right), (columns_down, columns_right) = linear.tolist()
    rows = down * rows_down + (right * rows_right + centre[0])
    columns = down * columns_down + (right * columns_right + centre[1])
    return rows, columns


def _draw_elastic(
    linear: np.ndarray, size: Size, largest: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns, in source pixels, by which a smooth random field moves pixels.

    Nodes of a coarse grid are moved by up to a random share of ``largest`` window pixels, and what
    lies between them bicubically. In a window too small for ``largest``, they move by less.

    After Ronneberger et al., U-Net (2015), section 3.1.
    """
    reach = min(rng.uniform(0, largest), min(size) / (2 * _ELASTIC_STIFFNESS))
    spacing = max(_ELASTIC_SPACING, _ELASTIC_STIFFNESS * reach)
    nodes = [max(2, int(side / spacing)) for side in size]
    # Each component within reach / sqrt(2), so that no node moves further than reach.
    grid = rng.uniform(-reach, reach, (2, nodes[0] * nodes[1])) / math.sqrt(2)
    coarse = (linear @ grid).astype(np.float32).reshape(2, *nodes)
    fine = [cv2.resize(axis, size[::-1], interpolation=cv2.INTER_CUBIC) for axis in coarse]
    return fine[0], fine[1]


def warp_parts(source: Source, warp: Warp, classes: int) -> Parts:
    """Return the warped sample; where it shrinks much, it is first reduced by area."""
    rows = _span(warp.rows, source.size[0], warp.density[0])
    columns = _span(warp.columns, source.size[1], warp.density[1])
    near = source.part(rows, columns)
    old = mask_size(near[1])
    new = _reduced(old[0], warp.density[0]), _reduced(old[1], warp.density[1])
    if new != old:
        near = resize_parts(near, new, classes)
    return _sample(
        near,
        _shifted(warp.rows, rows.start, new[0] / old[0]),
        _shifted(warp.columns, columns.start, new[1] / old[1]),
    )


def _span(coordinates: np.ndarray, length: int, density: float) -> slice:
    """Return the pixels along an axis that sampling reads, those met by reflection included."""
    # A neighbour on each side, which is several pixels wide where the source is reduced first.
    margin = math.ceil(density) + 1
    low = math.floor(coordinates.min()) - margin
    high = math.ceil(coordinates.max()) + 1 + margin
    first = min(low, 2 * length - 1 - high) if high > length else low
    last = max(high, 1 - low) if low < 0 else high
    return slice(max(first, 0), min(last, length))


def _reduced(length: int, density: float) -> int:
    return max(1, round(length / density)) if density > _ALIASING else length


def _shifted(coordinates: np.ndarray, start: int, ratio: float) -> np.ndarray:
    """Return coordinates in a part that begins at ``start`` and was resized by ``ratio``."""
    return coordinates * ratio + ((0.5 - start) * ratio - 0.5)


def _sample(parts: Parts, rows: np.ndarray, columns: np.ndarray) -> Parts:
    image, mask, instances = parts
    reflected = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return (
        np.asarray(reflected).reshape(*rows.shape, image.shape[2]),
        _nearest(mask, rows, columns, ignore_value(mask)),
        where(instances, lambda ids: _nearest_ids(ids, rows, columns)),
    )


def _nearest(array: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: int) -> np.ndarray:
    return np.asarray(
        cv2.remap(
            array,
            columns,
            rows,
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(fill, fill, fill, fill),
        )
    )


def _nearest_ids(instances: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return sampled ids, as four channels of bytes: OpenCV samples no 32-bit integers."""
    whole = np.ascontiguousarray(instances, np.int32)
    sampled = _nearest(whole.view(np.uint8).reshape(*whole.shape, 4), rows, columns, 0)
    return sampled.reshape(rows.shape[0], -1).view(np.int32)
