"""What a plan has to know of a data set, in a few numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.statistics import statistics
from delineate.data.classes import IGNORE
from delineate.data.dataset import Dataset

# Images of which the masks are looked at for whether a picture has an above and a below.
LOOKED_AT = 64


@dataclass(frozen=True)
class Fingerprint:
    """A data set in a few numbers.

    Attributes:
        images: How many there are.
        training: How many of them may be trained on, where the data has splits of its own.
        height: Median of the images' heights, in pixels.
        width: Median of their widths.
        smallest: Smallest (height, width), each side by itself.
        largest: Largest (height, width), likewise.
        channels: Of the images.
        dtype: "uint8" or "uint16".
        used_range: Share of the type's range between the lowest and the highest value of an image
            in the middle.
        classes: Names, background first.
        shares: Share of the pixels of each class.
        ignored: Share of all pixels that is ignored.
        objects: Whether the data has objects.
        diameter: Of an object in the middle, in pixels: that of a disc of its area; None: unknown.
        smallest_diameter: Likewise of the objects at the 5th percentile.
        objects_per_image: Median.
        touching: Share of the objects that touch another one; None: unknown.
        kinds: A phrase for each kind of picture, and how many images it has, the most frequent
            first.
        duplicates: Images that have a near-duplicate.
        groups: Patients, slides or videos; None: the data names none.
        upright: How much the classes at the top of the images differ from those at the bottom: 0,
            not at all, to 1.
        own_splits: Which splits the data brings with it.
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
    upright: float
    own_splits: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def fingerprint_of(inspection: Inspection) -> Fingerprint:
    """Return what a plan has to know of a data set that has been read.

    Args:
        inspection: The data set, read once.

    Raises:
        DataError: Which classes there are is not known.
    """
    found, readable = statistics(inspection), inspection.readable
    facts = [look.facts for look in inspection.looks]
    heights, widths = (np.array([fact.size[axis] for fact in facts]) for axis in (0, 1))
    classes = found["classes"] or []
    areas = _areas(found["object_sizes"] or [])
    trained = [record for record in readable.records if record.split in (None, "train")]
    return Fingerprint(
        images=len(readable),
        training=len(trained),
        height=int(np.median(heights)),
        width=int(np.median(widths)),
        smallest=(int(heights.min()), int(widths.min())),
        largest=(int(heights.max()), int(widths.max())),
        channels=readable.channels,
        dtype=str(readable.dtype),
        used_range=_used_range(found["value_ranges"]),
        classes=tuple(item["name"] for item in classes),
        shares=tuple(item["share"] for item in classes),
        ignored=found["ignored"] or 0.0,
        objects=all(fact.objects is not None for fact in facts),
        diameter=_diameter(areas, "median"),
        smallest_diameter=_diameter(areas, "p5"),
        objects_per_image=(found["objects_per_image"] or {}).get("median", 0.0),
        touching=found["touching"],
        kinds=tuple((item["kind"], item["images"]) for item in found["kinds"]),
        duplicates=found["duplicates"],
        groups=(found["groups"] or {}).get("groups"),
        upright=uprightness(readable),
        own_splits=tuple(found["splits"] or ()),
    )


def uprightness(dataset: Dataset) -> float:
    """Return by how much the classes at the top of images differ from those at the bottom.

    It is the total variation distance of the shares that the classes have in the upper and in the
    lower third, over all images together: near 0 for cells, which lie any way, and large for
    streets, where the sky is above.

    Args:
        dataset: The images and masks; at most 64 of them are read, evenly spread.

    Returns:
        A value in 0 to 1.
    """
    count = len(dataset.classes)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(LOOKED_AT, len(dataset))).round())
    totals = np.zeros((2, count))
    for index in chosen.astype(int).tolist():
        mask = dataset[index].mask
        third = max(1, mask.shape[0] // 3)
        for row, part in enumerate((mask[:third], mask[-third:])):
            totals[row] += np.bincount(part[part != IGNORE].ravel(), minlength=count)[:count]
    shares = totals / np.maximum(totals.sum(axis=1, keepdims=True), 1)
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _areas(sizes: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return percentiles of the area of objects: those of the class with the most objects."""
    if not sizes:
        return {}
    most: dict[str, float] = max(sizes, key=lambda item: item["measured"])["pixels"]
    return most


def _diameter(areas: dict[str, float], which: str) -> float | None:
    return 2 * float(np.sqrt(areas[which] / np.pi)) if which in areas else None


def _used_range(ranges: Sequence[dict[str, Any]]) -> float:
    """Return the share of the type's range that an image in the middle uses."""
    first = ranges[0]
    largest = np.iinfo(first["depth"]).max
    return float((first["median_highest"] - first["median_lowest"]) / largest)
