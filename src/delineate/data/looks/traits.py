"""What the mask of a record shows beyond its values: objects, borders, and whether it is turned."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate.data.describing.description import COLOUR, colour_of
from delineate.data.looks.alignment import border_of, measure_alignment
from delineate.data.looks.blends import Blends, find_blends
from delineate.data.reading import Decoded

AREAS = 200
"""Most areas that are kept of a value."""

_MOST_PIXELS = 1 << 24  # that are looked at
_MIDDLE = 2048  # rows and columns to either side of the middle of a mask
_IGNORE = frozenset({255, 65535})
# A mask of noise has parts of every value all over it. What would take longer than labelling so
# many whole pictures is left out; no mask of things comes near it.
_PICTURES = 24.0
# More object ids than this per pixel are numbers that say something else.
_SPARSE = 4
# A copy of an image as JPEG differs from it by a few levels of 255; a mask that holds fewer values
# than these may have been drawn like its image.
_COPY_LEVELS = 6.0
_COPY_VALUES = 16

Labels = NDArray[Any]
Areas = dict[int, NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class Traits:
    """What the mask of one record shows.

    Attributes:
        areas: Pixels of the objects, by stored value: connected parts (diagonals connect) of one
            value other than 0 or black, or the data's own objects; ascending, at most 200 a
            value, evenly chosen by rank. 255 (65535) beside other values than 0 is ignore.
        objects: Number of objects.
        touching: Number of objects that touch another one, also at a corner.
        blended: Share of the border pixels, 0 to 1, whose value lies between its neighbours'.
        blends: Those values, the most frequent first, at most eight.
        alignment: How well the mask's borders lie on the image's edges, -1 to 1, as it is and in
            the seven other orientations (bit 4: transposed, 2: rows, 1: columns mirrored); in
            three where it is not square; nothing where there is nothing to compare.
        inside: Mean colour of the image, 0 to 255 in each of at most three channels, where the
            mask marks things; nothing where it marks none, or all.
        outside: The same where it marks none.
        copied: Whether the mask is its image once more.
        digest: Hexadecimal BLAKE2b of the mask: equal for identical masks only.
    """

    areas: Mapping[int, tuple[int, ...]]
    objects: int
    touching: int
    blended: float
    blends: tuple[int, ...] = ()
    alignment: tuple[float, ...] = ()
    inside: tuple[float, ...] = ()
    outside: tuple[float, ...] = ()
    copied: bool = False
    digest: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "areas": {str(key): area for key, area in self.areas.items()}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Traits":
        """Return the traits that :meth:`as_json` has written."""
        changed = {
            "areas": {int(key): tuple(area) for key, area in values["areas"].items()},
            "blends": tuple(values["blends"]),
            "alignment": tuple(values["alignment"]),
            "inside": tuple(values["inside"]),
            "outside": tuple(values["outside"]),
        }
        return cls(**{**values, **changed})


def traits(decoded: Decoded) -> Traits:
    """Return what the mask of a record shows; 2 to 5 ms for 512 x 512 pixels.

    Of more than 16 million pixels, only every second, third, ... row and column is looked at.

    Args:
        decoded: The record's pixels.
    """
    step = math.ceil(math.sqrt(decoded.labels.size / _MOST_PIXELS))
    seen = decoded if step == 1 else _thinned(decoded, step)
    border = border_of(seen.labels)
    outlines = border if seen.instances is None else border_of(seen.instances)
    areas, touching = _objects(seen, outlines)
    inside, outside = _mean_colours(seen)
    copied = _is_copy(seen)
    blends = Blends(0.0, ()) if copied else _blends(decoded)
    return Traits(
        areas={value: _chosen(found * step**2) for value, found in sorted(areas.items())},
        objects=sum(map(len, areas.values())),
        touching=touching,
        blended=round(blends.share, 4),
        blends=blends.values,
        alignment=measure_alignment(np.asarray(seen.image), outlines),
        inside=inside,
        outside=outside,
        copied=copied,
        digest=_digest(decoded),
    )


def _thinned(decoded: Decoded, step: int) -> Decoded:
    """Return every so many rows and columns: what is computed takes twenty bytes a pixel."""
    image, labels = decoded.image[::step, ::step], decoded.labels[::step, ::step]
    instances = None if decoded.instances is None else decoded.instances[::step, ::step]
    return replace(decoded, image=image, labels=labels, instances=instances)


def _blends(decoded: Decoded) -> Blends:
    """Return the mixtures in the middle of a mask: they are to be seen at its own size alone."""
    if len(decoded.facts.values) < 3:  # of two values none lies between others
        return Blends(0.0, ())
    rows, columns = (
        slice(max(0, side // 2 - _MIDDLE), side // 2 + _MIDDLE) for side in decoded.labels.shape
    )
    labels = np.asarray(decoded.labels[rows, columns])
    return find_blends(labels, border_of(labels), decoded.facts.colours)


def _objects(decoded: Decoded, outlines: NDArray[np.bool_]) -> tuple[Areas, int]:
    """Return the areas of the objects by stored value, and how many touch another one."""
    labels = np.asarray(decoded.labels)
    if decoded.instances is None:
        return _connected_parts(labels, decoded.facts.colours, outlines)
    instances = _compact(np.asarray(decoded.instances))
    counts = np.bincount(instances.ravel())
    present = np.flatnonzero(counts[1:]) + 1
    value_of = np.zeros(counts.size, np.int64)
    value_of[instances.ravel()] = labels.ravel()
    values = value_of[present]
    areas = {int(value): counts[present[values == value]] for value in np.unique(values)}
    meeting = _meeting(instances, outlines, frozenset({0}))
    return areas, int(np.unique(instances[meeting]).size)


def _compact(instances: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return object ids that can be counted in a table."""
    if instances.max(initial=0) <= _SPARSE * instances.size:
        return instances
    ids, compact = np.unique(instances, return_inverse=True)
    return np.asarray(compact.reshape(instances.shape) + (ids[0] != 0), np.int32)


def _connected_parts(
    labels: Labels, colours: tuple[int, ...] | None, border: NDArray[np.bool_]
) -> tuple[Areas, int]:
    boxes = ndimage.find_objects(labels.astype(np.int32) + 1)
    present = [number for number, box in enumerate(boxes) if box is not None]
    nothing = _nothing(present, colours)
    rows, columns = _meeting(labels, border, nothing)
    meeting = labels[rows, columns]
    areas: Areas = {}
    touching, work = 0, 0.0
    for number in present:
        box = boxes[number]
        if number in nothing:
            continue
        inside = (labels[box] == number).view(np.uint8)
        work += inside.size / labels.size
        if work > _PICTURES:
            break
        # OpenCV's statistics hold centroids too, which take longer than the labels.
        parts = np.asarray(cv2.connectedComponents(inside)[1])
        value = number if colours is None else colours[number]
        areas[value] = np.bincount(parts.ravel())[1:]
        mine = meeting == number
        places = rows[mine] - box[0].start, columns[mine] - box[1].start
        touching += int(np.unique(parts[places]).size)
    return areas, touching


def _nothing(present: Sequence[int], colours: tuple[int, ...] | None) -> frozenset[int]:
    """Return the numbers that stand for no thing: background, and ignore beside other values."""
    if colours is not None:
        return frozenset(number for number in present if colours[number] == COLOUR)
    return frozenset({0} if set(present) <= {0, *_IGNORE} else {0, *_IGNORE})


def _meeting(
    labels: Labels, border: NDArray[np.bool_], nothing: frozenset[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and columns of the pixels beside a pixel of another thing, eight ways."""
    width = labels.shape[1] + 2
    # A frame of 0 saves the question whether a neighbour exists.
    flat = np.pad(labels.astype(np.int32) + 1, 1).ravel()
    is_thing = np.ones(int(flat.max()) + 1, bool)
    is_thing[[0, *(number + 1 for number in nothing if number + 1 < is_thing.size)]] = False
    rows, columns = np.divmod(np.flatnonzero(border), labels.shape[1])
    places = (rows + 1) * width + columns + 1
    places = places[is_thing[flat[places]]]
    here = flat[places]
    meets = np.zeros(places.size, bool)
    for step in (1, width - 1, width, width + 1, -1, 1 - width, -width, -width - 1):
        there = flat[places + step]
        meets |= (there != here) & is_thing[there]
    rows, columns = np.divmod(places[meets], width)
    return rows - 1, columns - 1


def _chosen(areas: NDArray[np.intp]) -> tuple[int, ...]:
    """Return the areas in order, or as many as are kept, evenly chosen by rank."""
    ordered = np.sort(areas)
    if ordered.size > AREAS:
        ordered = ordered[np.linspace(0, ordered.size - 1, AREAS).round().astype(np.intp)]
    return tuple(ordered.tolist())


def _mean_colours(decoded: Decoded) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean colours of the image where the mask marks things, and where it does not."""
    labels, colours = np.asarray(decoded.labels), decoded.facts.colours
    nothing = 0 if colours is None else next((n for n, c in enumerate(colours) if c == COLOUR), -1)
    things = (labels != nothing).view(np.uint8)
    if not 0 < np.count_nonzero(things) < things.size:
        return (), ()
    image = np.ascontiguousarray(np.asarray(decoded.image)[..., :3])
    scale = 255 / np.iinfo(image.dtype).max
    means = (cv2.mean(image, part)[: image.shape[2]] for part in (things, 1 - things))
    inside, outside = (tuple(round(value * scale, 1) for value in mean) for mean in means)
    return inside, outside


def _is_copy(decoded: Decoded) -> bool:
    """Return whether a mask is its image: exactly, or nearly where it holds many values."""
    if decoded.instances is not None or len(decoded.facts.values) < 2:
        return False
    # A few rows tell almost always that it is no copy.
    some = slice(None, None, max(1, decoded.labels.shape[0] // 8))
    return _equals(decoded, some) and _equals(decoded, slice(None))


def _equals(decoded: Decoded, rows: slice) -> bool:
    facts = decoded.facts
    image, labels = np.asarray(decoded.image[rows], np.float32), decoded.labels[rows]
    many = len(facts.values) > _COPY_VALUES
    if facts.colours is not None:
        if image.shape[2] != 3:
            return False
        apart = np.abs(image - _rgb(facts.colours)[labels])
    else:
        grey = image.mean(axis=2)
        if not many and (image != grey[..., np.newaxis]).any():
            return False
        apart = np.abs(grey - labels)
    near = _COPY_LEVELS * max(1.0, facts.highest / 255)
    return not apart.any() or (many and float(apart.mean()) <= near)


def _rgb(colours: tuple[int, ...]) -> NDArray[np.float32]:
    return np.array([colour_of(value) for value in colours], np.float32)


def _digest(decoded: Decoded) -> str:
    mask = decoded.labels if decoded.instances is None else decoded.instances
    if mask.dtype == np.int32 and mask.max(initial=0) <= np.iinfo(np.uint16).max:
        mask = mask.astype(np.uint16)  # half the bytes
    origin = "labels" if decoded.instances is None else "instances"
    state = blake2b(f"{origin}{mask.shape}{decoded.facts.colours}".encode(), digest_size=8)
    state.update(np.ascontiguousarray(mask).data)
    return state.hexdigest()
