"""Rules about what the masks show: D202, D203, D204, D208, D209, D211 and D212."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.spatial import cKDTree

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.values import (
    encoding_of,
    held_values,
    names_at,
    sound,
    with_values,
)
from delineate.data.checking.rules.wording import (
    NAMED,
    counted,
    listed,
    mask_file,
    names_of,
    percent,
)
from delineate.data.classes import IGNORE, Encoding
from delineate.data.describing.description import COLOUR, spell
from delineate.data.records import Facts
from delineate.data.shares import class_pixels
from delineate.report import Finding, Level

_RARE, _RARE_FOREGROUND = 0.001, 0.005
_TINY, _TINY_SHARE = 9.0, 0.05  # pixels, and the share of the objects that may have fewer
_SAME_MASKS = 5
# Masks with which others agree in their colours, and so much better once they are inverted.
_FEWEST_TO_COMPARE, _FELLOWS, _CLOSER = 8, 3, 0.4
_MOSTLY_IGNORED, _IGNORED_MASK = 0.5, 0.95


def empty_masks(inspection: Inspection) -> Iterator[Finding]:
    """Masks hold nothing but background.

    That is right for images without objects; many of them point to a lost folder of masks, or to
    masks whose values are not read as they were meant.
    """
    encoding = encoding_of(inspection)
    indices = sound(inspection)
    empty = [i for i in indices if _is_empty(inspection.looks[i].facts, encoding)]
    if empty:
        level: Level = "warning" if 2 * len(empty) > len(indices) else "note"
        message = f"{len(empty)} of {len(indices)} masks hold nothing but background."
        hint = "Look at some of them: is there really nothing?"
        yield Finding("D202", level, message, hint, names_at(inspection, empty))


def _is_empty(facts: Facts, encoding: Encoding | None) -> bool:
    ids = {value: value for value in facts.values} if encoding is None else encoding.values
    return not {ids.get(value, value) for value in facts.values} - {0, COLOUR}


def absent_class(inspection: Inspection) -> Iterator[Finding]:
    """A class does not occur in a split, or nowhere.

    What is not in the training part cannot be learned; what is not in the test part is not scored.
    Move images between the splits, or leave the class out of the names.
    """
    encoding = encoding_of(inspection)
    if encoding is None:
        return
    missing = _missing_classes(inspection, encoding, sound(inspection))
    # Ids that are counted from 1 have a background that is not there.
    idle = [number for number in missing if number or encoding.classes[0] != "background"]
    if idle and inspection.readable.description.names:
        message = f"{_the_classes(encoding, idle)} not occur in any mask."
        hint = "Leave it out of the names, or look whether its masks are read as they should be."
        where = tuple(encoding.classes[number] for number in idle)
        yield Finding("D203", "warning", message, hint, where[:NAMED])
    records = inspection.readable.records
    for split in inspection.readable.splits:
        part = [index for index in sound(inspection) if records[index].split == split]
        lacking = [n for n in _missing_classes(inspection, encoding, part) if n not in missing]
        if lacking:
            message = f"{_the_classes(encoding, lacking)} not occur in the split '{split}'."
            hint = "Move some images of it there, or leave the class out."
            where = (split, *(encoding.classes[number] for number in lacking))
            yield Finding("D203", "warning", message, hint, where[:NAMED])


def _missing_classes(
    inspection: Inspection, encoding: Encoding, indices: Iterable[int]
) -> list[int]:
    found = class_pixels((inspection.looks[index].facts for index in indices), encoding)
    return [number for number in range(len(encoding.classes)) if not found[number]]


def _the_classes(encoding: Encoding, numbers: Sequence[int]) -> str:
    names = listed([f"'{encoding.classes[number]}'" for number in numbers])
    return f"The class {names} does" if len(numbers) == 1 else f"The classes {names} do"


def overlapping_objects(inspection: Inspection) -> Iterator[Finding]:
    """Masks of single objects, or of single classes, overlap.

    Where two do, the later file has the pixel; a few pixels along touching borders are usual. Many
    mean that an object is there twice, or that the masks belong to different images.
    """
    looks = inspection.looks
    found = [index for index, look in enumerate(looks) if look.facts.overlap]
    if found:
        found.sort(key=lambda index: -looks[index].facts.overlap)
        worst = inspection.readable.records[found[0]]
        message = (
            f"Masks overlap in {counted(len(found), 'image')}, most in {worst.name}: "
            f"{looks[found[0]].facts.overlap} pixels."
        )
        hint = "Look at the first of them; the later file has the pixel."
        yield Finding("D204", "note", message, hint, names_at(inspection, found))


def imbalance(inspection: Inspection) -> Iterator[Finding]:
    """A class has very few of the pixels.

    A network that never predicts it is right nearly everywhere, and cross-entropy rewards that. The
    Dice loss counts each class alike, whatever its area. More images that hold the class help more.
    """
    encoding = encoding_of(inspection)
    if encoding is None:
        return
    facts = [inspection.looks[index].facts for index in sound(inspection)]
    pixels = class_pixels(facts, encoding)
    total = sum(count for number, count in pixels.items() if number != IGNORE)
    limit = _RARE_FOREGROUND if len(encoding.classes) == 2 else _RARE
    rare = [n for n in range(len(encoding.classes)) if 0 < pixels[n] < limit * total]
    if rare:
        rare.sort(key=lambda number: pixels[number])
        shares = [f"'{encoding.classes[n]}' {percent(pixels[n] / total)}" for n in rare]
        message = f"Classes have very few of the pixels: {listed(shares)}."
        hint = (
            "Add the Dice loss in the recipe, and more images that hold them:\n[loss]\n"
            "terms = { sparse_categorical_crossentropy = 1.0, dice_per_class = 1.0 }"
        )
        values = {value for value, number in encoding.values.items() if number in rare}
        yield Finding("D208", "warning", message, hint, names_of(with_values(inspection, values)))


def small_objects(inspection: Inspection) -> Iterator[Finding]:
    """Objects become too small at the size of the recipe.

    A recipe that resizes whole images shrinks the objects with them; what is left with fewer than
    about 3 by 3 pixels can hardly be found, and not at all be outlined. Train on windows at native
    resolution (``data.fit = "crop"``), or at a larger size.
    """
    recipe = inspection.recipe
    if recipe is None or recipe.data.fit != "resize":
        return
    height, width = recipe.data.size
    small = _small_shares(inspection, height * width)
    all_small, count = sum(n for n, _ in small.values()), sum(n for _, n in small.values())
    if count and all_small >= _TINY_SHARE * count:
        order = sorted((i for i in small if small[i][0]), key=lambda i: -small[i][0] / small[i][1])
        message = (
            f"At {height}×{width} pixels {percent(all_small / count)} of the objects have fewer "
            f"than {_TINY:g} pixels, above all in "
            f"{inspection.readable.records[order[0]].name}."
        )
        hint = f"Pass --set data.fit=crop{_larger(inspection, height, width)}."
        yield Finding("D209", "warning", message, hint, names_at(inspection, order))


def _small_shares(inspection: Inspection, pixels: float) -> dict[int, tuple[int, int]]:
    """Return how many objects are small at a size, and how many there are, by record."""
    encoding = encoding_of(inspection)
    found: dict[int, tuple[int, int]] = {}
    for index in sound(inspection) if encoding else []:
        look = inspection.looks[index]
        scale = pixels / (look.facts.size[0] * look.facts.size[1])
        ids = encoding.values if encoding else {}
        areas = [
            area * scale
            for value, some in look.traits.areas.items()
            if ids.get(value, IGNORE) not in (0, IGNORE)
            for area in some
            if area >= _TINY  # specks are none of the recipe's doing
        ]
        if areas:
            found[index] = sum(area < _TINY for area in areas), len(areas)
    return found


def _larger(inspection: Inspection, height: int, width: int) -> str:
    """Return the setting of a size at which the objects are large enough, if there is one."""
    sizes = [look.facts.size for look in inspection.looks]
    while 4 * height * width <= max(rows * columns for rows, columns in sizes):
        height, width = 2 * height, 2 * width
        small = _small_shares(inspection, height * width).values()
        if sum(n for n, _ in small) < _TINY_SHARE * sum(n for _, n in small):
            return f", or --set data.size=[{height},{width}]"
    return ""


def mask_is_the_image(inspection: Inspection) -> Iterator[Finding]:
    """The mask is a copy of its image, or the same mask belongs to many images.

    Files were copied to the wrong folder, or a script wrote the same array again and again. Put the
    masks in their place, or export them again.
    """
    looks, records = inspection.looks, inspection.readable.records
    copies = [records[index] for index, look in enumerate(looks) if look.traits.copied]
    copies += [fault.record for fault in inspection.faults_of("copied")]
    if copies:
        copies_are = "is a copy of its image" if len(copies) == 1 else "are copies of their images"
        masks = counted(len(copies), "mask")
        message = f"{masks} {copies_are}, such as {mask_file(copies[0])}."
        hint = "Put the masks in their place; these files are images."
        yield Finding("D211", "error", message, hint, names_of(copies))
    yield from _repeated(inspection)


def _repeated(inspection: Inspection) -> Iterator[Finding]:
    """Say which mask, of more than one value, stands beside many different images."""
    groups: dict[str, dict[str, int]] = {}
    for index, look in enumerate(inspection.looks):
        if len(look.facts.values) > 1 and look.traits.digest:
            groups.setdefault(look.traits.digest, {})[look.fingerprint.digest] = index
    for members in sorted(groups.values(), key=len, reverse=True):
        if len(members) >= _SAME_MASKS:
            first = inspection.readable.records[min(members.values())]
            message = f"{len(members)} different images have one mask, that in {mask_file(first)}."
            hint = "Look at some of them, and export their masks again if it is not theirs."
            where = names_at(inspection, sorted(members.values()))
            yield Finding("D211", "warning", message, hint, where)


def inverted_masks(inspection: Inspection) -> Iterator[Finding]:
    """In a few masks the background is marked, and the objects are not.

    Where the image has the background's colours under the marked pixels, and the objects' colours
    beside them, somebody has drawn white on black what all others drew black on white. The network
    is told the opposite of what it learns from the rest. Look at the masks, and invert them.
    """
    encoding = encoding_of(inspection)
    if encoding is None or len(encoding.classes) != 2:
        return
    looks = inspection.looks
    usable = [index for index in sound(inspection) if looks[index].traits.inside]
    usual = Counter(len(looks[index].traits.inside) for index in usable).most_common(1)
    usable = [i for i in usable if len(looks[i].traits.inside) == usual[0][0]]
    found = [usable[place] for place in _swapped_colours(inspection, usable)]
    if found:
        masks = counted(len(found), "mask")
        message = (
            f"{masks} of {len(usable)} may be inverted, such as "
            f"{mask_file(inspection.readable.records[found[0]])}: where it marks objects, its "
            "image has the colours of other images' background."
        )
        hint = "Look at it; if that is so, invert the mask: swap its two values."
        yield Finding("D214", "warning", message, hint, names_at(inspection, found))


def _swapped_colours(inspection: Inspection, indices: Sequence[int]) -> list[int]:
    """Return the places of the masks with which others agree once they are inverted."""
    if len(indices) < _FEWEST_TO_COMPARE:
        return []
    traits = [inspection.looks[index].traits for index in indices]
    inside = np.array([one.inside for one in traits])
    outside = np.array([one.outside for one in traits])
    tree = cKDTree(np.hstack([inside, outside]))
    # Of its own kind each picture has itself, and should have a few others.
    as_it_is = tree.query(np.hstack([inside, outside]), k=_FELLOWS + 1)[0][:, -1]
    inverted = tree.query(np.hstack([outside, inside]), k=_FELLOWS)[0][:, -1]
    contrast = np.linalg.norm(inside - outside, axis=1)
    swapped = (inverted < _CLOSER * as_it_is) & (inverted < _CLOSER * contrast)
    order = np.argsort(inverted - as_it_is)
    return [int(place) for place in order if swapped[place]]


def mostly_ignored(inspection: Inspection) -> Iterator[Finding]:
    """More than half of the pixels are ignored, or nearly all of a mask.

    Ignored pixels teach nothing and are not scored. Often 255 was meant as a class, or a value is
    listed under ``[masks] ignore`` in ``dataset.toml`` that should not be.
    """
    encoding = encoding_of(inspection)
    if encoding is None:
        return
    ignored = {value for value, number in encoding.values.items() if number == IGNORE}
    shares: dict[int, float] = {}
    pixels = Counter[bool]()
    for index in sound(inspection):
        values = inspection.looks[index].facts.values
        hidden, total = sum(n for v, n in values.items() if v in ignored), sum(values.values())
        shares[index] = hidden / total
        pixels += Counter({True: hidden, False: total - hidden})
    hint = "Give the value its class under [masks] values in dataset.toml, if it is one."
    values_text = listed([spell(value) for value in sorted(ignored & held_values(inspection))])
    whole = pixels[True] / max(pixels.total(), 1)
    order = sorted(shares, key=lambda index: -shares[index])
    if whole > _MOSTLY_IGNORED:
        message = f"{percent(whole)} of the pixels are ignored (value {values_text})."
        yield Finding("D212", "warning", message, hint, names_at(inspection, order))
    elif order and shares[order[0]] >= _IGNORED_MASK:
        most = [index for index in order if shares[index] >= _IGNORED_MASK]
        first = mask_file(inspection.readable.records[most[0]])
        are = "is" if len(most) == 1 else "are"
        message = (
            f"{counted(len(most), 'mask')} {are} ignored nearly everywhere (value {values_text}), "
            f"such as {first} with {percent(shares[most[0]])} of its pixels."
        )
        yield Finding("D212", "warning", message, hint, names_at(inspection, most))
