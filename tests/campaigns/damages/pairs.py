"""Images and masks that do not find each other."""

from pathlib import Path

from tests.campaigns.damage import Damage, copy_lines, remove, rename, restore
from tests.campaigns.damages.files import plain
from tests.campaigns.scenes import scenes
from tests.campaigns.writing import read, write, write_pairs

MASK = "masks/pebbles_003.png"


def rename_all(pattern: str, to):
    """Return what renames files of a folder, and loses the last mask.

    Where every image has its mask under another name, one rule pairs them all, and nothing is wrong.
    """

    def harm(root: Path) -> None:
        sorted((root / "masks").iterdir())[-1].unlink()
        for path in sorted(root.glob(pattern)):
            path.rename(path.with_name(to(path.name)))

    return harm


def numbered(root: Path) -> None:
    """Write ten pairs named 1 to 10 with three digits."""
    write_pairs(root, scenes(10), names="{:03}")


def without_zeros(name: str) -> str:
    """Return 7.png of 007.png."""
    return f"{int(name[:3])}.png"


def plain_capitals(root: Path) -> None:
    """Write ten pairs whose names have a capital."""
    write_pairs(root, scenes(10), names="Pebbles_{:03}")


def listed_in_a_table(root: Path) -> None:
    """Write ten pairs and a table of them."""
    plain(root)
    names = [f"pebbles_{number:03}.png" for number in range(10)]
    rows = "".join(f"images/{name},masks/{name}\n" for name in names)
    (root / "pairs.csv").write_text(f"image,mask\n{rows}")


DAMAGES = {
    "row-without-file": Damage(
        "A row of the table names a mask that is not there.",
        "D103",
        ("images/pebbles_003.png", "pairs.csv, line 5"),
        "mask",
        listed_in_a_table,
        lambda root: (root / MASK).unlink(),
        restore(MASK),
    ),
    "missing-mask": Damage(
        "An image lost its mask.",
        "D103",
        ("images/pebbles_003.png",),
        "mask",
        plain,
        lambda root: (root / MASK).unlink(),
        restore(MASK),
    ),
    "missing-image": Damage(
        "A mask lost its image.",
        "D103",
        (MASK,),
        "",
        plain,
        lambda root: (root / "images/pebbles_003.png").unlink(),
        remove(MASK),
    ),
    "misspelt-name": Damage(
        "The name of one mask lacks a letter.",
        "D103",
        ("images/pebbles_003.png", "masks/pebles_003.png"),
        "name",
        plain,
        lambda root: (root / MASK).rename(root / "masks/pebles_003.png"),
        rename("masks/pebles_003.png", lambda _: "pebbles_003.png"),
    ),
    "two-files-of-one-name": Damage(
        "An image is there as PNG and as JPEG.",
        "D103",
        ("images/pebbles_003.jpg", "images/pebbles_003.png"),
        "(?i)keep one",
        plain,
        lambda root: write(root / "images/pebbles_003.jpg", read(root / "images/pebbles_003.png")),
        remove("images/pebbles_003.jpg"),
    ),
    "suffix": Damage(
        "All masks bear _mask at their end, and one is missing.",
        "D104",
        ("_mask", "pebbles_000"),
        r"\[pairing\]",
        plain,
        rename_all("masks/*", lambda name: name.replace(".png", "_mask.png")),
        copy_lines,
        also=("D103",),
    ),
    "prefix": Damage(
        "All masks begin with gt_, and one is missing.",
        "D104",
        ("gt_", "pebbles_000"),
        r"\[pairing\]",
        plain,
        rename_all("masks/*", lambda name: f"gt_{name}"),
        copy_lines,
        also=("D103",),
    ),
    "other-case": Damage(
        "The images have a capital in their names, the masks have none, and one is missing.",
        "D104",
        ("Pebbles_000",),
        "(?i)rename",
        plain_capitals,
        rename_all("masks/*", str.lower),
        rename("masks/*", str.capitalize),
        also=("D103",),
    ),
    "zero-padding": Damage(
        "The images are named 000 to 009, the masks 0 to 8.",
        "D104",
        ("000",),
        "(?i)rename",
        numbered,
        rename_all("masks/*", without_zeros),
        rename("masks/*", lambda name: name.rjust(7, "0")),
        also=("D103",),
    ),
    "spaces": Damage(
        "The names of the images have a space where those of the masks have a line; one is missing.",
        "D104",
        ("pebbles 000",),
        r"\[pairing\]",
        plain,
        rename_all("images/*", lambda name: name.replace("_", " ")),
        copy_lines,
        also=("D103",),
    ),
}
