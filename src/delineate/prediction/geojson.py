"""Objects as polygons in a GeoJSON file, as QuPath imports them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from skimage.measure import label

from delineate.errors import DataError
from delineate.files import write_whole
from delineate.prediction.object_table import ObjectRow

Ring = list[tuple[int, int]]
Polygon = list[Ring]


def write_geojson(
    path: Path,
    instances: np.ndarray,
    rows: Sequence[ObjectRow],
    *,
    colours: Mapping[str, tuple[int, int, int]],
) -> None:
    """Write a FeatureCollection with each object as a detection of QuPath, whole or not at all.

    The format is that of RFC 7946, but for the unit: coordinates are x and y in pixels from the
    image's top left corner, y downwards, as QuPath counts them. The properties are those that
    QuPath writes itself from its version 0.4 on: ``objectType``, ``name`` (the object's number),
    ``classification`` and ``measurements``.

    Args:
        path: The file.
        instances: (height, width) int32 object numbers, 0 = none.
        rows: The objects to write, from :func:`~delineate.prediction.object_table.object_rows`.
        colours: The colour (red, green, blue) of each class, by name.

    Raises:
        DataError: A row's object is not among the instances, or its class has no colour.
        OSError: The file cannot be written; what stood there before is untouched.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> row = ObjectRow(1, "cell", 2, (0, 0.5), (0, 0, 1, 2), (15.0,), 0.75)
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "objects.geojson"
        ...     write_geojson(path, np.int32([[1, 1]]), [row], colours={"cell": (230, 159, 0)})
        ...     json.loads(path.read_text())["features"][0]["geometry"]
        {'type': 'Polygon', 'coordinates': [[[0, 0], [2, 0], [2, 1], [0, 1], [0, 0]]]}
    """
    shapes = outlines(instances)
    features = [json.dumps(_feature(row, shapes, colours), allow_nan=False) for row in rows]
    body = ",\n".join(features)
    write_whole(path, f'{{"type": "FeatureCollection", "features": [\n{body}\n]}}\n')


def outlines(instances: np.ndarray) -> dict[int, list[Polygon]]:
    """Return the polygons of each object, along the edges of its pixels: filled, they are it.

    A polygon is one part of the object, connected by pixel sides: its outer ring, then its holes.
    A ring is a list of corners (x, y), closed, in which no other corner comes twice. Outer rings
    have a positive area by the shoelace formula on x and y as they stand (counter-clockwise where y
    goes up, clockwise in the picture), and holes a negative one.

    Args:
        instances: (height, width) int32 object numbers, 0 = none.

    Returns:
        The polygons by object number, in the order of their first pixels.

    Example:
        >>> outlines(np.int32([[0, 3]]))
        {3: [[[(1, 0), (2, 0), (2, 1), (1, 1), (1, 0)]]]}
    """
    parts = label(instances, connectivity=1)
    polygons: dict[int, Polygon] = {}
    # The first ring of a part is the outer one: it starts at the part's uppermost edge.
    for part, ring in _rings(parts):
        polygons.setdefault(part, []).append(ring)
    numbers = np.zeros(parts.max(initial=0) + 1, np.int64)
    numbers[parts] = instances
    found: dict[int, list[Polygon]] = {}
    for part, polygon in polygons.items():
        found.setdefault(int(numbers[part]), []).append(polygon)
    return found


def _rings(parts: np.ndarray) -> Iterator[tuple[int, Ring]]:
    """Yield the number of a part and a ring around it, for all rings, by their first edge.

    Edges run along pixel sides with their part on the right, as seen in the picture: in direction
    0 to the right along upper sides, 1 down, 2 to the left, 3 up.

    Args:
        parts: (height, width) int, parts that are connected by pixel sides; 0 = none.
    """
    width = parts.shape[1] + 2
    pixels = np.pad(parts, 1).ravel()
    # From a corner to the pixel on the right of the edge that leaves it, and to the edge's end.
    beside = np.array([width + 1, width, 0, 1])
    ahead = np.array([1, width, -1, -width])
    direction, corner = _edges(pixels, beside)
    part, end = pixels[corner + beside[direction]], corner + ahead[direction]
    # Turning left first goes around the background, so that a part that meets itself at a corner
    # has a hole that touches its outer ring there, and not a ring that touches itself.
    left = pixels[end + beside[direction - 1]] == part
    straight = pixels[end + beside[direction]] == part
    onward = (direction + np.where(left, -1, np.where(straight, 0, 1))) % 4
    keys = direction * pixels.size + corner
    following = np.searchsorted(keys, onward * pixels.size + end)
    bent = np.zeros(following.size, bool)
    bent[following] = onward != direction
    points = list(zip((corner % width).tolist(), (corner // width).tolist(), strict=True))
    for edges in _cycles(following.tolist()):
        ring = [points[edge] for edge in edges if bent[edge]]
        yield int(part[edges[0]]), [*ring, ring[0]]


def _edges(pixels: np.ndarray, beside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the direction of each edge and the corner that it leaves, in the order of both."""
    count = pixels.size - beside.max()
    views = [pixels[offset : offset + count] for offset in beside]
    corners = [
        np.flatnonzero((views[one] > 0) & (views[one] != views[one - 1])) for one in range(4)
    ]
    direction = np.repeat(np.arange(4), [found.size for found in corners])
    return direction, np.concatenate(corners)


def _cycles(following: list[int]) -> Iterator[list[int]]:
    """Yield the cycles of a permutation, each from its lowest number on."""
    seen = bytearray(len(following))
    for start in range(len(following)):
        cycle = []
        edge = start
        while not seen[edge]:
            seen[edge] = True
            cycle.append(edge)
            edge = following[edge]
        if cycle:
            yield cycle


def _feature(
    row: ObjectRow,
    shapes: Mapping[int, list[Polygon]],
    colours: Mapping[str, tuple[int, int, int]],
) -> dict[str, Any]:
    if row.number not in shapes:
        raise DataError(
            f"The table has an object {row.number}, which the label image has not.",
            hint="Give the rows that were made from this label image.",
        )
    # QuPath refuses a class without a colour.
    if row.class_name not in colours:
        raise DataError(
            f"The class '{row.class_name}' of object {row.number} has no colour.",
            hint=f"Give a colour for each class; there are some for: {', '.join(colours)}.",
        )
    polygons = shapes[row.number]
    geometry = (
        {"type": "Polygon", "coordinates": polygons[0]}
        if len(polygons) == 1
        else {"type": "MultiPolygon", "coordinates": polygons}
    )
    properties = {
        "objectType": "detection",
        "name": str(row.number),
        "classification": {"name": row.class_name, "color": colours[row.class_name]},
        "measurements": _measurements(row),
    }
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _measurements(row: ObjectRow) -> dict[str, float]:
    """Return the measurements, areas under the names that QuPath gives them."""
    found = {"Area px^2": row.area, "Confidence": row.confidence}
    if row.physical_area is not None:
        found[f"Area {row.unit}^2"] = row.physical_area
    return found
