"""Layout `camvid`: CamVid as SegNet's authors, and as its own authors and fast.ai pack it.

CamVid (Brostow, Fauqueur and Cipolla, Pattern Recognition Letters 30, 2009) is handed on in two
forms, which other data sets have taken over: ``train/`` beside ``trainannot/`` or
``train_labels/``, and so on for each split; and ``images/`` beside ``labels/``, whose names end in
``_L`` (colours) or ``_P`` (numbers), with the images of the validation in ``valid.txt``.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from delineate.data.describing.description import Description
from delineate.data.describing.text_file import MOST_LIST_BYTES, refuse_long
from delineate.data.layouts.colour_table import read_table
from delineate.data.layouts.files import Files, by_name, images_below, is_image
from delineate.data.layouts.layout import Layout, split_folders
from delineate.data.layouts.manifest import find_manifests
from delineate.data.layouts.pairing import join, make_record, pair
from delineate.data.layouts.parts import unlabelled
from delineate.data.records import Index, Record
from delineate.errors import DataError

BESIDE = ("annot", "_labels", "_label")
ENDINGS = ("_P", "_L")
LIST = "valid.txt"
DRIVES = re.compile(r"(0001TP|0006R0|0016E5|Seq05VD)_\w+")
# SegNet's classes, as its masks number them; 11 is void.
NAMES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign symbol",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
ELEVEN = Description(names=NAMES, ignore=(11,))


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    for manifest in find_manifests(folder):
        return f"{manifest.name} lists the pairs"
    if _annotated(folder) or _is_labelled(folder):
        return None
    return "there is no train/ beside trainannot/, nor images/ beside labels/ with _L or _P"


def index(folder: Path, description: Description) -> Index:
    """Return the pairs of a folder.

    Raises:
        DataError: The list of the validation cannot be read.
    """
    said, notes = read_table(folder)
    annotated = _annotated(folder)
    if not annotated:
        images = images_below(folder / "images", description)
        found = _pair(images, folder / "labels", None, description)
        return join([_with_splits(found, folder, description)], said, notes)
    parts = [
        _pair(images_below(images, description), masks, split, description)
        for split, (images, masks) in annotated.items()
    ]
    left_out = unlabelled(folder, [images for images, _ in annotated.values()])
    if not said.names and _is_camvid(parts):
        said = ELEVEN
    return join(parts, said, (*notes, *left_out))


def is_camvid(name: str) -> bool:
    """Return whether a record is named after one of CamVid's four drives."""
    return DRIVES.fullmatch(name.rpartition("/")[2]) is not None


def is_nameless_camvid(records: Iterable[Record], said: Description, values: Iterable[int]) -> bool:
    """Return whether files are named after CamVid's drives and hold SegNet's values, unnamed.

    Args:
        records: Where the samples are.
        said: What is said about them.
        values: The values that the masks store.
    """
    named = all(is_camvid(record.name) for record in records)
    return named and said.names is None and not said.values and set(values) <= set(range(12))


def _is_camvid(parts: list[Index]) -> bool:
    return all(is_camvid(record.name) for part in parts for record in part.records)


def _annotated(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return the folders of images and of masks by split."""
    return {
        split: (path, masks)
        for split, path in split_folders(folder).items()
        for ending in BESIDE
        if (masks := path.with_name(path.name + ending)).is_dir()
    }


def _is_labelled(folder: Path) -> bool:
    """Return whether images/ stands beside labels/ whose names have an ending."""
    if not (folder / "images").is_dir() or not (folder / "labels").is_dir():
        return False
    images, masks = by_name(folder / "images"), by_name(folder / "labels")
    return bool(_ending(images.named, masks.named))


def _ending(images: Collection[str], masks: Collection[str]) -> str:
    """Return what the names of masks have at their end and those of images have not."""
    if any(name in images for name in masks):
        return ""
    for ending in ENDINGS:
        if any(name.endswith(ending) and name.removesuffix(ending) in images for name in masks):
            return ending
    return ""


def _pair(images: Files, folder: Path, split: str | None, description: Description) -> Index:
    """Return the pairs of images and the masks in a folder; masks of another ending are left."""
    files = by_name(folder)
    ending = _ending(images.named, files.named)
    named = {
        name.removesuffix(ending): paths
        for name, paths in files.named.items()
        if name.endswith(ending)
    }
    masks = Files(folder, named, files.unpaired)
    return pair(images, masks, description, split=split)


def _with_splits(found: Index, folder: Path, description: Description) -> Index:
    """Return the pairs with the splits that the list of the validation says, where there is one."""
    path = folder / LIST
    if not path.is_file():
        return found
    try:
        refuse_long(path, MOST_LIST_BYTES)
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.", hint="Save it as UTF-8.") from error
    names = {record.name for record in found.records}
    listed = {line.strip(): _listed_name(line.strip(), names) for line in lines if line.strip()}
    strangers = [line for line, name in listed.items() if name is None]
    note = f"{path} names {len(strangers)} files that are no images with masks: {strangers[:1]}."
    held_out = {name for name in listed.values() if name is not None}
    records = tuple(_in_split(record, held_out, description) for record in found.records)
    notes = (*found.notes, note) if strangers else found.notes
    return replace(found, records=records, notes=notes)


def _listed_name(line: str, names: Collection[str]) -> str | None:
    """Return the name of the record that a line of a list means; None where there is none.

    The line may have a suffix, and folders above that of the images.
    """
    parts = [part for part in line.replace("\\", "/").split("/") if part]
    if parts and is_image(parts[-1]):
        parts[-1] = parts[-1].rpartition(".")[0]
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in names), None)


def _in_split(record: Record, held_out: Collection[str], description: Description) -> Record:
    split = "validation" if record.name in held_out else "train"
    files = record.images, record.masks
    return make_record(record.name, *files, description, split=split, parts=record.parts)


LAYOUT = Layout(
    name="camvid",
    summary="train/ beside trainannot/ or train_labels/, and val/ and test/ likewise; "
    "or images/ beside labels/ of names with _L or _P",
    refuse=refuse,
    index=index,
)
