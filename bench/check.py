"""What a check costs: on real nuclei, the first and the second time, and with many images.

Usage: python bench/check.py stage1_train.zip FOLDER
The cache of decoded images stands in FOLDER and is new, so that the first check reads everything.
"""

import os
import sys
from pathlib import Path

import numpy as np
from measure import run, write_rows

from delineate.imaging import write_png

COUNTS = (1_000, 10_000)
SIZE = 256


def main() -> None:
    archive, folder = Path(sys.argv[1]), Path(sys.argv[2])
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    nuclei = folder / "nuclei"
    run("fetch", "dsb2018", "--from", archive, "--to", nuclei)
    rows = [
        row_of("664 images, 28,986 mask files", when, nuclei, folder)
        for when in ("first", "second")
    ]
    for count in COUNTS:
        made = folder / f"made-{count}"
        make(made, count)
        what = f"{count:,} made images of {SIZE}×{SIZE}"
        rows += [row_of(what, when, made, folder) for when in ("first", "second")]
    write_rows("check", rows)


def row_of(what: str, when: str, data: Path, folder: Path) -> dict[str, object]:
    cost, _ = run("check", data, "--to", folder / "page")
    del cost["command"]
    return {"data": what, "time": when, **cost}


def make(folder: Path, count: int) -> None:
    """Write images of blobs on uneven ground, each with its mask."""
    grid = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    for number in range(count):
        rng = np.random.default_rng(number)
        mask = np.zeros((SIZE, SIZE), np.uint8)
        for row, column, radius in rng.uniform((0, 0, 6), (SIZE, SIZE, 24), (12, 3)):
            mask[(grid[0] - row) ** 2 + (grid[1] - column) ** 2 < radius**2] = 1
        ground = 30 + 20 * np.sin(grid[rng.integers(2)] / SIZE * rng.uniform(1, 6))
        image = ground + 120 * mask + rng.normal(0, 6, mask.shape)
        write_png(folder / "images" / f"{number:05}.png", np.clip(image, 0, 255).astype(np.uint8))
        write_png(folder / "masks" / f"{number:05}.png", mask)


if __name__ == "__main__":
    main()
