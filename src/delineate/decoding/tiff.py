"""TIFF files (revision 6.0, BigTIFF): one picture of any number of channels, or a refusal.

tifffile parses them and decodes what needs no package and cannot grow; ``segments`` decodes LZW and
deflate; JPEG, fax and odd numbers of bits are left to Pillow.
"""

import io
import json
import math
import os
import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from delineate.decoding import segments
from delineate.decoding.pictures import from_pillow
from delineate.decoding.stored import (
    MAX_PIXELS,
    MAX_VALUES,
    ORIENTATION,
    STEPS,
    Stored,
    bytes_of,
    check_growth,
    check_size,
    quiet,
    several,
    split_alpha,
    turned_size,
    upright,
)
from delineate.decoding.tiff_pages import check_pages
from delineate.errors import ImageError

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_COLOURS = {0: "inverted", 1: "grey", 2: "rgb", 3: "palette", 5: "cmyk", 6: "ycbcr"}
_CHANNELS = {"inverted": 1, "grey": 1, "rgb": 3, "palette": 1, "cmyk": 4, "ycbcr": 3}
# Compressions (none, packbits) that tifffile decodes with nothing else installed, and those (fax,
# JPEG, and the others for odd bits and colours) that are left to Pillow.
_BY_TIFFFILE = frozenset({1, 32773})
_BY_PILLOW = _BY_TIFFFILE | segments.DEFLATE | {2, 3, 4, 5, 6, 7}
_ALPHA = (1, 2)  # of the tag ExtraSamples: associated, unassociated
# Tags of which a file has one: of two, one reader takes the first and another the last.
_ONCE = (
    *(256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320),
    *(322, 323, 324, 325, 338, 339, 347),
)
_SINGLY = "tiffsplit FILE page_"


@dataclass(frozen=True)
class _Opened:
    """The pages of a file whose samples are the channels of one picture."""

    pages: tuple[Any, ...]
    orientation: int

    @property
    def colours(self) -> str:
        return _COLOURS[int(self.pages[0].photometric)]


def load(file: BinaryIO, path: Path, *, floats: bool = False) -> Stored:
    """Return the pixels of an open TIFF file.

    Args:
        file: The file, at any place.
        path: Its path, for errors.
        floats: Whether to read floating-point numbers, and nothing else, instead of whole ones.

    Raises:
        ImageError: It holds several pictures, is too large, or its colours, its compression or the
            type of its values are not read.
        Exception: Whatever the decoders raise where it is truncated or damaged.
    """
    opened = _open(file, path, floats=floats)
    for page in opened.pages:
        check_parts(page, file)
    parts = [_load_page(page, opened.colours, file, path) for page in opened.pages]
    stored = parts[0]
    if len(parts) > 1:
        stored = Stored(np.concatenate([part.pixels for part in parts], axis=2))
    bits = opened.pages[0].bitspersample
    step = 1 if stored.palette is not None else STEPS.get(bits, 1)
    stored = replace(stored, step=step, inverted=opened.colours == "inverted")
    return upright(stored, opened.orientation)


def size(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Return (height, width) of the upright picture, without reading its pixels.

    Raises:
        ImageError: As for ``load``, as far as the header tells.
        Exception: Whatever tifffile raises where the header is damaged.
    """
    opened = _open(file, path, floats=False)
    page = opened.pages[0]
    return turned_size(page.imagelength, page.imagewidth, opened.orientation)


def _open(file: BinaryIO, path: Path, *, floats: bool) -> _Opened:
    with quiet():
        # OME metadata may name other files, which tifffile would open.
        tiff = tifffile.TiffFile(file, is_ome=False)
        check_pages(tiff, path)
        if not tiff.pages:
            raise ValueError("it holds no picture")
        page = tiff.pages[0]
        held, depth = bytes_of(file), _depth(page)
        samples = page.samplesperpixel
        check_size(path, page.imagelength, page.imagewidth, samples, depth=depth, held=held)
        stacked = math.prod(tiff.series[0].shape) / max(math.prod(page.shape), 1)
        others = [other for other in tiff.pages[1:] if not other.is_reduced]
        pages = (page, *_more_channels(page, others, path, held))
        tag = page.tags.get(ORIENTATION)
    if page.imagedepth != 1 or (len(pages) == 1 and (others or stacked > 1)):
        count = max(len(others) + 1, int(stacked), page.imagedepth)
        raise several(path, f"{count} pages", _SINGLY)
    _check_grid(page, len(pages), path, held)
    for each in pages:
        _check_tags(each)
    _check_values(page, path, floats=floats)
    return _Opened(pages, tag.value if tag is not None and tag.value in range(1, 9) else 1)


def _check_grid(page: Any, count: int, path: Path, held: int) -> None:
    """Refuse strips or tiles that reach far beyond the picture: readers unpack them whole."""
    rows, columns = segments.side_of(page)
    height = -(-page.imagelength // rows) * rows
    width = -(-page.imagewidth // columns) * columns
    values = height * width * page.samplesperpixel * count
    if height * width > 2 * MAX_PIXELS or values > 2 * MAX_VALUES:
        raise ValueError(f"it has tiles of {columns} x {rows} pixels")
    check_growth(path, height, width, values * _depth(page), held=held)


def _check_tags(page: Any) -> None:
    twice = [code for code in _ONCE if len(page.tags.getall(code) or ()) > 1]
    if twice:
        raise ValueError(f"it has the tag {twice[0]} more than once")


def _depth(page: Any) -> int:
    """Return how many bytes a value has, decoded: one for those of fewer bits."""
    return int(page.dtype.itemsize) if page.dtype is not None else 1


def _more_channels(page: Any, others: list[Any], path: Path, held: int) -> list[Any]:
    """Return the other pages where the metadata say that each page is a channel, else none."""
    if not others or _channels_said(page.description) != len(others) + 1:
        return []
    count = len(others) + 1
    check_size(path, page.imagelength, page.imagewidth, count, depth=_depth(page), held=held)
    more = [other.aspage() for other in others]
    kinds = {
        (one.shape, one.dtype, int(one.photometric), one.samplesperpixel) for one in (page, *more)
    }
    return more if len(kinds) == 1 and page.samplesperpixel == page.photometric == 1 else []


def _channels_said(description: str) -> int:
    """Return how many pages the metadata of OME, ImageJ or tifffile call channels.

    0: they say nothing, or that pages are depths or times as well.
    """
    if description.startswith("ImageJ="):
        said = dict(re.findall(r"^(channels|slices|frames)=(\d+)\s*$", description, re.MULTILINE))
        sizes = [int(said.get(name, 1)) for name in ("channels", "slices", "frames")]
    elif description.rstrip().endswith("OME>"):
        said = dict(re.findall(r'\bSize([CZT])\s*=\s*"(\d+)"', description))
        sizes = [int(said.get(name, 0)) for name in "CZT"] if _in_order(description) else [0]
    elif description.startswith('{"shape"'):
        shaped = json.loads(description)
        sizes = [shaped["shape"][0]] if shaped.get("axes") == "CYX" else [0]
    else:
        return 0
    return sizes[0] if set(sizes[1:]) <= {1} else 0


def _in_order(description: str) -> bool:
    """Return whether OME metadata describe one picture whose channels are its pages in order."""
    pages = re.findall(r"<(?:\w+:)?TiffData\b([^>]*)>", description)
    places = [
        [re.search(rf'\b{name}\s*=\s*"(\d+)"', page) for name in ("IFD", "FirstC")]
        for page in pages
    ]
    return len(re.findall(r"<(?:\w+:)?Pixels\b", description)) == 1 and all(
        len({int(found[1]) if found else 0 for found in place}) == 1 for place in places
    )


def _check_values(page: Any, path: Path, *, floats: bool) -> None:
    colours = _COLOURS.get(int(page.photometric))
    least = _CHANNELS.get(colours or "", math.inf)
    most = math.inf if colours in ("inverted", "grey", "rgb") else least
    depth = "u1" if colours in ("cmyk", "ycbcr") else page.dtype
    if not least <= page.samplesperpixel <= most or page.dtype != depth:
        kind = getattr(page.photometric, "name", page.photometric)
        raise ImageError(
            f"Image '{path}' has {page.samplesperpixel} channels of kind {kind}, "
            f"{page.dtype or f'{page.bitspersample} bits'}.",
            hint="Save its grey, or its red, green and blue channels, alone.",
        )
    found = page.dtype.kind if page.dtype is not None else ""
    if floats and found != "f":
        raise ImageError(
            f"Image '{path}' holds no floating-point numbers, but {page.dtype}.",
            hint="Read it as an image.",
        )
    if not floats and found not in ("b", "u", "i"):
        raise ImageError(
            f"Image '{path}' holds values of type {page.dtype or f'{page.bitspersample} bits'}.",
            hint="Save whole numbers of 8 or 16 bits (uint8, uint16), all files alike; "
            "'delineate check DATA --fix FOLDER' writes a copy in 16 bits.",
        )


def check_parts(page: Any, file: BinaryIO) -> None:
    """Refuse missing strips and tiles, which tifffile would fill with zeros without a word.

    Args:
        page: Of tifffile.
        file: Its file, at any place.

    Raises:
        ValueError: Some are missing, or lie behind the end of the file.
    """
    end = file.seek(0, os.SEEK_END)
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if len(parts) < math.prod(page.chunked) or not all(
        offset > 0 and count > 0 and offset + count <= end for offset, count in parts
    ):
        raise ValueError("parts of its pixels are missing")


def _load_page(page: Any, colours: str, file: BinaryIO, path: Path) -> Stored:
    """Return the pixels of a page as they are shown, not yet turned."""
    bits = page.bitspersample
    simple = bits in (1, 8, 16, 32, 64) and colours not in ("cmyk", "ycbcr")
    if simple and page.compression in _BY_TIFFFILE and page.predictor != segments.OF_FLOATS:
        planes = page.asarray(squeeze=False, maxworkers=1)[:, 0]
    elif simple and page.compression in (segments.DEFLATE if bits == 1 else segments.READ):
        planes = segments.read(page, file)
    else:
        return _load_by_pillow(page, file, path)
    pixels = np.moveaxis(planes, 0, 2).reshape(*planes.shape[1:3], -1)
    del planes  # what is made of the pixels takes its place
    if colours == "palette":
        if page.colormap is None:
            raise ValueError("it has no palette")
        shown = page.colormap if page.colormap.max() < 256 else page.colormap >> 8
        indices = pixels.view(np.uint8) if pixels.dtype == bool else pixels
        return Stored(indices, shown.T.astype(np.uint8))
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    stored = _without_alpha(pixels, page, _CHANNELS[colours], path)
    if colours == "inverted" and pixels.dtype.kind != "f":
        np.subtract(np.iinfo(pixels.dtype).max, stored.pixels, out=stored.pixels)
    return stored


def _without_alpha(pixels: NDArray[Any], page: Any, colours: int, path: Path) -> Stored:
    """Return the pixels without the channel that the tag ExtraSamples calls alpha."""
    extra = pixels.shape[2] - colours
    said = tuple(page.extrasamples)[:extra]
    for place, meaning in enumerate(said):
        if meaning in _ALPHA and pixels.dtype.kind == "u":
            return split_alpha(pixels, colours + place)
    if extra == 1 and not said:
        stored = split_alpha(pixels, colours) if pixels.dtype.kind == "u" else Stored(pixels)
        if stored.hidden is None:  # alpha that hides nothing, or a channel that says nothing
            return stored
        raise ImageError(
            f"Image '{path}' does not say whether its last channel of {pixels.shape[2]} is "
            "transparency (it lacks the tag ExtraSamples).",
            hint="Save it with this tag, or without that channel.",
        )
    return Stored(pixels)


def _load_by_pillow(page: Any, file: BinaryIO, path: Path) -> Stored:
    if page.compression not in _BY_PILLOW or page.index or page.samplesperpixel > 4:
        raise _not_read(page, path)
    # Pillow garbles some oriented TIFFs, so the orientation is reset before and applied after it.
    file.seek(0)
    content = bytearray(file.read())
    tag = page.tags.get(ORIENTATION)
    if tag is not None:
        struct.pack_into(f"{page.parent.byteorder}H", content, tag.valueoffset, 1)
    try:
        with quiet():
            picture = TiffImageFile(io.BytesIO(content))
    except SyntaxError as error:  # tifffile has read the header, so it is one that Pillow lacks
        raise _not_read(page, path) from error
    if picture.size != (page.imagewidth, page.imagelength):
        raise ValueError(f"it says {page.imagewidth} x {page.imagelength} pixels, and another size")
    return from_pillow(picture, path)


def _not_read(page: Any, path: Path) -> ImageError:
    name = getattr(page.compression, "name", page.compression)
    return ImageError(
        f"Image '{path}' is stored with the compression {name}, {page.samplesperpixel} channels "
        f"and {page.bitspersample} bits, which is not read.",
        hint="Save it with 8 or 16 bits and deflate; 'tiffcp -c zip FILE COPY' sets the latter.",
    )
