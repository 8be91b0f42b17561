"""``dataset.toml`` that says what is not so."""

from pathlib import Path

from tests.campaigns.damage import OPEN, Damage, copy_lines, say
from tests.campaigns.damages.files import plain
from tests.campaigns.scenes import NAMES, scenes
from tests.campaigns.writing import describe, write

CLASSES = f"[classes]\nnames = {list(NAMES)}\n".replace("'", '"')


def named(root: Path) -> None:
    """Write ten pairs of four named classes."""
    plain(root)
    describe(root, CLASSES)


def camvid_elsewhere(root: Path) -> None:
    """Write eleven classes and void, named like the files of CamVid, into images/ and masks/."""
    for number, one in enumerate(scenes(12, classes=12)):
        name = f"0001TP_{6690 + 30 * number:06}.png"
        write(root / "images" / name, one.image)
        write(root / "masks" / name, one.mask)
    describe(root, "[masks]\nignore = [11]\n")


def writing(text: str):
    """Return what writes ``dataset.toml``."""
    return lambda root: describe(root, text)


DAMAGES = {
    "group-pattern-without-effect": Damage(
        "The pattern of the groups matches no name.",
        "D501",
        ("patient",),
        "(?i)pattern",
        named,
        writing(f"{CLASSES}[groups]\npattern = 'patient(\\d+)'\n"),
        say(f"{CLASSES}[groups]\npattern = '(pebbles_00)'\n"),
        "warning",
    ),
    "ignore-that-never-occurs": Damage(
        "A value is to be ignored that never occurs.",
        "D501",
        ("11",),
        "(?i)correct",
        named,
        writing(f"{CLASSES}[masks]\nignore = [11]\n"),
        say(CLASSES),
        "warning",
    ),
    "value-that-never-occurs": Damage(
        "A class is given to a value that never occurs.",
        "D501",
        ("9",),
        "(?i)correct",
        named,
        writing(f'{CLASSES}[masks.values]\n9 = "flint"\n'),
        say(CLASSES),
        "warning",
    ),
    "void-not-said": Damage(
        "The files of CamVid lie in other folders, where nothing says that 11 is void.",
        "D502",
        ("11", "0001TP_006690"),
        r"\[masks\]",
        camvid_elsewhere,
        lambda root: (root / "dataset.toml").unlink(),
        copy_lines,
        "warning",
    ),
    "unknown-key": Damage(
        "A key of dataset.toml is misspelt.",
        OPEN,
        ("dataset.toml", "colors", "'colours'"),
        "colours",
        named,
        writing(CLASSES + 'colors = ["#000000"]\n'),
        say(CLASSES),
    ),
    "no-toml": Damage(
        "A quotation mark is missing in dataset.toml.",
        OPEN,
        ("dataset.toml", "line 2"),
        "(?i)correct",
        named,
        writing('[classes]\nnames = ["sand, "flint"]\n'),
        say(CLASSES),
    ),
    "misspelt-class": Damage(
        "A value is given to a class whose name is misspelt.",
        "D200",
        ("dataset.toml", "flnit", "'flint'"),
        "names",
        named,
        writing(f'{CLASSES}[masks.values]\n1 = "flnit"\n'),
        say(f'{CLASSES}[masks.values]\n1 = "flint"\n'),
    ),
}
