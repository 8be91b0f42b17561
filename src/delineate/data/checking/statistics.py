"""What a data set is: counts, sizes, classes, objects and kinds, from one look at each record."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from delineate.data.checking.formats import file_formats
from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.values import encoding_of, sound
from delineate.data.classes import DEEP_IGNORE, IGNORE, Encoding
from delineate.data.describing.description import COLOUR, Description, spell
from delineate.data.looks.look import Look
from delineate.data.records import Facts, Record
from delineate.data.splitting.kinds import describe_kind

VALUES = 64  # values of the masks that are listed
_PARTS = {
    "objects": "one file for each object",
    "classes": "one file for each class",
    "one-hot": "a channel for each class",
    "numbers": "a number for each object",
    "run-lengths": "run lengths of each object",
}


def statistics(inspection: Inspection) -> dict[str, Any]:
    """Return what a data set is: plain values under names that do not change between versions.

    ``images`` counts all records; ``unreadable`` those of them that nothing else counts. Shares
    are of the pixels that are not ignored, but ``ignored`` itself is of all. ``objects`` and
    ``touching`` are of data that has objects; ``object_sizes`` and ``objects_per_image`` count
    connected parts where it has none. Masks that are blended count in none of these. What is not
    known is None.

    Args:
        inspection: The data set, read once.
    """
    return {
        "data": inspection.dataset.name,
        "layout": inspection.dataset.layout,
        "images": len(inspection.dataset),
        "unreadable": len(inspection.failures),
        "unpaired": len(inspection.dataset.unpaired),
        "notes": list(inspection.dataset.notes),
        "pixel_size": _pixel_size(inspection.dataset.description),
        **_of_images(inspection),
        **_of_masks(inspection),
        "duplicates": sum(map(len, inspection.duplicates)),
        "kinds": list(_kinds(inspection)),
    }


def _pixel_size(description: Description) -> dict[str, Any] | None:
    if description.pixel_size is None:
        return None
    height, width = description.pixel_size
    return {"height": height, "width": width, "unit": description.unit}


def _of_images(inspection: Inspection) -> dict[str, Any]:
    records = inspection.readable.records
    facts = [look.facts for look in inspection.looks]
    return {
        "splits": _counts(record.split for record in records) or None,
        "groups": _groups(records),
        "sizes": _counts((f"{fact.size[0]}×{fact.size[1]}" for fact in facts), ranked=True),
        "channels": _counts(str(fact.channels) for fact in facts),
        "depth": _counts(fact.dtype for fact in facts),
        "value_ranges": list(_value_ranges(facts)),
        "formats": file_formats([path for record in records for path in record.images[:1]]),
        "mask_formats": file_formats([path for record in records for path in record.masks[:1]]),
    }


def _of_masks(inspection: Inspection) -> dict[str, Any]:
    encoding = encoding_of(inspection)
    looks = [inspection.looks[index] for index in sound(inspection)]
    records = [inspection.readable.records[index] for index in sound(inspection)]
    facts = [look.facts for look in looks]
    description = inspection.readable.description
    objects = [fact.objects for fact in facts if fact.objects is not None]
    blended = len(inspection.looks) - len(looks)
    left = f"; {blended:,} masks are not understood" if blended else ""
    return {
        "masks": encoding and describe_encoding(encoding, records, facts) + left,
        "mask_values": _mask_values([look.facts for look in inspection.looks], encoding),
        "classes": encoding and _classes(records, facts, encoding),
        "ignored": encoding and _ignored(facts, encoding),
        "objects": sum(objects) if objects else None,
        "object_sizes": encoding and list(_object_sizes(looks, encoding, description)),
        "objects_per_image": _per_image(looks),
        "touching": _touching(looks),
    }


def describe_encoding(encoding: Encoding, records: Sequence[Record], facts: Sequence[Facts]) -> str:
    """Return in words how masks say which class a pixel is.

    Args:
        encoding: How their values become class ids.
        records: Records whose masks are sound.
        facts: Of each.
    """
    parts = {record.parts for record in records}
    found = {value for fact in facts for value in fact.values}
    told = [text for name, text in _PARTS.items() if name in parts]
    if "whole" in parts or not parts:
        told.append(_whole(encoding, found))
    ignored = sorted(value for value in found if encoding.values.get(value) == IGNORE)
    if ignored:
        verb = "is" if len(ignored) == 1 else "are"
        told.append(f"{_listed([spell(value) for value in ignored])} {verb} ignored")
    return "; ".join(told)


def _whole(encoding: Encoding, found: set[int]) -> str:
    """Return in words how masks that hold all classes are read."""
    if any(value >= COLOUR for value in found):
        return f"colour pictures: {len(encoding.classes)} colours, one for each class"
    counted = {value: encoding.values[value] for value in found if value in encoding.values}
    counted = {value: number for value, number in counted.items() if number != IGNORE}
    white = {IGNORE, DEEP_IGNORE} & counted.keys()
    if white and counted.keys() <= {0, *white}:
        background, foreground = encoding.classes[:2]
        return f"values 0 and {min(white)}: {background} and {foreground}"
    if all(value == number for value, number in counted.items()):
        return f"class ids 0 to {len(encoding.classes) - 1}"
    return f"{len(counted)} values for {len(encoding.classes)} classes"


def _listed(words: Sequence[str]) -> str:
    more = [f"{len(words) - 6} more"] if len(words) > 7 else []
    shown = [*words[:6], *more] if more else list(words)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _counts(values: Iterable[str | None], *, ranked: bool = False) -> dict[str, int]:
    """Return how often each value occurs that is not None, in order or the most frequent first."""
    counts = Counter(value for value in values if value is not None)
    return dict(counts.most_common() if ranked else counts)


def _groups(records: Sequence[Record]) -> dict[str, int] | None:
    counts = _counts(record.group for record in records)
    if not counts:
        return None
    return {
        "groups": len(counts),
        "images": sum(counts.values()),
        "largest": max(counts.values()),
    }


def _value_ranges(facts: Sequence[Facts]) -> Iterator[dict[str, Any]]:
    """Yield for each depth the range of all values, and that of an image in the middle."""
    for depth in dict.fromkeys(fact.dtype for fact in facts):
        those = [fact for fact in facts if fact.dtype == depth]
        lows, highs = [fact.lowest for fact in those], [fact.highest for fact in those]
        yield {
            "depth": depth,
            "images": len(those),
            "lowest": min(lows),
            "highest": max(highs),
            "median_lowest": float(np.median(lows)),
            "median_highest": float(np.median(highs)),
        }


def _mask_values(facts: Sequence[Facts], encoding: Encoding | None) -> list[dict[str, Any]]:
    """Return the stored values, at most 64: those with most pixels, in order."""
    pixels: Counter[int] = Counter()
    images: Counter[int] = Counter()
    for fact in facts:
        pixels.update(fact.values)
        images.update(fact.values.keys())
    chosen = sorted(value for value, _ in pixels.most_common(VALUES))
    return [
        {
            "value": spell(value),
            "class": encoding and _class_name(value, encoding),
            "pixels": pixels[value],
            "images": images[value],
        }
        for value in chosen
    ]


def _class_name(value: int, encoding: Encoding) -> str | None:
    number = encoding.values.get(value)
    if number is None:
        return None
    return "ignored" if number == IGNORE else encoding.classes[number]


def _classes(
    records: Sequence[Record], facts: Sequence[Facts], encoding: Encoding
) -> list[dict[str, Any]]:
    pixels, images = _tally(facts, encoding)
    total = _counted(pixels, encoding)
    parts = {name: _tally(part, encoding)[0] for name, part in _by_split(records, facts).items()}
    return [
        {
            "name": name,
            "colour": "#{:02x}{:02x}{:02x}".format(*encoding.colours[number]),
            "pixels": pixels[number],
            "share": round(pixels[number] / total, 6),
            "images": images[number],
            "splits": {
                split: round(part[number] / _counted(part, encoding), 6)
                for split, part in parts.items()
            }
            or None,
        }
        for number, name in enumerate(encoding.classes)
    ]


def _by_split(records: Sequence[Record], facts: Sequence[Facts]) -> dict[str, list[Facts]]:
    found: dict[str, list[Facts]] = {}
    for record, fact in zip(records, facts, strict=True):
        if record.split:
            found.setdefault(record.split, []).append(fact)
    return found


def _tally(facts: Sequence[Facts], encoding: Encoding) -> tuple[Counter[int], Counter[int]]:
    """Return the pixels of each class id, and the images that have it."""
    pixels: Counter[int] = Counter()
    images: Counter[int] = Counter()
    for fact in facts:
        ids = {encoding.values[value] for value in fact.values}
        images.update(ids)
        for value, count in fact.values.items():
            pixels[encoding.values[value]] += count
    return pixels, images


def _counted(pixels: Counter[int], encoding: Encoding) -> int:
    return max(sum(pixels[number] for number in range(len(encoding.classes))), 1)


def _ignored(facts: Sequence[Facts], encoding: Encoding) -> float | None:
    """Return the share of pixels whose mask says ignore, None where there are none."""
    pixels, _ = _tally(facts, encoding)
    return round(pixels[IGNORE] / pixels.total(), 6) if pixels[IGNORE] else None


def _object_sizes(
    looks: Sequence[Look], encoding: Encoding, description: Description
) -> Iterator[dict[str, Any]]:
    """Yield for each class with objects their sizes, in pixels and in physical units."""
    areas: dict[int, list[int]] = {}
    for look in looks:
        for value, found in look.traits.areas.items():
            areas.setdefault(encoding.values.get(value, IGNORE), []).extend(found)
    for number in sorted(areas.keys() - {IGNORE}):
        percentiles = np.percentile(areas[number], (5, 50, 95))
        pixels = dict(zip(("p5", "median", "p95"), percentiles.tolist(), strict=True))
        physical = None
        if description.pixel_size is not None:
            height, width = description.pixel_size
            physical = {name: value * height * width for name, value in pixels.items()}
        yield {
            "name": encoding.classes[number],
            "measured": len(areas[number]),
            "pixels": pixels,
            "area": physical,
            "unit": description.unit and f"{description.unit}²" if physical else None,
        }


def _per_image(looks: Sequence[Look]) -> dict[str, float] | None:
    counts = [look.traits.objects for look in looks]
    if not counts:
        return None
    least, low, middle, high, most = np.percentile(counts, (0, 5, 50, 95, 100)).tolist()
    return {"least": least, "p5": low, "median": middle, "p95": high, "most": most}


def _touching(looks: Sequence[Look]) -> float | None:
    """Return the share of the data's own objects that touch another one."""
    traits = [look.traits for look in looks if look.facts.objects is not None]
    objects = sum(trait.objects for trait in traits)
    return round(sum(trait.touching for trait in traits) / objects, 6) if objects else None


def _kinds(inspection: Inspection) -> Iterator[dict[str, Any]]:
    prints = inspection.fingerprints
    members: dict[int, list[int]] = {}
    for index, label in enumerate(inspection.kinds):
        members.setdefault(label, []).append(index)
    for _, found in sorted(members.items()):
        yield {
            "kind": describe_kind(prints, found),
            "images": len(found),
            "example": inspection.readable.records[_typical(inspection, found)].name,
        }


def _typical(inspection: Inspection, members: Sequence[int]) -> int:
    """Return the member whose features are nearest to the median of all."""
    features = np.array([inspection.fingerprints[index].features for index in members])
    spread = np.maximum(features.std(axis=0), 1e-6)
    distances = np.abs((features - np.median(features, axis=0)) / spread).sum(axis=1)
    return members[int(distances.argmin())]
