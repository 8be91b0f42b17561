"""Layout `dsb2018`: a folder per image, with one mask file per object.

The layout of the 2018 Data Science Bowl (BBBC038, Caicedo et al., Nature Methods 16, 2019):
``<id>/images/<id>.png`` and ``<id>/masks/*.png``, also below ``train/``, ``validation/`` and
``test/``.
"""

from pathlib import Path

from delineate.data.describing.description import Description
from delineate.data.layouts.files import is_image
from delineate.data.layouts.layout import Layout, split_folders
from delineate.data.layouts.manifest import find_manifests
from delineate.data.layouts.pairing import make_record
from delineate.data.layouts.run_length_table import find_tables
from delineate.data.records import Index, Record, Unpaired
from delineate.imaging import IMAGE_SUFFIXES

SUFFIXES = (".png", *sorted(IMAGE_SUFFIXES - {".png"}))


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    for manifest in find_manifests(folder):
        return f"{manifest.name} lists the pairs"
    parts = (folder, *split_folders(folder).values())
    if not any(_image(path) is not None for part in parts for path in _folders(part)):
        return "no folder <id> holds an image images/<id>.png"
    tables = [table for part in parts for table in find_tables(part)]
    if tables and not any((path / "masks").is_dir() for part in parts for path in _folders(part)):
        return f"{tables[0].name} holds the objects as run lengths, and there is no <id>/masks/"
    return None


def index(folder: Path, description: Description) -> Index:
    """Return a record for each ``<id>`` folder."""
    records: list[Record] = []
    unpaired: list[Unpaired] = []
    parts: list[tuple[str | None, Path]] = [(None, folder), *split_folders(folder).items()]
    for split, part in parts:
        for path in _folders(part):
            found = _record(path, description, split)
            if isinstance(found, Record):
                records.append(found)
            elif found is not None:
                unpaired.append(found)
    return Index(tuple(records), tuple(unpaired), Description(names=("background", "nucleus")))


def _record(path: Path, description: Description, split: str | None) -> Record | Unpaired | None:
    """Return the record of a folder, or what it lacks; None where it is no folder of an image."""
    image = _image(path)
    masks = _masks(path)
    if image is None:
        wanted = f"image images/{path.name}.png"
        return None if masks is None else Unpaired(path / "masks", wanted)
    if masks is None:
        return Unpaired(image, f"folder {path / 'masks'}")
    return make_record(path.name, (image,), masks, description, split=split, parts="objects")


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _image(folder: Path) -> Path | None:
    if not (folder / "images").is_dir():
        return None
    paths = (folder / "images" / f"{folder.name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _masks(folder: Path) -> tuple[Path, ...] | None:
    """Return the mask files, none for an image without objects; None without a folder of masks."""
    if not (folder / "masks").is_dir():
        return None
    return tuple(sorted(path for path in (folder / "masks").iterdir() if is_image(path.name)))


LAYOUT = Layout(
    name="dsb2018",
    summary="<id>/images/<id>.png and <id>/masks/*.png, one file per object",
    refuse=refuse,
    index=index,
)
