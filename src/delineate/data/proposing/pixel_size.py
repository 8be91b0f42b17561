"""How large a pixel is, where a TIFF says so."""

import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from delineate.decoding.stored import DECODER_ERRORS, quiet

SUFFIXES = (".tif", ".tiff")
_DESCRIPTION, _ACROSS, _DOWN, _UNIT = 270, 282, 283, 296
_CENTIMETRE = 3
_MICROMETRES = 10_000  # of a centimetre
# ImageJ counts pixels per unit, and names the unit in its description.
_IMAGEJ = re.compile(r"ImageJ=.*\bunit=(micron|um|µm|\\u00B5m)\b", re.DOTALL)


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
    """Return how large a pixel is, from the tags of a TIFF; None where they do not say so.

    Dots per inch say how a picture is to be printed, and nothing about what it shows.

    Args:
        path: The file; only its header is read.
    """
    if path.suffix.lower() not in SUFFIXES:
        return None
    try:
        with quiet(), Image.open(path) as picture:
            tags = getattr(picture, "tag_v2", {})
            down, across = float(tags[_DOWN]), float(tags[_ACROSS])
            centimetres = tags.get(_UNIT) == _CENTIMETRE
            named = _IMAGEJ.search(str(tags.get(_DESCRIPTION, "")))
    except DECODER_ERRORS:
        return None
    length = 1 if named else _MICROMETRES if centimetres else 0
    if not length or min(down, across) <= 0:
        return None
    return PixelSize(float(f"{length / down:.6g}"), float(f"{length / across:.6g}"))
