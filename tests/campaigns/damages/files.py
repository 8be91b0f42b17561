"""Files that are no good picture."""

from pathlib import Path

import numpy as np

from tests.campaigns.damage import Case, Damage, fix, remove, restore
from tests.campaigns.scenes import scenes
from tests.campaigns.writing import change, read, write, write_pairs

IMAGE, MASK = "images/pebbles_003.png", "masks/pebbles_003.png"
PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n"


def plain(root: Path) -> None:
    """Write ten pairs of PNG files."""
    write_pairs(root, scenes(10))


def photographs(root: Path) -> None:
    """Write ten pairs with JPEG images."""
    write_pairs(root, scenes(10), suffixes=(".jpg", ".png"))


def scans(root: Path) -> None:
    """Write ten pairs of TIFF files."""
    write_pairs(root, scenes(10), suffixes=(".tif", ".tif"))


def cut_off(path: Path) -> None:
    """Leave the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip_a_bit(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def stack(root: Path) -> None:
    """Put four depths into one file."""
    path = root / "images/pebbles_003.tif"
    grey = read(path).mean(axis=2).astype(np.uint8)
    write(path, np.stack([grey // depth for depth in (1, 2, 3, 4)]))


def animate(root: Path) -> None:
    """Save three frames as one animated WebP."""
    from PIL import Image

    path = root / IMAGE
    frames = [Image.fromarray(read(path) // part) for part in (1, 2, 3)]
    path.unlink()
    frames[0].save(
        path.with_suffix(".webp"), save_all=True, append_images=frames[1:], lossless=True
    )


def one_frame(case: Case) -> Path:
    """Save the first frame as a picture of its own."""
    (case.folder / IMAGE).with_suffix(".webp").unlink()
    return restore(IMAGE)(case)


def to_floats(root: Path) -> None:
    """Store the images as numbers from 0 to 1."""
    for path in (root / "images").iterdir():
        change(path, lambda image: (image / 255).astype(np.float32))


def punch(root: Path) -> None:
    """Make a corner transparent."""

    def hole(image):
        alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
        alpha[:20, :20] = 0
        return np.concatenate([image, alpha], axis=2)

    change(root / IMAGE, hole)


def flatten(case: Case) -> Path:
    """Save the picture without alpha."""
    change(case.folder / IMAGE, lambda image: image[..., :3])
    return case.folder


def minus_one(root: Path) -> None:
    """Use -1 for ignore."""

    def unknown(mask):
        mask = mask.astype(np.int16)
        mask[:4] = -1
        return mask

    change(root / "masks/pebbles_003.tif", unknown)


def renumber(case: Case) -> Path:
    """Write 255 where there was -1."""
    path = case.folder / "masks/pebbles_003.tif"
    change(path, lambda mask: np.where(mask < 0, 255, mask).astype(np.uint8))
    return case.folder


def masks_as_floats(root: Path) -> None:
    """Store the masks as floating-point numbers."""
    for path in (root / "masks").iterdir():
        change(path, lambda mask: mask.astype(np.float32))


def white_as_zero(root: Path) -> None:
    """Save a mask of one bit whose zero is white."""
    import tifffile

    path = root / "masks/pebbles_003.tif"
    tifffile.imwrite(path, (read(path) > 0).astype(bool), photometric="miniswhite")


DAMAGES = {
    "truncated-png": Damage(
        "The file of an image ends in the middle.",
        "D101",
        ("images/pebbles_003.png",),
        "good copy",
        plain,
        lambda root: cut_off(root / IMAGE),
        restore(IMAGE),
    ),
    "truncated-jpeg": Damage(
        "A photograph ends in the middle, which some readers show as grey rows.",
        "D101",
        ("pebbles_003.jpg",),
        "remove",
        photographs,
        lambda root: cut_off(root / "images/pebbles_003.jpg"),
        remove("images/pebbles_003.jpg", MASK),
    ),
    "empty-file": Damage(
        "A mask has zero bytes.",
        "D101",
        (MASK,),
        "[Rr]eplace|good copy",
        plain,
        lambda root: (root / MASK).write_bytes(b""),
        restore(MASK),
    ),
    "web-page": Damage(
        "A download failed, and the page that says so was saved as an image.",
        "D101",
        (IMAGE,),
        "(?i)download|replace|good copy",
        plain,
        lambda root: (root / IMAGE).write_bytes(PAGE),
        restore(IMAGE),
    ),
    "wrong-checksum": Damage(
        "One bit of a mask has changed.",
        "D101",
        (MASK,),
        "good copy",
        plain,
        lambda root: flip_a_bit(root / MASK),
        restore(MASK),
    ),
    "stack": Damage(
        "An image is a stack of four depths.",
        "D101",
        ("pebbles_003.tif",),
        "(?i)page|slice|file of its own",
        scans,
        stack,
        restore("images/pebbles_003.tif"),
    ),
    "animation": Damage(
        "An image is an animation of three frames.",
        "D101",
        ("pebbles_003.webp",),
        "frame",
        plain,
        animate,
        one_frame,
    ),
    "float-images": Damage(
        "The images hold numbers from 0 to 1.",
        "D101",
        ("pebbles_00",),
        "--fix",
        scans,
        to_floats,
        fix,
    ),
    "transparent-image": Damage(
        "A corner of an image is transparent.",
        "D101",
        (IMAGE,),
        "(?i)flatten|without alpha",
        plain,
        punch,
        flatten,
    ),
    "negative-ids": Damage(
        "A mask says -1 where others say 255.",
        "D101",
        ("masks/pebbles_003.tif", "-1"),
        "(?i)renumber",
        scans,
        minus_one,
        renumber,
    ),
    "float-masks": Damage(
        "The masks hold floating-point numbers.",
        "D101",
        ("masks/pebbles_00",),
        "whole numbers",
        scans,
        masks_as_floats,
        restore("masks/*.tif"),
    ),
    "white-as-zero": Damage(
        "A mask of one bit says that its zero is white: what is inside it?",
        "D101",
        ("masks/pebbles_003.tif",),
        "PNG",
        scans,
        white_as_zero,
        restore("masks/pebbles_003.tif"),
    ),
}
