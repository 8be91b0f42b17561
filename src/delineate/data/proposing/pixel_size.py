"""How large a pixel is, where a TIFF says so."""

import html
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from delineate.decoding.stored import DECODER_ERRORS, ORIENTATION, quiet

SUFFIXES = (".tif", ".tiff")
_ACROSS, _DOWN, _UNIT = 282, 283, 296
_CENTIMETRE = 3
_MICROMETRES = 10_000  # of a centimetre
# Programs write the resolution of print per centimetre, too: 300 dots per inch are 85 µm.
_COARSEST = 20
# ImageJ counts pixels per unit, and names the unit in its description.
_IMAGEJ = "ImageJ="
_IMAGEJ_UNIT = re.compile(r"\bunit=(micron|um|µm|\\u00B5m)\b")
# The Open Microscopy Environment's XML: nothing in it is expanded or followed. It ends with ">",
# without which the first search would cost the square of its length.
_OME_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^>]*>")
_OME_SIZE = re.compile(r'\bPhysicalSize([XY](?:Unit)?)\s*=\s*"([^"]*)"')
# The micro sign and the Greek letter look alike.
_OME_UNITS = {"nm": 0.001, "\N{MICRO SIGN}m": 1.0, "\N{GREEK SMALL LETTER MU}m": 1.0, "mm": 1000.0}

Sides = tuple[float, float]


@dataclass(frozen=True)
class PixelSize:
    """How large a pixel is.

    Attributes:
        height: Along the rows' order, in ``unit``.
        width: Along the columns' order, in ``unit``.
        unit: "µm".
    """

    height: float
    width: float
    unit: str = "µm"


def read_pixel_size(path: Path) -> PixelSize | None:
    """Return how large a pixel is, as a TIFF says it; None where it does not.

    It is said by the metadata of OME or ImageJ, or by the resolution in centimetres where that is
    too fine for print. Dots per inch say how a picture is to be printed, and nothing about what it
    shows. Height and width are those of the picture as it is shown, upright.

    Args:
        path: The file; only its header is read.
    """
    if path.suffix.lower() not in SUFFIXES or not path.is_file():  # a pipe would block
        return None
    try:
        # OME metadata may name other files, which tifffile would open.
        with quiet(), tifffile.TiffFile(path, is_ome=False) as tiff:
            page = tiff.pages[0]
            found = _by_ome(page.description) or _by_resolution(page)
            turned = page.tags.valueof(ORIENTATION, 1) in range(5, 9)
    except DECODER_ERRORS:
        return None
    if found is None or not all(0 < side < math.inf for side in found):
        return None
    height, width = (float(f"{side:.6g}") for side in (reversed(found) if turned else found))
    return PixelSize(height, width)


def _by_ome(description: str) -> Sides | None:
    """Return (height, width) in µm."""
    pixels = _OME_PIXELS.search(description) if description.rstrip().endswith("OME>") else None
    said = dict(_OME_SIZE.findall(pixels[0])) if pixels else {}
    height, width = (_in_micrometres(said, axis) for axis in "YX")
    return None if height is None or width is None else (height, width)


def _in_micrometres(said: dict[str, str], axis: str) -> float | None:
    unit = _OME_UNITS.get(html.unescape(said.get(f"{axis}Unit", "µm")))
    return float(said[axis]) * unit if axis in said and unit else None


def _by_resolution(page: Any) -> Sides | None:
    """Return (height, width) in µm."""
    down, across = (page.tags[tag].value for tag in (_DOWN, _ACROSS))
    height, width = down[1] / down[0], across[1] / across[0]
    if _IMAGEJ_UNIT.search(page.description.partition(_IMAGEJ)[2]):
        return height, width
    height, width = height * _MICROMETRES, width * _MICROMETRES
    of_print = page.tags.valueof(_UNIT) != _CENTIMETRE or max(height, width) > _COARSEST
    return None if of_print else (height, width)
