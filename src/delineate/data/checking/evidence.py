"""Which pictures show a finding: one function per way of going wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.tiles import (
    detail_tile,
    file_tile,
    image_tile,
    labels_tile,
    mask_over,
    overlay_tile,
    plain_tile,
    shown_mask,
)
from delineate.data.dataset import Dataset
from delineate.data.looks.alignment import TURNS, border_of, measure_alignment
from delineate.data.reading import read_channels
from delineate.data.records import Record
from delineate.data.windows import plain_window
from delineate.errors import DataError
from delineate.imaging import Labels, read_labels, reorient
from delineate.report import Colour, Finding, Tile

HOLDERS = 6
_NAMED_FILES = 8  # of a record, by which a finding may name it
_FOREGROUND: tuple[Colour, Colour] = ((0, 0, 0), (230, 159, 0))

Drawing = Callable[[], Tile | None]


@dataclass(frozen=True)
class Evidence:
    """Pictures that show a finding.

    Attributes:
        drawings: Each draws one, or raises ``DataError`` or ``OSError`` where it cannot.
        caption: How to read them.
        masks: Whether the colours of the classes are in them.
    """

    drawings: Iterator[Drawing]
    caption: str
    masks: bool


@dataclass(frozen=True)
class Scene:
    """What pictures of findings are drawn from.

    Attributes:
        inspection: The data set that was read.
    """

    inspection: Inspection

    @property
    def dataset(self) -> Dataset:
        """The records that could be read."""
        return self.inspection.readable

    @cached_property
    def places(self) -> dict[str, int]:
        """The index of each readable record, by its name."""
        return {record.name: index for index, record in enumerate(self.dataset.records)}

    @cached_property
    def failed(self) -> dict[str, Record]:
        """The records that could not be read, by their names."""
        return {record.name: record for record, _ in self.inspection.failures}

    @cached_property
    def names(self) -> dict[str, str]:
        """The name of the record that a file belongs to, by the file's path."""
        records = self.inspection.dataset.records
        return {
            str(path): record.name for record in records for path in record.files[:_NAMED_FILES]
        }

    def named(self, finding: Finding) -> list[int]:
        """Return the readable records that a finding names, itself or by a file."""
        names = dict.fromkeys(self.names.get(where, where) for where in finding.where)
        return [self.places[name] for name in names if name in self.places]

    def broken(self, finding: Finding) -> list[Record]:
        """Return the unreadable records that a finding names."""
        names = dict.fromkeys(self.names.get(where, where) for where in finding.where)
        return [self.failed[name] for name in names if name in self.failed]


Painter = Callable[[Scene, Finding], Iterator[Drawing]]


def evidence(scene: Scene, finding: Finding) -> Evidence:
    """Return the pictures that show a finding; they are drawn when they are called.

    Args:
        scene: The data set.
        finding: What a rule has found in it.
    """
    paint, caption, masks = _PAINTERS.get(finding.code, _USUAL)
    return Evidence(paint(scene, finding), caption, masks)


def _overlays(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Images with their masks; of broken records what there is."""
    for index in scene.named(finding) or _holders(scene, finding):
        yield partial(overlay_tile, scene.dataset, index)
    for record in scene.broken(finding):
        yield from _remains(record)


def _holders(scene: Scene, finding: Finding) -> list[int]:
    """Return the records that hold most of the classes that a finding names."""
    try:
        encoding = scene.dataset.encoding
    except DataError:
        return []
    wanted = {number for number, name in enumerate(encoding.classes) if name in finding.where}
    values = {value for value, number in encoding.values.items() if number in wanted}
    pixels = [
        sum(count for value, count in facts.values.items() if value in values)
        for facts in scene.dataset.facts
    ]
    ordered = sorted(range(len(pixels)), key=lambda index: -pixels[index])
    return [index for index in ordered[:HOLDERS] if pixels[index]]


def _remains(record: Record) -> Iterator[Drawing]:
    """What can be shown of a broken record: its image, its mask."""
    yield lambda: image_tile(read_channels(record), record.name, "the image")
    for path in record.masks[:1]:
        yield partial(_mask_file, path, record.name, f"its mask, {path.name}")


def _mask_file(path: Path, name: str, remark: str) -> Tile:
    return labels_tile(read_labels(path), name, remark)


def _files(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Files without a partner, and the records that are named."""
    unpaired = {str(item.path): item for item in scene.inspection.dataset.unpaired}
    for where in finding.where:
        if where in unpaired and unpaired[where].path.is_file():
            yield partial(file_tile, unpaired[where].path, f"has no {unpaired[where].wanted[:40]}")
    yield from _overlays(scene, finding)


def _across_splits(scene: Scene, finding: Finding) -> list[int]:
    """Return the records of a finding so that the first ones are of different splits."""
    counts: dict[str | None, int] = {}
    ranked = []
    for index in scene.named(finding):
        split = scene.dataset.records[index].split
        counts[split] = counts.get(split, 0) + 1
        ranked.append((counts[split], index))
    return [index for _, index in sorted(ranked)]


def _images(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Images without their masks, with the split of each."""
    for index in _across_splits(scene, finding):
        yield partial(plain_tile, scene.dataset, index)


def _copies(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Images with their masks, with the split of each."""
    for index in _across_splits(scene, finding):
        yield partial(overlay_tile, scene.dataset, index)


def _storage(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Images with their masks, and how each image is stored."""
    for index in scene.named(finding):
        facts = scene.dataset.facts[index]
        count = "1 channel" if facts.channels == 1 else f"{facts.channels} channels"
        yield partial(overlay_tile, scene.dataset, index, f"{count}, {facts.dtype}")
    for record in scene.broken(finding):
        yield from _remains(record)


def _details(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Masks as they are, and a part of each enlarged."""
    for index in scene.named(finding) or _richest(scene):
        yield partial(overlay_tile, scene.dataset, index)
        yield partial(detail_tile, scene.dataset, index)
    for record in scene.broken(finding):
        yield from _remains(record)


def _richest(scene: Scene) -> list[int]:
    """Return the records whose masks hold most different values."""
    counts = [len(facts.values) for facts in scene.dataset.facts]
    return sorted(range(len(counts)), key=lambda index: -counts[index])[: HOLDERS // 2]


def _masks(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Masks in the colours that their own files give them."""
    for index in scene.named(finding):
        record = scene.dataset.records[index]
        for path in record.masks[:1]:
            yield partial(_mask_file, path, record.name, record.split or "")


def _image_and_mask(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Each image beside its mask."""
    for index in scene.named(finding):
        record = scene.dataset.records[index]
        yield partial(plain_tile, scene.dataset, index, "the image")
        for path in record.masks[:1]:
            yield partial(_mask_file, path, record.name, "its mask")


def _turned(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Each image with its mask as it is, and as it would fit."""
    for index in scene.named(finding):
        yield partial(overlay_tile, scene.dataset, index, "as it is")
        yield partial(_as_it_would_fit, scene.inspection, index)
    for record in scene.broken(finding):
        yield from _remains(record)
        yield partial(_swapped, record)


def _as_it_would_fit(inspection: Inspection, index: int) -> Tile | None:
    dataset, fits = inspection.readable, inspection.looks[index].traits.alignment
    if len(fits) < 2:
        return None
    best = max(range(1, len(fits)), key=lambda number: fits[number])
    decoded = dataset.decoded(index)
    labels = reorient(np.asarray(decoded.labels), best)
    ids, colours = shown_mask(dataset, labels, decoded.facts)
    name, remark = dataset.records[index].name, f"the mask {TURNS[best]}"
    return mask_over(decoded.image, ids, colours, name=name, remark=remark)


def _swapped(record: Record) -> Tile | None:
    """Return an image with its mask, whose height and width are swapped, in the turn that fits."""
    image, found = read_channels(record), read_labels(record.masks[0])
    if len(record.masks) > 1 or found.values.shape != image.shape[1::-1]:
        return None
    best, labels = best_turn(image, found)
    background = 0 if found.colours is None else labels.flat[0]
    ids = (labels != background).astype(np.uint8)
    remark = f"the mask {TURNS[best]}"
    return mask_over(image, ids, _FOREGROUND, name=record.name, remark=remark)


def best_turn(image: np.ndarray, found: Labels) -> tuple[int, np.ndarray]:
    """Return the transposition or quarter turn that fits an image best, and the labels turned so.

    Args:
        image: (height, width, channels) uint8 or uint16.
        found: Labels of (width, height).

    Returns:
        The number of the orientation, as in :mod:`delineate.data.looks.alignment`, and the labels,
        (height, width).
    """
    turned = {
        number: np.ascontiguousarray(reorient(found.values, number)) for number in range(4, 8)
    }
    fits = {number: _fit(image, labels) for number, labels in turned.items()}
    best = max(fits, key=lambda number: fits[number])
    return best, turned[best]


def _fit(image: np.ndarray, labels: np.ndarray) -> float:
    return (measure_alignment(image, border_of(labels)) or (0.0,))[0]


def _at_the_recipes_size(scene: Scene, finding: Finding) -> Iterator[Drawing]:
    """Images with their masks, and the same as small as the recipe makes them."""
    recipe = scene.inspection.recipe
    for index in scene.named(finding):
        yield partial(overlay_tile, scene.dataset, index, "as it is")
        if recipe is not None:
            yield partial(_resized, scene.dataset, index, recipe.data.size)


def _resized(dataset: Dataset, index: int, size: tuple[int, int]) -> Tile:
    sample = dataset[index]
    image, mask, _ = plain_window(
        sample.image, sample.mask, None, size=size, fit="resize", classes=len(dataset.classes)
    )
    remark = f"at {size[0]}×{size[1]}"
    return mask_over(image, mask, dataset.colours, name=sample.name, remark=remark)


_USUAL: tuple[Painter, str, bool] = (_overlays, "With their masks.", True)
_BESIDE = "Side by side, each with its split."
_TURN = "The mask as it is, and turned so that its borders lie best on the image's edges."
_ENLARGED = (
    "Each image with its mask, and a part of the mask as it is stored, eight times as large."
)
# Code of the rule: what draws its findings, the caption, and whether the classes' colours are used.
_PAINTERS: dict[str, tuple[Painter, str, bool]] = {
    "D101": (_overlays, "What can be shown.", False),
    "D102": (_turned, "What can be shown of image and mask.", False),
    "D103": (_files, "", False),
    "D104": (_files, "", False),
    "D105": (_turned, _TURN, True),
    "D106": (_turned, _TURN, False),
    "D107": (_storage, "What can be shown.", False),
    "D200": (_details, _ENLARGED, False),
    "D201": (_masks, "The masks, in colours of their own.", False),
    "D205": (_details, _ENLARGED, False),
    "D206": (_details, _ENLARGED, False),
    "D207": (_masks, "The masks as they are stored.", False),
    "D209": (_at_the_recipes_size, "As it is, and as the network would see it.", True),
    "D210": (_masks, "The masks in the colours of their own palettes.", False),
    "D211": (_image_and_mask, "Each image beside its mask.", False),
    "D301": (_images, _BESIDE, False),
    "D302": (_images, "Side by side.", False),
    "D303": (_images, _BESIDE, False),
    "D304": (_images, _BESIDE, False),
    "D305": (_copies, "The same image with each of its masks.", True),
    "D306": (_images, _BESIDE, False),
    "D401": (_storage, "With their masks.", True),
    "D402": (_storage, "With their masks.", True),
}
