"""Images of which some are of another kind than the others."""

from pathlib import Path

import numpy as np

from tests.campaigns.damage import Case, Damage, remove, restore
from tests.campaigns.damages.files import plain, scans
from tests.campaigns.scenes import scene, scenes
from tests.campaigns.writing import change, write, write_pairs

IMAGE, MASK = "images/pebbles_003.png", "masks/pebbles_003.png"
SCAN = "images/pebbles_003.tif"
STRETCHED = '[data]\nnormalise = "percentile"\n'


def deep(root: Path) -> None:
    """Write ten pairs with grey images of 16 bits that use their range."""
    write_pairs(root, scenes(10))
    for path in (root / "images").iterdir():
        change(path, lambda image: image.mean(axis=2).astype(np.uint16) * 257)


def leave_four_bits_out(root: Path) -> None:
    """Store what a camera of 12 bits gives."""
    for path in (root / "images").iterdir():
        change(path, lambda image: image // 16)


def add_infrared(image: np.ndarray) -> np.ndarray:
    """Return a fourth channel beside red, green and blue."""
    return np.concatenate([image, image[..., :1] // 2], axis=2)


def with_infrared(root: Path) -> None:
    """Store one image with four channels."""
    from PIL import Image

    image = np.array(Image.open(root / SCAN))
    write(root / SCAN, add_infrared(image), extrasamples=["unspecified"])


def sixteen(root: Path) -> None:
    """Write sixteen pairs."""
    write_pairs(root, scenes(16))


def night(root: Path) -> None:
    """Write a fluorescent picture, green on black, among the pebbles."""
    one = scene(99)
    glow = np.where(one.instances > 0, one.image[..., 1], 6)
    picture = np.stack([glow // 8, glow, glow // 8], axis=2).astype(np.uint8)
    write(root / "images/night.png", picture)
    write(root / "masks/night.png", one.mask)


def by_percentile(case: Case) -> Path:
    """Use the setting that the hint names."""
    case.recipe.write_text(STRETCHED)
    return case.folder


DAMAGES = {
    "grey-beside-colour": Damage(
        "One image is grey, the others are in colour.",
        "D401",
        ("pebbles_003",),
        "(?i)colour|rgb|channels",
        plain,
        lambda root: change(root / IMAGE, lambda image: image.mean(axis=2).astype(np.uint8)),
        restore(IMAGE),
        "warning",
    ),
    "four-channels": Damage(
        "One image has infrared as a fourth channel.",
        "D401",
        ("pebbles_003",),
        "channels",
        scans,
        with_infrared,
        restore(SCAN),
    ),
    "mixed-depth": Damage(
        "One image has 16 bits, the others have 8.",
        "D402",
        ("pebbles_003",),
        "(?i)depth|bit",
        scans,
        lambda root: change(root / SCAN, lambda image: image.astype(np.uint16) * 257),
        restore(SCAN),
    ),
    "blank-image": Damage(
        "An image is black all over.",
        "D403",
        ("pebbles_003",),
        "(?i)remove|replace|look",
        plain,
        lambda root: change(root / IMAGE, np.zeros_like),
        remove(IMAGE, MASK),
        "warning",
    ),
    "twelve-bits": Damage(
        "The images come from a camera of 12 bits, in files of 16.",
        "D404",
        ("12 bits",),
        'normalise = "percentile"',
        deep,
        leave_four_bits_out,
        by_percentile,
        "note",
    ),
    "odd-one-out": Damage(
        "A fluorescent picture is among photographs of pebbles.",
        "D405",
        ("night",),
        "(?i)look|remove|belong",
        sixteen,
        night,
        remove("images/night.png", "masks/night.png"),
        "note",
    ),
}
