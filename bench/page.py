"""Write docs/results.md, benchmarks.md and matrix.md from the rows in bench/rows."""

from pathlib import Path
from typing import Any

from accuracy_page import accuracy_page
from matrix_page import matrix_page
from measure import ROWS, read_rows
from models_page import models_page
from reach_page import engines_page, large_page, limits_page, sizes_page, video_page
from speed_page import speed_page

DOCS = Path(__file__).parents[1] / "docs"
SCORES = (
    ("dice_per_image", "Dice per image"),
    ("iou_per_image", "IoU per image"),
    ("mean_iou", "mean IoU"),
    ("mean_dice", "mean Dice"),
    ("foreground_iou", "foreground IoU"),
    ("foreground_dice", "foreground Dice"),
    ("accuracy", "accuracy"),
    ("boundary_iou", "boundary IoU"),
    ("boundary_f1", "boundary F1"),
    ("calibration_error", "calibration error"),
)
RECIPES = ("unet-nuclei", "unet-dice")
# Sections of the benchmarks that are there once they have been measured.
REACH = (
    ("speed", speed_page, "speed.py FOLDER DATA"),
    ("limits", limits_page, "limits.py BUNDLE"),
    ("speed_gpu", speed_page, "speed.py FOLDER DATA` with `RIVALS_DEVICE=cuda"),
    ("engines", engines_page, "engines.py RUN DATA..."),
    ("large", large_page, "large.py RUN FOLDER PICTURE"),
    ("video", video_page, "video.py RUN VIDEO"),
    ("sizes", sizes_page, "sizes.py"),
)

NO_GPU = """## On a GPU

Not measured yet: no machine with an NVIDIA GPU was at hand. There
`RIVALS_DEVICE=cuda scripts/bench speed FOLDER DATA` measures the tables above with JAX and PyTorch
beneath, beside PyTorch and segmentation_models.pytorch, compiled and in bfloat16; elsewhere it says
so and ends.
"""


def main() -> None:
    models, refusals = read_rows("models"), read_rows("refusals")
    notes = (
        note(models, "bench/models.py DATA WEIGHTS FOLDER"),
        note(refusals, "bench/refusals.py FOLDER"),
    )
    family = models_page(models, refusals, notes)
    reached = ""
    if (ROWS / "accuracy.json").is_file():
        plan = read_rows("accuracy")
        reached = accuracy_page(plan, note(plan, "bench/accuracy.py DATA WEIGHTS FOLDER"))
    nuclei = f"{results(read_rows('nuclei'))}\n{demo(read_rows('demo'))}"
    (DOCS / "results.md").write_text(f"{nuclei}\n{reached}{family}")
    parts = [
        step_speed(read_rows("feed")),
        check_cost(read_rows("check")),
        resize_cost(read_rows("resize")),
        losses_cost(read_rows("losses")),
    ]
    for name, page, command in REACH:
        if (ROWS / f"{name}.json").is_file():
            kept = read_rows(name)
            parts.append(page(kept, note(kept, f"bench/{command}")))
    if not (ROWS / "speed_gpu.json").is_file():
        parts.append(NO_GPU)
    (DOCS / "benchmarks.md").write_text("\n".join(["# Benchmarks\n", *parts]))
    networks = read_rows("matrix")
    (DOCS / "matrix.md").write_text(matrix_page(networks, note(networks, "bench/matrix.py")))


def results(kept: dict[str, Any]) -> str:
    rows = {row["step"]: row for row in kept["rows"]}
    scores = {name: rows[f"evaluate {name}"]["result"] for name in RECIPES}
    lines = [
        "# Results",
        "",
        "Nuclei of the 2018 Data Science Bowl (BBBC038, stage 1 training set with community",
        "corrections, 664 images, CC0). The images were split by delineate itself with seed 0: a",
        "tenth for validation, a tenth for the test, near-duplicates on one side, kinds of picture",
        "in proportion. The test images were used for nothing but the scores below. Those count",
        "at each image's own size; in brackets the 95 % interval of a bootstrap over the images.",
        "",
        f"| score | {' | '.join(RECIPES)} |",
        f"| --- |{' --- |' * len(RECIPES)}",
        *(score_line(key, label, scores) for key, label in SCORES),
        *(object_line(key, scores) for key in scores[RECIPES[0]].get("instances", {})),
        "",
        "The object scores take the connected parts of the predicted foreground for objects, so",
        "that nuclei that touch count as one.",
        "",
        "## Commands, time and memory",
        "",
        "| command | time | processor time | memory |",
        "| --- | --- | --- | --- |",
        *(cost_line(row) for row in kept["rows"]),
        "",
        "Epochs until early stopping or the end: "
        + ", ".join(f"{name} {epochs_of(rows, name)}" for name in RECIPES)
        + ".",
        note(kept, "bench/nuclei.py stage1_train.zip FOLDER"),
    ]
    return "\n".join(lines) + "\n"


def demo(kept: dict[str, Any]) -> str:
    row = kept["rows"][0]
    lines = [
        "## The demo",
        "",
        f"`{row['command']}` makes 68 pictures of nuclei from code, checks them, trains for two",
        "minutes and scores 12 of them that the training has not seen.",
        "",
        "| Dice per image | mean IoU | time, all in all | processor time | memory |",
        "| --- | --- | --- | --- | --- |",
        f"| {row['dice_per_image']:.3f} | {row['mean_iou']:.3f} | {row['seconds']:.0f} s "
        f"| {row['cpu_seconds']:.0f} s | {row['peak_mib']} MiB |",
        "",
        note(kept, "bench/demo.py"),
    ]
    return "\n".join(lines) + "\n"


def check_cost(kept: dict[str, Any]) -> str:
    lines = [
        "## What a check costs",
        "",
        "`delineate check DATA --to FOLDER`, with all rules, duplicates and the page. The first",
        "time nothing is known of the files; the second time nothing has changed.",
        "",
        "| data | check | time | processor time | memory |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {row['data']} | {row['time']} | {row['seconds']:.1f} s "
            f"| {row['cpu_seconds']:.1f} s | {row['peak_mib']} MiB |"
            for row in kept["rows"]
        ),
        "",
        f"Of each image {kept_kib(kept['rows']):.0f} KiB stay in memory, whatever its size.",
        "",
        note(kept, "bench/check.py stage1_train.zip FOLDER"),
    ]
    return "\n".join(lines) + "\n"


def resize_cost(kept: dict[str, Any]) -> str:
    lines = [
        "## What resizing costs",
        "",
        "The true masks of the 664 nuclei images, resized to a network's size and back as in",
        "training and prediction, scored at their own size: the best that a network can reach",
        "which has learnt its targets perfectly.",
        "",
        "| network's size | Dice per image | IoU per image | mean IoU |",
        "| --- | --- | --- | --- |",
        *(
            f"| {row['size']}×{row['size']} | {row['dice_per_image']:.3f} "
            f"| {row['iou_per_image']:.3f} | {row['mean_iou']:.3f} |"
            for row in kept["rows"]
        ),
        "",
        note(kept, "bench/resize.py nuclei"),
    ]
    return "\n".join(lines) + "\n"


def losses_cost(kept: dict[str, Any]) -> str:
    seconds = {(row["loss"], row["backend"]): row["seconds"] for row in kept["rows"]}
    losses, backends = ([*dict.fromkeys(pair)] for pair in zip(*seconds, strict=True))
    lines = [
        "## What losses cost",
        "",
        "Value and slope for a batch of 8 at 352×480 and 11 classes (`binary_…`: one channel),",
        "seconds per step:",
        "",
        f"| loss | {' | '.join(backends)} |",
        f"| --- |{' --- |' * len(backends)}",
        *(
            f"| `{loss}` | {' | '.join(f'{seconds[loss, each]:.2f}' for each in backends)} |"
            for loss in losses
        ),
        "",
        note(kept, "bench/losses.py"),
    ]
    return "\n".join(lines) + "\n"


def kept_kib(rows: list[dict[str, Any]]) -> float:
    """Return by how much the memory grows with each image."""
    few, many = (row for row in rows if row["time"] == "first" and "made" in row["data"])
    counts = [int(row["data"].split()[0].replace(",", "")) for row in (few, many)]
    return float((many["peak_mib"] - few["peak_mib"]) * 1024 / (counts[1] - counts[0]))


def step_speed(kept: dict[str, Any]) -> str:
    summary, *epochs = kept["rows"]
    lines = [
        "## What a training keeps of the step's speed",
        "",
        f"Recipe `{summary['recipe']}` on {summary['data']}. In one process, each epoch of `train`",
        "(reading, augmentation, step, scores) and then the same compiled step on batches that are",
        "ready in memory, for as many steps. Images per second:",
        "",
        "| epoch | step from memory | steps of `train` | with validation, pictures, saving |",
        "| --- | --- | --- | --- |",
        *(
            f"| {row['epoch']} | {row['step_from_memory']:.1f} | {row['train_steps']:.1f} "
            f"| {row['train_with_validation']:.1f} |"
            for row in epochs
        ),
        "",
        f"`train` keeps {summary['ratio_median']:.2f} of the step's speed (median; "
        f"{summary['ratio_least']:.2f} to {summary['ratio_most']:.2f}).",
        "",
        note(kept, "bench/feed.py"),
    ]
    return "\n".join(lines) + "\n"


def score_line(key: str, label: str, scores: dict[str, Any]) -> str:
    return f"| {label} | " + " | ".join(with_interval(key, scores[name]) for name in RECIPES) + " |"


def with_interval(key: str, values: dict[str, Any]) -> str:
    low, high = values["intervals"].get(key, (None, None))
    bounds = "" if low is None else f" ({low:.3f} to {high:.3f})"
    return f"{values[key]:.3f}{bounds}"


def object_line(key: str, scores: dict[str, Any]) -> str:
    values = [f"{scores[name]['instances'][key]:.3f}" for name in RECIPES]
    return f"| {key} | {' | '.join(values)} |"


def cost_line(row: dict[str, Any]) -> str:
    return (
        f"| `{row['command']}` | {clock(row['seconds'])} | {clock(row['cpu_seconds'])} "
        f"| {row['peak_mib']} MiB |"
    )


def epochs_of(rows: dict[str, Any], name: str) -> int:
    return int(rows[f"train {name}"]["result"]["epochs"])


def clock(seconds: float) -> str:
    return (
        f"{int(seconds) // 60}:{int(seconds) % 60:02} min" if seconds >= 60 else f"{seconds:.0f} s"
    )


def note(kept: dict[str, Any], script: str) -> str:
    where = kept["circumstances"]
    # Rows of several runs of a script have a commit each.
    commits = list(dict.fromkeys(row["commit"] for row in kept["rows"] if "commit" in row))
    told = f"commit {where['commit']}" if len(commits) < 2 else f"commits {', '.join(commits)}"
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    return (
        f"Measured with `python {script}` at {told}, seed 0, on {where['cores']} "
        f"cores of {where['processor']}, Python {where['python']}, {versions}. "
        f"{where.get('note', '')}".strip()
    )


if __name__ == "__main__":
    main()
