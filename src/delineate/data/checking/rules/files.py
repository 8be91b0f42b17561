"""Rules about files and pairs: D101 to D107."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from delineate.data.checking.faults import Fault
from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.partners import NearMiss, find_near_miss, find_patterns
from delineate.data.checking.rules.turns import fitting_quarter, turn_of_all, turn_of_one
from delineate.data.checking.rules.wording import (
    NAMED,
    counted,
    listed,
    mask_file,
    names_of,
    with_repair,
)
from delineate.data.describing.description import FILE, Description
from delineate.data.describing.text import describe
from delineate.data.looks.alignment import TURNS
from delineate.data.records import Unpaired
from delineate.errors import DataError
from delineate.report import Finding

_LOOKED_AT = 8  # masks of swapped sides that are read for the way in which they are turned


def unreadable_file(inspection: Inspection) -> Iterator[Finding]:
    """A file cannot be read.

    It is no image, truncated, damaged, or of a kind that would be read wrongly. Training would
    stop at it, or worse, learn from grey rows. Replace the file by a good copy, save it in the way
    that the hint names, or remove the image and its mask.
    """
    for fault in inspection.faults_of("unreadable"):
        message, hint = fault.error.message, _how_to_read(fault)
        yield Finding("D101", "error", message, hint, (fault.record.name,))


def _how_to_read(fault: Fault) -> str:
    if any(map(_is_web_page, fault.record.files)):
        return "Download the file again: it is a web page, which says why it did not come."
    broken = [path for path in fault.record.masks if str(path) in fault.error.message]
    # What the repair does with the brightness of images makes no class ids.
    if "--fix" in fault.error.hint and broken:
        return "Save the mask as whole numbers, the class ids, in a PNG."
    return fault.error.hint


def _is_web_page(path: Path) -> bool:
    if not path.is_file():  # a pipe would block
        return False
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html"))
    except OSError:
        return False


def size_mismatch(inspection: Inspection) -> Iterator[Finding]:
    """An image and its mask differ in size.

    The mask belongs to another image, or one of the two was resized or cut; nothing that is
    learned from the pair would be right. Export the mask again at the size of its image. A mask
    that is resized afterwards must be resized by the nearest pixel, never smoothly.
    """
    for fault in inspection.faults_of("size"):
        error = fault.error
        yield Finding("D102", "error", error.message, error.hint, (fault.record.name,))


def missing_partner(inspection: Inspection) -> Iterator[Finding]:
    """An image has no mask, or a mask has no image.

    Training refuses such a data set, because which files belong together would be a guess. Often
    the names differ by a suffix or a digit: the nearest name is given. An image that holds nothing
    needs a mask all the same, one of background only.
    """
    near_miss = find_near_miss(inspection.dataset.unpaired)
    explained = {item.path for pair in near_miss.pairs for item in pair} if near_miss else set()
    for unpaired in inspection.dataset.unpaired:
        if unpaired.path not in explained and not _is_channel(unpaired):
            message, hint = unpaired.message(), _how_to_pair(unpaired)
            yield Finding("D103", "error", message, hint, (str(unpaired.path),))


def _how_to_pair(unpaired: Unpaired) -> str:
    if unpaired.wanted.startswith("name"):
        return "Keep one of the two, or rename one."
    if unpaired.wanted.startswith("row"):
        return "Give it a row in the table: with an empty cell where it has no objects."
    return "Give each image a mask of the same name, or move the file elsewhere."


def near_miss_names(inspection: Inspection) -> Iterator[Finding]:
    """Images and masks are no pairs because their names differ in one way.

    A suffix, a prefix, upper and lower case, or the zeros before a number keep them apart. Say in
    ``dataset.toml`` how the names go together, or rename the files; the hint has the lines.
    """
    found = find_near_miss(inspection.dataset.unpaired)
    if found:
        first, second = found.pairs[0]
        message = (
            f"The names of {counted(len(found.pairs), 'image')} and their masks differ "
            f"{found.difference}, such as {first.path} and {second.path}."
        )
        where = tuple(str(item.path) for pair in found.pairs for item in pair)
        yield Finding("D104", "error", message, _how_to_match(inspection, found), where[:NAMED])


def _how_to_match(inspection: Inspection, found: NearMiss) -> str:
    folder, said = inspection.dataset.folder, inspection.dataset.description
    patterns = find_patterns(found, folder) if folder else None
    # Lines for dataset.toml hold for all files: those that are pairs already would be none.
    if folder is None or patterns is None or len(inspection.dataset):
        return "Rename the masks like their images."
    images, masks = patterns
    try:
        lines = describe(Description(images=images, masks=masks)).rstrip()
    except DataError:  # A folder has a name that would mean something in a pattern.
        return "Rename the masks like their images."
    how = "Write this instead into" if said.images or said.masks else "Write into"
    return f"{how} {folder / FILE}:\n{lines}"


def turned_mask(inspection: Inspection) -> Iterator[Finding]:
    """Masks are turned, transposed or mirrored against their images.

    Height and width may be swapped, which is an error. Where the size is the same, the borders in
    the masks are compared with the edges in the images, as they are and in each other orientation:
    a warning is given where another one fits clearly better, in most masks or beyond doubt in one.
    Software that counts rows from below, or takes (x, y) for (row, column), makes such masks.
    Look at the pairs, and turn the masks back.
    """
    swapped = inspection.faults_of("turned")
    hint = _how_to_turn(swapped[:_LOOKED_AT])
    for fault in swapped:
        message = f"{_sizes(fault)} It is turned by a quarter, or transposed."
        yield Finding("D105", "error", message, hint, (fault.record.name,))
    fits = [look.traits.alignment for look in inspection.looks]
    usual = turn_of_all(inspection.readable.records, fits)
    for turn, members in usual.items():
        yield _all_turned(inspection, members, turn)
    known = {index for members in usual.values() for index in members}
    for index, fit in enumerate(fits):
        turn = turn_of_one(fit)
        if turn and index not in known:
            yield _one_turned(inspection, index, turn)


def _how_to_turn(faults: Sequence[Fault]) -> str:
    """Return what puts right masks whose height and width are swapped, as far as edges tell."""
    votes = Counter(turn for fault in faults if (turn := fitting_quarter(fault)))
    if not votes:
        return "Turn the mask until it lies on its image, and save it again."
    way = TURNS[votes.most_common(1)[0][0]]
    return f"Save the mask {way}: so its borders lie best on the edges of its image."


def _sizes(fault: Fault) -> str:
    return fault.error.message.removesuffix(" It looks turned or transposed.")


def _all_turned(inspection: Inspection, members: Sequence[int], turn: int) -> Finding:
    records = [inspection.readable.records[index] for index in members]
    message = (
        f"The borders in {counted(len(members), 'mask')} lie better on the edges of the images "
        f"when the masks are {TURNS[turn]}, such as {mask_file(records[0])}."
    )
    hint = f"Look at some pairs; if that is so, save the masks {TURNS[turn]}."
    return Finding("D105", "warning", message, hint, names_of(records))


def _one_turned(inspection: Inspection, index: int, turn: int) -> Finding:
    record = inspection.readable.records[index]
    message = (
        f"The borders in {mask_file(record)} lie much better on the edges of its image when it is "
        f"{TURNS[turn]}."
    )
    hint = f"Look at the pair; if that is so, save the mask {TURNS[turn]}."
    return Finding("D105", "warning", message, hint, (record.name,))


def exif_turned(inspection: Inspection) -> Iterator[Finding]:
    """A mask lies as its image is stored, and not as its EXIF orientation shows it.

    Cameras store a picture as the sensor has it, and say in the EXIF data how to turn it. One of
    the two files lost that, or never had it. ``delineate check DATA --fix FOLDER`` writes a copy
    in which both are upright.
    """
    for fault in inspection.faults_of("exif"):
        message = f"{_sizes(fault)} An EXIF orientation, which one of the two has, turns it."
        hint = f"Run '{with_repair(inspection)}': it writes a copy in which both are upright."
        yield Finding("D106", "error", message, hint, (fault.record.name,))


def channel_files(inspection: Inspection) -> Iterator[Finding]:
    """The files of the channels of an image are missing or differ.

    An image whose channels are files of their own needs all of them, each grey, all of one size
    and depth. Add the missing file, or correct the endings under ``[pairing] channels`` in
    ``dataset.toml``.
    """
    for unpaired in inspection.dataset.unpaired:
        if _is_channel(unpaired):
            hint = "Add the file, or correct [pairing] channels in dataset.toml."
            yield Finding("D107", "error", unpaired.message(), hint, (str(unpaired.path),))
    for fault in inspection.faults_of("channels"):
        missing = [path for path in fault.record.images if not path.is_file()]
        message, hint = fault.error.message, fault.error.hint
        if missing:
            message = f"The image {fault.record.name} lacks {listed(missing)}."
            hint = "Add the file, or correct [pairing] channels in dataset.toml."
        yield Finding("D107", "error", message, hint, (fault.record.name,))


def _is_channel(unpaired: Unpaired) -> bool:
    return unpaired.wanted.startswith(("channel", "ending of a channel"))
