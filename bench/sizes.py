"""What training and prediction cost by the size of images and by their number, and how it grows.

Usage: python bench/sizes.py
A plain U-Net of the usual width. Nothing else should run meanwhile.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "rivals"))

from dataclasses import replace

import networks
import numpy as np
import own
from measure import write_rows

from delineate.models.quick import quicken
from delineate.prediction.runtimes.keras import KerasRuntime

SIDES, COUNTS = (64, 128, 256, 512, 1024), (1, 2, 4, 8, 16, 32, 64)
# Images in a batch while their size grows, and the size of images while their number does.
BATCH, SIDE = 2, 64
SETTLING, TIMED = 2, 5
ABOUT = [
    f"A plain U-Net from 16 channels on, in float32: {BATCH} images of growing size, and a",
    f"growing number of images of {SIDE}×{SIDE}; the median of {TIMED} steps or predictions. The",
    "slope is fitted to the logarithms of all but the first.",
]
PLAIN = replace(networks.NETWORKS["plain 128"], filters=16)


def main() -> None:
    sizes = [(side, BATCH, f"{side}×{side}") for side in SIDES]
    numbers = [(SIDE, count, str(count)) for count in COUNTS]
    rows = []
    for task in ("training", "prediction"):
        for name, tried in (("size", sizes), ("number", numbers)):
            found = [(what, seconds(task, side, count)) for side, count, what in tried]
            pixels = [side * side * count for side, count, _ in tried]
            slope = slope_of(pixels[1:], [spent for _, spent in found[1:]])
            for what, spent in found:
                row = {"task": f"{task} by {name}", "what": what, "seconds": spent, "slope": slope}
                rows.append(row | {"about": ABOUT})
                print(row, flush=True)
    write_rows("sizes", rows)


def seconds(task: str, side: int, count: int) -> float:
    """Return the time of a step, or of a prediction."""
    network = replace(PLAIN, size=side, batch_size=count)
    step, model = own.training(network, "float32")
    if task == "training":
        return timed(step)
    runtime, images = KerasRuntime(quicken(model)), networks.noise(network, count)[0]
    return timed(lambda: runtime.run(images))


def timed(act: Callable[[], object]) -> float:
    for _ in range(SETTLING):
        act()
    spent = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        act()
        spent.append(time.perf_counter() - begun)
    return round(float(np.median(spent)), 4)


def slope_of(pixels: list[int], spent: list[float]) -> float:
    """Return the exponent with which time grows, by least squares of the logarithms."""
    return round(float(np.polyfit(np.log(pixels), np.log(spent), 1)[0]), 3)


if __name__ == "__main__":
    main()
