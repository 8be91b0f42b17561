"""From scores to a report with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.data.dataset import Dataset
from delineate.evaluation.curves import draw_curves
from delineate.evaluation.figures import (
    Triptych,
    confusion_matrix,
    histogram_of_scores,
    reliability,
    triptychs,
)
from delineate.evaluation.tally import Scored
from delineate.prediction.predictor import Predictor
from delineate.report import Picture, Report, Section, Table
from delineate.runs import Row
from delineate.scores import confusion_table, image_scores

EXAMPLES = 3
HEADLINE = (
    "data",
    "split",
    "dice_per_image",
    "iou_per_image",
    "mean_iou",
    "mean_dice",
    "foreground_iou",
    "foreground_dice",
    "accuracy",
    "boundary_iou",
    "boundary_f1",
    "calibration_error",
)


@dataclass(frozen=True)
class Evaluated:
    """What a report is made from.

    Attributes:
        predictor: The bundle.
        whole: The data set with all its splits.
        part: The samples that were scored.
        split: The name of that part.
        images: Their scores.
        histogram: Their calibration, float64 (bins, 3).
        values: All scores by name.
    """

    predictor: Predictor
    whole: Dataset
    part: Dataset
    split: str
    images: Sequence[Scored]
    histogram: np.ndarray
    values: dict[str, Any]


def describe(evaluated: Evaluated, rows: Sequence[Row], *, cases: int) -> Report:
    """Return the report.

    Args:
        evaluated: What was scored.
        rows: The epochs of the training, none for a bare bundle.
        cases: How many of the best and of the worst images to draw.
    """
    sections = [_scores(evaluated), *_cases(evaluated, cases), *_examples(evaluated)]
    if rows:
        sections.append(_training(rows))
    sections += _network(evaluated.predictor)
    title = f"{evaluated.values['data']}: {evaluated.split} images"
    return Report(title, "evaluation", evaluated.values, sections=tuple(sections))


def _scores(evaluated: Evaluated) -> Section:
    values = evaluated.values
    intervals = values["intervals"]
    rows = [
        (name, values[name], *intervals.get(name, (None, None)))
        for name in HEADLINE[2:]
        if name in values
    ]
    scores = Table("Scores", ("score", "value", "from", "to"), tuple(rows), note=_NOTE)
    columns = ("name", "iou", "dice", "pixels")
    classes = tuple(tuple(item[key] for key in columns) for item in values["classes"])
    tables = [scores, Table("Classes", ("class", "IoU", "Dice", "pixels"), classes)]
    if "instances" in values:
        found = tuple(values["instances"].items())
        note = "Objects are the connected parts of the predicted foreground."
        tables.append(Table("Objects", ("score", "value"), found, note=note))
    total = sum(image.table for image in evaluated.images)
    pictures = [
        Picture(
            "Confusion matrix",
            "Rows are the truth, columns the prediction.",
            confusion_matrix(np.asarray(total), evaluated.predictor.card.names),
        ),
        Picture(
            "Dice of each image",
            "How many images reach which Dice.",
            histogram_of_scores([image.dice for image in evaluated.images]),
        ),
        Picture(
            "Calibration",
            "How often the winning class is right, by its probability.",
            reliability(evaluated.histogram),
        ),
    ]
    return Section("Scores", tables=tuple(tables), pictures=tuple(pictures))


_NOTE = (
    "At each image's own size. From and to: the 95 % interval of a bootstrap over the images. "
    "The scores per image count the foreground only."
)


def _cases(evaluated: Evaluated, count: int) -> list[Section]:
    scored = [(image.dice, number) for number, image in enumerate(evaluated.images)]
    order = [number for dice, number in sorted((d, n) for d, n in scored if d is not None)]
    if not order or not count:
        return []
    worst = order[:count]
    best = [number for number in reversed(order[-count:]) if number not in worst]
    sections = [_drawn("Worst images", evaluated, evaluated.part, worst, _CASES)]
    if best:
        sections.append(_drawn("Best images", evaluated, evaluated.part, best, _CASES))
    return sections


_CASES = "Green is right, magenta was predicted wrongly, yellow was missed."


def _examples(evaluated: Evaluated) -> list[Section]:
    """Return a section of evenly spread samples for each split."""
    sections = []
    for name, part in evaluated.whole.splits.items():
        count = min(EXAMPLES, len(part))
        chosen = np.linspace(0, len(part) - 1, count).round().astype(int).tolist()
        note = "Evenly spread samples, neither the best nor the worst."
        sections.append(_drawn(f"Samples: {name}", evaluated, part, chosen, note))
    return sections


def _drawn(
    title: str, evaluated: Evaluated, part: Dataset, chosen: Sequence[int], text: str
) -> Section:
    rows = [triptych(evaluated.predictor, part, number) for number in chosen]
    picture = Picture(title, text, triptychs(rows, evaluated.predictor.card.colours))
    return Section(title, pictures=(picture,))


def triptych(predictor: Predictor, dataset: Dataset, index: int) -> Triptych:
    """Return a sample with its prediction and its foreground Dice."""
    sample = dataset[index]
    mask = predictor.predict(sample.image).mask
    table = confusion_table(sample.mask, mask, classes=len(predictor.card.classes))
    return Triptych(sample.name, sample.image, sample.mask, mask, image_scores(table)[1])


def _training(rows: Sequence[Row]) -> Section:
    seconds = sum(row.get("seconds", 0.0) for row in rows)
    note = f"{len(rows)} epochs, {seconds:.0f} seconds in the training steps."
    picture = Picture("Curves", "Training and validation.", draw_curves(rows, title="Training"))
    return Section("Training", text=note, pictures=(picture,))


def _network(predictor: Predictor) -> list[Section]:
    """Return a drawing and a summary of the network, where the engine has one to draw."""
    model = getattr(predictor.runtimes[0], "model", None)
    if model is None:
        return []
    from delineate.models.drawing import draw_model, summarise_model

    rows = summarise_model(model)
    columns = tuple(rows[0])
    table = Table("Layers", columns, tuple(tuple(row.values()) for row in rows))
    picture = Picture("The network", "Height is resolution, width is channels.", draw_model(model))
    return [Section("Network", tables=(table,), pictures=(picture,))]
