"""What a run's bundle and its exports cost and reach, side by side."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle
from delineate.data.dataset import Dataset
from delineate.evaluation.choose import choose_part
from delineate.export.parity import without_averaging
from delineate.prediction.predictor import Predictor
from delineate.runs import Run
from delineate.scores import confusion_table, summarise

# Images that are predicted in turn, at the most, and the least number of predictions timed.
IMAGES, LEAST = 32, 20

Row = dict[str, Any]
Say = Callable[[str], None]
Image = tuple[np.ndarray, np.ndarray | None]


def benchmark(
    run: Run | str | Path,
    dataset: Dataset | None = None,
    *,
    seconds: float = 5.0,
    say: Say | None = None,
) -> list[Row]:
    """Return a row for the Keras model and for each export of a run.

    Each is measured in a process of its own, one after the other; nothing else should run. An image
    is predicted once, without averaging, from pixels in memory to class ids.

    Args:
        run: A run, or the folder of a run or of a bundle.
        dataset: Its validation images are predicted, or all of other data; unset: noise of the
            network's size, and no scores.
        seconds: For how long each is timed.
        say: Called with a sentence before each.

    Returns:
        By name: ``format``, ``precision``, ``latency_ms`` (``p50``, ``p99``),
        ``images_per_second``, ``memory_mib`` (of the process), ``file_mib``, ``mean_iou`` (with
        data), and ``faster``: than Keras, a ratio.

    Raises:
        BundleError: There is no bundle.
        DataError: The data does not fit it.
    """
    tell = say or (lambda _: None)
    folder = run.folder if isinstance(run, Run) else Path(run)
    best = Bundle.open(folder)
    images = _images(best, folder, dataset)
    rows: list[Row] = []
    for place in [best.folder, *_exports(folder)]:
        tell(f"measuring {place}")
        # A new process: no engine finds another's memory, threads or caches.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rows.append(pool.submit(_measured, place, images, seconds).result())
    first = rows[0]["images_per_second"]
    return [{**row, "faster": round(row["images_per_second"] / first, 2)} for row in rows]


def _exports(folder: Path) -> list[Path]:
    exports = Run(folder).exports
    return sorted(exports.iterdir()) if exports.is_dir() else []


def _images(best: Bundle, folder: Path, dataset: Dataset | None) -> list[Image]:
    card = best.card
    if dataset is None:
        rng = np.random.default_rng(0)
        high = np.iinfo(card.dtype).max + 1
        return [(rng.integers(0, high, (*card.size, card.channels), card.dtype), None)]
    whole = choose_part(dataset, folder, card.names, split="all").whole
    part = whole.split("validation") if "validation" in whole.splits else whole
    return [(sample.image, sample.mask) for sample in part.evenly(IMAGES)]


def _measured(folder: Path, images: list[Image], seconds: float) -> Row:
    bundle = Bundle.open(folder)
    predictor = Predictor.open(bundle.folder)
    row = {
        "format": bundle.card.members[0].runtime,
        "precision": bundle.card.precision,
        "file_mib": round(_bytes(bundle) / 2**20, 2),
        "mean_iou": _mean_iou(predictor, images),
    }
    plain = without_averaging(predictor)
    spent: list[float] = []
    for image, _ in images:
        plain.predict(image)
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(spent) < LEAST:
        image, _ = images[len(spent) % len(images)]
        before = time.perf_counter()
        plain.predict(image)
        spent.append(time.perf_counter() - before)
    p50, p99 = (1000 * np.percentile(spent, (50, 99))).tolist()
    return row | {
        "latency_ms": {"p50": round(p50, 2), "p99": round(p99, 2)},
        "images_per_second": round(len(spent) / sum(spent), 2),
        "memory_mib": _peak_mib(),
    }


def _bytes(bundle: Bundle) -> int:
    return sum((bundle.folder / name).stat().st_size for name in bundle.card.files)


def _mean_iou(predictor: Predictor, images: list[Image]) -> float | None:
    """Return the score of what the bundle predicts with all its settings."""
    count = len(predictor.card.classes)
    table = np.zeros((count, count), np.int64)
    for image, mask in images:
        if mask is None:
            return None
        table += confusion_table(mask, predictor.predict(image).mask, classes=count)
    return summarise(table)["mean_iou"]


def _peak_mib() -> int | None:
    """Return the largest memory that this process has had; None on Windows, which does not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes on macOS, in KiB elsewhere.
    return int(peak // (2**20 if sys.platform == "darwin" else 2**10))
