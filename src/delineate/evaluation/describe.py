"""From scores to a report with pictures, for readers who know their images but not the jargon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.bundle import Card
from delineate.data.dataset import Dataset
from delineate.evaluation.compare import comparison_findings, comparison_section
from delineate.evaluation.curves import draw_curves
from delineate.evaluation.figures import (
    Triptych,
    confusion_matrix,
    histogram_of_scores,
    reliability,
    triptychs,
)
from delineate.evaluation.kinds import kind_section
from delineate.evaluation.review import Review, review_sections
from delineate.evaluation.tally import Scored
from delineate.evaluation.wording import OBJECTS, SCORES
from delineate.prediction.predictor import Predictor, separation_of
from delineate.report import Finding, Picture, Report, Section, Table
from delineate.runs import Row
from delineate.scores import confusion_table, image_scores

EXAMPLES = 3
LIMITED = ("dice_per_image", "iou_per_image", "mean_iou")
# What is done once to each whole image.
NORMALISED = {
    "none": "the network is given the values as stored",
    "range": "each image's smallest to largest value, stretched over the range of the type",
    "percentile": "each image's 1st to 99.8th percentile, stretched over the range of the type",
    "channel": "the 1st to 99.8th percentile of each channel, stretched over the range of the type",
    "stain": "each image's haematoxylin and eosin, in the colours and strength of a reference",
}


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
        known: Whether the splits are those of the training.
        first_batch: The PNG of the training's first batch, where there is one.
        refiner_rows: The epochs of the refiner's training, where there is one.
        review: The places to look at, where they were looked for.
    """

    predictor: Predictor
    whole: Dataset
    part: Dataset
    split: str
    images: Sequence[Scored]
    histogram: np.ndarray
    values: dict[str, Any]
    known: bool = False
    first_batch: bytes | None = None
    refiner_rows: Sequence[Row] = ()
    review: Review | None = None

    @property
    def trained_on(self) -> bool:
        """Whether some of the samples were trained on."""
        return self.known and self.split in {"train", "all"}


def describe(evaluated: Evaluated, rows: Sequence[Row], *, cases: int) -> Report:
    """Return the report.

    Args:
        evaluated: What was scored.
        rows: The epochs of the training, none for a bare bundle.
        cases: How many of the best and of the worst images to draw.
    """
    sections = [_scores(evaluated)]
    if "kinds" in evaluated.values:
        sections.append(kind_section(evaluated.values["kinds"]))
    if "compare" in evaluated.values:
        sections.append(comparison_section(evaluated.values["compare"]))
    sections += [*_limit(evaluated), *_refinement(evaluated), *_cases(evaluated, cases)]
    if evaluated.review is not None:
        sections += review_sections(evaluated.review, trained_on=evaluated.trained_on)
    sections += [_examples(evaluated), _seen(evaluated)]
    if rows:
        values = evaluated.values
        sections.append(_training(rows, values.get("resumed"), values.get("left_out", [])))
    sections += _network(evaluated.predictor)
    title = f"{evaluated.values['data']}: {evaluated.split} images"
    findings = _findings(evaluated)
    return Report(title, "evaluation", evaluated.values, findings, tuple(sections))


def _findings(evaluated: Evaluated) -> tuple[Finding, ...]:
    found = []
    if evaluated.trained_on:
        found.append(
            Finding(
                "trained-on",
                "warning",
                "The network was trained on these images, or on some of them, so the scores "
                "flatter it.",
                "Score its test or validation part, or images from elsewhere.",
            )
        )
    if "compare" in evaluated.values:
        found += comparison_findings(evaluated.values["compare"], evaluated.split)
    return tuple(found)


def _scores(evaluated: Evaluated) -> Section:
    tables = [_score_table(evaluated.values), _class_table(evaluated.values["classes"])]
    if "instances" in evaluated.values:
        tables.append(_object_table(evaluated.values, evaluated.predictor.card))
    return Section("Scores", _introduction(evaluated), tuple(tables), _score_pictures(evaluated))


def _introduction(evaluated: Evaluated) -> str:
    count = len(evaluated.images)
    images = "One image was" if count == 1 else f"{count:,} images were"
    text = (
        f"{images} predicted and compared with the truth pixel by pixel, at their own size. Where "
        'the truth says "ignore", nothing counts. Unless a score says otherwise, 1 is perfect and '
        "0 is wholly wrong."
    )
    if evaluated.known and evaluated.split == "test":
        text += "\n\nThe training has seen none of these images."
    if evaluated.known and evaluated.split == "validation":
        text += (
            "\n\nNo weight was trained on these images, but settings were chosen by them, such as "
            "the best epoch or the threshold: on new ones expect a little less."
        )
    return text


def _score_table(values: dict[str, Any]) -> Table:
    intervals = values["intervals"]
    rows = tuple(
        (label, values[name], *intervals.get(name, (None, None)), meaning)
        for name, (label, meaning) in SCORES.items()
        if name in values
    )
    drawn = values["bootstrap"]
    groups = "images" if drawn["over"] == "images" else f"{drawn['units']:,} groups of images"
    note = (
        "From and to: the 95 % interval, in which the value would have to be expected on other "
        f"images of the same kinds (bootstrap over the {groups}). Scores per image are means over "
        "the images and leave out the background; an image with foreground neither in truth nor in "
        "prediction has none."
    )
    return Table("Scores", ("score", "value", "from", "to", "what it says"), rows, note)


def _class_table(classes: Sequence[dict[str, Any]]) -> Table:
    columns = ("name", "iou", "dice", "pixels")
    rows = tuple(tuple(item[key] for key in columns) for item in classes)
    note = "Over all pixels of all images together. Pixels: how many truly are of this class."
    return Table("Classes", ("class", "IoU", "Dice", "pixels"), rows, note)


def _object_table(values: dict[str, Any], card: Card) -> Table:
    instances, intervals = values["instances"], values["intervals"]
    known = {name: OBJECTS.get(name, (name, "")) for name in instances}
    rows = tuple(
        (label, instances[name], *intervals.get(name, (None, None)), meaning)
        for name, (label, meaning) in known.items()
    )
    return Table(
        "Objects", ("score", "value", "from", "to", "what it says"), rows, _how_parted(card)
    )


def _how_parted(card: Card) -> str:
    text = "Means over the images. A predicted object "
    by = separation_of(card.post, card.objects).by
    if by == "connected":
        return f"{text}is a connected part of the foreground, so that those which touch are one."
    said = {"boundary": "rim", "distance": "middle"}.get(by, "rim and its middle")
    return f"{text}grows from a seed until it meets another, by what is said of its {said}."


def _score_pictures(evaluated: Evaluated) -> tuple[Picture, ...]:
    total = np.asarray(sum(image.table for image in evaluated.images))
    return (
        Picture(
            "Confusion matrix",
            "Each row is a true class: where its pixels ended up. Only the diagonal is right.",
            confusion_matrix(total, evaluated.predictor.card.names),
        ),
        Picture(
            "Dice of each image",
            "How many images reach which Dice. A second hump on the left is often a kind of image "
            "that the network knows too little of.",
            histogram_of_scores([image.dice for image in evaluated.images]),
        ),
        Picture(
            "Calibration",
            "How often the network is right where it is so and so sure. On the dashed line it is "
            "as sure as it should be, below it too sure, above it too timid.",
            reliability(evaluated.histogram),
        ),
    )


def _cases(evaluated: Evaluated, count: int) -> list[Section]:
    scored = [(image.dice, number) for number, image in enumerate(evaluated.images)]
    order = [number for dice, number in sorted((d, n) for d, n in scored if d is not None)]
    # Of few images each is shown once.
    worst = order[: min(count, -(-len(order) // 2))]
    best = order[::-1][: min(count, len(order) // 2)]
    sections = []
    for title, chosen, text in (
        ("Worst images", worst, "The images with the lowest Dice, the worst first."),
        ("Best images", best, "The images with the highest Dice, the best first."),
    ):
        if chosen:
            picture = _drawn(title, evaluated, evaluated.part, chosen)
            sections.append(Section(title, text, pictures=(picture,)))
    return sections


_CAPTION = (
    "In the errors, green is right, magenta was predicted but is not there or is another class, "
    "yellow was missed."
)


def _examples(evaluated: Evaluated) -> Section:
    """Return a section of evenly spread samples for each split."""
    pictures = []
    for name, part in (evaluated.whole.splits or {evaluated.split: evaluated.part}).items():
        shown = part.evenly(EXAMPLES)
        pictures.append(_drawn(f"Samples: {name}", evaluated, shown, range(len(shown))))
    text = "Evenly spread over each part of the data, neither the best nor the worst."
    return Section("Samples", text, pictures=tuple(pictures))


def _drawn(title: str, evaluated: Evaluated, part: Dataset, chosen: Sequence[int]) -> Picture:
    rows = [triptych(evaluated.predictor, part, number) for number in chosen]
    card = evaluated.predictor.card
    return Picture(title, _CAPTION, triptychs(rows, card.colours, names=card.names))


def triptych(predictor: Predictor, dataset: Dataset, index: int) -> Triptych:
    """Return a sample with its prediction and its foreground Dice."""
    sample = dataset[index]
    mask = predictor.predict(sample.image).mask
    table = confusion_table(sample.mask, mask, classes=len(predictor.card.classes))
    return Triptych(sample.name, sample.image, sample.mask, mask, image_scores(table)[1])


def _limit(evaluated: Evaluated) -> list[Section]:
    """Return what resizing alone costs, where the network sees resized images."""
    limit, reached = evaluated.values.get("resize_limit"), evaluated.values
    if limit is None:
        return []
    rows = tuple((SCORES[name][0], limit[name], reached[name]) for name in LIMITED)
    pairs = zip(limit["classes"], reached["classes"], strict=True)
    each = tuple(
        (best["name"], best["iou"], found["iou"], best["dice"], found["dice"])
        for best, found in pairs
    )
    size = " × ".join(str(side) for side in evaluated.predictor.card.size)
    text = (
        f"The network sees each image resized to {size} pixels. Here the true masks themselves "
        "were resized to that and back, as in training and prediction: this is what a network "
        "scores that has learnt its targets perfectly. What is missing to 1 is lost before that; a "
        'larger data.size, or windows at native resolution (data.fit = "crop"), loses '
        "less."
    )
    columns = ("class", "IoU, at best", "IoU, reached", "Dice, at best", "Dice, reached")
    tables = (
        Table("The best this recipe can score", ("score", "at best", "reached"), rows),
        Table("The best of each class", columns, each),
    )
    return [Section("Lost by resizing alone", text, tables)]


def _refinement(evaluated: Evaluated) -> list[Section]:
    """Return what the refiner does to the scores, where there is one, whether kept or not."""
    found = evaluated.values.get("refiner")
    if found is None:
        return []
    before, after = found["without"], found["with"]
    rows = tuple(
        (SCORES[name][0], before[name], after[name], _gain(before[name], after[name]))
        for name in after
    )
    decided = SCORES[found["decided_by"]][0]
    text = (
        "A second network has learnt to correct the probabilities of the first, against a critic "
        "that tells its masks from true ones. "
    )
    if found["kept"]:
        text += f"It is part of this network: {decided} of the validation images gained by it."
    else:
        text += f"It was left out: {decided} of the validation images did not gain by it."
    if evaluated.split == "validation":
        text += " It was decided by these images: on new ones expect less of a gain."
    table = Table("With the refiner and without", ("score", "without", "with", "gain"), rows)
    caption = (
        "After each epoch of the refiner's training. Fidelity is how far its masks are from the "
        "truth. The adversarial loss falls where they deceive the critic, the critic's loss where "
        "they do not."
    )
    rows_of_refiner = evaluated.refiner_rows
    if not rows_of_refiner:
        return [Section("Refinement", text, (table,))]
    curves = draw_curves(rows_of_refiner, title="Refiner")
    pictures = (Picture("Curves of the refiner", caption, curves),)
    return [Section("Refinement", text, (table,), pictures)]


def _gain(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _seen(evaluated: Evaluated) -> Section:
    """Return how images are stored, what is done to them, and the first batch of the training."""
    stored = evaluated.values["input"]
    text = (
        f"The images are stored as {stored['dtype']}; over all of them the values go from "
        f"{stored['lowest']:,} to {stored['highest']:,}. Normalisation: {stored['normalise']} "
        f"({NORMALISED[stored['normalise']]})."
    )
    if evaluated.first_batch is None:
        return Section("What the network sees", text)
    caption = (
        "The first windows that the training saw, with their masks on top: normalised, cut or "
        "resized, and changed at random. Below each, its image and its smallest and largest value."
    )
    picture = Picture("The first batch", caption, evaluated.first_batch)
    return Section("What the network sees", text, pictures=(picture,))


def _training(
    rows: Sequence[Row], resumed: Mapping[str, Any] | None, left_out: Sequence[str]
) -> Section:
    seconds = sum(row.get("seconds", 0.0) for row in rows)
    epochs = "One epoch" if len(rows) == 1 else f"{len(rows):,} epochs"
    text = f"{epochs}, {seconds:,.0f} seconds in the training steps."
    if resumed is not None:
        text += f" {_resumed(resumed)}"
    if left_out:
        text += f" Left out while it ran: {' '.join(left_out)}"
    caption = (
        "After each epoch, a pass over the training images. If training goes on gaining while "
        "validation does not, the network learns its training images by heart."
    )
    picture = Picture("Curves", caption, draw_curves(rows, title="Training"))
    return Section("Training", text, pictures=(picture,))


def _resumed(found: Mapping[str, Any]) -> str:
    times = "once" if found["times"] == 1 else f"{found['times']} times"
    if found["exact"]:
        return (
            f"It was interrupted and resumed {times}; the weights are those of an uninterrupted "
            "training, bit for bit."
        )
    why = f": {'; '.join(found['why'])}" if found["why"] else ""
    return (
        f"It was interrupted and resumed {times}; the weights may differ a little from those of an "
        f"uninterrupted training{why}."
    )


def _network(predictor: Predictor) -> list[Section]:
    """Return a drawing and a summary of the network, or which export of it has predicted."""
    model = getattr(predictor.runtimes[0], "model", None)
    if model is None:
        engine, precision = predictor.card.members[0].runtime, predictor.card.precision
        return [Section("Network", f"Predicted by its export to {engine}, in {precision}.")]
    from delineate.models.drawing import count_parameters, draw_model, summarise_model

    card = predictor.card
    size = f"{card.size[0]} × {card.size[1]} pixels"
    seen = f"windows of {size}" if card.fit == "crop" else f"whole images, resized to {size}"
    every, trained = count_parameters(model)
    text = f"{model.name}: {every:,} parameters, {trained:,} of them trained, on {seen}."
    caption = "From left to right. High boxes are fine resolution, wide ones many channels."
    picture = Picture("The network", caption, draw_model(model, size=card.size[0]))
    layers = [_layer(row) for row in summarise_model(model, size=card.size[0])]
    table = Table("Layers", tuple(layers[0]), tuple(tuple(row.values()) for row in layers))
    return [Section("Network", text, pictures=(picture,)), Section("Layers", tables=(table,))]


def _layer(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"size": " × ".join(str(side) for side in row["size"] or ())}
