"""One and the same difference between the names of images and those of their masks."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.data.layouts.layout import SPLIT_FOLDERS
from delineate.data.layouts.pairing import Change
from delineate.data.records import Unpaired

_SAMPLE = 20  # images whose names are compared with those of all masks
_PROPOSALS = 4
_HAS_DIGIT = re.compile(r"\d")

Key = Callable[[str], str | None]


@dataclass(frozen=True)
class NearMiss:
    """A difference that keeps images and masks from being pairs.

    Attributes:
        difference: What it is, for a sentence.
        pairs: The image and the mask of each pair that it parts.
        change: The difference at the ends of the names; None where it is within them.
    """

    difference: str
    pairs: tuple[tuple[Unpaired, Unpaired], ...]
    change: Change | None = None


def find_near_miss(unpaired: Sequence[Unpaired]) -> NearMiss | None:
    """Return the one difference that parts most of the files without a partner, if there is one.

    At least two pairs, and more than half of the files, must be explained by it. Digits never
    change, but for zeros before them: ``scan1_7`` is not the mask of ``scan2_7``.

    Args:
        unpaired: Files without a partner.
    """
    images = [item for item in unpaired if item.wanted.startswith(("mask", "folder"))]
    masks = [item for item in unpaired if item.wanted.startswith("image")]
    found = [miss for miss in _proposed(images, masks) if len(miss.pairs) > 1]
    best = max(found, key=lambda miss: len(miss.pairs), default=None)
    return best if best and 4 * len(best.pairs) > len(images) + len(masks) else None


def find_patterns(miss: NearMiss, folder: Path) -> tuple[str, str] | None:
    """Return the patterns of the images and of the masks that one change parts.

    None where the names differ within, for which there is no pattern.

    Args:
        miss: The change.
        folder: The data set's folder.
    """
    if miss.change is None:
        return None
    images = [image.path for image, _ in miss.pairs]
    masks = [mask.path for _, mask in miss.pairs]
    return _pattern(images, miss.change.image, folder), _pattern(masks, miss.change.mask, folder)


def _pattern(paths: Sequence[Path], ends: tuple[str, str], folder: Path) -> str:
    places = {_place(path, folder) for path in paths}
    # {stem} may span folders, but not where something stands before it in the name.
    place = _place(paths[0], folder) if ends[0] else os.path.commonpath(places)
    suffixes = {path.suffix for path in paths}
    suffix = suffixes.pop() if len(suffixes) == 1 else ".*"
    name = f"{ends[0]}{{stem}}{ends[1]}{suffix}"
    return name if place in ("", ".") else f"{place}/{name}"


def _place(path: Path, folder: Path) -> str:
    """Return the folder of a file below the data's folder, with {split} for that of a split."""
    place = path.parent.relative_to(folder).as_posix()
    first, _, rest = place.partition("/")
    return "/".join(filter(None, ["{split}", rest])) if first in SPLIT_FOLDERS else place


def _proposed(images: Sequence[Unpaired], masks: Sequence[Unpaired]) -> Iterator[NearMiss]:
    within: dict[str, Key] = {
        "in upper and lower case": str.lower,
        "in the zeros before their numbers": _without_zeros,
    }
    for difference, key in within.items():
        yield NearMiss(difference, _matched(images, masks, key, key))
    for change in _changes(images, masks):
        of_image, of_mask = _stripper(change.image), _stripper(change.mask)
        pairs = _matched(images, masks, of_image, of_mask)
        yield NearMiss(f"at their ends: {change}", pairs, change)


def _matched(
    images: Sequence[Unpaired], masks: Sequence[Unpaired], of_image: Key, of_mask: Key
) -> tuple[tuple[Unpaired, Unpaired], ...]:
    """Return the pairs whose names have the same key; of several masks the one closest by path."""
    partners: dict[str, list[Unpaired]] = {}
    for mask in masks:
        key = of_mask(mask.path.stem)
        if key:
            partners.setdefault(key, []).append(mask)
    pairs = []
    for image in images:
        near = partners.get(of_image(image.path.stem) or "", [])
        if near:
            mask = max(near, key=lambda item: _shared_folders(image, item))
            near.remove(mask)
            pairs.append((image, mask))
    return tuple(pairs)


def _shared_folders(one: Unpaired, other: Unpaired) -> int:
    return len(os.path.commonpath([one.path, other.path]))


def _without_zeros(name: str) -> str:
    return re.sub(r"\d+", lambda found: str(int(found[0])), name)


def _stripper(ends: tuple[str, str]) -> Key:
    """Return what takes off both ends of a name, and refuses a name without them."""
    start, end = ends

    def strip(name: str) -> str | None:
        fits = name.startswith(start) and name.endswith(end)
        return name[len(start) : len(name) - len(end)] if fits else None

    return strip


def _changes(images: Sequence[Unpaired], masks: Sequence[Unpaired]) -> list[Change]:
    """Return the changes at the ends that lead from most of some images to a mask."""
    step = max(1, len(images) // _SAMPLE)
    votes: Counter[Change] = Counter()
    for image in images[::step]:
        stems = image.path.stem, [mask.path.stem for mask in masks]
        votes.update({change for mask in stems[1] for change in _ends(stems[0], mask)})
    return [change for change, _ in votes.most_common(_PROPOSALS)]


def _ends(image: str, mask: str) -> Iterator[Change]:
    """Yield how two names differ at their end, and at their start."""
    shared = _shared(image, mask)
    if shared:
        shared = _back_to_a_border(image, mask, shared)
        last = image[shared:], mask[shared:]
        if shared and not _HAS_DIGIT.search("".join(last)):
            yield Change(("", last[0]), ("", last[1]))
    image, mask = image[::-1], mask[::-1]
    shared = _shared(image, mask)
    if shared:
        shared = _back_to_a_border(image, mask, shared)
        first = image[shared:][::-1], mask[shared:][::-1]
        if shared and not _HAS_DIGIT.search("".join(first)):
            yield Change((first[0], ""), (first[1], ""))


def _shared(one: str, other: str) -> int:
    """Return how many characters two names begin with together."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _back_to_a_border(one: str, other: str, shared: int) -> int:
    """Return where the words begin in which two names differ, with what stands before them.

    ``a_mri`` and ``a_mask`` share ``a``, and differ in ``_mri`` and ``_mask``.
    """
    if not (one[shared:] and other[shared:]):
        return shared
    if one[shared].isalpha() and other[shared].isalpha():
        while shared and one[shared - 1].isalpha():
            shared -= 1
    return shared - 1 if shared and one[shared - 1] in "_-. " else shared
