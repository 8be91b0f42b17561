"""What a plan has to know of a data set, in a few numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.statistics import statistics
from delineate.data.classes import IGNORE
from delineate.data.dataset import Dataset
from delineate.data.records import Sample

# Images of which the masks are looked at for whether a picture has an above and a below.
LOOKED_AT, FEWEST = 64, 3


@dataclass(frozen=True)
class Fingerprint:
    """A data set in a few numbers.

    Attributes:
        images: How many there are.
        training: How many of them are trained on.
        height: Median of the images' heights, in pixels.
        width: Median of their widths.
        smallest: Smallest (height, width), each side by itself.
        largest: Largest (height, width), likewise.
        channels: Of the images.
        dtype: "uint8" or "uint16".
        used_range: Share of the type's range between the lowest and the highest value of an image
            in the middle.
        exposure: How many times brighter the brightest values of a bright image are than those of a
            dim one (95th and 5th percentile of the images).
        classes: Names, background first.
        shares: Share of the pixels of each class.
        ignored: Share of all pixels that is ignored.
        objects: Whether the data has objects.
        diameter: Of the object that a pixel in the middle belongs to, in pixels: that of a disc of
            its area. Half of the foreground lies in larger ones. None: there are no objects.
        smallest_diameter: Likewise of the objects at the 5th percentile.
        objects_per_image: Median.
        touching: Share of the objects that touch another one; None: unknown.
        kinds: A phrase for each kind of picture, and how many images it has, the most frequent
            first.
        duplicates: Images that have a near-duplicate.
        groups: Patients, slides or videos; None: the data names none.
        upright: How much the top of the images differs from the bottom: 0, not at all, to 1. None:
            there are too few images to say.
    """

    images: int
    training: int
    height: int
    width: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    channels: int
    dtype: str
    used_range: float
    exposure: float
    classes: tuple[str, ...]
    shares: tuple[float, ...]
    ignored: float
    objects: bool
    diameter: float | None
    smallest_diameter: float | None
    objects_per_image: float
    touching: float | None
    kinds: tuple[tuple[str, int], ...]
    duplicates: int
    groups: int | None
    upright: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def fingerprint_of(inspection: Inspection) -> Fingerprint:
    """Return what a plan has to know of a data set that has been read.

    Args:
        inspection: The images that may be looked at, each with its split or none.

    Raises:
        DataError: Which classes there are is not known.
    """
    found, readable = statistics(inspection), inspection.readable
    facts = [look.facts for look in inspection.looks]
    heights, widths = (np.array([fact.size[axis] for fact in facts]) for axis in (0, 1))
    highest = np.array([max(fact.highest, 1) for fact in facts])
    classes = found["classes"] or []
    areas = _areas(inspection)
    return Fingerprint(
        images=len(readable),
        training=sum(record.split in (None, "train") for record in readable.records),
        height=int(np.median(heights)),
        width=int(np.median(widths)),
        smallest=(int(heights.min()), int(widths.min())),
        largest=(int(heights.max()), int(widths.max())),
        channels=readable.channels,
        dtype=str(readable.dtype),
        used_range=_used_range(found["value_ranges"]),
        exposure=float(np.percentile(highest, 95) / np.percentile(highest, 5)),
        classes=tuple(item["name"] for item in classes),
        shares=tuple(item["share"] for item in classes),
        ignored=found["ignored"] or 0.0,
        objects=all(fact.objects is not None for fact in facts),
        diameter=_diameter(_weighted_median(areas)),
        smallest_diameter=_diameter(float(np.percentile(areas, 5)) if len(areas) else None),
        objects_per_image=(found["objects_per_image"] or {}).get("median", 0.0),
        touching=found["touching"],
        kinds=tuple((item["kind"], item["images"]) for item in found["kinds"]),
        duplicates=found["duplicates"],
        groups=(found["groups"] or {}).get("groups"),
        upright=uprightness(readable),
    )


def uprightness(dataset: Dataset) -> float | None:
    """Return by how much the top of images differs from the bottom.

    That is the larger of two differences between the upper and the lower third: of the shares of
    the classes (their total variation distance) and of the brightness (as a share of the brightest
    value). Near 0 for cells, which lie any way, and large for streets, where the sky is above. A
    difference counts only where the images agree: where its mean is twice its standard error.

    Args:
        dataset: The images and masks; at most 64 of them are read, evenly spread.

    Returns:
        A value in 0 to 1; None for fewer than three images.
    """
    if len(dataset) < FEWEST:
        return None
    count = len(dataset.classes)
    differences = np.array([_top_less_bottom(each, count) for each in dataset.evenly(LOOKED_AT)])
    mean = differences.mean(axis=0)
    error = differences.std(axis=0, ddof=1) / np.sqrt(len(differences))
    certain = np.where(np.abs(mean) > 2 * error, mean, 0.0)
    return float(max(np.abs(certain[:-1]).sum() / 2, abs(certain[-1])))


def _top_less_bottom(sample: Sample, count: int) -> np.ndarray:
    """Return the differences of the classes' shares, and last that of the brightness."""
    third = max(1, sample.size[0] // 3)
    rows = []
    for part in (np.s_[:third], np.s_[-third:]):
        mask, image = sample.mask[part], sample.image[part]
        pixels = np.bincount(mask[mask != IGNORE].ravel(), minlength=count)[:count]
        brightness = image.mean() / max(float(sample.image.max()), 1.0)
        rows.append([*(pixels / max(pixels.sum(), 1)), brightness])
    difference: np.ndarray = np.array(rows[0]) - np.array(rows[1])
    return difference


def _areas(inspection: Inspection) -> np.ndarray:
    """Return the areas of the objects, or of the parts, of all classes but the background."""
    values = inspection.readable.encoding.values
    areas: list[int] = []
    for look in inspection.looks:
        for value, found in look.traits.areas.items():
            if values.get(value, IGNORE) not in (0, IGNORE):
                areas.extend(found)
    return np.array(areas, float)


def _weighted_median(areas: np.ndarray) -> float | None:
    """Return the area of the object in which a pixel in the middle lies."""
    if not len(areas):
        return None
    order = np.sort(areas)
    return float(order[np.searchsorted(np.cumsum(order), order.sum() / 2)])


def _diameter(area: float | None) -> float | None:
    return None if area is None else 2 * float(np.sqrt(area / np.pi))


def _used_range(ranges: Sequence[dict[str, Any]]) -> float:
    """Return the share of the type's range that an image in the middle uses."""
    first = ranges[0]
    largest = np.iinfo(first["depth"]).max
    return float((first["median_highest"] - first["median_lowest"]) / largest)
