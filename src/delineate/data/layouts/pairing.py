"""Which mask belongs to which image, by their names."""

import re
from bisect import bisect
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

from delineate.data.describing.description import NOTHING_SAID, Description
from delineate.data.layouts.files import Files
from delineate.data.records import Index, MaskParts, Record, Unpaired

FEW = 50
NEIGHBOURS = 10
# What a whole mask holds, where dataset.toml says how it is encoded.
_PARTS: dict[str | None, MaskParts] = {"one-hot": "one-hot", "objects": "numbers"}


@dataclass(frozen=True)
class Change:
    """By what the names of all masks differ from those of their images.

    Attributes:
        image: What stands before and after the part that both names share, in an image's name.
        mask: The same, in a mask's name.
    """

    image: tuple[str, str] = ("", "")
    mask: tuple[str, str] = ("", "")

    def mask_of(self, image: str) -> str | None:
        """Return the name of the mask of an image, None where the image's name is of no such form.

        Example:
            >>> Change(("", "_sat"), ("", "_mask")).mask_of("7_sat")
            '7_mask'
        """
        start, end = self.image
        if len(image) < len(start) + len(end):
            return None
        if not (image.startswith(start) and image.endswith(end)):
            return None
        return self.mask[0] + image[len(start) : len(image) - len(end)] + self.mask[1]

    def __str__(self) -> str:
        """Return both forms, with ``*`` for what is shared."""
        return f"'{'*'.join(self.image)}' and '{'*'.join(self.mask)}'"


def one_change(images: Collection[str], masks: Collection[str]) -> Change | None:
    """Return the one change that leads from the name of every image to that of a mask.

    All names must be paired by it, and no digit may change: ``scan1_7`` is not the mask of
    ``scan2_7``.

    Args:
        images: Names of images, each once.
        masks: Names of masks, each once.

    Example:
        >>> str(one_change(["a_1", "a_2"], ["a_1_mask", "a_2_mask"]))
        "'*' and '*_mask'"
    """
    if not images or len(images) != len(masks):
        return None
    if len(images) == 1:
        return _change_of_one(*images, *masks)
    first, first_shared, first_last = _ends(images)
    second, second_shared, second_last = _ends(masks)
    if first_shared != second_shared:
        return None
    # What both have next to the shared part belongs to it.
    start = len(_common_start([first[::-1], second[::-1]]))
    end = len(_common_start([first_last, second_last]))
    change = Change(
        (first[: len(first) - start], first_last[end:]),
        (second[: len(second) - start], second_last[end:]),
    )
    return None if re.search(r"\d", "".join(change.image + change.mask)) else change


def _common_start(names: Collection[str]) -> str:
    """Return what all names begin with."""
    # Whatever lies between the first and the last in order begins with what these two share.
    first, last = min(names), max(names)
    different = (place for place, letter in enumerate(first) if letter != last[place])
    return first[: next(different, len(first))]


def _ends(names: Collection[str]) -> tuple[str, set[str], str]:
    """Return what all names begin with, what is left of each, and what all of them end with."""
    start = _common_start(names)
    rest = [name[len(start) :] for name in names]
    end = _common_start([name[::-1] for name in rest])[::-1]
    return start, {name[: len(name) - len(end)] for name in rest}, end


def _change_of_one(image: str, mask: str) -> Change | None:
    for short, long, turned in ((image, mask, False), (mask, image, True)):
        before, found, after = long.partition(short)
        apart = re.fullmatch(r"(\D*[\W_])?", before)
        if found and apart and re.fullmatch(r"([\W_]\D*)?", after):
            return Change((before, after)) if turned else Change(mask=(before, after))
    return None


def pair(
    images: Files,
    masks: Files,
    description: Description,
    *,
    split: str | None = None,
    parts: MaskParts = "whole",
    wanted: str = "mask",
    exact: bool = False,
) -> Index:
    """Return the records of images and masks of the same names.

    Where no two names are the same, but one change leads from every image to a mask, that pairs
    them, and a note says so.

    Args:
        images: The images.
        masks: The masks.
        description: What is said about the data.
        split: The split of all of them.
        parts: What each mask file holds.
        wanted: What an image without a partner lacks.
        exact: Whether the names must be the same in any case.
    """
    partners = {name: name for name in images.named if name in masks.named}
    change = None if partners or exact else one_change(images.named.keys(), masks.named.keys())
    if change:
        partners = {name: change.mask_of(name) or name for name in images.named}
    records = tuple(
        make_record(
            name, images.named[name], masks.named[mask], description, split=split, parts=parts
        )
        for name, mask in sorted(partners.items())
    )
    note = f"Images and masks of {images.folder.parent} are paired by their names {change}."
    return Index(
        records,
        (*images.unpaired, *masks.unpaired, *_alone(images, masks, partners, wanted)),
        notes=(note,) if change else (),
    )


def _alone(
    images: Files, masks: Files, partners: dict[str, str], wanted: str
) -> Iterable[Unpaired]:
    lonely = sorted(images.named.keys() - partners.keys())
    left = sorted(masks.named.keys() - set(partners.values()))
    return chain(
        (alone(images.place(name), wanted, name, left, masks) for name in lonely),
        (alone(masks.place(name), "image", name, lonely, images) for name in left),
    )


def alone(path: Path, wanted: str, name: str, names: Sequence[str], partners: Files) -> Unpaired:
    """Return the complaint about a file without partner, with the partner of the nearest name.

    Args:
        path: The file.
        wanted: What it lacks.
        name: Its name.
        names: The names of those that have no partner either, sorted.
        partners: Where these are.
    """
    near = get_close_matches(name, _neighbours(name, names), n=1, cutoff=0.6)
    return Unpaired(path, wanted, str(partners.place(near[0])) if near else None)


def _neighbours(name: str, names: Sequence[str]) -> Sequence[str]:
    """Return the names, or where they are many those that are sorted next to a name.

    Comparing each name with each other would take minutes where all the masks bear a suffix.
    """
    if len(names) <= FEW:
        return names
    place = bisect(names, name)
    return names[max(place - NEIGHBOURS, 0) : place + NEIGHBOURS]


def make_record(
    name: str,
    images: tuple[Path, ...],
    masks: tuple[Path, ...],
    description: Description,
    *,
    split: str | None = None,
    parts: MaskParts = "whole",
    ids: tuple[int, ...] = (),
) -> Record:
    """Return a record that is named after its split too, in the group that is said."""
    name = f"{split}/{name}" if split else name
    if parts == "whole":
        parts = _PARTS.get(description.encoding, parts)
    return Record(name, images, masks, parts, ids, split=split, group=description.group_of(name))


def join(
    found: Sequence[Index], description: Description = NOTHING_SAID, notes: Sequence[str] = ()
) -> Index:
    """Return one index of several parts of a data set.

    Args:
        found: The parts.
        description: What the layout says about all of them.
        notes: What is to be said besides the notes of the parts.
    """
    return Index(
        tuple(record for part in found for record in part.records),
        tuple(unpaired for part in found for unpaired in part.unpaired),
        description,
        (*notes, *(note for part in found for note in part.notes)),
    )
