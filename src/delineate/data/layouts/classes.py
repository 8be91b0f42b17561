"""Layout `classes`: a mask file for each class of an image.

``masks/<class>/<stem>.png``, or ``masks/<stem>_<class>.png`` where every image has the same set of
endings.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.data.classes import IGNORE
from delineate.data.describing.description import FILE, Description
from delineate.data.layouts.files import Files, by_name, images_below
from delineate.data.layouts.layout import Layout
from delineate.data.layouts.pairing import alone, join, make_record
from delineate.data.layouts.parts import class_endings, index_parts, refuse_other_kinds
from delineate.data.records import Index, Record, Unpaired
from delineate.errors import DataError, near_miss

BACKGROUND = ("background", "bg")
IGNORED = ("void", "ignore")


@dataclass(frozen=True)
class ClassFiles:
    """Images, and the mask files of each by class.

    Attributes:
        split: The split of all of them.
        images: The images.
        masks: The mask of each class, by the image's name.
        unpaired: Masks without an image.
    """

    split: str | None
    images: Files
    masks: Mapping[str, Mapping[str, Path]]
    unpaired: Sequence[Unpaired] = ()

    @property
    def labels(self) -> set[str]:
        """What the classes are called in the names of the files."""
        return {label for found in self.masks.values() for label in found}


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    return refuse_other_kinds(folder, "classes")


def index(folder: Path, description: Description) -> Index:
    """Return a record for each image, with the masks of its classes.

    Raises:
        DataError: There are pairs both with and without a split, or a file of a class that is not
            among the names of ``dataset.toml``.
    """
    found: list[ClassFiles] = []

    def index_part(part: Path, split: str | None) -> Index:
        images = images_below(part / "images", description)
        found.append(_class_files(images, by_name(part / "masks"), split))
        return Index(())

    notes = index_parts(folder, index_part).notes
    by_class = index_classes(found, description)
    return join([by_class], by_class.description, notes)


def index_classes(found: Sequence[ClassFiles], description: Description) -> Index:
    """Return the records of images that have a mask file for each class.

    Args:
        found: The files, by split.
        description: What is said about the data.

    Raises:
        DataError: There is a file of a class that is not among the names of ``dataset.toml``.
    """
    labels = set().union(*(part.labels for part in found))
    names, ids = number_classes(labels, description.names)
    records = [
        _record(part, name, ids, description) for part in found for name in sorted(part.masks)
    ]
    unpaired = [item for part in found for item in (*part.images.unpaired, *part.unpaired)]
    lonely = [item for part in found for item in _without_masks(part)]
    notes = _absent(found, labels)
    return Index(tuple(records), (*unpaired, *lonely), Description(names=names), notes)


def _record(
    part: ClassFiles, name: str, ids: Mapping[str, int], description: Description
) -> Record:
    masks = sorted((ids[label], path) for label, path in part.masks[name].items())
    return make_record(
        name,
        part.images.named[name],
        tuple(path for _, path in masks),
        description,
        split=part.split,
        parts="classes",
        ids=tuple(number for number, _ in masks),
    )


def number_classes(
    labels: Collection[str], names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the class names, and the id of each class that the names of files mention.

    The background is 0, also where it has files of its own, called background or bg; void and
    ignore do not count (255); the others are sorted.

    Args:
        labels: What the names of files mention.
        names: The class names, where they are said.

    Raises:
        DataError: The names are said, and a file is of none of them.

    Example:
        >>> number_classes({"dog", "cat", "bg"}, None)
        (('background', 'cat', 'dog'), {'bg': 0, 'cat': 1, 'dog': 2})
    """
    special = {label: 0 for label in labels if label.lower() in BACKGROUND}
    special |= {label: IGNORE for label in labels if label.lower() in IGNORED}
    known = names or ("background", *sorted(set(labels) - special.keys()))
    ids = special | {name: number for number, name in enumerate(known)}
    for label in sorted(labels):
        if label not in ids:
            raise DataError(
                f"There are masks of the class '{label}', but {FILE} names the classes "
                f"{', '.join(known)}.{near_miss(label, known)}",
                hint="Name every class there, background first, as the files do.",
            )
    return known, {label: ids[label] for label in sorted(labels)}


def _class_files(images: Files, masks: Files, split: str | None) -> ClassFiles:
    found = class_endings(images.named, masks.named)
    if found is not None and not any("/" in name for name in masks.named):
        paths = {
            name: {label: masks.place(mask) for label, mask in classes.items()}
            for name, classes in found.items()
        }
        return ClassFiles(split, images, paths, masks.unpaired)
    by_image: dict[str, dict[str, Path]] = {}
    strangers = list(masks.unpaired)
    names = sorted(images.named)
    for mask in masks.named:
        label, _, name = mask.partition("/")
        if name in images.named:
            by_image.setdefault(name, {})[label] = masks.place(mask)
        else:
            strangers.append(alone(masks.place(mask), "image", name, names, images))
    return ClassFiles(split, images, by_image, strangers)


def _without_masks(part: ClassFiles) -> list[Unpaired]:
    lonely = sorted(part.images.named.keys() - part.masks.keys())
    return [Unpaired(part.images.place(name), "mask of any class") for name in lonely]


def _absent(found: Sequence[ClassFiles], labels: Collection[str]) -> tuple[str, ...]:
    counts = Counter(label for part in found for masks in part.masks.values() for label in masks)
    images = sum(len(part.masks) for part in found)
    return tuple(
        f"{images - counts[label]} images have no mask of the class '{label}': it is not in them."
        for label in sorted(labels)
        if counts[label] < images
    )


LAYOUT = Layout(
    name="classes",
    summary="images/<stem>.png and masks/<class>/<stem>.png or masks/<stem>_<class>.png, "
    "one file per class, also below splits",
    refuse=refuse,
    index=index,
)
