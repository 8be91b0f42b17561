"""Layout `voc`: Pascal VOC's JPEGImages, SegmentationClass and ImageSets.

The layout of the Pascal Visual Object Classes challenges (Everingham et al., International Journal
of Computer Vision 88, 2010), also one or two folders deeper, ``VOCdevkit/VOC2012/``, and as CVAT
and labelme write it.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from delineate.data.describing.description import COLOUR, Description, colour_of
from delineate.data.describing.text_file import MOST_LIST_BYTES, refuse_long
from delineate.data.layouts.colour_table import read_table
from delineate.data.layouts.files import Files, by_name, image_files, images_below
from delineate.data.layouts.layout import Layout
from delineate.data.layouts.manifest import find_manifests
from delineate.data.layouts.pairing import alone, join, make_record, pair
from delineate.data.records import Index, Record, Unpaired
from delineate.errors import DataError

IMAGES = "JPEGImages"
MASKS = ("SegmentationClass", "SegmentationClassPNG")
# An image that several lists name is taken for the first of them: what is held out stays so.
LISTS = {"test": "test", "val": "validation", "train": "train"}
WHOLE_LISTS = ("trainval", "default")
NAMES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
BORDER = 255
OFFICIAL = re.compile(r"(\d{4}_)?\d{6}")


def refuse(folder: Path) -> str | None:
    """Return why a folder is not of this layout, or None where it is."""
    for manifest in find_manifests(folder):
        return f"{manifest.name} lists the pairs"
    if _roots(folder):
        return None
    return f"there is no {IMAGES}/ and {MASKS[0]}/"


def index(folder: Path, description: Description) -> Index:
    """Return a record for each image of the lists, or for each mask where there are no lists.

    Raises:
        DataError: There are several such folders, or a list cannot be read.
    """
    roots = _roots(folder)
    if len(roots) != 1:
        places = ", ".join(str(root) for root in roots) or "none"
        raise DataError(
            f"{folder} holds {len(roots)} folders of the layout 'voc': {places}.",
            hint="Name the one that is meant.",
        )
    (root,) = roots
    images = images_below(root / IMAGES, description)
    masks = by_name(_masks(root))
    lists = _lists(root)
    if lists:
        found = _listed(root, images, masks, lists, description)
    else:
        found = _all_masks(images, masks, description)
    said, notes = _describe(root, found)
    return join([found], said, notes)


def _roots(folder: Path) -> list[Path]:
    places = [folder, *sorted(folder.glob("VOC*")), *sorted(folder.glob("VOCdevkit/VOC*"))]
    return [
        place
        for place in places
        if (place / IMAGES).is_dir() and any((place / name).is_dir() for name in MASKS)
    ]


def _masks(root: Path) -> Path:
    folders = [root / name for name in MASKS if (root / name).is_dir()]
    # labelme puts arrays into the first and pictures into the second.
    return next((folder for folder in folders if image_files(folder)), folders[0])


def _lists(root: Path) -> dict[str, list[str]]:
    """Return the names of each list of the segmentation task."""
    paths = {name: root / "ImageSets" / "Segmentation" / f"{name}.txt" for name in LISTS}
    if not any(path.is_file() for path in paths.values()):
        paths = {name: root / "ImageSets" / "Segmentation" / f"{name}.txt" for name in WHOLE_LISTS}
    return {name: _lines(path) for name, path in paths.items() if path.is_file()}


def _lines(path: Path) -> list[str]:
    try:
        refuse_long(path, MOST_LIST_BYTES)
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.", hint="Save it as UTF-8.") from error
    return [line.strip() for line in lines if line.strip()]


def _listed(
    root: Path,
    images: Files,
    masks: Files,
    lists: dict[str, list[str]],
    description: Description,
) -> Index:
    """Return the records of the names in the lists."""
    records: list[Record] = []
    unpaired: list[Unpaired] = []
    list_of = {name: key for key, names in reversed(lists.items()) for name in names}
    labelled = {key for name, key in list_of.items() if name in masks.named}
    names = sorted(masks.named)
    for name, key in sorted(list_of.items()):
        if name in images.named and name in masks.named:
            files = images.named[name], masks.named[name]
            records.append(make_record(name, *files, description, split=LISTS.get(key)))
        elif key in labelled and name in images.named:
            unpaired.append(alone(images.place(name), "mask", name, names, masks))
        elif key in labelled:
            path = root / "ImageSets" / "Segmentation" / f"{key}.txt"
            unpaired.append(Unpaired(path, f"image {root / IMAGES / name}.jpg for its {name}"))
    return Index(tuple(records), tuple(unpaired), notes=_notes(lists, list_of, labelled))


def _notes(
    lists: Mapping[str, list[str]], list_of: Mapping[str, str], labelled: set[str]
) -> tuple[str, ...]:
    several = sum(len(set(names)) for names in lists.values()) - len(list_of)
    counts = {key: sum(found == key for found in list_of.values()) for key in lists}
    left_out = [key for key in lists if key not in labelled and counts[key]]
    twice = f"{several} images are in several lists: what is held out for one is not trained on."
    return (*((twice,) if several else ()), *_unlabelled(left_out, counts))


def _unlabelled(lists: list[str], counts: Mapping[str, int]) -> list[str]:
    return [f"{key}.txt names {counts[key]} images without masks: left out." for key in lists]


def _all_masks(images: Files, masks: Files, description: Description) -> Index:
    """Return the records of all masks; most images of a challenge have none."""
    wanted = {name: files for name, files in images.named.items() if name in masks.named}
    left_out = len(images.named) - len(wanted)
    found = pair(Files(images.folder, wanted, images.unpaired), masks, description, exact=True)
    note = f"{left_out} images of {images.folder} have no mask and are left out."
    return join([found], notes=(note,) if left_out else ())


def _describe(root: Path, found: Index) -> tuple[Description, tuple[str, ...]]:
    """Return the classes of a table beside the data, or the challenge's where the names are its."""
    said, notes = read_table(root)
    names = [record.name.rpartition("/")[2] for record in found.records]
    if said.names or not all(OFFICIAL.fullmatch(name) for name in names):
        return said, notes
    colours = tuple(colour_of(_colour(number)) for number in range(len(NAMES)))
    ignore = (BORDER, _colour(BORDER))
    return Description(names=NAMES, colours=colours, ignore=ignore), notes


def _colour(number: int) -> int:
    """Return the colour that the challenge gives to a number: its bits, spread over channels."""
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (number >> bit & 1) << 7 - bit // 3
    red, green, blue = channels
    return COLOUR | red << 16 | green << 8 | blue


LAYOUT = Layout(
    name="voc",
    summary="JPEGImages/, SegmentationClass/ and the lists ImageSets/Segmentation/*.txt",
    refuse=refuse,
    index=index,
)
