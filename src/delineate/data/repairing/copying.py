"""Writing records, and what is known of them, in the layouts ``folders`` and ``objects``."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tifffile

from delineate.data.classes import IGNORE, Encoding
from delineate.data.describing.description import RGB, Description
from delineate.data.describing.text import describe
from delineate.data.records import Record
from delineate.data.repairing.mending import Mended
from delineate.imaging import write_png

_LONGEST = 120
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/]')


def place_records(records: Sequence[Record]) -> dict[str, str]:
    """Return for each record, by its name, the split folder and the stem that it gets.

    Folders in names become part of the stem, what not all file systems can name is replaced, and
    no two differ by case alone. Records without a split, beside others with one, are not placed.

    Example:
        >>> place_records([Record("train/a/1", (), (), split="train")])
        {'train/a/1': 'train/a_1'}
    """
    split = any(record.split for record in records)
    taken: set[str] = set()
    places = {}
    for record in records:
        if split and not record.split:
            continue
        stem = safe_name(record.name.removeprefix(f"{record.split}/"))
        prefix = f"{record.split}/" if record.split else ""
        number, free = 2, stem
        while f"{prefix}{free}".casefold() in taken:
            free = f"{stem}_{number}"
            number += 1
        taken.add(f"{prefix}{free}".casefold())
        places[record.name] = f"{prefix}{free}"
    return places


def safe_name(name: str) -> str:
    """Return a name that every file system takes: no folders, no signs with a meaning."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    text = _UNSAFE.sub("_", "_".join(parts)).lstrip(".").rstrip(". ")
    return text[-_LONGEST:] or "image"


def write_record(mended: Mended, folder: Path, place: str, colours: Sequence[RGB]) -> Path:
    """Write a record below a folder and return the path of its image.

    Args:
        mended: What is written.
        folder: The data set's folder.
        place: The record's split and stem, as :func:`place_records` gives them.
        colours: The colour of each class.

    Raises:
        OSError: A file cannot be written.
    """
    split, _, stem = place.rpartition("/")
    part = folder / split if split else folder
    path = _write_image(mended.image, part / "images", stem)
    if isinstance(mended.mask, np.ndarray):
        write_png(part / "masks" / f"{stem}.png", mended.mask, colours)
        return path
    masks = part / "masks" / stem
    masks.mkdir(parents=True)
    copied = [mask.name.casefold() for mask in mended.mask if isinstance(mask, Path)]
    # Files of one name lie in several folders, of which the copy has but one.
    doubles = len(set(copied)) < len(copied)
    for number, mask in enumerate(mended.mask):
        if isinstance(mask, Path):
            name = f"{number:05}_{mask.name}" if doubles else mask.name
            shutil.copyfile(mask, masks / name)
        else:
            write_png(masks / f"{number:05}.png", mask.astype(np.uint8) * 255)
    return path


def _write_image(image: Path | np.ndarray, folder: Path, stem: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(image, Path):
        path = folder / f"{stem}{image.suffix}"
        shutil.copyfile(image, path)
        return path
    channels = image.shape[2]
    if channels == 1 or (channels == 3 and image.dtype == np.uint8):
        path = folder / f"{stem}.png"
        write_png(path, image)
        return path
    # Colours of 16 bits, and other numbers of channels.
    path = folder / f"{stem}.tif"
    kind = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(path, image, photometric=kind, planarconfig="contig", compression="zlib")
    return path


def describe_copy(
    encoding: Encoding,
    said: Description,
    groups: Mapping[str, str | None],
    *,
    objects: bool,
    ignored: bool,
) -> str:
    """Return the text of the ``dataset.toml`` of a written data set.

    Args:
        encoding: Its classes and their colours.
        said: What is said about the data that it was made from.
        groups: The group of each record, by its place.
        objects: Whether each object is a file.
        ignored: Whether there are ignored pixels.
    """
    pattern = _pattern(said, groups)
    named = {} if pattern else {place: group for place, group in groups.items() if group}
    distinct = len(set(encoding.colours)) == len(encoding.colours)
    return describe(
        Description(
            layout="objects" if objects else "folders",
            names=encoding.classes,
            colours=encoding.colours if distinct else None,
            encoding=None if objects else "ids",
            ignore=(IGNORE,) if ignored else (),
            group_pattern=pattern,
            groups=named,
            pixel_size=said.pixel_size,
            unit=said.unit if said.pixel_size else None,
        )
    )


def _pattern(said: Description, groups: Mapping[str, str | None]) -> str | None:
    """Return the pattern of the groups where it holds for the new names as well."""
    pattern = said.group_pattern
    if pattern is None or said.groups:
        return None
    holds = all(said.group_of(place) == group for place, group in groups.items())
    return pattern if holds and any(groups.values()) else None
