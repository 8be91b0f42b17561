"""Which files are predicted, and what their predictions are called."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from glob import glob
from itertools import chain, count
from pathlib import Path

from delineate.errors import UsageError
from delineate.imaging import IMAGE_SUFFIXES
from delineate.prediction.rasters.raster import (
    ZARR,
    geographic_tags,
    is_read_in_parts,
    is_zarr,
)
from delineate.prediction.video.frames import VIDEO_SUFFIXES
from delineate.runs import Run

# What is added to the name of an image for each picture that may be written beside its mask.
PICTURES = ("", "_colour", "_overlay", "_objects", "_preview")
# What is added to the name of a video for those that may be written of it.
VIDEOS = ("_mask.mkv", "_overlay.mp4")
# For each file of any kind.
ENDINGS = (
    *(f"{picture}.png" for picture in PICTURES),
    ".json",
    "_probabilities.npy",
    "_objects.tif",
    "_objects.csv",
    "_objects.geojson",
    "_frames.jsonl",
    *VIDEOS,
)


def find_inputs(inputs: Sequence[str], to: Path) -> list[tuple[Path, Path]]:
    """Return each image's file and the name of its prediction, without suffix.

    Below a folder the names keep the subfolders; two files of one name get their suffix as well,
    and a number if that is not enough.

    Args:
        inputs: Files, folders or patterns.
        to: The folder that is written to; what lies in it is left out of the folders.

    Raises:
        UsageError: An input names no image, a folder cannot be read or holds a link to an image
            outside of it, or a prediction would replace an image or a video.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        pairs = _matching(given, to)
        if not pairs:
            raise UsageError(
                f"'{given}' names no image.",
                hint="Name image files, a folder that holds some, or a pattern in quotes.",
            )
        found |= {path: name for path, name in pairs if path not in found}
    named = list(zip(found, _unlike(list(found.values())), strict=True))
    refuse_replacing(named, to)
    return named


def _matching(given: str, to: Path) -> list[tuple[Path, Path]]:
    """Return the files that an input names, and the names that their predictions ask for."""
    path = Path(given)
    if path.is_dir() and not is_zarr(path):
        inside = [item for item in _below(path) if _is_image(item)]
        outside = [item for item in inside if to.resolve() not in item.resolve().parents]
        _refuse_links_out(path, outside)
        return [(item, item.relative_to(path)) for item in outside]
    if path.exists():
        return [(path, Path(path.name))]
    matched = [Path(item) for item in sorted(glob(given, recursive=True))]  # noqa: PTH207
    return [(item, Path(item.name)) for item in matched if _is_image(item)]


def _refuse_links_out(folder: Path, images: Sequence[Path]) -> None:
    """Refuse a folder with links to images outside: whoever packed it chose where they lead."""
    root = folder.resolve()
    for image in images:
        target = Path(os.path.realpath(image))
        if not target.is_relative_to(root):
            raise UsageError(
                f"{image} leads by a link to {target}, outside of the folder {folder}.",
                hint="Copy the file to its place; or, where you trust the folder, name its files, "
                f"as in '{folder / '*.png'}'.",
            )


def _below(folder: Path) -> Iterator[Path]:
    """Yield all that lies in a folder, in order; an OME-Zarr image is one thing."""
    try:
        items = sorted(folder.iterdir())
    except PermissionError as error:
        raise UsageError(
            f"The folder {folder} cannot be read: {error.strerror}.",
            hint="Change its permissions, or name the images that are to be predicted.",
        ) from error
    for item in items:
        yield item
        if item.is_dir() and not item.is_symlink() and not is_zarr(item):
            yield from _below(item)


def _is_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return is_zarr(path)
    # What lies in an OME-Zarr image is none.
    within = any(part.suffix.lower() == ZARR and is_zarr(part) for part in path.parents)
    return path.is_file() and not within and path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES


def _unlike(names: Sequence[Path]) -> list[Path]:
    """Return names without suffix, of which no two have a picture in common."""
    counts = Counter(name.with_suffix("") for name in names)
    taken = {Run(Path()).review_sheet}
    chosen = []
    for name in names:
        first = name.with_suffix("")
        if counts[first] > 1:
            first = Path(f"{first}_{name.suffix[1:]}")
        numbered = (Path(f"{first}_{number}") for number in count(2))
        stem = next(item for item in chain([first], numbered) if not taken & _pictures(item))
        taken |= _pictures(stem)
        chosen.append(stem)
    return chosen


def _pictures(stem: Path) -> set[Path]:
    return {file_beside(stem, f"{ending}.png") for ending in PICTURES}


def refuse_replacing(named: Sequence[tuple[Path, Path]], to: Path, *, values: int = 1) -> None:
    """Refuse a prediction that would replace an image or a video.

    Args:
        named: The files, and the names of their predictions.
        to: The folder that is written to.
        values: How many a network says of each pixel, by which a TIFF file is large.

    Raises:
        UsageError: One would.
    """
    images = {path.resolve() for path, _ in named}
    for path, stem in named:
        written = _pictures(to / stem) | {Run(to).review_sheet}
        if path.suffix.lower() in VIDEO_SUFFIXES:
            written |= {file_beside(to / stem, ending) for ending in VIDEOS}
        # The mask of an image that is predicted in parts, or lies on Earth, is of its own kind.
        mask = target_of(path, to / stem)
        if mask.resolve() in images and (
            is_read_in_parts(path, values=values) or geographic_tags(path)
        ):
            written.add(mask)
        if any(picture.resolve() in images for picture in written):
            raise UsageError(
                f"The prediction of {path} would replace an image in {to}.",
                hint="Name another folder to write to.",
            )


def target_of(path: Path, stem: Path) -> Path:
    """Return where the mask of an image goes that is of the image's own kind.

    Args:
        path: The image: a TIFF file or an OME-Zarr image.
        stem: A path without suffix.
    """
    return file_beside(stem, ZARR if is_zarr(path) else path.suffix.lower())


def refuse_table(table: Path, files: Sequence[tuple[Path, Path]], to: Path) -> None:
    """Refuse a table of all images that would replace one of them, or be replaced in its turn.

    Args:
        table: Where the table goes.
        files: From :func:`find_inputs`.
        to: The folder that is written to.

    Raises:
        UsageError: It would.
    """
    run = Run(to.resolve())
    taken = {run.review, run.review_sheet, *(path.resolve() for path, _ in files)}
    taken |= {file_beside(run.folder / name, ending) for _, name in files for ending in ENDINGS}
    if table.resolve() in taken:
        raise UsageError(
            f"The table {table} would have the name of an image or of what is written to {to}.",
            hint="Name another file for the run lengths.",
        )


def file_beside(stem: Path, ending: str) -> Path:
    """Return the path of a file of a prediction: the name without suffix, and an ending."""
    return stem.with_name(stem.name + ending)
