"""In which formats the files of a data set are stored, from their headers."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from delineate.decoding.stored import DECODER_ERRORS, quiet

MOST = 1000  # headers that are read
_MODES = {
    "1": "one bit",
    "L": "grey",
    "LA": "grey and alpha",
    "P": "palette",
    "PA": "palette and alpha",
    "RGBA": "RGB and alpha",
    "I": "grey of 32 bits",
    "I;16": "grey of 16 bits",
    "I;16B": "grey of 16 bits",
    "F": "floating point",
}


def file_formats(paths: Sequence[Path]) -> dict[str, int]:
    """Return how many files are of which format, such as "PNG, RGB and alpha", the most first.

    Of more than 1000 files, evenly spread ones are looked at. What only our own reader knows, such
    as a TIFF file of five channels, is named by its suffix.

    Args:
        paths: The files.

    Example:
        >>> file_formats([])
        {}
    """
    step = max(1, -(-len(paths) // MOST))
    return dict(Counter(_format(path) for path in paths[::step]).most_common())


def _format(path: Path) -> str:
    named = path.suffix.removeprefix(".").upper() or "no suffix"
    if not path.is_file():  # a pipe would block
        return named
    try:
        with quiet(), Image.open(path) as picture:
            return f"{picture.format}, {_MODES.get(picture.mode, picture.mode)}"
    except DECODER_ERRORS:
        return named
