"""Samples side by side in one picture: images with their masks laid over them."""

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from delineate.errors import DataError
from delineate.imaging import overlay, resize_image, to_rgb8

INK = (58, 65, 71)
PAPER = (255, 255, 255)
_TILE = 176
_GAP = 10
_TEXT = 13
_LINE = 20

Colours = Sequence[tuple[int, int, int]]
Pixels = NDArray[np.uint8]
Key = tuple[tuple[int, int, int], str]


def sample_sheet(
    samples: Sequence[tuple[str, NDArray[Any], NDArray[Any]]],
    colours: Colours,
    columns: int = 6,
    *,
    names: Sequence[str] = (),
) -> bytes:
    """Return a contact sheet: each image with its mask tinted and outlined, its name below it.

    Args:
        samples: (name, image, mask) each: image (height, width, channels) of any type, mask
            (height, width) class ids, 255 (65535) is ignore. Sizes may differ.
        colours: The colour (red, green, blue; 0 .. 255) of each class id.
        columns: The most pictures in a row.
        names: The name of each class, for a legend; without them there is none.

    Returns:
        The content of a PNG file.

    Raises:
        DataError: There are no samples, or a mask has not the size of its image.

    Example:
        >>> image, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
        >>> sample_sheet([("one", image, mask)], [(0, 0, 0), (230, 159, 0)])[1:4]
        b'PNG'
    """
    if not samples:
        raise DataError("There are no samples to put on a sheet.", hint="Give at least one sample.")
    columns = min(columns, len(samples))
    width = columns * (_TILE + _GAP) + _GAP
    rows = [samples[first : first + columns] for first in range(0, len(samples), columns)]
    tiles = [[(name, _tile(image, mask, colours)) for name, image, mask in row] for row in rows]
    heights = [max(picture.shape[0] for _, picture in row) + _LINE + _GAP for row in tiles]
    keys = list(zip(colours, names, strict=False))[1:]
    bottom = sum(heights) + _GAP
    sheet = Image.new("RGB", (width, bottom + legend_height(keys, width)), PAPER)
    top = _GAP
    for row, height in zip(tiles, heights, strict=True):
        for column, (name, picture) in enumerate(row):
            left = column * (_TILE + _GAP) + _GAP
            place(sheet, picture, (top, left), (picture.shape[0], _TILE))
            write(sheet, name, (top + picture.shape[0] + 3, left), width=_TILE)
        top += height
    write_legend(sheet, keys, bottom)
    return encode(sheet)


def fit(
    image: NDArray[Any], masks: Sequence[NDArray[Any]], *, side: int
) -> tuple[Pixels, list[NDArray[Any]]]:
    """Return an image and masks of it, scaled alike so that the longer side has a length.

    Images shrink by area and grow in whole pixels; masks take the nearest pixel, which is enough
    to look at.

    Args:
        image: (height, width, channels), any type.
        masks: (height, width) class ids each.
        side: The length of the longer side, in pixels.

    Returns:
        The picture, (height, width, 3) uint8, and the masks at its size.

    Raises:
        DataError: A mask has not the size of the image.
    """
    height, width = image.shape[:2]
    for mask in masks:
        if mask.shape != (height, width):
            raise DataError(
                f"An image of size {(height, width)} came with a mask of shape {mask.shape}.",
                hint="Give masks at the image's own size.",
            )
    scale = side / max(height, width)
    size = max(round(height * scale), 1), max(round(width * scale), 1)
    small = resize_image(image, size) if scale < 1 else _nearest(image, size)
    return to_rgb8(small), [_nearest(mask, size) for mask in masks]


def place(
    sheet: Image.Image, picture: Pixels, corner: tuple[int, int], room: tuple[int, int]
) -> None:
    """Put a picture in the middle of a room.

    Args:
        sheet: What it is put on.
        picture: (height, width, 3) uint8, no larger than the room.
        corner: (row, column) of the room's upper left corner.
        room: (height, width) of the room.
    """
    top = corner[0] + (room[0] - picture.shape[0]) // 2
    left = corner[1] + (room[1] - picture.shape[1]) // 2
    sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (left, top))


def write(
    sheet: Image.Image,
    text: str,
    corner: tuple[int, int],
    *,
    width: int,
    size: int = _TEXT,
    colour: tuple[int, int, int] = INK,
) -> None:
    """Write one line of text, its middle left out where it is too long.

    Args:
        sheet: What it is written on.
        text: The text.
        corner: (row, column) of its upper left corner.
        width: The room for it, in pixels.
        size: The height of the letters, in pixels.
        colour: The colour (red, green, blue; 0 .. 255).
    """
    font = _font(size)
    text = " ".join(text.split())
    keep = len(text)
    shown = text
    # The end of a name often tells more than its middle.
    while keep > 1 and font.getlength(shown) > width:
        keep -= 1
        shown = f"{text[: -(-keep // 2)]}…{text[len(text) - keep // 2 :]}"
    ImageDraw.Draw(sheet).text((corner[1], corner[0]), shown, fill=colour, font=font)


def legend_height(keys: Sequence[Key], width: int) -> int:
    """Return the height in pixels that a legend takes on a sheet of a width."""
    lines = _legend_lines(keys, width)
    return len(lines) * _LINE + _GAP if lines else 0


def write_legend(sheet: Image.Image, keys: Sequence[Key], top: int) -> None:
    """Write what colours mean, in as many lines as it takes.

    Args:
        sheet: What it is written on.
        keys: (colour, meaning) each.
        top: The row of its upper edge.
    """
    for line in _legend_lines(keys, sheet.width):
        left = _GAP
        for (colour, text), width in line:
            place(sheet, np.full((12, 12, 3), colour, np.uint8), (top + 3, left), (12, 12))
            write(sheet, text, (top, left + 18), width=sheet.width - left - 18)
            left += width
        top += _LINE


def encode(sheet: Image.Image) -> bytes:
    """Return the content of a PNG file."""
    content = io.BytesIO()
    # The fastest compression: these pictures are made while a training waits.
    sheet.save(content, "PNG", compress_level=1)
    return content.getvalue()


def _tile(image: NDArray[Any], mask: NDArray[Any], colours: Colours) -> Pixels:
    picture, masks = fit(image, [mask], side=_TILE)
    return overlay(picture, masks[0], colours)


def _legend_lines(keys: Sequence[Key], width: int) -> list[list[tuple[Key, int]]]:
    lines: list[list[tuple[Key, int]]] = []
    used = width
    for key in keys:
        needed = 42 + round(_font(_TEXT).getlength(key[1]))
        if used + needed > width:
            lines.append([])
            used = _GAP
        lines[-1].append((key, needed))
        used += needed
    return lines


def _nearest(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    # The exact variant alone samples at pixel centres, as the resizing of images does.
    chosen = cv2.resize(array, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(chosen)


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    return ImageFont.load_default(size)
