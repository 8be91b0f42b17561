"""Folders that hold ``images/`` and ``masks/``, and what kind of masks these are."""

from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal

from delineate.data.describing.description import NOTHING_SAID, Description
from delineate.data.layouts.files import by_name, folders_below, image_files
from delineate.data.layouts.layout import split_folders
from delineate.data.layouts.manifest import find_manifests
from delineate.data.layouts.pairing import join
from delineate.data.records import Index
from delineate.errors import DataError

Kind = Literal["folders", "objects", "classes"]
REASONS: dict[Kind, str] = {
    "folders": "masks/ holds one file for each image",
    "objects": "masks/ holds a folder of objects for each image",
    "classes": "masks/ holds a file of each class for each image",
}
NOTHING = "there is neither images/ and masks/, nor train/, val/ or test/ that hold them"


def labelled_parts(folder: Path) -> dict[str | None, Path]:
    """Return the folders that hold images/ and masks/: the folder (None), or those of splits."""
    parts: list[tuple[str | None, Path]] = [(None, folder), *split_folders(folder).items()]
    return {
        split: path
        for split, path in parts
        if (path / "images").is_dir() and (path / "masks").is_dir()
    }


def refuse_other_kinds(folder: Path, wanted: Kind) -> str | None:
    """Return why a folder does not hold masks of a kind below images/ and masks/, else None."""
    for manifest in find_manifests(folder):
        return f"{manifest.name} lists the pairs"
    parts = labelled_parts(folder)
    if not parts:
        only = (folder / "images").is_dir()
        return "there is images/ but no masks/ beside it" if only else NOTHING
    kinds = [kind for path in parts.values() if (kind := _kind(path))]
    found: Kind = kinds[0] if kinds else "folders"
    return None if found == wanted else REASONS[found]


def _kind(part: Path) -> Kind | None:
    """Return what the masks of a part are; None where there are none."""
    images = by_name(part / "images").named
    masks = by_name(part / "masks").named
    if not masks:
        places = (place.relative_to(part / "masks") for place, _ in folders_below(part / "masks"))
        return "objects" if any(place.as_posix() in images for place in places) else None
    votes: Counter[Kind] = Counter()
    for name in masks:
        votes["folders"] += name in images
        votes["objects"] += name.rpartition("/")[0] in images
        votes["classes"] += name.partition("/")[2] in images
    if len({name.partition("/")[0] for name in masks}) < 2:
        del votes["classes"]  # One folder of masks is no choice of classes.
    kind, count = votes.most_common(1)[0]
    if count:
        return kind
    return "classes" if class_endings(images, masks) else "folders"


def class_endings(
    images: Collection[str], masks: Collection[str]
) -> dict[str, dict[str, str]] | None:
    """Return the masks of each image by class, where names end in one and the same set of classes.

    Example:
        >>> class_endings(["a"], ["a_cat", "a_dog"])
        {'a': {'cat': 'a_cat', 'dog': 'a_dog'}}
        >>> class_endings(["a"], ["a_1", "a_2"]) is None
        True
    """
    found: dict[str, dict[str, str]] = {image: {} for image in images}
    for mask in masks:
        cuts = range(len(mask) - 1, 0, -1)
        image = next((mask[:cut] for cut in cuts if mask[:cut] in found), None)
        if image is None:
            return None
        ending = mask[len(image) :]
        # Numbers are objects rather than classes, and which of both is for people to say.
        if ending[0] not in "_-. " or not any(letter.isalpha() for letter in ending):
            return None
        found[image][ending[1:]] = mask
    kinds = {frozenset(classes) for classes in found.values()}
    return found if len(kinds) == 1 and len(kinds.pop()) > 1 else None


def index_parts(
    folder: Path,
    index_part: Callable[[Path, str | None], Index],
    description: Description = NOTHING_SAID,
    notes: tuple[str, ...] = (),
) -> Index:
    """Return the records of all folders that hold images/ and masks/.

    Args:
        folder: The data set's folder.
        index_part: Returns the records of one of them, of a split.
        description: What is said about all of them.
        notes: What is to be noted about all of them.

    Raises:
        DataError: There are pairs both with and without a split.
    """
    parts = labelled_parts(folder)
    if None in parts and len(parts) > 1:
        split = next(path for name, path in parts.items() if name)
        raise DataError(
            f"{folder} holds images/ and masks/, and also {split.name}/ that holds them.",
            hint="Move images/ and masks/ below train/, or the split folders elsewhere.",
        )
    left_out = unlabelled(folder, list(parts.values()))
    found = [index_part(path, split) for split, path in parts.items()]
    return join(found, description, (*notes, *left_out))


def unlabelled(folder: Path, labelled: Collection[Path]) -> list[str]:
    """Return a note on each split folder that holds images, and is none of those with masks."""
    counts = {
        path: len(image_files(path))
        for path in split_folders(folder).values()
        if path not in labelled
    }
    return [
        f"{path} holds {count} images without masks: they are left out."
        for path, count in counts.items()
        if count
    ]
