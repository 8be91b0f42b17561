"""Masks in colours."""

from pathlib import Path

import numpy as np

from tests.campaigns.damage import Case, Damage, copy_lines, fix, say, take_proposal
from tests.campaigns.damages.values import as_jpeg
from tests.campaigns.scenes import COLOURS, NAMES, coloured, scenes
from tests.campaigns.writing import change, describe, hexadecimal, read, write, write_pairs

MASK = "masks/pebbles_003.png"
TABLE = f"[classes]\nnames = {list(NAMES)}\ncolours = {hexadecimal()}\n".replace("'", '"')
PALE = ((240, 240, 200), *COLOURS[1:])
SHUFFLED = (0, 2, 3, 1)


def listed(root: Path) -> None:
    """Write ten pairs in colours, and their table."""
    write_pairs(root, scenes(10), mask=lambda one: coloured(one.mask))
    describe(root, TABLE)


def pale(root: Path) -> None:
    """Write ten pairs in colours without black, and their table."""
    write_pairs(root, scenes(10), mask=lambda one: coloured(one.mask, PALE))
    describe(root, TABLE.replace(hexadecimal(), hexadecimal(PALE)))


def palettes(root: Path) -> None:
    """Write ten pairs whose masks have a palette."""
    write_pairs(root, scenes(10), palette=COLOURS)


def add_a_colour(root: Path) -> None:
    """Draw something in magenta."""

    def drawn(mask):
        mask[10:16, 20:32] = (255, 0, 255)
        return mask

    change(root / MASK, drawn)


def miss_a_colour(root: Path) -> None:
    """Draw one class in a colour that is nearly its own."""
    near = ((0, 0, 0), (191, 1, 0), *COLOURS[2:])
    write(root / MASK, coloured(scenes(10)[3].mask, near))


def swap_red_and_blue(root: Path) -> None:
    """Write the masks as OpenCV's users do."""
    for path in (root / "masks").iterdir():
        change(path, lambda mask: mask[..., ::-1])


def remove_the_table(root: Path) -> None:
    """Remove ``dataset.toml``."""
    (root / "dataset.toml").unlink()


def shuffle_the_palette(root: Path) -> None:
    """Give one mask the same colours in another order; it looks as before."""
    order = np.argsort(SHUFFLED).astype(np.uint8)
    write(root / MASK, order[read(root / MASK)], palette=[COLOURS[index] for index in SHUFFLED])


def looks_as_before(case: Case) -> Path:
    """Repair the palettes, and see that the colour of each pixel is what it was."""
    from PIL import Image

    fixed = fix(case)
    before, after = (Image.open(root / MASK).convert("RGB") for root in (case.clean, fixed))
    assert np.array_equal(before, after)
    assert np.array_equal(read(fixed / MASK), read(case.clean / MASK))
    return fixed


DAMAGES = {
    "unknown-colour": Damage(
        "One mask holds a colour that the table does not list.",
        "D206",
        ("pebbles_003", "#ff00ff"),
        r"\[masks\]|ignore",
        listed,
        add_a_colour,
        copy_lines,
    ),
    "near-colour": Damage(
        "One mask has #bf0100 where the table has #c00000.",
        "D206",
        ("pebbles_003", "#bf0100", "#c00000", "flint"),
        "--fix",
        listed,
        miss_a_colour,
        fix,
    ),
    "red-and-blue-swapped": Damage(
        "The masks were written in the order blue, green, red.",
        "D206",
        ("pebbles_00", "#0000c0"),
        "(?i)red and blue|bgr",
        listed,
        swap_red_and_blue,
        say(TABLE.replace(hexadecimal(), hexadecimal([colour[::-1] for colour in COLOURS]))),
    ),
    "colours-as-jpeg": Damage(
        "The masks in colours are saved as JPEG.",
        "D205",
        ("pebbles_00",),
        "--fix",
        listed,
        as_jpeg,
        fix,
    ),
    "no-table": Damage(
        "Nobody says which class each colour is, and none of them is black.",
        "D200",
        ("#f0f0c8",),
        "--write",
        pale,
        remove_the_table,
        take_proposal,
    ),
    "no-table-but-black": Damage(
        "Nobody says which class each colour is; black is taken for the background.",
        "D207",
        ("#c00000",),
        r"\[classes\]",
        listed,
        remove_the_table,
        copy_lines,
        "note",
    ),
    "palettes-differ": Damage(
        "The palette of one mask has the same colours in another order.",
        "D210",
        ("pebbles_003",),
        "--fix",
        palettes,
        shuffle_the_palette,
        looks_as_before,
    ),
}
