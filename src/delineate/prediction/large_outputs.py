"""What is written of an image that was predicted in parts."""

import json
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

from delineate.bundle import Card
from delineate.data.proposing.pixel_size import PixelSize
from delineate.errors import DataError
from delineate.files import write_whole
from delineate.imaging import write_png
from delineate.overlays import colourise, overlay
from delineate.prediction.inputs import file_beside
from delineate.prediction.outputs import Wanted, shares_of
from delineate.prediction.rasters.mask_file import TILE, write_tiff
from delineate.prediction.rasters.raster import ZARR, Raster, bands_of
from delineate.prediction.rasters.work import WorkFile

# Longest side of a preview, in pixels.
PREVIEW = 2048
_ENDINGS = (".json", "_preview.png")


def finished(target: Path, key: str) -> dict[str, Any] | None:
    """Return the summary of a prediction that is done already, None where it is not.

    Args:
        target: The mask.
        key: What tells it from others.
    """
    stem = target.with_suffix("")
    try:
        summary: dict[str, Any] = json.loads(file_beside(stem, ".json").read_text("utf-8"))
        same = summary["key"] == key
    except (OSError, ValueError, KeyError, TypeError):
        return None
    there = target.exists() and all(file_beside(stem, ending).exists() for ending in _ENDINGS)
    return summary if same and there else None


def write_outputs(
    path: Path,
    target: Path,
    *,
    raster: Raster,
    work: WorkFile,
    card: Card,
    wanted: Wanted,
    said: dict[str, Any],
) -> dict[str, Any]:
    """Write the mask, a small picture of it and a summary, and return that.

    Args:
        path: The image.
        target: Where the mask goes.
        raster: The opened image.
        work: The mask that is done.
        card: Of the bundle.
        wanted: What is written beside the mask.
        said: What else is told: at ``key`` what tells this prediction from others.

    Raises:
        OSError: Something cannot be written.
    """
    stem, side = target.with_suffix(""), wanted.pixel_size
    # It speaks for the mask that is replaced now.
    file_beside(stem, ".json").unlink(missing_ok=True)
    # Not what the training data say: this image may be of another scale.
    pixel_size = raster.pixel_size if side is None else PixelSize(side, side)
    counts = sum(np.bincount(band.ravel(), minlength=len(card.classes)) for band in work.bands())
    if target.suffix == ZARR:
        _write_zarr(target, work, pixel_size)
    else:
        write_tiff(
            target,
            work.size,
            work.bands(TILE),
            colours=card.colours,
            tags=raster.tags,
            pixel_size=pixel_size,
        )
    preview = file_beside(stem, "_preview.png")
    _write_preview(preview, work, raster if wanted.overlay else None, card)
    summary = {
        "image": str(path),
        "mask": str(target),
        "size": list(work.size),
        "classes": shares_of(np.asarray(counts), card),
        "preview": str(preview),
        **said,
    }
    write_whole(file_beside(stem, ".json"), json.dumps(summary, indent=1) + "\n")
    return summary


def require_replaceable(target: Path) -> None:
    """Refuse to put a mask in the place of a folder that is none of delineate's.

    Args:
        target: The mask.

    Raises:
        DataError: Such a folder stands there.
        MissingExtraError: zarr is not installed.
    """
    if target.suffix != ZARR or not target.exists():
        return
    from delineate.prediction.rasters.ome_zarr import is_mask

    if not is_mask(target):
        raise DataError(
            f"{target} stands there already, and is no mask that delineate has written.",
            hint="Name another folder to write to.",
        )


def _write_zarr(target: Path, work: WorkFile, pixel_size: PixelSize | None) -> None:
    from delineate.prediction.rasters.ome_zarr import CHUNK, write_zarr

    fresh, old = (target.with_name(f".{target.name}.{kind}") for kind in ("new", "old"))
    for left in (fresh, old):
        rmtree(left, ignore_errors=True)
    write_zarr(fresh, target.stem, work.size, work.bands(CHUNK), pixel_size)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    rmtree(old, ignore_errors=True)


def _write_preview(path: Path, work: WorkFile, raster: Raster | None, card: Card) -> None:
    """Write a picture of every so-maniest pixel: the classes' colours, or these on the image."""
    step = -(-max(work.size) // PREVIEW)
    ids, pixels = [], []
    channels, stored = (1, 1) if raster is None else (raster.channels, raster.rows)
    for first, last in bands_of(work.size, channels, whole=stored):
        every = slice(-first % step, None, step)
        whole = slice(0, work.size[1])
        # Copied: a part of a band would hold all of it.
        ids.append(work.get(slice(first, last), whole)[every, ::step].copy())
        if raster is not None:
            pixels.append(raster.read(slice(first, last), whole)[every, ::step].copy())
    mask = np.concatenate(ids)
    shown = colourise(mask, card.colours)
    if raster is not None:
        shown = overlay(np.concatenate(pixels), mask, card.colours)
    write_png(path, shown)
