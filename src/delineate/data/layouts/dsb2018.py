"""Layout `dsb2018`: a folder per image, with one mask file per object.

The layout of the 2018 Data Science Bowl (BBBC038, Caicedo et al., Nature Methods 16, 2019):
``<id>/images/<id>.png`` and ``<id>/masks/*.png``, also below ``train/``, ``validation/`` and
``test/``.
"""

from pathlib import Path

from delineate.data.layouts.layout import Layout, split_folders
from delineate.data.records import Index, Record, Unpaired
from delineate.imaging import IMAGE_SUFFIXES


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    for part in (folder, *split_folders(folder).values()):
        if any(_image(path) is not None for path in _folders(part)):
            return None
    return "no folder <id> holds an image images/<id>.png"


def index(folder: Path) -> Index:
    """Return a record for each ``<id>`` folder."""
    records: list[Record] = []
    unpaired: list[Unpaired] = []
    parts: list[tuple[str | None, Path]] = [(None, folder), *split_folders(folder).items()]
    for split, part in parts:
        for path in _folders(part):
            image = _image(path)
            if image is None:
                if (path / "masks").is_dir():
                    unpaired.append(Unpaired(path / "masks", f"image images/{path.name}.png"))
                continue
            masks = _masks(path)
            if masks is None:
                unpaired.append(Unpaired(image, f"folder {path / 'masks'}"))
                continue
            name = f"{split}/{path.name}" if split else path.name
            records.append(Record(name, image, masks, objects=True, split=split))
    return Index(tuple(records), tuple(unpaired))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _image(folder: Path) -> Path | None:
    for suffix in (".png", *sorted(IMAGE_SUFFIXES)):
        path = folder / "images" / f"{folder.name}{suffix}"
        if path.is_file():
            return path
    return None


def _masks(folder: Path) -> tuple[Path, ...] | None:
    """Return the mask files, none for an image without objects; None without a folder of masks."""
    if not (folder / "masks").is_dir():
        return None
    files = sorted(path for path in (folder / "masks").iterdir() if path.name[0] != ".")
    return tuple(path for path in files if path.suffix.lower() in IMAGE_SUFFIXES)


LAYOUT = Layout(
    name="dsb2018",
    summary="<id>/images/<id>.png and <id>/masks/*.png, one file per object",
    refuse=refuse,
    index=index,
    classes=("background", "nucleus"),
)
