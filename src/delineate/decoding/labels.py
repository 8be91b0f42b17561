"""From the pixels of a mask's file to the labels that they store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.decoding.formats import decode
from delineate.decoding.stored import Stored
from delineate.errors import BlendedError, ImageError

MAX_COLOURS = 4096
_BAND = 1 << 22  # pixels that are looked at together


@dataclass(frozen=True, eq=False)
class Labels:
    """What a mask file stores.

    Attributes:
        values: (height, width) uint8 or uint16: the stored values; for a colour picture, indices
            into ``colours``.
        colours: The packed colour (0xRRGGBB) of each index, in rising order, for a mask stored as
            a colour picture; None where it stores numbers.
        palette: The packed colour of each stored value that occurs, for a mask stored with a
            palette, whose ``values`` are its indices; None otherwise.
    """

    values: NDArray[Any]
    colours: tuple[int, ...] | None = None
    palette: Mapping[int, int] | None = None


def read_labels(path: Path, content: bytes | None = None) -> Labels:
    """Return what a mask file stores, upright: numbers, or which of its colours.

    A palette gives its indices (that of a GIF in greys its levels), one bit gives 0 and 1, two and
    four bits their own values, grey of 8 or 16 bits is as it is. Wider whole numbers (label images)
    become uint16 where they fit. RGB with three equal channels is grey. Transparency is left out
    where it says nothing that the values do not say as well.

    Args:
        path: The file.
        content: All its bytes, where they were read before.

    Raises:
        ImageError: As for ``read_image``; or the mask has channels of another number than 1 or 3,
            negative or too large values, or its transparency or inversion leaves open what its
            values mean.
        BlendedError: It has more than 4096 colours.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from delineate.imaging import PALETTE, write_png
        >>> with TemporaryDirectory() as folder:
        ...     write_png(Path(folder) / "mask.png", np.full((1, 2), 7, np.uint8), PALETTE)
        ...     read_labels(Path(folder) / "mask.png").values.tolist()
        [[7, 7]]
    """
    stored = decode(path, content)
    _check_inversion(stored, path)
    pixels = stored.pixels
    if pixels.shape[2] not in (1, 3):
        raise ImageError(
            f"Mask '{path}' has {pixels.shape[2]} channels.",
            hint='Say encoding = "one-hot" under [masks] in dataset.toml if each channel is '
            "a class.",
        )
    if _in_colours(pixels):
        labels = _labels_of_colours(pixels, path)
    else:
        values = pixels[..., 0] // stored.step if stored.step > 1 else pixels[..., 0]
        values = _as_unsigned(values, path)
        labels = Labels(values, palette=_palette_of(values, stored.palette))
    _check_transparency(stored.hidden, labels.values, path)
    return labels


def read_one_hot(path: Path, content: bytes | None = None) -> NDArray[np.uint8]:
    """Return which channel of a mask file is set at each pixel, upright: (height, width) uint8.

    A channel is set where it is not 0; it holds 0 and one other value. Alpha is the last channel.

    Args:
        path: The file.
        content: All its bytes, where they were read before.

    Raises:
        ImageError: As for ``read_image``; or the mask has one channel, a palette, further values,
            or pixels that are set in no channel or in several.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from delineate.imaging import write_png
        >>> with TemporaryDirectory() as folder:
        ...     mask = np.uint8([[[0, 255, 0], [0, 0, 255]]])
        ...     write_png(Path(folder) / "mask.png", mask)
        ...     read_one_hot(Path(folder) / "mask.png").tolist()
        [[1, 2]]
    """
    stored = decode(path, content)
    _check_inversion(stored, path)
    channels = stored.pixels
    if stored.alpha is not None:
        channels = np.concatenate([channels, stored.alpha[..., None]], axis=2)
    if not 2 <= channels.shape[2] <= 255:
        raise ImageError(
            f"Mask '{path}' has {channels.shape[2]} of the 2 to 255 channels of one-hot masks.",
            hint='Say another encoding than "one-hot" under [masks] in dataset.toml.',
        )
    found = np.flatnonzero(_occurring(_as_unsigned(channels, path)))
    if found[found > 0].size > 1:
        raise ImageError(
            f"Mask '{path}' holds {found.size} different values from {found[0]} to {found[-1]}, "
            "but a channel is set or it is not.",
            hint="Save each channel with 0 and 255 alone.",
        )
    inside = channels > 0
    counts = np.count_nonzero(inside, axis=2)
    none, several = np.count_nonzero(counts == 0), np.count_nonzero(counts > 1)
    if none or several:
        raise ImageError(
            f"Mask '{path}' has {none} pixels that are set in none of its {channels.shape[2]} "
            f"channels, and {several} that are set in several.",
            hint="Set each pixel in one channel; give the background a channel of its own.",
        )
    labels: NDArray[np.uint8] = inside.argmax(axis=2).astype(np.uint8)
    return labels


def _check_inversion(stored: Stored, path: Path) -> None:
    if stored.inverted:
        raise ImageError(
            f"Mask '{path}' stores white as zero, so its class ids are ambiguous.",
            hint="Save it again as a PNG that holds the class ids.",
        )


def _check_transparency(hidden: NDArray[np.bool_] | None, values: Any, path: Path) -> None:
    if hidden is None or not _both(values, hidden).any():
        return
    raise ImageError(
        f"Mask '{path}' says something in its transparency that its values do not say.",
        hint="Save it again without alpha, each pixel holding its class id.",
    )


def _both(values: NDArray[Any], hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return for each number below 65536 whether it occurs hidden, and elsewhere as well."""
    covered, shown = np.zeros(65_536, bool), np.zeros(65_536, bool)
    for rows in _bands(values.shape[0], values.shape[1]):
        covered |= _occurring(values[rows][hidden[rows]])
        shown |= _occurring(values[rows][~hidden[rows]])
    return covered & shown


def _bands(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of bands, one after the other, that take little memory on the way."""
    step = max(1, _BAND // width)
    for first in range(0, height, step):
        yield slice(first, min(first + step, height))


def _occurring(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return for each number below 65536 whether it is among values of 8 or 16 bits."""
    found = np.zeros(65_536, bool)
    found[values] = True
    return found


def _as_unsigned(values: NDArray[Any], path: Path) -> NDArray[Any]:
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise ImageError(
            f"Mask '{path}' holds values from {values.min()} to {values.max()}.",
            hint="Renumber its labels from 0 to at most 65535.",
        )
    return values.astype(np.uint16)


def _palette_of(values: NDArray[Any], palette: Any) -> dict[int, int] | None:
    if palette is None:
        return None
    used = np.flatnonzero(_occurring(values))
    return {int(value): _packed(palette[value]) for value in used if value < len(palette)}


def _packed(colour: NDArray[np.uint8]) -> int:
    red, green, blue = (int(part) for part in colour)
    return red << 16 | green << 8 | blue


def _in_colours(pixels: NDArray[Any]) -> bool:
    """Return whether three channels differ anywhere."""
    if pixels.shape[2] == 1:
        return False
    red, green, blue = (pixels[..., channel] for channel in range(3))
    return not (np.array_equal(red, green) and np.array_equal(green, blue))


def _labels_of_colours(pixels: NDArray[Any], path: Path) -> Labels:
    if pixels.dtype != np.uint8:
        raise ImageError(
            f"Mask '{path}' is a colour picture of type {pixels.dtype}.",
            hint="Save it as RGB of 8 bits, or with class ids.",
        )
    # Masks are in runs of one colour, so sorting the first pixel of each is far less.
    height, width = pixels.shape[:2]
    found = [_runs(pixels[rows], rows.start * width) for rows in _bands(height, width)]
    starts, firsts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    colours, indices = np.unique(firsts, return_inverse=True)
    if len(colours) > MAX_COLOURS:
        raise BlendedError(
            f"Mask '{path}' holds {len(colours)} colours, so it was smoothed, stored as JPEG, or "
            "is no mask.",
            hint="Save it again as PNG, each pixel in the very colour of its class.",
        )
    kind = np.uint8 if len(colours) <= 256 else np.uint16
    lengths = np.diff(starts, append=height * width)
    values = np.repeat(indices.astype(kind), lengths).reshape(height, width)
    return Labels(values, colours=tuple(int(colour) for colour in colours))


def _runs(pixels: NDArray[np.uint8], before: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return where runs of one colour begin in rows of a picture, and the packed colour of each.

    Args:
        pixels: (rows, width, 3) uint8.
        before: How many pixels come before them.
    """
    # Blue, green, red, 255: a number of 32 bits.
    packed = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA).view("<u4").ravel() & 0xFFFFFF
    starts = np.flatnonzero(np.concatenate([[True], packed[1:] != packed[:-1]]))
    return starts + before, packed[starts]
