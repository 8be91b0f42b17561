"""Splits that leak, or lack something."""

import shutil
from pathlib import Path

import numpy as np

from tests.campaigns.damage import OPEN, Case, Damage, copy_lines, remove, say
from tests.campaigns.damages.files import plain
from tests.campaigns.scenes import NAMES, panorama, scenes, through_jpeg
from tests.campaigns.writing import change, describe, read, write, write_pairs

TRAIN, VALIDATION = "train/{}/pebbles_003.png", "val/{}/copy_of_003.png"
PARTS = ("images", "masks")


def split(root: Path) -> None:
    """Write a training part of ten pairs and a validation part of six."""
    write_pairs(root / "train", scenes(10))
    write_pairs(root / "val", scenes(6, 20), names="gravel_{:03}")


def patients(root: Path) -> None:
    """Write the images of three persons each to its own split."""
    for part, start, names in (("train", 0, "a"), ("train", 6, "b"), ("val", 20, "c")):
        write_pairs(root / part, scenes(6, start), names=f"person-{names}_{{}}")
    describe(root, "[groups]\npattern = '(person-.)_'\n")


def drives(root: Path) -> None:
    """Write two drives, each to its own split."""
    write_pairs(root / "train", panorama(1, 24), names="drive1_{:05}")
    write_pairs(root / "val", panorama(2, 8), names="drive2_{:05}")


def take_to_validation(changed):
    """Return what writes a changed copy of a training pair to the validation part."""

    def harm(root: Path) -> None:
        for part in PARTS:
            array = read(root / TRAIN.format(part))
            write(root / VALIDATION.format(part), changed(array))

    return harm


def brighter(array: np.ndarray) -> np.ndarray:
    """Return a brighter image; a mask is as it was."""
    return array if array.ndim == 2 else np.minimum(array * 1.1 + 12, 255).astype(np.uint8)


def compressed(array: np.ndarray) -> np.ndarray:
    """Return an image after JPEG; a mask is as it was."""
    return array if array.ndim == 2 else through_jpeg(array, 60)


def copy_with_other_mask(root: Path) -> None:
    """Add a copy of an image whose mask somebody else has drawn."""
    write(root / "images/again.png", read(root / "images/pebbles_003.png"))
    write(root / "masks/again.png", np.roll(read(root / "masks/pebbles_003.png"), 5, axis=1))


def move(pattern: str, to: str):
    """Return the cure that moves files to another split."""

    def cure(case: Case) -> Path:
        for path in sorted(case.folder.glob(pattern)):
            path.rename(case.folder / to / path.parent.name / path.name)
        return case.folder

    return cure


def cut_out(root: Path) -> None:
    """Take the middle of the first drive for validation."""
    for path in sorted((root / "train").glob("*/drive1_000*")):
        if 9 <= int(path.stem[-2:]) < 15:
            path.rename(root / "val" / path.parent.name / path.name)


def keep_drives(case: Case) -> Path:
    """Take the splits away and write the pattern of the hint."""
    for path in sorted(case.folder.glob("*/*/*.png")):
        target = case.folder / path.parent.name / path.name
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    for path in sorted(case.folder.glob("*/*/")):
        path.rmdir()
    for part in ("train", "val"):
        (case.folder / part).rmdir()
    return copy_lines(case)


def merge_validation(case: Case) -> Path:
    """Put all validation images into one folder."""
    for path in sorted(case.folder.glob("validation/*/*.png")):
        path.rename(case.folder / "val" / path.parent.name / path.name)
    shutil.rmtree(case.folder / "validation")
    return case.folder


def forget_a_class(root: Path) -> None:
    """Take all slate out of the validation part."""
    for path in (root / "val/masks").iterdir():
        change(path, lambda mask: np.where(mask == 3, 0, mask).astype(np.uint8))


def leave_two(root: Path) -> None:
    """Leave two pairs for validation."""
    for part in PARTS:
        for path in sorted((root / "val" / part).iterdir())[2:]:
            path.unlink()


def jade(root: Path) -> None:
    """Name a class that does not occur."""
    describe(root, f"[classes]\nnames = {[*NAMES, 'jade']}\n".replace("'", '"'))


DAMAGES = {
    "class-absent": Damage(
        "A class does not occur in the validation part.",
        "D203",
        ("validation", "class 3"),
        "(?i)move",
        split,
        forget_a_class,
        move("train/*/pebbles_00[0-2].png", "val"),
        "warning",
    ),
    "class-nowhere": Damage(
        "A class is named that occurs nowhere.",
        "D203",
        ("jade",),
        "(?i)leave|remove|names|out",
        plain,
        jade,
        say(f"[classes]\nnames = {list(NAMES)}\n".replace("'", '"')),
        "warning",
    ),
    "copies": Damage(
        "An image is in the training and in the validation part.",
        "D304",
        ("train/pebbles_003", "validation/copy_of_003"),
        "(?i)remove|keep one|one split",
        split,
        take_to_validation(lambda array: array),
        remove(*(VALIDATION.format(part) for part in PARTS)),
    ),
    "brighter-copy": Damage(
        "A training image is in the validation part again, a little brighter.",
        "D301",
        ("train/pebbles_003", "validation/copy_of_003"),
        "one split",
        split,
        take_to_validation(brighter),
        move("val/*/copy_of_003.png", "train"),
        "warning",
    ),
    "compressed-copy": Damage(
        "A training image is in the validation part again, from a JPEG.",
        "D301",
        ("train/pebbles_003", "validation/copy_of_003"),
        "one split",
        split,
        take_to_validation(compressed),
        move("val/*/copy_of_003.png", "train"),
        "warning",
    ),
    "turned-copy": Damage(
        "A training image is in the validation part again, turned by a quarter.",
        "D301",
        ("train/pebbles_003", "validation/copy_of_003"),
        "one split",
        split,
        take_to_validation(np.rot90),
        move("val/*/copy_of_003.png", "train"),
        "warning",
    ),
    "duplicates": Damage(
        "A data set without splits holds an image twice, once brighter.",
        "D302",
        ("pebbles_003", "again"),
        "(?i)together|remove|group",
        plain,
        lambda root: [
            write(root / part / "again.png", brighter(read(root / part / "pebbles_003.png")))
            for part in PARTS
        ],
        remove("images/again.png", "masks/again.png"),
        "note",
    ),
    "patient-in-two-splits": Damage(
        "Two images of a person who is trained on are in the validation part.",
        "D303",
        ("person-b",),
        "(?i)move|one split",
        patients,
        lambda root: [
            path.rename(root / "val" / path.parent.name / path.name)
            for path in root.glob("train/*/person-b_[01].png")
        ],
        move("val/*/person-b_*.png", "train"),
    ),
    "frames-of-one-video": Damage(
        "The validation part is cut out of the middle of the drive that is trained on.",
        "D306",
        ("drive1_",),
        r"\[groups\]",
        drives,
        cut_out,
        keep_drives,
        "warning",
    ),
    "copies-with-other-masks": Damage(
        "The same image is there twice, with different masks.",
        "D305",
        ("pebbles_003", "again"),
        "(?i)remove|keep|mask",
        plain,
        copy_with_other_mask,
        remove("images/again.png", "masks/again.png"),
        "warning",
    ),
    "two-validation-folders": Damage(
        "There is val/, and validation/ as well.",
        OPEN,
        ("val/", "validation/"),
        "(?i)keep one|put all into one",
        split,
        lambda root: write_pairs(root / "validation", scenes(5, 30), names="more_{:03}"),
        merge_validation,
    ),
    "small-split": Damage(
        "The validation part has two images.",
        "D307",
        ("validation",),
        "(?i)move|more",
        split,
        leave_two,
        move("train/*/pebbles_00[0-3].png", "val"),
        "note",
    ),
}
