"""Masks that are legal, and yet wrong."""

from pathlib import Path

import numpy as np

from tests.campaigns.damage import Case, Damage, restore
from tests.campaigns.damages.files import plain
from tests.campaigns.damages.values import two_classes
from tests.campaigns.scenes import NAMES, scenes
from tests.campaigns.writing import change, describe, write_pairs

IMAGE, MASK = "images/pebbles_003.png", "masks/pebbles_003.png"

SMALL = """[data]
size = [32, 32]
fit = "resize"
"""


def named(root: Path) -> None:
    """Write ten pairs of four named classes."""
    plain(root)
    describe(root, f"[classes]\nnames = {list(NAMES)}\n".replace("'", '"'))


def tiny_objects(root: Path) -> None:
    """Write six larger pairs in which only the middles of pebbles are marked."""
    write_pairs(root, scenes(6, size=(128, 128)), mask=lambda one: _middles(one.instances))


def _middles(instances: np.ndarray) -> np.ndarray:
    """Return 5×5 pixels of each pebble."""
    mask = np.zeros(instances.shape, np.uint8)
    for number in range(1, instances.max() + 1):
        row, column = np.argwhere(instances == number).mean(axis=0).astype(int)
        mask[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = 1
    return mask


def same_mask(root: Path) -> None:
    """Give all images the mask of the first."""
    content = (root / "masks/pebbles_000.png").read_bytes()
    for path in (root / "masks").iterdir():
        path.write_bytes(content)


def empty_most(root: Path) -> None:
    """Lose what six of ten masks show."""
    for path in sorted((root / "masks").iterdir())[:6]:
        change(path, np.zeros_like)


def ignore_most(root: Path) -> None:
    """Leave only a strip of each mask that counts: a quarter."""

    def strip(mask):
        mask[16:] = 255
        return mask

    for path in (root / "masks").iterdir():
        change(path, strip)


def lose_a_class(root: Path) -> None:
    """Leave four pixels of slate in the whole data set."""
    for number, path in enumerate(sorted((root / "masks").iterdir())):
        change(path, lambda mask: np.where(mask == 3, 0, mask).astype(np.uint8))
        if number == 3:
            change(path, _with_a_speck)


def _with_a_speck(mask: np.ndarray) -> np.ndarray:
    mask[30:32, 40:42] = 3
    return mask


def cut_windows(case: Case) -> Path:
    """Change the recipe as the hint says."""
    case.recipe.write_text(SMALL.replace("resize", "crop"))
    return case.folder


DAMAGES = {
    "mask-is-the-image": Damage(
        "A mask is a copy of its image.",
        "D211",
        ("pebbles_003",),
        "mask",
        plain,
        lambda root: (root / MASK).write_bytes((root / IMAGE).read_bytes()),
        restore(MASK),
    ),
    "one-mask-for-all": Damage(
        "All images have the same mask.",
        "D211",
        ("pebbles_00",),
        "mask",
        plain,
        same_mask,
        restore("masks/*"),
        "warning",
    ),
    "empty-masks": Damage(
        "Six of ten masks lost what they showed.",
        "D202",
        ("pebbles_000", "6 of 10"),
        "(?i)look",
        plain,
        empty_most,
        restore("masks/*"),
        "warning",
    ),
    "inverted": Damage(
        "In one mask the sand is marked and the pebbles are not.",
        "D214",
        ("pebbles_003",),
        "(?i)invert|swap",
        two_classes,
        lambda root: change(root / MASK, lambda mask: 1 - mask),
        restore(MASK),
        "warning",
    ),
    "all-ignored": Damage(
        "One mask is ignored as a whole.",
        "D212",
        ("pebbles_003",),
        "",
        plain,
        lambda root: change(root / MASK, lambda mask: np.full_like(mask, 255)),
        restore(MASK),
        "warning",
    ),
    "mostly-ignored": Damage(
        "Three quarters of every mask are ignored.",
        "D212",
        ("75",),
        "",
        plain,
        ignore_most,
        restore("masks/*"),
        "warning",
    ),
    "rare-class": Damage(
        "A named class has four pixels in all.",
        "D208",
        ("slate",),
        "",
        named,
        lose_a_class,
        restore("masks/*"),
        "warning",
    ),
    "small-objects": Damage(
        "Objects of five pixels in images that the recipe shrinks to a quarter.",
        "D209",
        ("pebbles_00",),
        "crop",
        tiny_objects,
        lambda root: None,
        cut_windows,
        "warning",
        SMALL,
    ),
}
