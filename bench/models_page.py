"""The part of the results' page about the model family."""

from typing import Any

Row = dict[str, Any]

LEFT_OUT = "0006R0"
CAMVID = (
    "camvid",
    "camvid 30 min",
    "camvid 30 min, from nothing",
    "camvid 30 min, a drive left out",
)
NUCLEI = ("nuclei as it was", "nuclei fine-tuned")
BY_HEART = "voc by heart"
REFINED = (
    "nuclei 15 min",
    "nuclei 15 min, refined",
    "camvid 15 min",
    "camvid 15 min, refined",
    "voc",
    "voc, refined",
)


def models_page(kept: Row, refusals: Row, notes: tuple[str, str]) -> str:
    """Return the sections on many classes, transfer learning, refinement and refusals."""
    rows = {row["training"]: row for row in kept["rows"]}
    parts = [
        _camvid(rows),
        _nuclei(rows),
        _by_heart(rows.get(BY_HEART)),
        _refined(rows),
        _costs(kept["rows"], notes[0]),
        _refusals(refusals["rows"], notes[1]),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def _camvid(rows: dict[str, Row]) -> list[str]:
    done = [name for name in CAMVID if name in rows]
    if not done:
        return []
    columns = [(name, split) for name in done for split in rows[name]["scores"]]
    scores = {column: rows[column[0]]["scores"][column[1]] for column in columns}
    heads = [f"{name}: {split}" if split != "validation" else name for name, split in columns]
    names = [each["name"] for each in scores[columns[0]]["classes"]]
    return [
        "## CamVid: eleven classes of street scenes",
        "",
        "367 frames of drives for training and 101 for validation, as usually split, 360×480",
        "pixels, 11 classes; unlabelled pixels count nowhere. The validation frames are one clip",
        "of a drive that training frames are from too: they say how well a known street is learnt.",
        f"The drive {LEFT_OUT}, left out and scored as the test, says what a new street costs. The",
        "encoder is MobileNetV2 1.0; its weights were once quantised to 8 bits. No training was",
        "stopped, and no weights were chosen, by validation scores.",
        "",
        f"| score | {' | '.join(heads)} |",
        f"| --- |{' --- |' * len(heads)}",
        *(
            f"| {label} | " + " | ".join(_value(scores[column], key) for column in columns) + " |"
            for key, label in (
                ("mean_iou", "**mean IoU**"),
                ("accuracy", "accuracy"),
                ("boundary_iou", "boundary IoU"),
                ("boundary_f1", "boundary F1"),
            )
        ),
        *(
            f"| {name} | "
            + " | ".join(_of_class(scores[column], name) for column in columns)
            + " |"
            for name in names
        ),
        "",
        "The lines of the classes are IoU.",
        *_differences(rows),
        *_figures(),
        "",
    ]


def _differences(rows: dict[str, Row]) -> list[str]:
    """Return what weights gain and what a new street costs, where that has been measured."""
    known, bare, left = (rows.get(name) for name in CAMVID[1:])
    lines = []
    if known and bare:
        gain = _mean_iou(known, "validation") - _mean_iou(bare, "validation")
        times = [f"{row['cpu_seconds'] / 60:.0f}" for row in (known, bare)]
        lines += [
            f"Pretrained weights gain {gain:.3f} in mean IoU ({times[0]} minutes of processor",
            f"time, {times[1]} from nothing).",
        ]
    if left:
        less = _mean_iou(left, "validation") - _mean_iou(left, "test")
        lines += [
            f"On the drive that was left out the mean IoU is {less:.3f} lower than on the known",
            "street: the cost of a new street, together with how much harder its frames are.",
        ]
    return lines


def _mean_iou(row: Row, split: str) -> float:
    return float(row["scores"][split]["mean_iou"])


def _figures() -> list[str]:
    return [
        "",
        "![Loss and mean IoU by epoch](pictures/camvid-curves.png)",
        "",
        "![Confusion matrix of the validation images](pictures/camvid-confusion.png)",
        "",
        "Predictions are in the run's `pictures/` and in its report; the frames of CamVid are for",
        "research use and are not shown here.",
        "",
        "At full size on a GPU, not measured here: `delineate train camvid --recipe camvid",
        "--set data.size=[704,960] --set runtime.precision=bfloat16 --set training.batch_size=16",
        "--set training.epochs=200`.",
    ]


def _nuclei(rows: dict[str, Row]) -> list[str]:
    done = [name for name in NUCLEI if name in rows]
    if not done:
        return []
    keys = (
        ("dice_per_image", "Dice per image"),
        ("iou_per_image", "IoU per image"),
        ("mean_iou", "mean IoU"),
        ("accuracy", "accuracy"),
        ("boundary_f1", "boundary F1"),
    )
    scores = [rows[name]["scores"]["test"] for name in done]
    return [
        "## Nuclei with a pretrained MobileNetV2",
        "",
        "Recipe `mobilenetv2-pix2pix`, 128×128, on the nuclei above and the same test images: as",
        "it was, with a frozen encoder, and with one that is trained too.",
        "",
        f"| score | {' | '.join(done)} |",
        f"| --- |{' --- |' * len(done)}",
        *(
            f"| {label} | " + " | ".join(_value(each, key) for each in scores) + " |"
            for key, label in keys
        ),
        "",
    ]


def _by_heart(row: Row | None) -> list[str]:
    if row is None:
        return []
    scores, written = row["scores"]["train"], row["written"]
    said = "have" if written["palettes_equal"] and written["sizes_equal"] else "do NOT have"
    void = "in" if written["void_written"] else "in none"
    return [
        "## Four images of Pascal VOC, learnt by heart",
        "",
        "Recipe `densenet121-unet` from nothing, the encoder trained too, on four images and",
        "scored on the same four: whether 21 classes, a palette and void pixels pass through.",
        "",
        f"Mean IoU over the classes that occur: **{scores['mean_iou']:.3f}**, accuracy",
        f"{scores['accuracy']:.4f}. Void (255) is not scored. The {written['masks']} masks that",
        f"`predict` writes {said} the truth's class colours and sizes;",
        f"{written['pixels_of_the_same_colour']:.2%} of the pixels with a class have the truth's",
        f"colour, and void is written {void} of them.",
        "",
    ]


def _refined(rows: dict[str, Row]) -> list[str]:
    done = [name for name in REFINED if name in rows]
    if not done:
        return []
    lines = [
        "## With a refiner and without, in about the same time",
        "",
        "Where a training has a refiner, the time is that of both stages and of the scores of",
        "both. *First* is the network of that training without its refiner. It is kept where the",
        "validation images gain. The VOC pairs are far too few to learn from; they train until",
        "early stopping.",
        "",
        "| training | part | minutes | mean IoU | mean Dice | boundary IoU | boundary F1 | kept |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in done:
        minutes = f"{rows[name]['seconds'] / 60:.1f}"
        for split, scores in rows[name]["scores"].items():
            refiner = scores.get("refiner")
            if refiner is None:
                lines.append(_refined_line(name, split, scores, minutes))
                continue
            kept = "yes" if refiner["kept"] else "no"
            lines.append(_refined_line(f"{name}: first", split, refiner["without"]))
            refined = _refined_line(f"{name}: with it", split, refiner["with"], minutes, kept)
            lines.append(refined)
    return [*lines, "", *_said_of_refiners(rows)]


def _said_of_refiners(rows: dict[str, Row]) -> list[str]:
    """Return what the table shows, if it does: a refiner gains, and no more time gains more."""
    gains, losses = [], []
    for data, split in (("nuclei", "test"), ("camvid", "validation")):
        names = f"{data} 15 min", f"{data} 15 min, refined"
        if any(name not in rows for name in names):
            return []
        if rows[names[0]]["seconds"] > rows[names[1]]["seconds"]:
            return []
        plain, refined = (rows[name]["scores"][split] for name in names)
        of = refined["refiner"]
        gains.append(of["with"]["mean_iou"] - of["without"]["mean_iou"])
        losses.append(plain["mean_iou"] - of["with"]["mean_iou"])
    if min(gains) <= 0 or min(losses) <= 0:
        return []
    return [
        f"On nuclei and on CamVid the refiner gains {gains[0]:.3f} and {gains[1]:.3f} in mean IoU",
        f"on its own network, and is {losses[0]:.3f} and {losses[1]:.3f} behind a network that was",
        "trained for the time, or less, that both stages took.",
        "",
    ]


def _refined_line(name: str, split: str, scores: Row, minutes: str = "", kept: str = "") -> str:
    keys = ("mean_iou", "mean_dice", "boundary_iou", "boundary_f1")
    values = " | ".join(_value(scores, key) for key in keys)
    return f"| {name} | {split} | {minutes} | {values} | {kept} |"


def _costs(rows: list[Row], note: str) -> list[str]:
    return [
        "## What these trainings cost",
        "",
        "| training | command | epochs | time | processor time | memory | commit |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row['training']} | `{row['command']}` | {row['epochs']} "
            f"| {row['seconds'] / 60:.1f} min | {row['cpu_seconds'] / 60:.1f} min "
            f"| {row['peak_mib']} MiB | {row['commit']} |"
            for row in rows
        ),
        "",
        note,
        "",
        "The trainings ran at the commits in their rows. Beside those from camvid 30 min on, small",
        "other work ran at low priority: their times are longer than on a machine at rest.",
        "",
    ]


def _refusals(rows: list[Row], note: str) -> list[str]:
    lines = [
        "## What `train` refuses before it begins",
        "",
        "| asked for | refused with | after |",
        "| --- | --- | --- |",
    ]
    for row in rows:
        error = row["said"].splitlines()[0].removeprefix("error: ").replace("|", "\\|")
        lines.append(f"| {row['what']} | {error} | {row['seconds']} s |")
    return [*lines, "", "Most of that time is spent starting Python and Keras.", note]


def _value(scores: Row, key: str) -> str:
    value = scores.get(key)
    return "" if value is None else f"{value:.3f}"


def _of_class(scores: Row, name: str) -> str:
    found = next((each for each in scores["classes"] if each["name"] == name), {})
    return _value(found, "iou")
