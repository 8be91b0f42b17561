"""Masks as colours: palettes, overlays and pictures of errors."""

import colorsys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_IGNORED = (224, 224, 224)
# In any other colour class 0 is a class like all others, such as the sky of street scenes.
_OF_BACKGROUND = ((0, 0, 0), (255, 255, 255))
# Okabe & Ito's colours (2008), then those farthest in CIELAB from all before them, under normal,
# red-blind and green-blind sight (Machado et al. 2009) together.
_DISTINCT = (
    "e69f00 56b4e9 009e73 f0e442 0072b2 d55e00 cc79a7 0000ff 6666ff 00ff88 "
    "774422 005555 aa9955 7700bb aaddaa 991188 7799ff ffccff 99dd55 bb5555"
)
_TRUE_POSITIVE = (0, 158, 115)
_FALSE_POSITIVE = (230, 0, 160)
_FALSE_NEGATIVE = (250, 225, 40)


def _make_palette() -> list[tuple[int, int, int]]:
    colours = [(0, 0, 0)]
    colours += [(int(c[:2], 16), int(c[2:4], 16), int(c[4:], 16)) for c in _DISTINCT.split()]
    step = 0
    while len(colours) < 255:
        # The golden ratio spreads hues evenly, however many are drawn.
        hue = step * 0.618033988749895 % 1
        red, green, blue = colorsys.hsv_to_rgb(
            hue, (0.55, 0.75, 0.95)[step % 3], (0.65, 0.95)[step % 2]
        )
        colour = (round(red * 255), round(green * 255), round(blue * 255))
        if colour not in colours:
            colours.append(colour)
        step += 1
    return [*colours, _IGNORED]


# Dim fluorescence often ends here, in levels of 255; a picture as dark as that is shown brighter.
_DARK, _SEEN = 96.0, 200.0

PALETTE: list[tuple[int, int, int]] = _make_palette()
"""The colour (red, green, blue) of each class id: 0 is black, 255 (ignore) a light grey."""


def colourise(mask: NDArray[Any], colours: Sequence[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Return a mask in the colours of its classes.

    Args:
        mask: (height, width) class ids, uint8 or uint16; 255 (65535) is ignore.
        colours: The colour (red, green, blue; 0 .. 255) of each id from 0 on; ids beyond them
            get the colours of ``PALETTE``, repeated.

    Returns:
        (height, width, 3) uint8.

    Example:
        >>> colourise(np.uint8([[0, 1]]), [(0, 0, 0), (9, 8, 7)]).tolist()
        [[[0, 0, 0], [9, 8, 7]]]
    """
    length = max(int(mask.max()) + 1, len(colours))
    table = np.empty((length, 3), np.uint8)
    table[:] = [PALETTE[1 + (index - 1) % 254] for index in range(length)]
    table[0] = PALETTE[0]
    table[: len(colours)] = np.array(colours, np.uint8).reshape(-1, 3)
    picture = table.take(mask, axis=0)
    if (ignored := _is_ignored(mask)).any():
        picture[ignored] = _IGNORED
    return picture


def to_rgb8(image: NDArray[Any], *, brighten: bool = True) -> NDArray[np.uint8]:
    """Return any image as a picture to look at.

    Args:
        image: (height, width) or (height, width, channels), any type. uint8 is shown as it is,
            unless it is so dark that nothing would be seen: then it is brightened. Other types are
            stretched between their 0.5 and 99.5 percentiles. One or two channels are shown as grey
            (the first), more than three as the first three.
        brighten: Whether dark uint8 images are: frames of a video would flicker.

    Returns:
        (height, width, 3) uint8, a copy.

    Example:
        >>> to_rgb8(np.zeros((2, 2, 1), np.uint16)).shape
        (2, 2, 3)
    """
    channels = image[..., None] if image.ndim == 2 else image
    channels = channels[..., :3] if channels.shape[2] >= 3 else channels[..., :1]
    if channels.dtype == np.uint8:
        channels = _brightened(channels) if brighten else channels
    else:
        low, high = np.percentile(channels, (0.5, 99.5))
        scaled = (channels - low) / max(high - low, np.finfo(np.float64).tiny)
        channels = (scaled.clip(0, 1) * 255).round().astype(np.uint8)
    return np.array(np.broadcast_to(channels, (*channels.shape[:2], 3)), order="C")


def _brightened(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a dark picture multiplied so that its brightest parts are seen; others as they are."""
    brightest = np.percentile(image, 99.5)
    if not 0 < brightest < _DARK:
        return image
    brighter: NDArray[np.uint8] = (image * (_SEEN / brightest)).clip(0, 255).astype(np.uint8)
    return brighter


def overlay(
    image: NDArray[Any],
    mask: NDArray[Any],
    colours: Sequence[tuple[int, int, int]],
    opacity: float = 0.45,
    *,
    brighten: bool = True,
) -> NDArray[np.uint8]:
    """Return the image with each class tinted in its colour and outlined by one pixel.

    The background, class 0 in black or white, stays as it is; ignored pixels are hatched in grey.

    Args:
        image: (height, width, channels), shown as by ``to_rgb8``.
        mask: (height, width) class ids, uint8 or uint16; 255 (65535) is ignore.
        colours: The colour (red, green, blue; 0 .. 255) of each id from 0 on.
        opacity: Of the tint, 0 .. 1.
        brighten: As for ``to_rgb8``.

    Returns:
        (height, width, 3) uint8.

    Example:
        >>> mask = np.uint8([[0, 1]])
        >>> overlay(np.zeros((1, 2, 1), np.uint8), mask, PALETTE).tolist()
        [[[0, 0, 0], [230, 159, 0]]]
    """
    picture = to_rgb8(image, brighten=brighten)
    tint = colourise(mask, colours)
    ignored = _is_ignored(mask)
    tinted = ~ignored
    if ignored.any():
        diagonals = np.add.outer(np.arange(mask.shape[0]), np.arange(mask.shape[1]))
        tinted |= diagonals % 6 < 2
    if not colours or tuple(colours[0]) in _OF_BACKGROUND:
        tinted &= mask != 0
    _blend(picture, tint, tinted, opacity)
    # Only the higher id of two neighbours is outlined, so that lines stay one pixel wide.
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    outline = (cv2.erode(mask, cross) < mask) & ~ignored
    cv2.copyTo(tint, outline.view(np.uint8), picture)
    return picture


def error_overlay(
    image: NDArray[Any], truth: NDArray[Any], prediction: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return the image in grey, with right objects green, invented magenta and missed yellow.

    A pixel of one class that is predicted as another is magenta. Pixels that the truth ignores
    stay grey. The colours remain distinct in red-green blindness.

    Args:
        image: (height, width, channels), shown as by ``to_rgb8``.
        truth: (height, width) class ids, uint8 or uint16; 255 (65535) is ignore.
        prediction: (height, width) class ids.

    Returns:
        (height, width, 3) uint8.

    Example:
        >>> mask = np.uint8([[0, 1]])
        >>> error_overlay(np.zeros((1, 2, 1), np.uint8), mask, mask).shape
        (1, 2, 3)
    """
    grey = cv2.cvtColor(to_rgb8(image), cv2.COLOR_RGB2GRAY)
    picture: NDArray[np.uint8] = np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)
    counted = ~_is_ignored(truth)
    found = prediction != 0
    for colour, where in (
        (_TRUE_POSITIVE, found & (truth == prediction)),
        (_FALSE_POSITIVE, found & (truth != prediction)),
        (_FALSE_NEGATIVE, ~found & (truth != 0)),
    ):
        _blend(picture, np.array(colour, np.uint8), where & counted, 0.7)
    return picture


def _is_ignored(mask: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(mask == (255 if mask.dtype.itemsize == 1 else 65535))


def _blend(
    picture: NDArray[np.uint8], tint: NDArray[np.uint8], where: NDArray[np.bool_], opacity: float
) -> None:
    """Lay a colour (3) or a picture of colours (height, width, 3) over a part of a picture."""
    colours = np.ascontiguousarray(np.broadcast_to(tint, picture.shape))
    mixed = cv2.addWeighted(picture, 1 - opacity, colours, opacity, 0)
    cv2.copyTo(mixed, where.view(np.uint8), picture)
