"""Images beyond memory: read, predicted and written in tiles, and resumed after an interruption."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from delineate.background import Background
from delineate.bundle import Card
from delineate.data.pipeline import adapt_channels, require_channels
from delineate.errors import DataError, UsageError
from delineate.normalisation import Correction, correction_of_bands
from delineate.prediction.exports import DECIDING
from delineate.prediction.inputs import target_of
from delineate.prediction.large_outputs import finished, require_replaceable, write_outputs
from delineate.prediction.outputs import Wanted
from delineate.prediction.predictor import Predictor, cleaning_of, require_dtype
from delineate.prediction.prepare import to_mask, two_classes
from delineate.prediction.rasters.clean import steps
from delineate.prediction.rasters.raster import Raster, bands_of, identity_of, open_raster
from delineate.prediction.rasters.seams import Seams
from delineate.prediction.rasters.work import WorkFile
from delineate.prediction.tiling import Span, spans
from delineate.share import give_way

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")

# Tiles that are read ahead, and blocks that wait to be written.
AHEAD = 2


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
    call goes on where it was, and does nothing where all is done.

    Args:
        predictor: An open bundle.
        path: A TIFF file or the folder of an OME-Zarr image.
        stem: Where the files go: a path without suffix.
        wanted: What is written beside the mask.
        progress: Called with (done, all) after each tile.

    Raises:
        ImageError: The image cannot be read in parts.
        DataError: It does not fit the bundle, the bundle cannot predict parts of images, or the
            mask would replace a folder that is none of delineate's.
        UsageError: The mask would replace the image.
        OSError: Something cannot be written.
    """
    card = predictor.card
    _require_parts(card, path, wanted)
    target = target_of(path, stem)
    if target.resolve() == path.resolve():
        raise UsageError(
            f"The prediction of {path} would replace it.", hint="Name another folder to write to."
        )
    of_mask = _key(predictor, path)
    key = sha256(f"{of_mask} {wanted}".encode()).hexdigest()
    done = finished(target, key)
    if done is not None:
        return done
    require_replaceable(target)
    raster = open_raster(path, part=predictor.tiling.tile[0])
    try:
        require_dtype(raster.dtype, card, str(path))
        require_channels(raster.channels, card.channels, str(path))
        _require_opaque(raster)
        with _opened_work(raster, stem, of_mask) as work:
            _predict_tiles(predictor, raster, work, progress)
            _clean(work, card)
            tiles = "exact" if predictor.tiling.exact else "blended"
            said = {"tiles": tiles, **predictor.engine, "key": key}
            return write_outputs(
                path, target, raster=raster, work=work, card=card, wanted=wanted, said=said
            )
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


def _require_opaque(raster: Raster) -> None:
    """Refuse pixels that are hidden: what reading would, when hours have been spent."""
    if not raster.has_alpha:
        return
    for first, last in bands_of(raster.size, raster.channels + 1, whole=raster.rows):
        raster.read(slice(first, last), slice(0, raster.size[1]))


def _key(predictor: Predictor, path: Path) -> str:
    """Return what tells one mask from another: of which image, by what, and how."""
    card = predictor.card.model_dump_json(include={"files", *DECIDING})
    engines = [type(runtime).__name__ for runtime in predictor.runtimes]
    said = [identity_of(path), card, engines, asdict(predictor.tiling)]
    return sha256(json.dumps(said).encode()).hexdigest()


@contextmanager
def _opened_work(raster: Raster, stem: Path, key: str) -> Iterator[WorkFile]:
    """Yield the mask in the making; it goes when all is done, and stays when that fails."""
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
    with _writing() as background:
        for number, ((rows, columns), tile) in enumerate(_ahead(read, places), 1):
            block = seams.settle(predictor.raw_normalised(tile), rows, columns)
            if rows.settled.stop > work.rows:
                mask = _decided(block, predictor.card)
                background.do(partial(work.put, rows.first, columns.first, mask))
                if columns is across[-1]:
                    background.do(partial(work.finish, rows.settled.stop))
            if progress:
                progress(begun * len(across) + number, len(down) * len(across))


@contextmanager
def _writing() -> Iterator[Background]:
    """Yield what writes beside the predictions; in the end all of it is written."""
    background = Background(AHEAD)
    try:
        yield background
        background.wait()
    finally:
        background.close()


def _read(
    place: tuple[Span, Span], *, raster: Raster, correct: Correction, channels: int
) -> np.ndarray:
    rows, columns = (slice(span.start, span.stop) for span in place)
    return correct(adapt_channels(raster.read(rows, columns), channels, "The image"))


def _correction(card: Card, raster: Raster) -> Correction:
    """Return what the whole image's values ask for; it is read once more where they do."""
    bands = (
        adapt_channels(raster.read(slice(*rows), slice(0, raster.size[1])), card.channels, "")
        for rows in bands_of(raster.size, card.channels, whole=raster.rows)
    )
    return correction_of_bands(
        bands, card.normalisation, size=raster.size, channels=card.channels, dtype=raster.dtype
    )


def _decided(raw: np.ndarray, card: Card) -> np.ndarray:
    probabilities = two_classes(raw[..., : card.class_channels])
    return to_mask(probabilities, output=card.output, threshold=card.post.threshold)


def _clean(work: WorkFile, card: Card) -> None:
    """Do to the whole mask what the bundle's settings ask for, as far as it is not done."""
    for step in steps(**cleaning_of(card.post))[work.stage :]:
        work.rewrite(step(work.bands))


def _ahead(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with the function's result, which is made while others are used."""
    with ThreadPoolExecutor(1, "reading", initializer=give_way) as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()
