"""Layout `pairs`: images and masks where the patterns of ``dataset.toml`` say that they are.

A pattern is a path below the data's folder. ``{stem}`` is what the names of an image and its masks
share, ``{split}`` is train, val (or validation) or test, ``{class}`` the class that a mask file
holds, ``{channel}`` one of the channels; ``*`` is anything within one name. A lone ``*`` is the
stem; beside ``{stem}`` it makes each file one object.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from delineate.data.describing.description import FILE, Description
from delineate.data.layouts.classes import ClassFiles, index_classes
from delineate.data.layouts.colour_table import read_table
from delineate.data.layouts.files import (
    Files,
    complete_channels,
    double,
    image_files,
    join_channels,
)
from delineate.data.layouts.layout import OBJECTS, Layout
from delineate.data.layouts.pairing import alone, join, pair
from delineate.data.layouts.patterns import Match, Pattern, make_pattern
from delineate.data.records import Index, MaskParts, Unpaired
from delineate.errors import DataError


@dataclass(frozen=True)
class _Part:
    """The files of one split."""

    split: str | None
    images: Files
    masks: Sequence[Match]


def refuse(folder: Path) -> str | None:
    """Return a reason in any case: no folder shows that patterns are wanted."""
    return f"{folder / FILE} has no [pairing] masks"


def index(folder: Path, description: Description) -> Index:
    """Return a record for each image that the patterns find.

    Raises:
        DataError: There is no pattern of masks, or one leaves open what the stem is.
    """
    images, masks = _patterns(folder, description)
    found = _parts(folder, images, masks, description)
    parts = [part for part in found if part.masks or part.split is None]
    left_out = [
        f"The split '{part.split}' has {len(part.images.named)} images without masks: left out."
        for part in found
        if part not in parts
    ]
    if masks.has("class"):
        by_class = index_classes([_by_class(part) for part in parts], description)
        return join([by_class], by_class.description, left_out)
    kind: MaskParts = "objects" if masks.has_several else "whole"
    indexes = [
        pair(part.images, _masks(part, kind), description, split=part.split, parts=kind, exact=True)
        for part in parts
    ]
    table, notes = read_table(folder)
    return join(indexes, OBJECTS if masks.has_several else table, (*notes, *left_out))


def _patterns(folder: Path, description: Description) -> tuple[Pattern, Pattern]:
    """Return the patterns of images and masks; where one is not said, it follows from the other."""
    if description.masks is None:
        raise DataError(
            f"{folder / FILE} has no pattern of masks.",
            hint='Write [pairing] masks = "…/{stem}.png" there, or leave the layout out.',
        )
    masks = make_pattern(description.masks)
    if description.images is None:
        return masks.of_images(), masks
    return make_pattern(description.images, description.channels), masks


def _parts(folder: Path, images: Pattern, masks: Pattern, description: Description) -> list[_Part]:
    """Return the files that the patterns find, by split."""
    pictures, labels = _find(folder, images, masks)
    if images.has("split") and not masks.has("split"):
        labels = _spread(labels, pictures)
    if masks.has("split") and not images.has("split"):
        pictures = _spread(pictures, labels)
    splits = sorted({match.split for match in (*pictures, *labels)}, key=lambda split: split or "")
    return [
        _Part(
            split,
            _images(folder, [one for one in pictures if one.split == split], images, description),
            [one for one in labels if one.split == split],
        )
        for split in splits
    ]


def _find(folder: Path, images: Pattern, masks: Pattern) -> tuple[list[Match], list[Match]]:
    """Return the images and the masks; a file that is both is what the stricter pattern says."""
    paths = image_files(folder)
    names = {path: path.relative_to(folder).as_posix() for path in paths}
    labels = {path for path in paths if masks.match(names[path], path)}
    found = {path: images.match(names[path], path) for path in paths}
    if masks.strictness < images.strictness:
        labels -= {path for path in paths if found[path]}
    pictures = [match for path, match in found.items() if match and path not in labels]
    stems = {match.stem for match in pictures}
    matches = (masks.match(names[path], path, stems) for path in paths if path in labels)
    return pictures, [match for match in matches if match]


def _spread(matches: Iterable[Match], others: Iterable[Match]) -> list[Match]:
    """Return files whose path names no split, each in the splits of its partners."""
    splits: dict[str, set[str | None]] = {}
    for other in others:
        splits.setdefault(other.stem, set()).add(other.split)
    return [
        replace(match, split=split)
        for match in matches
        for split in sorted(splits.get(match.stem, {None}), key=lambda split: split or "")
    ]


def _images(
    folder: Path, matches: Sequence[Match], pattern: Pattern, description: Description
) -> Files:
    """Return the images of a split by stem, the files of channels joined."""
    if pattern.has("channel"):
        channels: dict[str, dict[str, Path]] = {}
        for match in matches:
            channels.setdefault(match.stem, {})[str(match.channel)] = match.path
        return complete_channels(folder, channels, description.channels, ())
    return join_channels(_single(folder, matches), description.channels)


def _single(folder: Path, matches: Iterable[Match]) -> Files:
    """Return files by stem, where each stem has one."""
    named: dict[str, tuple[Path, ...]] = {}
    doubles: list[Unpaired] = []
    for match in matches:
        if match.stem in named:
            doubles.append(double(match.path, named[match.stem][0]))
        else:
            named[match.stem] = (match.path,)
    return Files(folder, named, tuple(doubles))


def _masks(part: _Part, kind: MaskParts) -> Files:
    if kind == "whole":
        return _single(part.images.folder, part.masks)
    named: dict[str, tuple[Path, ...]] = {}
    for match in part.masks:
        named[match.stem] = (*named.get(match.stem, ()), match.path)
    return Files(part.images.folder, named)


def _by_class(part: _Part) -> ClassFiles:
    masks: dict[str, dict[str, Path]] = {}
    strangers: list[Unpaired] = []
    names = sorted(part.images.named)
    for match in part.masks:
        files = masks.setdefault(match.stem, {})
        label = str(match.label)
        if match.stem not in part.images.named:
            strangers.append(alone(match.path, "image", match.stem, names, part.images))
        elif label in files:
            strangers.append(double(match.path, files[label]))
        else:
            files[label] = match.path
    known = {stem: files for stem, files in masks.items() if files}
    return ClassFiles(part.split, part.images, known, strangers)


LAYOUT = Layout(
    name="pairs",
    summary="where the patterns under [pairing] in dataset.toml say, such as "
    'masks = "labels/{stem}_mask.png"',
    refuse=refuse,
    index=index,
    asked=True,
)
