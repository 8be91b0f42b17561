"""Rules about the images: D401 to D405."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.wording import counted, image_file, listed, names_of, percent
from delineate.data.records import Record
from delineate.data.splitting.kinds import describe_kind, find_strangers
from delineate.report import Finding, Level

Value = TypeVar("Value", int, str)

_DEEP = 65535
_UNUSED = 0.25  # of the range of 16 bits: cameras of up to 14 bits use no more


def mixed_channels(inspection: Inspection) -> Iterator[Finding]:
    """Some images have other channels than others.

    The network has one number of input channels. Grey beside RGB is read, each grey repeated three
    times, but a picture that is grey among coloured ones may have lost its colours. Anything else
    stops a training: store all images with the same channels.
    """
    facts = inspection.readable.facts
    counts, odd = _minority(inspection, [fact.channels for fact in facts])
    if len(counts) > 1:
        shares = listed(
            [f"{counted(n, 'image')} of {counted(c, 'channel')}" for c, n in counts.most_common()]
        )
        message = f"There are {shares}, such as {image_file(odd[0])}."
        hint = "Store all images with the same channels."
        level: Level = "warning" if set(counts) == {1, 3} else "error"
        yield Finding("D401", level, message, hint, names_of(odd))


def _minority(
    inspection: Inspection, values: Sequence[Value]
) -> tuple[Counter[Value], list[Record]]:
    """Return how often each value occurs, and the records without the usual one, rare first."""
    counts = Counter(values)
    usual = counts.most_common(1)[0][0] if counts else None
    odd = sorted(
        (i for i, value in enumerate(values) if value != usual), key=lambda i: counts[values[i]]
    )
    return counts, [inspection.readable.records[index] for index in odd]


def mixed_depth(inspection: Inspection) -> Iterator[Finding]:
    """Some images have 8 bits, others 16.

    A value of 200 is bright in one and black in the other. Store all images with the same depth,
    scaled alike.
    """
    counts, odd = _minority(inspection, [fact.dtype for fact in inspection.readable.facts])
    if len(counts) > 1:
        shares = listed(
            [f"{counted(count, 'image')} of {dtype}" for dtype, count in counts.most_common()]
        )
        message = f"There are {shares}, such as {image_file(odd[0])}."
        hint = "Store all images with the same depth, 8 or 16 bits, scaled alike."
        yield Finding("D402", "error", message, hint, names_of(odd))


def blank_image(inspection: Inspection) -> Iterator[Finding]:
    """An image has one value only.

    A shutter that stayed closed, a file that was not written to its end, an export of an empty
    layer. With a mask that is not empty it teaches what is not there.
    """
    pairs = zip(inspection.readable.records, inspection.fingerprints, strict=True)
    blank = [record for record, print_ in pairs if print_.contrast == 0]
    if blank:
        hold = "holds" if len(blank) == 1 else "hold"
        images = counted(len(blank), "image")
        message = f"{images} {hold} one value only, such as {image_file(blank[0])}."
        hint = "Export the image again, or remove it with its mask."
        yield Finding("D403", "warning", message, hint, names_of(blank))


def unused_range(inspection: Inspection) -> Iterator[Finding]:
    """16-bit images use a small part of the range.

    Cameras of 10 to 14 bits store their values as they are: 4095 of 65535 is the brightest. Scaled
    by the range of the type such images are nearly black to the network. Set
    ``data.normalise = "percentile"`` in the recipe, which stretches each image.
    """
    recipe = inspection.recipe
    deep = [fact for fact in inspection.readable.facts if fact.dtype == "uint16"]
    highest = max((fact.highest for fact in deep), default=0)
    if not 0 < highest <= _UNUSED * _DEEP or (recipe and recipe.data.normalise != "none"):
        return
    message = (
        f"The 16-bit images use values up to {highest}, {percent(highest / _DEEP)} of the range "
        f"({highest.bit_length()} bits)."
    )
    hint = 'Set data.normalise = "percentile" in the recipe (--set data.normalise=percentile).'
    yield Finding("D404", "note", message, hint)


def odd_one_out(inspection: Inspection) -> Iterator[Finding]:
    """Images are so unlike the rest that they form a kind of their own.

    Another stain, another magnification, a photograph among micrographs. Few of a kind are not
    learned, and in the test part they are asked for all the same. Add more of them, or take them
    out.
    """
    found = find_strangers(inspection.fingerprints)
    if found:
        kind = describe_kind(inspection.fingerprints, found[:1])
        records = [inspection.readable.records[index] for index in found]
        are = "is" if len(found) == 1 else "are"
        message = (
            f"{counted(len(found), 'image')} of {len(inspection.looks)} {are} unlike all others, "
            f"such as {image_file(records[0])}: {kind}."
        )
        hint = "Look at it: take it out, or add more of its kind."
        yield Finding("D405", "note", message, hint, names_of(records))
