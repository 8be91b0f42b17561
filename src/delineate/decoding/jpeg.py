"""What Pillow does not check in JPEG files: that they are decoded in a bounded number of scans."""

import re
from pathlib import Path
from typing import BinaryIO

from delineate.errors import ImageError

# Encoders write about ten scans of a progressive picture. Each may cost a pass over all of its
# pixels and a few bytes of the file, so thousands of them keep a decoder busy for hours.
MAX_SCANS = 100

_SCAN = b"\xff\xda"
_SCAN_CODE, _END = 0xDA, 0xD9
# A marker; not the zero that follows an 0xFF of the pixels, nor a restart among them. It may
# begin with any number of 0xFF, of which one is enough: all would cost the square of their number.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")


def check(file: BinaryIO, path: Path) -> None:
    """Refuse a JPEG file of more than ``MAX_SCANS`` scans; the file's place stays.

    Raises:
        ImageError: It has more.
    """
    place = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(place)
    # What lies beside the picture, such as a film behind it, may hold these bytes by chance.
    if content.count(_SCAN) <= MAX_SCANS:
        return
    count = _scans(content)
    if count > MAX_SCANS:
        raise ImageError(
            f"Image '{path}' is stored in {count} scans; the limit is {MAX_SCANS}.",
            hint="Save it again, as PNG or as a JPEG that is not progressive.",
        )


def _scans(content: bytes) -> int:
    """Return how many scans there are up to the end of the picture (ITU-T T.81, annex B)."""
    count, place = 0, 2
    while found := _MARKER.search(content, place):
        code = found[1][0]
        if code == _END:
            break
        place = found.end() + max(int.from_bytes(content[found.end() : found.end() + 2]), 2)
        count += code == _SCAN_CODE
    return count
