"""How the pages of a TIFF file follow each other."""

import struct
from pathlib import Path
from typing import Any

from delineate.decoding.stored import several

# More than any picture has channels, tiles of a pyramid or smaller copies.
MAX_PAGES = 10_000
# The version of a BigTIFF, and where such a file and another say where the first page is.
_BIG, _FIRST_OF_BIG, _FIRST = 43, 8, 4
# A tag list that is longer ends the file for tifffile.
_MOST_TAGS = 4096


def check_pages(tiff: Any, path: Path) -> None:
    """Refuse a file whose pages never end: tifffile would follow them for hours.

    Args:
        tiff: The file, opened by tifffile.
        path: Its path, for errors.

    Raises:
        ImageError: It holds more than ``MAX_PAGES`` pages.
        ValueError: A page is followed by one that came before.
    """
    file, form = tiff.filehandle, tiff.tiff
    file.seek(_FIRST_OF_BIG if form.version == _BIG else _FIRST)
    offset = _number(form.offsetformat, file.read(form.offsetsize))
    seen: set[int] = set()
    while 0 < offset < file.size:
        if offset in seen:
            raise ValueError("its pages go round in a circle")
        seen.add(offset)
        if len(seen) > MAX_PAGES:
            raise several(path, f"more than {MAX_PAGES} pages", "tiffsplit FILE page_")
        file.seek(offset)
        count = _number(form.tagnoformat, file.read(form.tagnosize))
        if count > _MOST_TAGS:
            return
        file.seek(offset + form.tagnosize + count * form.tagsize)
        offset = _number(form.offsetformat, file.read(form.offsetsize))


def _number(form: str, content: bytes) -> int:
    """Return a number of a file; 0 where the file ends before."""
    return int(struct.unpack(form, content)[0]) if len(content) == struct.calcsize(form) else 0
