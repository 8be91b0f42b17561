"""Windows of an image, its mask and its instances: cut or resized, and warped at random.

Where only a crop, a flip or a quarter turn is drawn, pixels are moved and never sampled anew;
everything else is one warp (:mod:`delineate.data.warp`). Only the part of the source that a window
needs is read. Changes of intensity are in :mod:`delineate.data.colour`.
"""

import numpy as np

from delineate.data.warp import draw_warp, draws_warp, warp_parts
from delineate.data.windows import (
    Parts,
    Size,
    Turn,
    checked_parts,
    corner_bounds,
    cut_parts,
    mask_size,
    plain_window,
    resize_parts,
    spare_pixels,
    where,
)
from delineate.recipe import Augment

__all__ = ["augment_window", "plain_window"]


def augment_window(
    parts: Parts,
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
        parts: The sample: image (height, width, channels) uint8 or uint16; mask (height, width)
            uint8 or uint16 class ids, the largest value (255, 65535) = ignore; instances (height,
            width) int32 object ids, 0 = none, or None.
        size: (height, width) of the window in pixels.
        fit: ``"crop"``: at native resolution; ``"resize"``: the whole image at ``size``.
        classes: Number of classes, background included; needed where a mask shrinks.
        settings: The shares and bounds of the random changes; intensities are not touched.
        rng: All randomness comes from here.
        around: (row, column) of a pixel that is to lie in the window; a rotation may turn it out.
            None: the window may lie anywhere.

    Returns:
        New arrays of the same kinds, each ``size`` high and wide.

    Raises:
        DataError: Image, mask and instances differ in size, or are empty.

    Example:
        >>> image, mask = np.zeros((40, 50, 3), np.uint8), np.zeros((40, 50), np.uint8)
        >>> window, labels, _ = augment_window(
        ...     (image, mask, None), size=(32, 16), fit="crop", classes=2,
        ...     settings=Augment(rotation=20), rng=np.random.default_rng(0),
        ... )
        >>> window.shape, labels.shape
        ((32, 16, 3), (32, 16))
    """
    parts = checked_parts(*parts)
    mask = parts[1]
    turn = _draw_turn(settings, rng)
    window = turn.before(size)
    if draws_warp(settings, rng):
        native = window if fit == "crop" else mask_size(mask)
        warp = draw_warp(
            mask_size(mask), native, turn, size, settings=settings, rng=rng, around=around
        )
        return warp_parts(parts, warp, classes)
    if fit == "crop":
        row, column = (
            int(rng.integers(int(low), int(high) + 1))
            for low, high in map(
                corner_bounds, spare_pixels(mask, window), window, around or (None, None)
            )
        )
        moved = cut_parts(parts, (row, column), window)
    else:
        moved = resize_parts(parts, window, classes)
    return turn.apply(moved[0]), turn.apply(moved[1]), where(moved[2], turn.apply)


def _draw_turn(settings: Augment, rng: np.random.Generator) -> Turn:
    # Both are drawn even where one way is not wanted, so that the setting changes nothing else.
    drawn = rng.random(2) < 0.5 if settings.flip else (False, False)
    rows = bool(drawn[0]) and settings.flip != "left_right"
    columns = bool(drawn[1]) and settings.flip != "up_down"
    quarters = int(rng.integers(4)) if settings.quarter_turns else 0
    return Turn(bool(rows), bool(columns), quarters)
