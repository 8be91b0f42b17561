"""From a damaged record to what can be written: its image and its mask as they were meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from delineate.data.checking.meaning import Meaning
from delineate.data.dataset import Dataset
from delineate.data.describing.description import COLOUR
from delineate.data.reading import Decoded, read_channels
from delineate.data.records import Facts, Record
from delineate.decoding.stored import DECODER_ERRORS, orientation_of, quiet
from delineate.errors import BlendedError, DataError, ImageError
from delineate.imaging import Labels, read_float, read_image, read_labels, read_one_hot, reorient

_OPPOSITE = {6: 8, 8: 6}  # the EXIF orientation that undoes one; the others undo themselves
_DEEPEST = 65535
_COLOURS = 512  # of a blended mask that are counted


@dataclass(frozen=True, eq=False)
class Mended:
    """What is written of a record.

    Attributes:
        image: Its file, where that is fine, or (height, width, channels) uint8 or uint16.
        mask: (height, width) uint8 class ids, 255 = ignore; or for each object a file, or
            (height, width) bool.
        changes: What was changed, in phrases.
    """

    image: Path | np.ndarray
    mask: np.ndarray | tuple[Path | np.ndarray, ...]
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FloatRange:
    """The values of the floating-point images of a data set.

    Attributes:
        lowest: The smallest of all that are numbers.
        highest: The largest.
    """

    lowest: float
    highest: float

    def scale(self, values: np.ndarray) -> np.ndarray:
        """Return uint16 from 0 for the lowest to 65535 for the highest; 0 for what is no number."""
        width = self.highest - self.lowest or 1.0
        numbers = np.nan_to_num(
            values.astype(np.float64), nan=self.lowest, posinf=self.highest, neginf=self.lowest
        )
        return ((numbers - self.lowest) * (_DEEPEST / width)).round().astype(np.uint16)


def range_of_floats(records: Sequence[Record]) -> FloatRange | None:
    """Return the range of the records' floating-point images, None where there are none."""
    bounds: list[float] = []
    for record in records:
        if len(record.images) != 1:
            continue
        try:
            values = read_float(record.images[0])
        except DataError:
            continue
        finite = values[np.isfinite(values)]
        bounds += [float(finite.min()), float(finite.max())] if finite.size else [0.0, 0.0]
    return FloatRange(min(bounds), max(bounds)) if bounds else None


def facts_of_masks(records: Sequence[Record]) -> list[Facts]:
    """Return the facts of the masks that can be read, of records that cannot."""
    found = []
    for record in records:
        if record.masks:
            try:
                found.append(_facts_of_mask(record))
            except DataError:
                continue
    return found


def _facts_of_mask(record: Record) -> Facts:
    if record.parts in ("objects", "numbers"):
        values = {0: 1, 1: 1}
    elif record.parts == "classes":
        values = dict.fromkeys((0, *record.ids), 1)
    elif record.parts == "one-hot":
        return _facts(Labels(read_one_hot(record.masks[0])))
    else:
        try:
            return _facts(_read_mask(record, record.masks[0])[0])
        except BlendedError:
            values = _most_frequent(read_image(record.masks[0]))
    return Facts(size=(1, 1), channels=1, dtype="uint8", values=values)


def _most_frequent(picture: np.ndarray) -> dict[int, int]:
    """Return the pixels of the most frequent colours of a picture."""
    packed = picture[..., :3].astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    colours, counts = np.unique(packed, return_counts=True)
    order = np.argsort(-counts)[:_COLOURS].tolist()
    return {COLOUR | int(colours[place]): int(counts[place]) for place in order}


def mend_sound(dataset: Dataset, index: int, meaning: Meaning, *, objects: bool) -> Mended:
    """Return what is written of a record that can be read.

    Args:
        dataset: The records that can be read.
        index: The index of the record.
        meaning: How the masks' values become class ids.
        objects: Whether each object is written to a file of its own.

    Raises:
        DataError: Its mask cannot be understood.
    """
    record, decoded = dataset.records[index], dataset.decoded(index)
    image, changes = _image(record, decoded.image)
    if objects:
        return Mended(image, _objects(record, decoded), tuple(changes))
    ids, more = _ids(record, decoded.labels, decoded.facts, meaning)
    return Mended(image, ids, (*changes, *more))


def mend_broken(
    record: Record,
    error: DataError,
    meaning: Meaning,
    floats: FloatRange | None,
    *,
    objects: bool,
) -> Mended:
    """Return what is written of a record that cannot be read as it is.

    Args:
        record: The record.
        error: Why it cannot be read.
        meaning: How the masks' values become class ids.
        floats: The range of the floating-point images.
        objects: Whether each object is written to a file of its own.

    Raises:
        DataError: It cannot be repaired.
    """
    image, pixels, changes = _broken_image(record, floats)
    size = pixels.shape[:2]
    if record.parts == "classes" or not record.masks:
        raise error
    if objects:
        turned = [_turned_to_fit(record, path, size, error) for path in record.masks]
        masks = tuple(mask for found, _ in turned for mask in _masks_of(record, found.values))
        reasons = dict.fromkeys(text for _, text in turned if text)
        return Mended(image, masks, (*changes, *reasons))
    try:
        found, told = _turned_to_fit(record, record.masks[0], size, error)
    except BlendedError:
        ids, more = _blended(record, size, meaning, error)
        return Mended(image, ids, (*changes, *more))
    ids, more = _ids(record, found.values, _facts(found), meaning)
    return Mended(image, ids, tuple(filter(None, [*changes, told, *more])))


def _image(record: Record, pixels: np.ndarray) -> tuple[Path | np.ndarray, list[str]]:
    """Return the file of an image that is fine, or else its pixels, and what is changed."""
    if len(record.images) != 1:
        joined = ["the files of its channels were joined"] if record.images else []
        return np.asarray(pixels), joined
    changes = _oddities(record.images[0])
    return (np.asarray(pixels), changes) if changes else (record.images[0], [])


def _oddities(path: Path) -> list[str]:
    """Return what is changed in the file of an image that others may read in another way."""
    try:
        with quiet(), Image.open(path) as picture:
            mode, transparent = picture.mode, "transparency" in picture.info
    except DECODER_ERRORS:
        return []  # Pillow does not know it, and ours has read it
    orientation = orientation_of(path)
    told = {
        f"its EXIF orientation {orientation} was applied": orientation != 1,
        "its palette was replaced by colours": mode in ("P", "PA"),
        "its opaque alpha channel was left out": mode in ("RGBA", "LA", "PA") or transparent,
    }
    return [text for text, is_so in told.items() if is_so]


def _broken_image(
    record: Record, floats: FloatRange | None
) -> tuple[Path | np.ndarray, np.ndarray, list[str]]:
    """Return what is written of an image, its pixels, and what is changed."""
    try:
        pixels = read_channels(record)
    except ImageError as error:
        if floats is None or len(record.images) != 1:
            raise
        try:
            values = read_float(record.images[0])
        except DataError:
            raise error from None
        scaled = floats.scale(values)
        return scaled, scaled, _told_of_floats(values, floats)
    image, changes = _image(record, pixels)
    return image, pixels, changes


def _told_of_floats(values: np.ndarray, floats: FloatRange) -> list[str]:
    bounds = f"{floats.lowest:g} as 0, {floats.highest:g} as {_DEEPEST}"
    strange = int(np.count_nonzero(~np.isfinite(values)))
    more = [f"{strange:,} values that are no numbers were replaced"] if strange else []
    return [f"its values were stored in 16 bits, {bounds}", *more]


def _turned_to_fit(
    record: Record, path: Path, size: tuple[int, ...], error: DataError
) -> tuple[Labels, str]:
    """Return a mask in the size of its image, turned where an EXIF orientation explains it.

    Raises:
        DataError: The mask cannot be read, or has another size for no such reason.
    """
    found, told = _read_mask(record, path)
    if found.values.shape == size:
        return found, told
    image, mask = orientation_of(record.images[0]), orientation_of(path)
    for orientation, why in (
        (image, f"its mask was turned as its image is (EXIF orientation {image})"),
        (_OPPOSITE.get(mask, mask), f"its mask was turned back (EXIF orientation {mask})"),
    ):
        values = turn(found.values, orientation)
        if orientation != 1 and values.shape == size:
            both = "; ".join(filter(None, [told, why]))
            return Labels(values, found.colours, found.palette), both
    raise error


def _read_mask(record: Record, path: Path) -> tuple[Labels, str]:
    """Return what a mask stores, whole numbers that are stored as floating-point ones included."""
    if record.parts == "one-hot":
        return Labels(read_one_hot(path)), ""
    try:
        return read_labels(path), ""
    except BlendedError:
        raise
    except ImageError as error:
        try:
            values = read_float(path)
        except DataError:
            raise error from None
        whole = values.shape[2] == 1 and np.isin(values, np.arange(_DEEPEST + 1)).all()
        if not whole:
            raise
        kind = np.uint8 if values.max() < 256 else np.uint16
        return Labels(
            values[..., 0].astype(kind)
        ), "the numbers of its mask were stored as whole ones"


def turn(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return an array turned by an EXIF orientation (CIPA DC-008, tag 274), 1 to 8.

    Example:
        >>> turn(np.array([[1, 2, 3]]), 6).tolist()
        [[1], [2], [3]]
    """
    transposed, rows = orientation >= 5, orientation in (3, 4, 7, 8)
    columns = orientation in (2, 3, 6, 7)
    return reorient(array, 4 * transposed + 2 * rows + columns)


def _blended(
    record: Record, size: tuple[int, ...], meaning: Meaning, error: DataError
) -> tuple[np.ndarray, list[str]]:
    picture = read_image(record.masks[0])
    if picture.shape != (*size, 3) or picture.dtype != np.uint8:
        raise error
    return meaning.of_picture(record.name, picture)


def _ids(
    record: Record, labels: np.ndarray, facts: Facts, meaning: Meaning
) -> tuple[np.ndarray, list[str]]:
    if record.parts == "whole":
        ids, changes = meaning.ids(record.name, np.asarray(labels), facts)
    else:
        ids = meaning.encoding.encode(np.asarray(labels))
        changes = ["its classes were merged into one mask of class ids"]
    if not changes and not _is_ids(facts, meaning):
        changes.append("its mask was stored as class ids")
    return ids, changes


def _is_ids(facts: Facts, meaning: Meaning) -> bool:
    return all(meaning.encoding.values.get(value) == value for value in facts.values)


def _objects(record: Record, decoded: Decoded) -> tuple[Path | np.ndarray, ...]:
    if record.parts == "objects" or decoded.instances is None:
        return record.masks
    instances = np.asarray(decoded.instances)
    return tuple(instances == number for number in np.unique(instances) if number)


def _masks_of(record: Record, values: np.ndarray) -> list[np.ndarray]:
    """Return (height, width) bool for each object of a mask file."""
    if record.parts == "objects":
        return [values != 0]
    return [values == number for number in np.unique(values) if number]


def _facts(found: Labels) -> Facts:
    """Return the facts that the meaning of a mask is read from."""
    counts = np.bincount(found.values.ravel())
    present = np.flatnonzero(counts).tolist()
    packed = None if found.colours is None else tuple(COLOUR | colour for colour in found.colours)
    values = {value if packed is None else packed[value]: int(counts[value]) for value in present}
    return Facts(
        size=(found.values.shape[0], found.values.shape[1]),
        channels=1,
        dtype=str(found.values.dtype),
        values=values,
        colours=packed,
        palette=found.palette,
    )
