"""Images beyond memory: read, predicted and written in tiles, and resumed after an interruption."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

import numpy as np

from delineate.bundle import Card
from delineate.data.pipeline import adapt_channels, require_channels
from delineate.data.proposing.pixel_size import PixelSize
from delineate.errors import DataError, UsageError
from delineate.files import write_whole
from delineate.imaging import write_png
from delineate.normalisation import Correction, correction_of_bands
from delineate.overlays import colourise, overlay
from delineate.prediction.outputs import Wanted, pixel_size_of, shares_of
from delineate.prediction.predictor import Predictor, cleaning_of, require_dtype
from delineate.prediction.prepare import to_mask, two_classes
from delineate.prediction.rasters.clean import steps
from delineate.prediction.rasters.mask_file import TILE, write_tiff
from delineate.prediction.rasters.raster import ZARR, Raster, Size, open_raster
from delineate.prediction.rasters.seams import Seams
from delineate.prediction.rasters.work import WorkFile
from delineate.prediction.tiling import Span, spans

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")

# Tiles that are read ahead, and blocks that wait to be written.
AHEAD = 2
# Pixels that are worked on at a time when the tiles are done, and the longest side of a preview.
BAND, PREVIEW = 1 << 23, 2048


def predict_large(
    predictor: Predictor,
    path: Path,
    stem: Path,
    wanted: Wanted,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Predict an image that is read, predicted and written in parts, and return a summary.

    Beside ``stem`` it writes the mask as a tiled TIFF (an OME-Zarr image where the image is one), a
    small picture of it and a summary. What has been predicted outlives an interruption: the same
    call goes on where it was.

    Args:
        predictor: An open bundle.
        path: A TIFF file or the folder of an OME-Zarr image.
        stem: Where the files go: a path without suffix.
        wanted: What is written beside the mask.
        progress: Called with (done, all) after each tile.

    Raises:
        ImageError: The image cannot be read in parts.
        DataError: It does not fit the bundle, or the bundle cannot predict parts of images.
        UsageError: The mask would replace the image.
        OSError: Something cannot be written.
    """
    card = predictor.card
    _require_parts(card, path, wanted)
    target = stem.with_name(f"{stem.name}{path.suffix.lower()}")
    if target.resolve() == path.resolve():
        raise UsageError(
            f"The prediction of {path} would replace it.", hint="Name another folder to write to."
        )
    raster = open_raster(path)
    try:
        require_dtype(raster.dtype, card, str(path))
        require_channels(raster.channels, card.channels, str(path))
        with _opened_work(predictor, raster, path, stem) as work:
            _predict_tiles(predictor, raster, work, progress)
            _clean(work, card)
            return _write(predictor, raster, work, path, target, wanted)
    finally:
        raster.close()


def _require_parts(card: Card, path: Path, wanted: Wanted) -> None:
    if card.fit == "resize":
        raise DataError(
            f"{path} is predicted in parts, and this bundle resizes each image to "
            f"{card.size[0]}×{card.size[1]} pixels.",
            hint="Make the image smaller first, or train with data.fit=crop.",
        )
    asked = {"--instances": wanted.instances, "--rle": wanted.run_lengths is not None}
    asked["--probabilities"] = wanted.probabilities
    missing = [name for name, said in asked.items() if said]
    if missing:
        raise DataError(
            f"{path} is predicted in parts, which gives no {missing[0].removeprefix('--')}.",
            hint=f"Leave out {missing[0]}, or cut the image into smaller ones.",
        )


@contextmanager
def _opened_work(
    predictor: Predictor, raster: Raster, path: Path, stem: Path
) -> Iterator[WorkFile]:
    """Yield the mask in the making; it goes when all is done, and stays when that fails."""
    file = path if path.is_file() else path / ".zattrs"
    said = file.stat() if file.is_file() else path.stat()
    known = (str(path.resolve()), said.st_size, said.st_mtime_ns, raster.size)
    card = predictor.card.model_dump_json(include={"files", "post", "tile", "normalisation"})
    engines = [type(runtime).__name__ for runtime in predictor.runtimes]
    key = sha256(json.dumps([known, card, engines]).encode()).hexdigest()
    work = WorkFile.open(stem.with_name(f".{stem.name}.part"), raster.size, key)
    try:
        yield work
    except BaseException:
        work.close()
        raise
    work.remove()


def _predict_tiles(
    predictor: Predictor, raster: Raster, work: WorkFile, progress: Progress | None
) -> None:
    """Predict what is not done yet, row by row of tiles."""
    tiling = predictor.tiling
    down, across = (
        spans(side, tile, tiling) for side, tile in zip(raster.size, tiling.tile, strict=True)
    )
    done = sum(rows.settled.stop <= work.rows for rows in down)
    if done == len(down):
        return
    # What a row shares with the one above is made anew.
    begun = max(done - 1, 0) if down[done].rise else done
    places = [(rows, columns) for rows in down[begun:] for columns in across]
    correct = _correction(predictor.card, raster)
    read = partial(_read, raster=raster, correct=correct, channels=predictor.card.channels)
    seams = Seams(raster.size[1])
    with _Writer() as writer:
        for number, ((rows, columns), tile) in enumerate(_ahead(read, places), 1):
            block = seams.settle(predictor.raw_normalised(tile), rows, columns)
            if rows.settled.stop > work.rows:
                mask = _decided(block, predictor.card)
                writer.do(work.put, rows.first, columns.first, mask)
                if columns is across[-1]:
                    writer.do(work.finish, rows.settled.stop)
            if progress:
                progress(begun * len(across) + number, len(down) * len(across))


def _read(
    place: tuple[Span, Span], *, raster: Raster, correct: Correction, channels: int
) -> np.ndarray:
    rows, columns = (slice(span.start, span.stop) for span in place)
    return correct(adapt_channels(raster.read(rows, columns), channels, "The image"))


def _correction(card: Card, raster: Raster) -> Correction:
    """Return what the whole image's values ask for; it is read once more where they do."""
    bands = (
        adapt_channels(raster.read(slice(*rows), slice(0, raster.size[1])), card.channels, "")
        for rows in _bands(raster.size, card.channels)
    )
    return correction_of_bands(
        bands, card.normalisation, size=raster.size, channels=card.channels, dtype=raster.dtype
    )


def _decided(raw: np.ndarray, card: Card) -> np.ndarray:
    probabilities = two_classes(raw[..., : card.class_channels])
    return to_mask(probabilities, output=card.output, threshold=card.post.threshold)


def _clean(work: WorkFile, card: Card) -> None:
    """Do to the whole mask what the bundle's settings ask for."""
    for step in steps(**cleaning_of(card.post)):
        rows = 0
        for band in step(lambda: _mask_bands(work)):
            work.put(rows, 0, band)
            rows += len(band)


def _write(
    predictor: Predictor,
    raster: Raster,
    work: WorkFile,
    path: Path,
    target: Path,
    wanted: Wanted,
) -> dict[str, Any]:
    card, stem = predictor.card, target.with_suffix("")
    pixel_size = pixel_size_of(path, card, wanted.pixel_size)
    if wanted.pixel_size is None and raster.pixel_size is not None:
        pixel_size = raster.pixel_size
    counts = sum(
        np.bincount(band.ravel(), minlength=len(card.classes)) for band in _mask_bands(work)
    )
    if path.suffix.lower() == ZARR:
        _write_zarr(target, work, pixel_size)
    else:
        write_tiff(
            target,
            work.size,
            _mask_bands(work, TILE),
            colours=card.colours,
            tags=raster.tags,
            pixel_size=pixel_size,
        )
    preview = stem.with_name(f"{stem.name}_preview.png")
    _write_preview(preview, work, raster if wanted.overlay else None, card)
    summary = {
        "image": str(path),
        "mask": str(target),
        "size": list(work.size),
        "classes": shares_of(np.asarray(counts), card),
        "preview": str(preview),
    }
    write_whole(stem.with_name(f"{stem.name}.json"), json.dumps(summary, indent=1) + "\n")
    return summary


def _write_zarr(target: Path, work: WorkFile, pixel_size: PixelSize | None) -> None:
    from delineate.prediction.rasters.ome_zarr import CHUNK, write_zarr

    fresh = target.with_name(f".{target.name}.new")
    for folder in (fresh, target):
        if folder.exists():
            rmtree(folder)
    write_zarr(fresh, work.size, _mask_bands(work, CHUNK), pixel_size)
    fresh.rename(target)


def _write_preview(path: Path, work: WorkFile, raster: Raster | None, card: Card) -> None:
    """Write a picture of every so-maniest pixel: the classes' colours, or these on the image."""
    step = -(-max(work.size) // PREVIEW)
    ids, pixels, row = [], [], 0
    for band in _mask_bands(work):
        chosen = slice(-row % step, None, step)
        ids.append(band[chosen, ::step])
        if raster is not None:
            whole = raster.read(slice(row, row + len(band)), slice(0, work.size[1]))
            pixels.append(whole[chosen, ::step])
        row += len(band)
    mask = np.concatenate(ids)
    shown = colourise(mask, card.colours)
    if raster is not None:
        shown = overlay(np.concatenate(pixels), mask, card.colours)
    write_png(path, shown)


def _mask_bands(work: WorkFile, rows: int | None = None) -> Iterator[np.ndarray]:
    """Yield the mask from top to bottom, (rows, width) uint8."""
    for part in _bands(work.size, 1, rows):
        yield work.get(slice(*part), slice(0, work.size[1]))


def _bands(size: Size, channels: int, rows: int | None = None) -> list[tuple[int, int]]:
    """Return the (first, last) rows of bands of a bounded number of values."""
    height, width = size
    step = rows or max(1, BAND // (width * channels))
    return [(first, min(first + step, height)) for first in range(0, height, step)]


def _ahead(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with the function's result, which is made while others are used."""
    with ThreadPoolExecutor(1, "reading") as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


class _Writer:
    """Does things one after the other beside what goes on; what fails is told by the next."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "writing")
        self._waiting: deque[Future[None]] = deque()

    def do(self, function: Callable[..., None], *arguments: Any) -> None:
        """Do it soon; wait where too much is to be done."""
        self._waiting.append(self._pool.submit(function, *arguments))
        while len(self._waiting) > AHEAD:
            self._waiting.popleft().result()

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *error: object) -> None:
        failed = error[0] is not None
        self._pool.shutdown(cancel_futures=failed)
        for future in () if failed else self._waiting:
            future.result()
