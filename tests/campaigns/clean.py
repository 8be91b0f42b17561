"""Data sets in which nothing is wrong, at least one for each layout and each kind of mask."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter

from delineate.data.synthetic.nuclei import make_nuclei
from tests.campaigns.damages.colours import listed, palettes
from tests.campaigns.damages.images import deep
from tests.campaigns.damages.parts import channel_files, class_files, one_hot
from tests.campaigns.damages.splits import patients, split
from tests.campaigns.damages.values import black_and_whites
from tests.campaigns.scenes import COLOURS, NAMES, SIZE, Scene, coloured, scene, scenes
from tests.campaigns.writing import (
    as_camera_stores,
    binary,
    change,
    describe,
    ids,
    read,
    turned_by_exif,
    write,
    write_pairs,
)

PARTS = {"train": (10, 0), "val": (6, 20), "test": (6, 40)}


@dataclass(frozen=True)
class Clean:
    """A data set in which nothing is wrong.

    Attributes:
        what: What it is, in one sentence.
        write: Writes it.
        layout: The layout that it is to be recognised as.
        splits: The number of its records by split; None: in no split.
        truth: The mask that scene 0 is to have; None: it is in no record.
    """

    what: str
    write: Callable[[Path], None]
    layout: str
    splits: dict[str | None, int]
    truth: Callable[[Scene], np.ndarray] | None = ids

    def verify(self, dataset) -> None:
        """Assert that it was read as what it is."""
        found = [record.split for record in dataset.records]
        assert dataset.layout == self.layout
        assert {name: found.count(name) for name in set(found)} == self.splits
        if self.truth is not None:
            wanted = self.truth(scene(0, classes=len(dataset.classes)))
            assert any(np.array_equal(sample.mask, wanted) for sample in dataset)


TEN = {None: 10}
EIGHT = {None: 8}
THREE_SPLITS = {"train": 10, "validation": 6, "test": 6}


def plain(root: Path) -> None:
    """Write ten pairs of PNG files."""
    write_pairs(root, scenes(10))


def with_splits(root: Path) -> None:
    """Write pairs below train, val and test."""
    for name, (count, first) in PARTS.items():
        write_pairs(root / name, scenes(count, first), names=f"{name}-{{:03}}")


def numbered_photographs(root: Path) -> None:
    """Write photographs as a camera numbers them, dealt to the splits by chance."""
    parts = np.random.default_rng(5).permutation(["train"] * 10 + ["val"] * 6 + ["test"] * 6)
    for number, part in enumerate(parts):
        one, name = scene(100 + number), f"IMG_{number:04}.png"
        write(root / part / "images" / name, one.image)
        write(root / part / "masks" / name, one.mask)


def nuclei(root: Path) -> None:
    """Write made-up nuclei of five kinds, a mask for each."""
    make_nuclei(root, train=15, validation=5, test=5, sizes=((96, 96), (96, 112)))


def voc(root: Path) -> None:
    """Write 21 classes with white borders in the layout of Pascal VOC."""
    colours = [voc_colour(number) for number in range(256)]
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for number, one in enumerate(scenes(30, classes=21)):
        name = f"2007_{17 * number + 32:06}"
        lists["train" if number % 5 < 3 else "val"].append(name)
        write(root / "JPEGImages" / f"{name}.jpg", one.image, quality=95)
        write(root / "SegmentationClass" / f"{name}.png", outlined(one), palette=colours)
    lists["trainval"] = sorted(lists["train"] + lists["val"])
    for name, found in lists.items():
        path = root / "ImageSets/Segmentation" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in found))


def voc_colour(number: int) -> tuple[int, ...]:
    """Return the colour of a number in Pascal VOC: its bits, dealt to red, green and blue."""
    bits = [(number >> bit & 1) << 7 - bit // 3 for bit in range(8)]
    return tuple(sum(bits[channel::3]) for channel in range(3))


def outlined(one: Scene) -> np.ndarray:
    """Return a mask whose borders are 255."""
    padded = np.pad(one.instances, 1, mode="edge")
    shifted = [padded[1:-1, 2:], padded[2:, 1:-1]]
    border = np.any([one.instances != other for other in shifted], axis=0)
    return np.where(border, 255, one.mask).astype(np.uint8)


def table(root: Path) -> None:
    """Write files in one folder, and a table of the pairs and their splits."""
    rows = [("image", "mask", "split")]
    numbered = chain(*([(part, *item) for item in _numbered(part)] for part in PARTS))
    for part, name, one in numbered:
        write(root / "photos" / f"{name}.png", one.image)
        write(root / "truth" / f"{name}.png", one.mask)
        rows.append((f"photos/{name}.png", f"truth/{name}.png", part))
    with (root / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def _numbered(part: str) -> list[tuple[str, Scene]]:
    count, first = PARTS[part]
    return [(f"{part}-{number}", one) for number, one in enumerate(scenes(count, first))]


def camvid(root: Path) -> None:
    """Write class ids in the folders of SegNet's CamVid: val and valannot."""
    for part in PARTS:
        for name, one in _numbered(part):
            write(root / part / f"{name}.png", one.image)
            write(root / f"{part}annot" / f"{name}.png", one.mask)


def camvid_in_colours(root: Path) -> None:
    """Write colours and their table as CamVid's authors did."""
    for number, one in enumerate(scenes(10)):
        name = f"0001TP_{number:06}"
        write(root / "images" / f"{name}.png", one.image)
        write(root / "labels" / f"{name}_L.png", coloured(one.mask))
    lines = [
        f"{red} {green} {blue}\t{name}\n"
        for (red, green, blue), name in zip(COLOURS, NAMES, strict=True)
    ]
    (root / "label_colors.txt").write_text("".join(lines))


def beside(root: Path) -> None:
    """Write each mask beside its image."""
    for number, one in enumerate(scenes(10)):
        write(root / f"pebbles_{number:03}.png", one.image)
        write(root / f"pebbles_{number:03}_mask.png", one.mask)


def object_folders(root: Path) -> None:
    """Write a folder of masks for each image."""
    for number, one in enumerate(scenes(8)):
        write(root / f"images/pebbles_{number:03}.png", one.image)
        for index, inside in enumerate(one.objects):
            path = root / f"masks/pebbles_{number:03}/{index:02}.png"
            write(path, 255 * inside.astype(np.uint8))


def by_patterns(root: Path) -> None:
    """Write files wherever somebody put them, and say in ``dataset.toml`` where."""
    for part in PARTS:
        for name, one in _numbered(part):
            write(root / "scans" / part / f"{name}.tif", one.image)
            write(root / "drawn" / f"{name}-by-anna.png", one.mask)
    describe(
        root,
        '[pairing]\nimages = "scans/{split}/*.tif"\nmasks = "drawn/{stem}-by-anna.png"\n',
    )


def same_ending(root: Path) -> None:
    """Write masks that all bear _mask at their end."""
    write_pairs(root, scenes(10))
    for path in (root / "masks").iterdir():
        path.rename(path.with_name(f"{path.stem}_mask.png"))


def photographs(root: Path) -> None:
    """Write JPEG images, two of them CMYK."""
    write_pairs(root, scenes(10), suffixes=(".jpg", ".png"))
    for path in sorted((root / "images").iterdir())[:2]:
        Image.fromarray(read(path)).convert("CMYK").save(path, quality=95)


def opaque(root: Path) -> None:
    """Write images with alpha that hides nothing."""
    write_pairs(root, scenes(10))
    for path in (root / "images").iterdir():
        change(path, lambda image: np.dstack([image, np.full(SIZE, 255, np.uint8)]))


def turned_cameras(root: Path) -> None:
    """Write images that are turned by their EXIF data, and masks as people see them."""
    for number, one in enumerate(scenes(10)):
        image = as_camera_stores(one.image)
        write(root / f"images/pebbles_{number}.png", image, exif=turned_by_exif())
        write(root / f"masks/pebbles_{number}.png", one.mask)


def rims(one: Scene) -> np.ndarray:
    """Return 2 inside a pebble and 1 in the one pixel that surrounds it, as membranes are drawn."""
    inner = (minimum_filter(one.instances, 3) == maximum_filter(one.instances, 3)) & one.binary
    return (one.binary + inner).astype(np.uint8)


def trimap(one: Scene) -> np.ndarray:
    """Return the values of Oxford's pets: 1 inside, 2 for the background, 3 between them."""
    return np.array([2, 3, 1], np.uint8)[rims(one)]


def many_channels(root: Path) -> None:
    """Write images of 16 bits with four channels."""
    for number, one in enumerate(scenes(10)):
        image = np.dstack([one.image, one.image[..., 1] // 2]).astype(np.uint16) * 256
        path = root / f"images/tile_{number:02}.tif"
        write(path, image, extrasamples=["unspecified"])
        write(root / f"masks/tile_{number:02}.png", one.mask)


def names_of_all_kinds(root: Path) -> None:
    """Write names with spaces and accents, capital suffixes, and what systems leave behind."""
    write_pairs(root, scenes(10), names="Kieselstein Größe {}", suffixes=(".jpg", ".png"))
    for path in (root / "images").iterdir():
        path.rename(path.with_suffix(".JPG"))
    (root / "images/._Kieselstein Größe 0.JPG").write_bytes(b"Mac OS X")
    (root / "images/.DS_Store").write_bytes(b"Bud1")
    (root / "masks/Thumbs.db").write_bytes(b"")
    (root / "README.txt").write_text("Pebbles.")


def partial(root: Path) -> None:
    """Write masks with a strip that nobody has labelled, and value 11 for void."""

    def partly(one):
        mask = one.mask.copy()
        mask[:6], mask[-5:] = 255, 11
        return mask

    write_pairs(root, scenes(10), mask=partly)
    describe(root, "[masks]\nignore = [11]\n")


def _partly(one: Scene) -> np.ndarray:
    mask = one.mask.copy()
    mask[:6], mask[-5:] = 255, 255
    return mask


CLEAN = {
    "folders": Clean("Class ids in images/ and masks/.", plain, "folders", TEN),
    "folders-with-splits": Clean("Split folders.", with_splits, "folders", THREE_SPLITS),
    "two-splits": Clean(
        "A training and a validation part.", split, "folders", {"train": 10, "validation": 6}
    ),
    "numbered-photographs": Clean(
        "Photographs numbered by the camera, dealt to the splits by chance.",
        numbered_photographs,
        "folders",
        THREE_SPLITS,
        None,
    ),
    "dsb2018": Clean(
        "Nuclei of five kinds, a file for each.",
        nuclei,
        "dsb2018",
        {"train": 15, "validation": 5, "test": 5},
        None,
    ),
    "voc": Clean(
        "Pascal VOC: palettes, white borders, lists.",
        voc,
        "voc",
        {"train": 18, "validation": 12},
        outlined,
    ),
    "csv": Clean("A table of the pairs.", table, "csv", THREE_SPLITS),
    "camvid": Clean("CamVid as SegNet has it.", camvid, "camvid", THREE_SPLITS),
    "camvid-in-colours": Clean("CamVid in colours.", camvid_in_colours, "camvid", TEN),
    "beside": Clean("Masks beside their images.", beside, "beside", TEN),
    "objects": Clean("A folder of masks for each image.", object_folders, "objects", EIGHT, binary),
    "classes": Clean("A file for each class.", class_files, "classes", EIGHT, None),
    "pairs": Clean("Patterns in dataset.toml.", by_patterns, "pairs", THREE_SPLITS),
    "same-ending": Clean("All masks end in _mask.", same_ending, "folders", TEN),
    "colour-table": Clean("Colours listed in dataset.toml.", listed, "folders", TEN),
    "one-hot": Clean("A channel for each class.", one_hot, "folders", EIGHT),
    "palettes": Clean("Masks with one palette.", palettes, "folders", TEN),
    "16-bit": Clean("Grey images of 16 bits.", deep, "folders", TEN),
    "black-and-white": Clean("Masks of 0 and 255.", black_and_whites, "folders", TEN, binary),
    "webp": Clean(
        "Images in lossless WebP.",
        lambda root: write_pairs(root, scenes(10), suffixes=(".webp", ".png")),
        "folders",
        TEN,
    ),
    "jpeg": Clean("JPEG images, some of them CMYK.", photographs, "folders", TEN),
    "opaque-alpha": Clean("Images with alpha that hides nothing.", opaque, "folders", TEN),
    "turned-cameras": Clean(
        "Images turned by EXIF data, masks upright.", turned_cameras, "folders", TEN
    ),
    "groups": Clean(
        "Groups that keep to their splits.", patients, "folders", {"train": 12, "validation": 6}
    ),
    "partial-labels": Clean(
        "Unlabelled strips, and a void value.", partial, "folders", TEN, _partly
    ),
    "rims": Clean(
        "A class that is one pixel wide around another.",
        lambda root: write_pairs(root, scenes(10), mask=rims),
        "folders",
        TEN,
        rims,
    ),
    "trimaps": Clean(
        "Ids from 1, and the border as the last.",
        lambda root: write_pairs(root, scenes(10), mask=trimap),
        "folders",
        TEN,
        trimap,
    ),
    "many-channels": Clean("Four channels of 16 bits.", many_channels, "folders", TEN),
    "names": Clean("Names of all kinds, and stray files.", names_of_all_kinds, "folders", TEN),
    "channel-files": Clean("A file for each channel.", channel_files, "folders", EIGHT),
}
