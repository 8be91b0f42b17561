"""Masks of another size, turned or mirrored."""

from pathlib import Path

import numpy as np

from tests.campaigns.damage import Case, Damage, fix, restore
from tests.campaigns.damages.files import plain
from tests.campaigns.scenes import SQUARE, scenes
from tests.campaigns.writing import (
    as_camera_stores,
    change,
    read,
    turned_by_exif,
    write,
    write_pairs,
)

IMAGE, MASK = "images/pebbles_003.png", "masks/pebbles_003.png"


def squares(root: Path) -> None:
    """Write ten pairs as high as wide."""
    write_pairs(root, scenes(10, size=SQUARE))


def mirror_all(root: Path) -> None:
    """Write all masks upside down."""
    for path in (root / "masks").iterdir():
        change(path, np.flipud)


def turn_back(by):
    """Return the cure that turns the masks that the finding names."""

    def cure(case: Case) -> Path:
        for path in (case.folder / "masks").iterdir():
            if any(path.stem in where for where in case.finding.where):
                change(path, by)
        return case.folder

    return cure


def mirror_back(case: Case) -> Path:
    """Mirror all masks."""
    mirror_all(case.folder)
    return case.folder


def turned_camera(root: Path) -> None:
    """Store an image as cameras do, and its mask as tools see it that know no EXIF."""
    write(root / IMAGE, as_camera_stores(read(root / IMAGE)), exif=turned_by_exif())
    change(root / MASK, as_camera_stores)


def turned_mask(root: Path) -> None:
    """Leave the image's EXIF data in a mask whose pixels are upright."""
    write(root / MASK, read(root / MASK), exif=turned_by_exif())


DAMAGES = {
    "half-size": Damage(
        "A mask has half the height and width of its image.",
        "D102",
        (MASK, "32×40", "64×80"),
        "size",
        plain,
        lambda root: change(root / MASK, lambda mask: mask[::2, ::2]),
        restore(MASK),
    ),
    "transposed": Damage(
        "Rows and columns of a mask are swapped.",
        "D105",
        ("pebbles_003",),
        "(?i)turn|transpos",
        plain,
        lambda root: change(root / MASK, np.transpose),
        turn_back(np.transpose),
    ),
    "turned-square": Damage(
        "The mask of a square image is turned by a quarter.",
        "D105",
        ("pebbles_003",),
        "(?i)turn",
        squares,
        lambda root: change(root / MASK, np.rot90),
        turn_back(lambda mask: np.rot90(mask, -1)),
        "warning",
    ),
    "upside-down": Damage(
        "All masks are upside down.",
        "D105",
        ("pebbles_00",),
        "(?i)mirror|flip|upside",
        plain,
        mirror_all,
        mirror_back,
        "warning",
    ),
    "camera-turned": Damage(
        "An image is turned by its EXIF data, its mask is not.",
        "D106",
        ("pebbles_003",),
        "--fix",
        plain,
        turned_camera,
        fix,
    ),
    "exif-in-mask": Damage(
        "A mask bears EXIF data that would turn it away from its image.",
        "D106",
        ("pebbles_003",),
        "--fix",
        plain,
        turned_mask,
        fix,
    ),
}
