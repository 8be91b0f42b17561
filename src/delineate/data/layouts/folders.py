"""Layout `folders`: ``images/`` and ``masks/``, with or without split folders around them."""

from pathlib import Path

from delineate.data.describing.description import Description
from delineate.data.layouts.colour_table import read_table
from delineate.data.layouts.files import by_name, images_below
from delineate.data.layouts.layout import Layout
from delineate.data.layouts.pairing import pair
from delineate.data.layouts.parts import index_parts, refuse_other_kinds
from delineate.data.records import Index


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    return refuse_other_kinds(folder, "folders")


def index(folder: Path, description: Description) -> Index:
    """Return the pairs of a folder, matched by their relative path without its suffix.

    Where one change of the name, such as an ending ``_mask``, leads from every image to a mask,
    that pairs them.

    Raises:
        DataError: There are pairs both with and without a split.
    """

    def index_part(part: Path, split: str | None) -> Index:
        images = images_below(part / "images", description)
        return pair(images, by_name(part / "masks"), description, split=split)

    table, notes = read_table(folder)
    return index_parts(folder, index_part, table, notes)


LAYOUT = Layout(
    name="folders",
    summary="images/ and masks/, alone or below train/, val/ (or validation/) and test/",
    refuse=refuse,
    index=index,
)
