"""Pictures of a data set, and of what the rules have found in it, as many as a page can bear."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import cv2

from delineate.data.checking.evidence import Drawing, Scene, evidence
from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.values import sound
from delineate.data.checking.tiles import overlay_tile, plain_tile
from delineate.data.classes import IGNORE
from delineate.data.dataset import Dataset
from delineate.errors import DataError
from delineate.imaging import PALETTE
from delineate.page import MOST_ALIKE
from delineate.report import Colour, Finding, Gallery, Tile

MOST_BYTES = 3_000_000  # of all pictures: as text they are a third larger
SAMPLES = 24
KINDS = 10
OF_A_KIND = 6
OF_A_FINDING, OF_MANY = 6, 4  # where a rule has few findings, and where it has many
FEW = 5
KEYS = 24

_LEVELS = ("error", "warning", "note")


@dataclass
class Room:
    """How many bytes of pictures a page has room for.

    Attributes:
        left: Those that are not taken yet.
    """

    left: int = MOST_BYTES

    def draw(self, drawings: Iterable[Drawing]) -> tuple[Tile, ...]:
        """Return the pictures that can be drawn, as far as there is room for them.

        Nothing is raised for one that cannot.
        """
        if self.left <= 0:
            return ()
        with ThreadPoolExecutor() as pool:
            tiles = [tile for tile in pool.map(_drawn, drawings) if tile is not None]
        kept = []
        for tile in tiles:
            self.left -= len(tile.picture)
            if self.left > 0:
                kept.append(tile)
        return tuple(kept)


def draw_samples(inspection: Inspection, room: Room) -> tuple[Gallery, ...]:
    """Return images with their masks, evenly spread over the data set; none if there are none."""
    dataset = sound_part(inspection)
    chosen = spread(range(len(dataset)), SAMPLES)
    tiles = room.draw(partial(overlay_tile, dataset, index) for index in chosen)
    if not tiles:
        return ()
    keys = legend(dataset)
    caption = f"{len(tiles)} of {len(dataset):,} images, evenly spread, with their masks."
    if keys and dataset.classes[0] != "background":
        caption += f" The first class, {dataset.classes[0]}, is not tinted."
    return (Gallery("", caption, tiles, keys),)


def sound_part(inspection: Inspection) -> Dataset:
    """Return the readable records whose masks are not blended: classes are known by these."""
    return replace(inspection.readable.subset(sound(inspection)), whole=None)


def draw_kinds(
    inspection: Inspection, kinds: Sequence[dict[str, Any]], room: Room
) -> tuple[Gallery, ...]:
    """Return a row of examples for each kind of picture, at most ten kinds.

    Args:
        inspection: The data set.
        kinds: As :func:`~delineate.data.checking.statistics.statistics` describes them.
        room: What there is room for.
    """
    dataset = inspection.readable
    galleries = []
    for number, value in enumerate(kinds[:KINDS]):
        members = [index for index, kind in enumerate(inspection.kinds) if kind == number]
        chosen = spread(members, OF_A_KIND)
        tiles = room.draw(partial(plain_tile, dataset, index) for index in chosen)
        name = str(value["kind"])
        about = f"{len(members):,} of {len(dataset):,} images."
        galleries.append(Gallery(f"{name[:1].upper()}{name[1:]}:", about, tiles))
    return tuple(galleries)


def draw_findings(
    inspection: Inspection, findings: Sequence[Finding], room: Room
) -> tuple[Finding, ...]:
    """Return the findings with pictures of them, the worst first where room is short.

    What can be shown of a broken record is shown; nothing is raised.
    """
    scene = Scene(inspection)
    galleries: dict[int, Gallery] = {}
    drawn: dict[tuple[str, str], list[int]] = {}
    counts = Counter(finding.code for finding in findings)
    order = sorted(range(len(findings)), key=lambda place: _LEVELS.index(findings[place].level))
    for place in order:
        finding = findings[place]
        alike = drawn.setdefault((finding.level, finding.code), [])
        # No more than the page shows.
        if len(alike) < MOST_ALIKE:
            most = OF_A_FINDING if counts[finding.code] <= FEW else OF_MANY
            galleries[place] = _gallery(scene, finding, room, most)
            alike.append(place)
    return tuple(
        replace(finding, gallery=galleries.get(place)) for place, finding in enumerate(findings)
    )


def legend(dataset: Dataset) -> tuple[tuple[Colour, str], ...]:
    """Return the colours and the names of the classes but the first; none if not known."""
    try:
        encoding = dataset.encoding
    except DataError:
        return ()
    keys = tuple(zip(encoding.colours, encoding.classes, strict=True))[1 : KEYS + 1]
    held = (value for facts in dataset.facts for value in facts.values)
    ignored = any(encoding.values.get(value) == IGNORE for value in held)
    return (*keys, (PALETTE[IGNORE], "ignored (hatched)")) if ignored else keys


def spread(members: Sequence[int], count: int) -> list[int]:
    """Return at most so many of some members, evenly spread.

    Example:
        >>> spread([3, 4, 5, 6, 7], 3)
        [3, 5, 7]
    """
    last, count = len(members) - 1, min(count, len(members))
    return [members[round(place * last / max(count - 1, 1))] for place in range(count)]


def _gallery(scene: Scene, finding: Finding, room: Room, most: int) -> Gallery:
    shown = evidence(scene, finding)
    tiles = room.draw(islice(shown.drawings, most))
    keys = legend(scene.dataset) if shown.masks and tiles else ()
    return Gallery("", shown.caption, tiles, keys)


def _drawn(drawing: Drawing) -> Tile | None:
    # Files may be broken in any way, or gone since they were inspected.
    try:
        return drawing()
    except (DataError, OSError, ValueError, ArithmeticError, cv2.error):
        return None
