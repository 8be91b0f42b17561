"""What each export of a run costs and keeps: written, proven, timed and scored.

Usage: python bench/engines.py RUN DATA [RUN DATA...]
Each run is exported to all formats and precisions, as far as their packages are installed, and
timed beside its Keras model on validation images. Nothing else should run meanwhile.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from measure import write_rows

import delineate as dl

FORMATS = {
    "openvino": ("float32", "bfloat16", "int8"),
    "onnx": ("float32", "int8"),
    "litert": ("float32", "int8"),
    "savedmodel": ("float32",),
}


REPETITIONS = 3


def together(rows: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """Return the row of the median speed, with the least and the most."""
    if "problem" in rows[0]:
        return rows[0]
    ordered = sorted(rows, key=lambda row: row["images_per_second"])
    speeds = [row["images_per_second"] for row in ordered]
    return ordered[len(rows) // 2] | {"least": speeds[0], "most": speeds[-1]}


def main() -> None:
    rows: list[dict[str, Any]] = []
    given = [Path(each) for each in sys.argv[1:]]
    for run, data in zip(given[::2], given[1::2], strict=True):
        dataset = dl.Dataset.open(data)
        refused = {}
        for name, precisions in FORMATS.items():
            for precision in precisions:
                # One of an earlier time would stand beside its refusal.
                earlier = run / "exports" / f"{name}-{precision}"
                shutil.rmtree(earlier, ignore_errors=True)
                try:
                    dl.export(run, dataset, format=name, precision=precision, say=print)
                except dl.DelineateError as error:
                    # Too far from the Keras model, or not installed: that is a result, too.
                    refused[name, precision] = error.message
        found = [dl.benchmark(run, dataset, say=print) for _ in range(REPETITIONS)]
        for same in zip(*found, strict=True):
            rows.append({"run": run.name, "data": dataset.name, **together(same)})
        for (name, precision), why in refused.items():
            about = {"run": run.name, "data": dataset.name, "format": name, "precision": precision}
            rows.append(about | {"problem": why})
        write_rows("engines", rows)


if __name__ == "__main__":
    main()
