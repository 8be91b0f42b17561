"""What a run's bundle and its exports cost and reach, side by side."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle
from delineate.data.dataset import Dataset
from delineate.errors import DelineateError
from delineate.evaluation.choose import choose_part
from delineate.exporting.child import Arrays, run_child, serve
from delineate.prediction.exports import exports_of, is_of
from delineate.prediction.predictor import Predictor, without_averaging
from delineate.runs import Run
from delineate.scores import confusion_table, summarise

# Images that are predicted in turn, at the most, and the least number of predictions timed: of
# fewer, the slowest in a hundred would be the slowest of all.
IMAGES, LEAST = 128, 100

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
        seconds: For how long each is timed, and for 100 predictions at the least.
        say: Called with a sentence before each.

    Returns:
        By name: ``format``, ``precision``, ``latency_ms`` (``p50``, ``p99``),
        ``images_per_second``, ``memory_mib`` (of the process, which has the images in it),
        ``file_mib``, ``mean_iou`` (with data), ``faster``: than Keras, a ratio; and ``stale``:
        whether an export is of earlier weights or settings. An export that cannot be run has
        ``format`` and ``problem`` alone.

    Raises:
        BundleError: There is no bundle.
        DataError: The data does not fit it.
    """
    tell = say or (lambda _: None)
    folder = run.folder if isinstance(run, Run) else Path(run)
    best = Bundle.open(folder)
    images = _images(best, folder, dataset)
    pixels = [image for image, _ in images]
    masks = [mask for _, mask in images if mask is not None]
    rows: list[Row] = []
    for place in [best.folder, *exports_of(Run(folder))]:
        tell(f"measuring {place}")
        said = {"folder": str(place), "seconds": seconds, "scored": len(masks) == len(pixels)}
        try:
            # A new process: no engine finds another's memory, threads or caches.
            row = run_child("delineate.exporting.benchmark", said, [*pixels, *masks])
        except DelineateError as error:
            if place == best.folder:
                raise
            rows.append({"format": place.name, "problem": error.message})
            continue
        stale = place != best.folder and not is_of(Bundle.open(place).card, best.card)
        faster = row["images_per_second"] / (rows[0] if rows else row)["images_per_second"]
        rows.append({**row, "faster": round(faster, 2), "stale": stale})
    return rows


def _images(best: Bundle, folder: Path, dataset: Dataset | None) -> list[Image]:
    card = best.card
    if dataset is None:
        rng = np.random.default_rng(0)
        high = np.iinfo(card.dtype).max + 1
        return [(rng.integers(0, high, (*card.size, card.channels), card.dtype), None)]
    whole = choose_part(dataset, folder, card.names, split="all").whole
    part = whole.split("validation") if "validation" in whole.splits else whole
    return [(sample.image, sample.mask) for sample in part.evenly(IMAGES)]


def _measured(said: dict[str, Any], arrays: Arrays) -> Row:
    """Return what one bundle costs and reaches; in a process of its own."""
    given = list(arrays.values())
    pixels = given[: len(given) // 2] if said["scored"] else given
    masks = given[len(pixels) :]
    bundle = Bundle.open(Path(said["folder"]))
    predictor = Predictor.open(bundle.folder)
    plain = without_averaging(predictor)
    # Some engines compile for each size, some again when a size comes for the second time.
    for image in 2 * list({image.shape: image for image in pixels}.values()):
        plain.predict(image)
    spent: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < said["seconds"] or len(spent) < LEAST:
        image = pixels[len(spent) % len(pixels)]
        before = time.perf_counter()
        plain.predict(image)
        spent.append(time.perf_counter() - before)
    memory = _peak_mib()
    p50, p99 = (1000 * np.percentile(spent, (50, 99))).tolist()
    return {
        "format": bundle.card.members[0].runtime,
        "precision": bundle.card.precision,
        "latency_ms": {"p50": round(p50, 2), "p99": round(p99, 2)},
        "images_per_second": round(len(spent) / sum(spent), 2),
        "memory_mib": memory,
        "file_mib": round(_bytes(bundle) / 2**20, 2),
        "mean_iou": _mean_iou(predictor, pixels, masks) if masks else None,
    }


def _bytes(bundle: Bundle) -> int:
    return sum((bundle.folder / name).stat().st_size for name in bundle.card.files)


def _mean_iou(predictor: Predictor, pixels: list[np.ndarray], masks: list[np.ndarray]) -> float:
    """Return the score of what the bundle predicts with all its settings."""
    count = len(predictor.card.classes)
    table = np.zeros((count, count), np.int64)
    for image, mask in zip(pixels, masks, strict=True):
        table += confusion_table(mask, predictor.predict(image).mask, classes=count)
    return float(summarise(table)["mean_iou"] or 0.0)


def _peak_mib() -> int | None:
    """Return the largest memory that this process has had; None on Windows, which does not say."""
    with suppress(OSError, StopIteration):
        # What getrusage says begins with what the process had that has started this one.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        line = next(line for line in lines if line.startswith("VmHWM"))
        return int(line.split()[1]) // 2**10
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes on macOS, in KiB elsewhere.
    return int(peak // (2**20 if sys.platform == "darwin" else 2**10))


if __name__ == "__main__":
    serve(_measured)
