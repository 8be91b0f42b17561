"""How near an export comes to the Keras model, on real images."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import lcm
from statistics import median

import numpy as np

from delineate.bundle import Export
from delineate.data.dataset import Dataset
from delineate.errors import BundleError, DataError, reason_of
from delineate.prediction.predictor import Predictor, finish, without_averaging
from delineate.prediction.prepare import Runtime
from delineate.scores import confusion_table, summarise


@dataclass(frozen=True)
class Tolerance:
    """How far an export may be from the Keras model.

    Attributes:
        difference: Of any probability; None: any.
        changed: Share of the pixels that may have another class.
        loss: Of mean IoU.
        maps: Mean over an image of the difference in what is said of objects.
    """

    difference: float | None
    changed: float
    loss: float
    maps: float


TOLERANCES = {
    "float32": Tolerance(1e-3, 1e-4, 0.0005, 1e-4),
    "float16": Tolerance(0.05, 2e-3, 0.002, 2e-3),
    "bfloat16": Tolerance(None, 5e-3, 0.005, 0.01),
    "int8": Tolerance(None, 0.02, 0.005, 0.03),
}
"""By precision. A single pixel may differ much in coarse arithmetic, but few may."""


def compare(
    before: Predictor, after: Predictor, part: Dataset, *, usual: Predictor, said: Sequence[str]
) -> Export:
    """Return how far an export is from the Keras model.

    Args:
        before: The bundle with its Keras models, in float32.
        after: The same with the export.
        part: The images to compare them on.
        usual: The bundle as it predicts without the export, in its own precision: what is timed.
        said: Format, precision, and engine.

    Raises:
        DataError: An image does not fit the bundle.
        BundleError: The export does not run, or gives what is no number.
    """
    largest, changed, pixels, maps = 0.0, 0, 0, 0.0
    count = len(before.card.classes)
    tables = {name: np.zeros((count, count), np.int64) for name in ("before", "after")}
    seconds: dict[str, list[float]] = {"before": [], "after": []}
    timed = {"before": usual, "after": after}
    before, after = padded_alike(before, after)
    for sample in part:
        raws, masks = {}, {}
        for name, predictor in (("before", before), ("after", after)):
            with _told(said):
                seconds[name].append(_seconds(timed[name], sample.image))
                raws[name] = predictor.raw(predictor.accepted(sample.image))
            masks[name] = finish(raws[name], predictor.card).mask
            if sample.mask is not None:
                tables[name] += confusion_table(sample.mask, masks[name], classes=count)
        if not np.isfinite(raws["after"]).all():
            raise BundleError(
                f"The export to {said[0]} in {said[1]} gives probabilities that are no numbers.",
                hint="Choose another precision; nothing has been kept.",
            )
        apart = np.abs(raws["before"] - raws["after"])
        largest = max(largest, float(apart.max()))
        of_objects = apart[..., before.card.class_channels :]
        maps = max([maps, *of_objects.mean(axis=(0, 1)).tolist()])
        changed += int((masks["before"] != masks["after"]).sum())
        pixels += masks["before"].size
    return Export(
        format=said[0],
        precision=said[1],
        engine=said[2],
        images=len(part),
        largest_difference=largest,
        changed=changed / max(pixels, 1),
        maps=maps,
        mean_iou={name: summarise(table)["mean_iou"] for name, table in tables.items()},
        seconds={name: median(each) for name, each in seconds.items()},
    )


@dataclass
class _Padded:
    """An engine whose images are padded to such multiples."""

    engine: Runtime
    granularity: int

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return what the engine does."""
        return self.engine.run(images)


def padded_alike(*predictors: Predictor) -> list[Predictor]:
    """Return predictors that pad images alike: engines that compile each size round it up."""
    shared = lcm(*(engine.granularity for each in predictors for engine in each.runtimes))
    return [
        replace(each, runtimes=[_Padded(engine, shared) for engine in each.runtimes])
        for each in predictors
    ]


@contextmanager
def _told(said: Sequence[str]) -> Iterator[None]:
    """Turn what an engine raises into an error of ours: some meet what they lack when they run."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise BundleError(
            f"The export to {said[0]} in {said[1]} does not run: {reason_of(error)}.",
            hint="Choose another format or precision; nothing has been kept.",
        ) from error


def _seconds(predictor: Predictor, image: np.ndarray) -> float:
    """Return the time of a prediction of one size, the second one."""
    plain = without_averaging(predictor)
    plain.predict(image)
    begun = time.perf_counter()
    plain.predict(image)
    return time.perf_counter() - begun


def too_far(found: Export, tolerance: Tolerance) -> str:
    """Return in what an export is too far from what it is of, in words; nothing where it is not.

    Args:
        found: What was measured.
        tolerance: How far it may be.
    """
    before, after = (found.mean_iou[name] or 0.0 for name in ("before", "after"))
    largest = tolerance.difference
    far = [
        f"a probability differs by {found.largest_difference:.2g} (at most {largest:g})"
        if largest is not None and found.largest_difference > largest
        else "",
        f"{found.changed:.2%} of the pixels change class (at most {tolerance.changed:.2%})"
        if found.changed > tolerance.changed
        else "",
        f"what is said of objects differs by {found.maps:.2g} on the average of an image (at most "
        f"{tolerance.maps:g})"
        if found.maps > tolerance.maps
        else "",
        f"mean IoU falls from {before:.4f} to {after:.4f} (by {tolerance.loss:g} at most)"
        if before - after > tolerance.loss
        else "",
    ]
    return "; ".join(each for each in far if each)


def require_near(found: Export, tolerance: Tolerance) -> None:
    """Refuse an export that is too far from what it is of.

    Args:
        found: What was measured.
        tolerance: How far it may be.

    Raises:
        BundleError: It is too far.
    """
    told = too_far(found, tolerance)
    if told:
        raise BundleError(
            f"The export to {found.format} in {found.precision} is too far from the Keras model on "
            f"{found.images} images: {told}.",
            hint="Choose a finer precision; nothing has been kept.",
        )
