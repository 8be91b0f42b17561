"""Layout `folders`: ``images/`` and ``masks/``, with or without split folders around them."""

from bisect import bisect
from collections import Counter
from difflib import get_close_matches
from pathlib import Path

from delineate.data.layouts.layout import Layout, split_folders
from delineate.data.records import Index, Record, Unpaired
from delineate.errors import DataError
from delineate.imaging import IMAGE_SUFFIXES

FEW = 50
NEIGHBOURS = 10


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    if _is_pair(folder) or any(_is_pair(path) for path in split_folders(folder).values()):
        return None
    if (folder / "images").is_dir():
        return "there is images/ but no masks/ beside it"
    return "there is neither images/ and masks/, nor train/, val/ or test/ that hold them"


def index(folder: Path) -> Index:
    """Return the pairs of a folder, matched by their relative path without its suffix.

    Raises:
        DataError: Two images, or two masks, have the same name apart from the suffix; or there are
            pairs both with and without a split.
    """
    parts = {split: path for split, path in split_folders(folder).items() if _is_pair(path)}
    if _is_pair(folder) and parts:
        raise DataError(
            f"{folder} holds images/ and masks/, and also {next(iter(parts.values())).name}/ that "
            "holds them.",
            hint="Move images/ and masks/ below train/, or the split folders elsewhere.",
        )
    if _is_pair(folder):
        return _pairs(folder, None)
    found = [_pairs(path, split) for split, path in parts.items()]
    return Index(
        tuple(record for part in found for record in part.records),
        tuple(unpaired for part in found for unpaired in part.unpaired),
    )


def _is_pair(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def _pairs(folder: Path, split: str | None) -> Index:
    images = _by_stem(folder / "images")
    masks = _by_stem(folder / "masks")
    prefix = f"{split}/" if split else ""
    records = tuple(
        Record(prefix + stem, images[stem], (masks[stem],), split=split)
        for stem in sorted(images.keys() & masks.keys())
    )
    alone = sorted(images.keys() - masks.keys()), sorted(masks.keys() - images.keys())
    return Index(
        records,
        tuple(_unpaired(stem, "mask", images, alone[1], masks) for stem in alone[0])
        + tuple(_unpaired(stem, "image", masks, alone[0], images) for stem in alone[1]),
    )


def _unpaired(
    stem: str, wanted: str, own: dict[str, Path], names: list[str], partners: dict[str, Path]
) -> Unpaired:
    near = get_close_matches(stem, _neighbours(stem, names), n=1, cutoff=0.6)
    return Unpaired(own[stem], wanted, str(partners[near[0]]) if near else None)


def _neighbours(stem: str, names: list[str]) -> list[str]:
    """Return the names, or where they are many those that are sorted next to a stem.

    Comparing each stem with each name would take minutes where all the masks bear a suffix.
    """
    if len(names) <= FEW:
        return names
    place = bisect(names, stem)
    return names[max(place - NEIGHBOURS, 0) : place + NEIGHBOURS]


def _by_stem(folder: Path) -> dict[str, Path]:
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES]
    paths = [path for path in paths if not path.name.startswith(".") and path.is_file()]
    stems = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    twice = [stem for stem, count in Counter(stems).items() if count > 1]
    if twice:
        raise DataError(
            f"{folder} holds several files named '{twice[0]}' that differ only in their suffix.",
            hint="Keep one of them.",
        )
    return dict(zip(stems, paths, strict=True))


LAYOUT = Layout(
    name="folders",
    summary="images/ and masks/, alone or below train/, val/ (or validation/) and test/",
    refuse=refuse,
    index=index,
)
