"""TIFF and BigTIFF files read in parts: in tiles or strips, of 8 or 16 bits."""

import math
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile

from delineate.data.proposing.pixel_size import PixelSize, read_pixel_size
from delineate.decoding.segments import PARTS, decoded
from delineate.decoding.stored import (
    DECODER_ERRORS,
    ORIENTATION,
    check_file,
    not_now,
    quiet,
    reason_of_machine,
    several,
)
from delineate.decoding.tiff import check_parts
from delineate.decoding.tiff_pages import check_pages
from delineate.prediction.rasters.kept import Kept
from delineate.prediction.rasters.raster import (
    PART,
    Size,
    Tags,
    geographic_tags_of,
    overlap,
    refuse,
)

# Photometric interpretations of pixels that are values and no indices, and their channels.
_INVERTED, _GREY, _RGB, _YCBCR = 0, 1, 2, 6
_COLOURS = {_INVERTED: 1, _GREY: 1, _RGB: 3, _YCBCR: 3}
_UNCOMPRESSED, _JPEG = 1, 7
_ALPHA = (1, 2)  # of the tag ExtraSamples: associated, unassociated

# Bytes of decoded strips and tiles that are kept, since the next part mostly needs them again, and
# those of one above which a file's strips are too long.
_KEPT, _LONGEST = 192 << 20, 96 << 20
# Strips are as wide as the image: those that a row of parts meets are kept, as long as they have no
# more bytes than this.
_MOST = 512 << 20

_TILED = "Save it in tiles: 'tiffcp -t -w 512 -l 512 -c zip FILE COPY' does."


@dataclass(frozen=True)
class _Grid:
    """How the values of a page are cut into tiles or strips.

    Attributes:
        size: (height, width) of the page.
        rows: Of a tile or strip; the last strip may have fewer.
        columns: Likewise.
        planes: How many pictures of one channel lie one after the other; 1: channels lie together.
        samples: Channels of each plane.
        tiled: Whether in tiles, all of which are whole.
        alone: Whether rows stand in the file as they are, so that any part of them can be read.
    """

    size: Size
    rows: int
    columns: int
    planes: int
    samples: int
    tiled: bool
    alone: bool = False

    @property
    def across(self) -> int:
        """How many lie beside each other."""
        return -(-self.size[1] // self.columns)

    @property
    def count(self) -> int:
        """How many a plane has."""
        return -(-self.size[0] // self.rows) * self.across

    def shape_of(self, number: int) -> tuple[int, int, int]:
        """Return (rows, columns, samples) of a tile or strip."""
        first = number % self.count // self.across * self.rows
        rows = self.rows if self.tiled else min(self.rows, self.size[0] - first)
        return rows, self.columns, self.samples

    def meeting(self, rows: slice, columns: slice) -> list[tuple[int, int, int]]:
        """Return (number, first row, first column) of those of a plane that a part meets."""
        return [
            (down * self.across + right, down * self.rows, right * self.columns)
            for down in range(rows.start // self.rows, -(-rows.stop // self.rows))
            for right in range(columns.start // self.columns, -(-columns.stop // self.columns))
        ]


@dataclass
class TiffRaster:
    """An opened TIFF file; see :class:`Raster`."""

    path: Path
    size: Size
    channels: int
    dtype: np.dtype[Any]
    pixel_size: PixelSize | None
    tags: Tags
    _tiff: Any
    _file: BinaryIO
    _grid: _Grid
    _kept: Kept
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rows(self) -> int:
        """How many are stored together."""
        return 1 if self._grid.alone else self._grid.rows

    @classmethod
    def open(cls, path: Path, *, part: int = PART) -> "TiffRaster":
        """Return the picture in a file; its smaller copies are left out.

        Args:
            path: The file.
            part: Rows of the parts that will be read.

        Raises:
            ImageError: It cannot be read in parts.
            NotNowError: The machine cannot read it now.
        """
        try:
            check_file(path, most=None)
            file = path.open("rb")
        except FileNotFoundError as error:
            raise refuse(path, "does not exist", "Check the path.") from error
        except OSError as error:
            raise refuse(path, f"cannot be opened: {error}", "Check the path.") from error
        try:
            with quiet():
                # OME metadata may name other files, which tifffile would open.
                tiff = tifffile.TiffFile(file, is_ome=False)
                check_pages(tiff, path)
                page = tiff.pages[0]
                _require_single(tiff, path)
                _require_readable(page, path)
                check_parts(page, file)
                grid, tags = _grid_of(page), geographic_tags_of(page)
                kept = Kept(_bytes_to_keep(page, grid, path, part))
            # Not above: it takes the lock of quiet() itself.
            pixel_size = read_pixel_size(path)
        except DECODER_ERRORS as error:
            file.close()
            if why := reason_of_machine(error):
                raise not_now(path, why) from error
            raise refuse(path, f"is damaged: {error}", "Copy or export it again.") from error
        except BaseException:
            file.close()
            raise
        channels = page.samplesperpixel - (1 if _alpha(page) is not None else 0)
        return cls(path, grid.size, channels, page.dtype, pixel_size, tags, tiff, file, grid, kept)

    @property
    def has_alpha(self) -> bool:
        """Whether there is a channel that may hide pixels, which reading refuses."""
        return _alpha(self.page) is not None

    @property
    def page(self) -> Any:
        """The page of tifffile."""
        return self._tiff.pages[0]

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a part: (height, width, channels).

        Raises:
            ImageError: A strip or tile is damaged or missing.
        """
        page, grid = self.page, self._grid
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        found = np.empty((*shape, grid.planes * grid.samples), page.dtype)
        for plane in range(grid.planes):
            channels = slice(plane * grid.samples, (plane + 1) * grid.samples)
            if grid.alone:
                found[..., channels] = self._rows(plane, rows, columns)
                continue
            for number, row, column in grid.meeting(rows, columns):
                segment = self._segment(plane * grid.count + number)
                inside, outside = overlap(segment.shape[:2], (row, column), rows, columns)
                found[(*outside, channels)] = segment[inside]
        found = self._without_alpha(found)
        if page.photometric == _INVERTED:
            found = np.iinfo(found.dtype).max - found
        return found

    def close(self) -> None:
        """Close the file."""
        self._tiff.close()
        self._file.close()

    def _segment(self, number: int) -> np.ndarray:
        """Return the values of a strip or tile, (rows, columns, samples)."""
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        with self._lock:
            data = self._data(number)
        try:
            with quiet():
                values = decoded(data, self.page, self._grid.shape_of(number))
        except DECODER_ERRORS as error:
            why = f"is damaged in part {number}: {error}"
            raise refuse(self.path, why, "Copy or export it again.") from error
        self._kept.put(number, values)
        return values

    def _rows(self, plane: int, rows: slice, columns: slice) -> np.ndarray:
        """Return a part of a plane that stands in the file as it is."""
        page, grid = self.page, self._grid
        stored = page.dtype.newbyteorder(page.parent.byteorder)
        pixel = grid.samples * stored.itemsize
        begin = int(page.dataoffsets[plane * (len(page.dataoffsets) // grid.planes)])
        wanted = (columns.stop - columns.start) * pixel
        parts = []
        with self._lock:
            for row in range(rows.start, rows.stop):
                place = begin + (row * grid.columns + columns.start) * pixel
                parts.append(self._bytes_at(place, wanted, f"row {row}"))
        values = np.frombuffer(b"".join(parts), stored).astype(page.dtype)
        return values.reshape(len(parts), -1, grid.samples)

    def _data(self, number: int) -> bytes:
        page = self.page
        place, count = int(page.dataoffsets[number]), int(page.databytecounts[number])
        return self._bytes_at(place, count, f"part {number}")

    def _bytes_at(self, place: int, count: int, what: str) -> bytes:
        self._file.seek(place)
        data = self._file.read(count)
        if not count or len(data) < count:
            raise refuse(self.path, f"ends within {what}", "Copy or export it again.")
        return data

    def _without_alpha(self, found: np.ndarray) -> np.ndarray:
        """Return the values without the channel that is called alpha, which may hide nothing."""
        alpha = _alpha(self.page)
        if alpha is None:
            return found
        if found[..., alpha].min(initial=np.iinfo(found.dtype).max) < np.iinfo(found.dtype).max:
            raise refuse(
                self.path,
                "has transparent pixels",
                "Save it without transparency, as the training images are.",
            )
        return np.delete(found, alpha, axis=2)


def _require_single(tiff: Any, path: Path) -> None:
    others = [page for page in tiff.pages[1:] if not page.is_reduced and not page.is_mask]
    # Pyramids and labels of slides are pages of other sizes.
    first = tiff.pages[0]
    same = [page for page in others if page.shape == first.shape]
    # ImageJ writes large stacks behind a single page.
    stacked = math.prod(tiff.series[0].shape) // max(math.prod(first.shape), 1)
    if same or stacked > 1 or first.imagedepth != 1:
        raise several(path, f"{max(len(same) + 1, stacked)} pages", "tiffsplit FILE page_")


def _require_readable(page: Any, path: Path) -> None:
    colours = _COLOURS.get(int(page.photometric), 0)
    if str(page.dtype) not in ("uint8", "uint16"):
        raise refuse(
            path,
            f"holds values of type {page.dtype or f'{page.bitspersample} bits'}",
            "Save whole numbers of 8 or 16 bits (uint8, uint16), as the training images have.",
        )
    if page.bitspersample != 8 * page.dtype.itemsize:
        raise refuse(
            path,
            f"packs values into {page.bitspersample} bits",
            "Save them in 8 or in 16 bits, as the training images have.",
        )
    if page.fillorder != 1:
        raise refuse(path, "has the bits of each byte turned round (FillOrder)", _TILED)
    if (
        not colours
        or page.samplesperpixel < colours
        or (page.photometric == _YCBCR and page.compression != _JPEG)
    ):
        kind = getattr(page.photometric, "name", page.photometric)
        raise refuse(path, f"has colours of kind {kind}", "Save grey, or red, green and blue.")
    if page.compression not in PARTS or page.predictor not in (1, 2):
        kind = getattr(page.compression, "name", page.compression)
        raise refuse(path, f"has the compression {kind}, which is not read in parts", _TILED)
    if page.tags.valueof(ORIENTATION, 1) != 1:
        raise refuse(
            path, "is stored turned (its tag Orientation)", "Save it upright: 'tiffset -s 274 1'."
        )
    grid = _grid_of(page)
    segment = math.prod(grid.shape_of(0)) * page.dtype.itemsize
    if segment > _LONGEST and not grid.alone:
        raise refuse(path, f"has strips of {segment / 2**20:.0f} MiB", _TILED)


def _bytes_to_keep(page: Any, grid: _Grid, path: Path, part: int) -> int:
    """Return how many bytes of decoded strips are kept, so that none is decoded again and again."""
    if grid.alone or grid.tiled:
        return _KEPT
    row = grid.columns * grid.samples * grid.planes * page.dtype.itemsize
    usual, wanted = (
        int(min(grid.size[0], rows + 2 * grid.rows) * row) for rows in (PART, max(part, PART))
    )
    if usual > _MOST:
        raise refuse(path, f"has strips of {grid.columns} pixels, as wide as the image", _TILED)
    return max(_KEPT, min(wanted, _MOST))


def _alpha(page: Any) -> int | None:
    """Return the channel that is called alpha, if one is; or that is one more and says nothing."""
    if not page.extrasamples and page.samplesperpixel == _COLOURS[int(page.photometric)] + 1:
        return int(page.samplesperpixel) - 1
    colours = page.samplesperpixel - len(page.extrasamples)
    places = [place for place, what in enumerate(page.extrasamples) if what in _ALPHA]
    return colours + places[0] if places else None


def _grid_of(page: Any) -> _Grid:
    planes = int(page.samplesperpixel) if page.planarconfig == 2 else 1
    samples = int(page.samplesperpixel) // planes
    size = int(page.imagelength), int(page.imagewidth)
    if page.is_tiled:
        return _Grid(size, int(page.tilelength), int(page.tilewidth), planes, samples, tiled=True)
    rows = min(int(page.rowsperstrip), size[0])
    grid = _Grid(size, rows, size[1], planes, samples, tiled=False)
    if not _lies_in_one(page, grid):
        return grid
    return replace(grid, alone=True)


def _lies_in_one(page: Any, grid: _Grid) -> bool:
    """Return whether the rows of each plane stand in the file as they are, one after the other."""
    if page.compression != _UNCOMPRESSED or page.predictor != 1:
        return False
    strips = np.asarray(page.dataoffsets, np.int64).reshape(grid.planes, -1)
    counts = np.asarray(page.databytecounts, np.int64).reshape(grid.planes, -1)
    row = grid.columns * grid.samples * page.dtype.itemsize
    if counts.shape[1] != grid.count:
        return False
    rows = [grid.shape_of(number)[0] for number in range(grid.count)]
    filled = np.all(counts == np.array(rows) * row)
    return bool(filled and np.all(strips[:, 1:] == strips[:, :-1] + counts[:, :-1]))
