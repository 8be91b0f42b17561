"""Layout `objects`: ``images/<stem>.png`` and a file for each object, ``masks/<stem>/*.png``."""

from pathlib import Path

from delineate.data.describing.description import Description
from delineate.data.layouts.files import Files, folders_below, images_below
from delineate.data.layouts.layout import OBJECTS, Layout
from delineate.data.layouts.pairing import pair
from delineate.data.layouts.parts import index_parts, refuse_other_kinds
from delineate.data.records import Index, Unpaired


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    return refuse_other_kinds(folder, "objects")


def index(folder: Path, description: Description) -> Index:
    """Return a record for each image that has a folder of masks, which may be empty.

    Raises:
        DataError: There are pairs both with and without a split.
    """

    def index_part(part: Path, split: str | None) -> Index:
        images = images_below(part / "images", description)
        masks = _objects(part / "masks")
        wanted = "folder of masks"
        return pair(images, masks, description, split=split, parts="objects", wanted=wanted)

    return index_parts(folder, index_part, OBJECTS)


def _objects(folder: Path) -> Files:
    """Return the files of each folder that holds any, or holds nothing at all."""
    named: dict[str, tuple[Path, ...]] = {}
    alone: tuple[Unpaired, ...] = ()
    for place, files in folders_below(folder):
        if place == folder:
            wanted = "image: it lies in no folder that is named after one"
            alone = tuple(Unpaired(path, wanted) for path in files)
        elif files or not any(path.is_dir() for path in place.iterdir()):
            named[place.relative_to(folder).as_posix()] = tuple(files)
    return Files(folder, named, alone)


LAYOUT = Layout(
    name="objects",
    summary="images/<stem>.png and masks/<stem>/*.png, one file per object, also below splits",
    refuse=refuse,
    index=index,
)
