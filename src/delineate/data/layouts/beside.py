"""Layout `beside`: each mask beside its image, with an ending such as ``_mask``, at any depth."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from delineate.data.describing.description import Description
from delineate.data.layouts.colour_table import read_table
from delineate.data.layouts.files import Files, by_name, join_channels, named_files
from delineate.data.layouts.layout import OBJECTS, Layout, split_folders
from delineate.data.layouts.manifest import find_manifests
from delineate.data.layouts.pairing import join, pair
from delineate.data.records import Index, MaskParts

ENDINGS = (
    "_mask",
    "_masks",
    "_label",
    "_labels",
    "_seg",
    "_segmentation",
    "_gt",
    "_annotation",
    "_L",
    "_P",
    "-mask",
    ".mask",
)
IMAGE_ENDINGS = ("", "_sat", "_image", "_img")
SHARE = 0.25  # of the files that must be in pairs, so that a stray pair makes no data set

_Named = dict[str, tuple[Path, ...]]


@dataclass(frozen=True)
class Endings:
    """What the names of images and of masks end with.

    Attributes:
        image: The end of an image's name, which may be empty.
        mask: The end of a mask's name; a number may follow.
    """

    image: str
    mask: str

    def image_of(self, name: str) -> str | None:
        """Return the name of the image whose mask has this name; None for other names.

        Example:
            >>> Endings("", "_mask").image_of("a_mask_1")
            'a'
        """
        for stem in (name, _without_number(name)):
            if stem.endswith(self.mask):
                return stem.removesuffix(self.mask) + self.image
        return None


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    for manifest in find_manifests(folder):
        return f"{manifest.name} lists the pairs"
    if _find_endings({name for name, _ in named_files(folder)}):
        return None
    return "no images have masks beside them, such as a.png and a_mask.png"


def index(folder: Path, description: Description) -> Index:
    """Return the pairs of a folder; a folder named after a split gives the split.

    Where images have several masks, ``a_mask_1.png`` and so on, each is one object.

    Raises:
        DataError: Two folders are named after the same split.
    """
    files = _files_by_split(folder)
    names = {name for found in files.values() for name in found.named}
    endings = _find_endings(names) or Endings("", ENDINGS[0])
    sorted_out = {split: _sort_out(found, endings) for split, found in files.items()}
    several = any(len(paths) > 1 for _, masks in sorted_out.values() for paths in masks.values())
    parts: MaskParts = "objects" if several else "whole"
    found: list[Index] = []
    left_out: list[str] = []
    for split, (images, masks) in sorted_out.items():
        place = files[split].folder
        if split and images and not masks:
            left_out.append(f"{place} holds {len(images)} images without masks: they are left out.")
            continue
        joined = join_channels(Files(place, images, files[split].unpaired), description.channels)
        found.append(
            pair(joined, Files(place, masks), description, split=split, parts=parts, exact=True)
        )
    table, notes = read_table(folder)
    return join(found, OBJECTS if several else table, (*notes, *left_out))


def _files_by_split(folder: Path) -> dict[str | None, Files]:
    splits = split_folders(folder)
    rest = by_name(folder, [path.name for path in splits.values()])
    return {None: rest, **{split: by_name(path) for split, path in splits.items()}}


def _sort_out(files: Files, endings: Endings) -> tuple[_Named, _Named]:
    """Return the images, and the masks by the names of their images."""
    images: _Named = {}
    masks: _Named = {}
    for name, paths in files.named.items():
        image = endings.image_of(name)
        if image is None:
            images[name] = paths
        else:
            masks[image] = masks.get(image, ()) + paths
    return images, masks


def _find_endings(names: Collection[str]) -> Endings | None:
    """Return the endings that make the most pairs; None where they are few."""
    counts: Counter[Endings] = Counter()
    stems = {*names, *map(_without_number, names)}
    for mask in ENDINGS:
        cut = [stem.removesuffix(mask) for stem in stems if stem.endswith(mask)]
        for image in IMAGE_ENDINGS:
            counts[Endings(image, mask)] = sum(stem + image in names for stem in cut)
    endings, count = counts.most_common(1)[0]
    return endings if 2 * count > SHARE * len(names) else None


def _without_number(name: str) -> str:
    return name.rstrip("0123456789").rstrip("_-")


LAYOUT = Layout(
    name="beside",
    summary="a.png beside a_mask.png (_label, _seg, _gt, …), at any depth, also below splits",
    refuse=refuse,
    index=index,
)
