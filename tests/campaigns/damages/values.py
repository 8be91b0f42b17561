"""Masks whose numbers are not what they seem."""

from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from tests.campaigns.damage import Damage, copy_lines, fix, restore, say
from tests.campaigns.damages.files import plain
from tests.campaigns.scenes import scenes
from tests.campaigns.writing import (
    binary,
    black_and_white,
    change,
    describe,
    read,
    write,
    write_pairs,
)

MASK = "masks/pebbles_003.png"
THREE = '[classes]\nnames = ["sand", "flint", "shell"]\n'


def two_classes(root: Path) -> None:
    """Write ten pairs of 0 and 1."""
    write_pairs(root, scenes(10), mask=binary)


def black_and_whites(root: Path) -> None:
    """Write ten pairs of 0 and 255."""
    write_pairs(root, scenes(10), mask=black_and_white)


def three_classes(root: Path) -> None:
    """Write ten pairs of three named classes."""
    write_pairs(root, scenes(10, classes=3))
    describe(root, THREE)


def named_pairs(root: Path) -> None:
    """Write ten pairs of two named classes."""
    two_classes(root)
    describe(root, '[classes]\nnames = ["sand", "pebble"]\n')


def change_all(by):
    """Return what writes all masks with other values."""

    def harm(root: Path) -> None:
        for path in sorted((root / "masks").iterdir()):
            change(path, by)

    return harm


def merge_classes(root: Path) -> None:
    """Store all pebbles as 255, though three classes are named."""
    change_all(lambda mask: np.where(mask > 0, 255, 0).astype(np.uint8))(root)


def half_of_them(root: Path) -> None:
    """Store every other mask as 0 and 255."""
    for path in sorted((root / "masks").iterdir())[1::2]:
        change(path, lambda mask: np.where(mask > 0, 255, 0).astype(np.uint8))


def stray(root: Path) -> None:
    """Draw something with the value 7 in one mask."""

    def drawn(mask):
        mask[10:14, 20:30] = 7
        return mask

    change(root / MASK, drawn)


def number_objects(root: Path) -> None:
    """Number the pebbles of all images, as labelling tools do."""
    above = 0
    for index, one in enumerate(scenes(10)):
        # Each image begins where the one before has ended, and 40 more: as tracked objects do.
        labels = np.where(one.instances > 0, one.instances + above, 0).astype(np.uint16)
        write(root / f"masks/pebbles_{index:03}.png", labels)
        above += one.instances.max() + 40


def smooth(mask: np.ndarray) -> np.ndarray:
    """Return 0 to 255 with soft borders."""
    return np.rint(ndimage.gaussian_filter(mask.astype(float), 0.8)).astype(np.uint8)


def as_jpeg(root: Path) -> None:
    """Save the masks as JPEG."""
    for path in sorted((root / "masks").iterdir()):
        write(path.with_suffix(".jpg"), read(path), quality=80)
        path.unlink()


def enlarge(mask: np.ndarray) -> np.ndarray:
    """Return class ids that were halved and doubled by interpolation."""
    small = np.ascontiguousarray(mask[::2, ::2])
    return cv2.resize(small, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)


DAMAGES = {
    "one-black-and-white": Damage(
        "One of ten masks holds 0 and 255 where the others hold 0 and 1.",
        "D201",
        ("pebbles_003", "255"),
        "--fix",
        two_classes,
        lambda root: change(root / MASK, lambda mask: 255 * mask),
        fix,
    ),
    "three-names-two-values": Damage(
        "Three classes are named, but the masks hold 0 and 255.",
        "D201",
        ("255",),
        r"\[masks\]",
        three_classes,
        merge_classes,
        copy_lines,
        "warning",
        also=("D203",),
    ),
    "half-black-and-white": Damage(
        "Half of the masks hold 0 and 255, the others class ids up to 3.",
        "D201",
        ("pebbles_001", "255"),
        "",
        plain,
        half_of_them,
        restore("masks/*"),
        "warning",
    ),
    "ids-from-one": Damage(
        "The masks count the three named classes from 1.",
        "D200",
        ("pebbles_000", "3"),
        r"\[masks\]",
        three_classes,
        change_all(lambda mask: mask + np.uint8(1)),
        say(f'{THREE}[masks.values]\n1 = "sand"\n2 = "flint"\n3 = "shell"\n'),
    ),
    "stray-value": Damage(
        "One mask holds the value 7, which is no class.",
        "D200",
        ("pebbles_003", "7"),
        r"\[masks\]",
        named_pairs,
        stray,
        say('[classes]\nnames = ["sand", "pebble"]\n[masks]\nignore = [7]\n'),
    ),
    "object-numbers": Damage(
        "The 16-bit masks hold numbers of objects where classes are meant.",
        "D200",
        ("pebbles_00",),
        "(?i)object",
        two_classes,
        number_objects,
        copy_lines,
    ),
    "sparse-greys": Damage(
        "Four classes are stored as the greys 0, 38, 75 and 113, so that people can see them.",
        "D200",
        ("pebbles_00", "113"),
        r"\[masks\]",
        plain,
        change_all(lambda mask: np.rint(37.6 * mask).astype(np.uint8)),
        copy_lines,
    ),
    "gap-in-ids": Damage(
        "The masks hold the ids 0, 1, 2 and 5.",
        "D213",
        ("3 and 4",),
        r"\[masks\]",
        plain,
        change_all(lambda mask: np.where(mask == 3, 5, mask).astype(np.uint8)),
        copy_lines,
        "note",
    ),
    "soft-borders": Damage(
        "The masks are anti-aliased: their borders are grey.",
        "D205",
        ("pebbles_00",),
        "--fix",
        black_and_whites,
        change_all(smooth),
        fix,
    ),
    "one-soft-mask": Damage(
        "One of ten masks is anti-aliased.",
        "D205",
        ("pebbles_003",),
        "--fix",
        black_and_whites,
        lambda root: change(root / MASK, smooth),
        fix,
    ),
    "jpeg-masks": Damage(
        "The masks are saved as JPEG.",
        "D205",
        ("pebbles_00",),
        "--fix",
        black_and_whites,
        as_jpeg,
        fix,
    ),
    "interpolated-ids": Damage(
        "The masks were enlarged by interpolation: between 0 and 3 lie 1 and 2.",
        "D205",
        ("pebbles_00",),
        "nearest",
        plain,
        change_all(enlarge),
        restore("masks/*"),
    ),
}
