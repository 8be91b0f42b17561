"""Images and masks that are stored in several files, or several channels."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from tests.campaigns.damage import Damage, restore, say
from tests.campaigns.scenes import NAMES, scenes
from tests.campaigns.writing import change, describe, write, write_objects

CHANNELS = ("red", "green", "blue")
THREE_CHANNELS = '[pairing]\nchannels = ["_red", "_green", "_blue"]\n'
WITH_INFRARED = '[pairing]\nchannels = ["_red", "_green", "_blue", "_infrared"]\n'


def objects(root: Path) -> None:
    """Write six images with a mask for each pebble."""
    for number, one in enumerate(scenes(6)):
        write_objects(root / f"pebbles_{number:03}", one)


def class_files(root: Path) -> None:
    """Write eight images with a mask file for each class."""
    for number, one in enumerate(scenes(8)):
        write(root / f"images/pebbles_{number:03}.png", one.image)
        for label, name in enumerate(NAMES[1:], start=1):
            mask = np.where(one.mask == label, 255, 0).astype(np.uint8)
            write(root / f"masks/{name}/pebbles_{number:03}.png", mask)


def channel_files(root: Path) -> None:
    """Write eight images with a file for each channel."""
    for number, one in enumerate(scenes(8)):
        for channel, name in enumerate(CHANNELS):
            plane = one.image[..., channel]
            write(root / f"images/pebbles_{number:03}_{name}.png", plane)
        write(root / f"masks/pebbles_{number:03}.png", one.mask)
    describe(root, THREE_CHANNELS)


def one_hot(root: Path) -> None:
    """Write eight pairs whose masks have a channel for each of three classes."""
    for number, one in enumerate(scenes(8, classes=3)):
        write(root / f"images/pebbles_{number:03}.png", one.image)
        write(root / f"masks/pebbles_{number:03}.png", 255 * np.eye(3, dtype=np.uint8)[one.mask])
    describe(root, '[classes]\nnames = ["sand", "flint", "shell"]\n[masks]\nencoding = "one-hot"\n')


def swell(path: str, steps: int):
    """Return what lets an object or a class grow over its neighbours."""

    def grown(mask):
        return 255 * ndimage.binary_dilation(mask > 0, iterations=steps).astype(np.uint8)

    return lambda root: change(root / path, grown)


def set_twice(root: Path) -> None:
    """Set a second channel in a part of one mask."""

    def both(mask):
        mask[10:20, 10:20] = (255, 255, 0)
        return mask

    change(root / "masks/pebbles_003.png", both)


DAMAGES = {
    "overlapping-objects": Damage(
        "The mask of one object covers its neighbours.",
        "D204",
        ("pebbles_003",),
        "(?i)look",
        objects,
        swell("pebbles_003/masks/00.png", 12),
        restore("pebbles_003/masks/00.png"),
        "note",
    ),
    "overlapping-classes": Damage(
        "The file of one class covers the others.",
        "D204",
        ("pebbles_003",),
        "",
        class_files,
        swell("masks/shell/pebbles_003.png", 6),
        restore("masks/shell/pebbles_003.png"),
        "note",
    ),
    "channel-missing": Damage(
        "The file of one channel is missing.",
        "D107",
        ("pebbles_003", "_green"),
        "(?i)channel",
        channel_files,
        lambda root: (root / "images/pebbles_003_green.png").unlink(),
        restore("images/pebbles_003_green.png"),
        also=("D103",),
    ),
    "channel-of-other-size": Damage(
        "The file of one channel is smaller than the others.",
        "D107",
        ("pebbles_003_green",),
        "(?i)size",
        channel_files,
        lambda root: change(root / "images/pebbles_003_green.png", lambda plane: plane[::2, ::2]),
        restore("images/pebbles_003_green.png"),
    ),
    "channel-that-no-file-has": Damage(
        "dataset.toml names a fourth channel of which there are no files.",
        "D501",
        ("_infrared",),
        "(?i)correct",
        channel_files,
        lambda root: describe(root, WITH_INFRARED),
        say(THREE_CHANNELS),
        "warning",
        also=("D103", "D107"),
    ),
    "one-hot-set-twice": Damage(
        "A mask says of some pixels that they are of two classes.",
        "D101",
        ("pebbles_003", "100 that are set in several"),
        "(?i)one channel",
        one_hot,
        set_twice,
        restore("masks/pebbles_003.png"),
    ),
}
