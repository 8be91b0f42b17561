"""Windows of an image, its mask and its instances: cut or resized, and warped at random.

Where only a crop, a flip or a quarter turn is drawn, pixels are moved and never sampled anew;
everything else is one warp (:mod:`delineate.data.warp`). Only the part of the source that a window
needs is read. Changes of intensity are in :mod:`delineate.data.colour`.
"""

import numpy as np

from delineate.data.source import Source
from delineate.data.warp import draw_warp, draws_warp, warp_parts
from delineate.data.windows import (
    Parts,
    Size,
    Turn,
    corner_bounds,
    cut_parts,
    plain_window,
    resize_parts,
    spare_pixels,
    where,
)
from delineate.recipe import Augment

__all__ = ["augment_window", "plain_window"]


def augment_window(
    source: Source,
    *,
    size: Size,
    fit: str,
    classes: int,
    settings: Augment,
    rng: np.random.Generator,
    around: tuple[int, int] | None = None,
) -> Parts:
    """Return a random window of a sample; image, mask and instances stay aligned.

    With ``fit="crop"`` each place in the image is as likely as any other; an image smaller than the
    window lies somewhere in it. With ``fit="resize"`` the window is the whole image, or the part of
    it that is left by a zoom. What lies outside the image is its reflection, ignored in the mask.

    Args:
        source: The sample. What it makes ready: image (height, width, channels) uint8 or uint16;
            mask (height, width) uint8 or uint16 class ids, the largest value (255, 65535) = ignore;
            instances (height, width) int32 object ids, 0 = none, or None.
        size: (height, width) of the window in pixels.
        fit: ``"crop"``: at native resolution; ``"resize"``: the whole image at ``size``.
        classes: Number of classes, background included; needed where a mask shrinks.
        settings: The shares and bounds of the random changes; intensities are not touched.
        rng: All randomness comes from here.
        around: (row, column) of a pixel that is to lie in the window; a rotation may turn it out.
            None: the window may lie anywhere.

    Returns:
        New arrays of the same kinds, each ``size`` high and wide.

    Example:
        >>> image, mask = np.zeros((40, 50, 3), np.uint8), np.zeros((40, 50), np.uint8)
        >>> window, labels, _ = augment_window(
        ...     Source(image, mask), size=(32, 16), fit="crop", classes=2,
        ...     settings=Augment(rotation=20), rng=np.random.default_rng(0),
        ... )
        >>> window.shape, labels.shape
        ((32, 16, 3), (32, 16))
    """
    turn = _draw_turn(settings, rng)
    window = turn.before(size)
    if draws_warp(settings, rng):
        native = window if fit == "crop" else source.size
        warp = draw_warp(source.size, native, turn, size, settings=settings, rng=rng, around=around)
        return warp_parts(source, warp, classes)
    if fit == "crop":
        bounds = map(
            corner_bounds, spare_pixels(source.size, window), window, around or (None, None)
        )
        row, column = (int(rng.integers(int(low), int(high) + 1)) for low, high in bounds)
        moved = _cut(source, (row, column), window)
    else:
        moved = resize_parts(source.whole(), window, classes)
    return turn.apply(moved[0]), turn.apply(moved[1]), where(moved[2], turn.apply)


def _cut(source: Source, corner: tuple[int, int], window: Size) -> Parts:
    """Return a window of which no more is made ready than lies in the sample."""
    (row, column), (height, width) = corner, window
    inside = source.part(slice(max(row, 0), row + height), slice(max(column, 0), column + width))
    return cut_parts(inside, (min(row, 0), min(column, 0)), window)


def _draw_turn(settings: Augment, rng: np.random.Generator) -> Turn:
    # Both are drawn even where one way is not wanted, so that the setting changes nothing else.
    drawn = rng.random(2) < 0.5 if settings.flip else (False, False)
    rows = bool(drawn[0]) and settings.flip != "left_right"
    columns = bool(drawn[1]) and settings.flip != "up_down"
    quarters = int(rng.integers(4)) if settings.quarter_turns else 0
    return Turn(bool(rows), bool(columns), quarters)
