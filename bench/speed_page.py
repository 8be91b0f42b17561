"""The part of the benchmarks' page about training and prediction beside PyTorch."""

from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any

Row = dict[str, Any]
Key = tuple[str, str, str]

OWN, DEFAULT = "delineate", "default"
TITLES = {
    "training": "A step of training",
    "prediction 1": "Prediction, one image at a time",
    "prediction 16": "Prediction, sixteen images in memory",
    "whole": "Whole trainings",
}
# Of what falls short of its aim: 1.05 × PyTorch's best in prediction, as fast in whole trainings.
LIMITS = {
    ("prediction 1", "densenet121 256"): (
        "What limits it: nearly all of the time is the engine's, and most of that goes into",
        "convolutions; none of its other settings gains more than about a hundredth: see",
        "[what limits a single image](#what-limits-a-single-image).",
    ),
    ("whole", "plain 128"): (
        "What limits it: the step alone is as fast as PyTorch's best. On top of it scores",
        "are counted in each step, and after each epoch the best model and a resume point with the",
        "optimizer's state are written and verified. What could be taken off has been: validation",
        "folds normalisation, curves are drawn in a hundredth of the time, and threads beside the",
        "step give way to it.",
    ),
}
# Multiply-adds of a step of training, in those of a prediction: forwards, and twice backwards.
OF_STEP = 3


def speed_page(kept: Row, note: str) -> str:
    """Return the sections, one for each task."""
    rows = kept["rows"]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    lines = [
        "## Beside PyTorch",
        "",
        "The same networks on both sides, each measurement in a process of its own, the sides in",
        "alternation; images per second, the median of all repetitions and in brackets the least",
        "and the most. `pytorch` is the same network layer by layer; segmentation_models.pytorch's",
        "own U-Net has the same encoder and as many channels in its decoder, and joins other",
        "features of it. What each costs stands above each table.",
        "",
    ]
    for task in tasks:
        lines += _task(task, rows)
    return "\n".join([*lines, note, ""])


def _task(task: str, rows: list[Row]) -> list[str]:
    lines = [f"### {TITLES.get(task, task)}", ""]
    for network in dict.fromkeys(row["network"] for row in rows if row["task"] == task):
        lines += _network(task, network, [row for row in rows if row["network"] == network])
    return lines


def _network(task: str, network: str, rows: list[Row]) -> list[str]:
    """Return the table of one network at one task.

    Args:
        task: The task.
        network: The network.
        rows: All rows of that network: what it costs stands in those of its training.
    """
    groups: Mapping[Key, list[Row]] = defaultdict(list)
    for row in rows:
        if row["task"] != task:
            continue
        groups[row["side"], row["configuration"], row["backend"]].append(row)
    whole = {key: [row for row in each if "failed" not in row] for key, each in groups.items()}
    failures = {key: groups[key][0]["failed"] for key, each in whole.items() if not each}
    groups = {key: each for key, each in whole.items() if each}
    speeds = {key: median(_speeds(each)) for key, each in groups.items()}
    rivals = {key: speed for key, speed in speeds.items() if key[0] != OWN}
    best = max(rivals.values(), default=0.0)
    default = next((speed for key, speed in rivals.items() if key[1] == DEFAULT), 0.0)
    costs = _costs(rows)
    lines = [
        f"**{network}**: " + ", ".join(f"{side} {_millions(cost)}" for side, cost in costs.items()),
        "",
        "| side | configuration | images per second | × PyTorch's default | × PyTorch's best "
        "| share of the peak | p50, p99 (ms) | memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, each in groups.items():
        cells = [
            " ".join(filter(None, (key[0], key[2]))),
            key[1],
            _spread(each),
            _ratio(speeds[key], default),
            _ratio(speeds[key], best),
            _share(task, key, speeds[key], costs, rows),
            _latency(each),
            _memory(each),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"| {key[0]} | {key[1]} | failed: {why} | | | | | |" for key, why in failures.items()]
    limits = LIMITS.get((task, network), ())
    return [*lines, "", *limits, ""] if limits else [*lines, ""]


def _speeds(rows: list[Row]) -> list[float]:
    return [row["images_per_second"] for row in rows]


def _spread(rows: list[Row]) -> str:
    speeds = _speeds(rows)
    return f"{median(speeds):.1f} ({min(speeds):.1f} to {max(speeds):.1f})"


def _ratio(speed: float, other: float) -> str:
    return f"{speed / other:.2f}" if other else ""


def _costs(rows: list[Row]) -> dict[str, tuple[int, int]]:
    """Return the parameters and multiply-adds of each side's network."""
    return {
        row["side"]: (row["parameters"], row["multiply_adds"])
        for row in rows
        if "multiply_adds" in row
    }


def _millions(cost: tuple[int, int]) -> str:
    return (
        f"{cost[0] / 1e6:.1f} million weights, {cost[1] / 1e9:.2f} thousand million multiply-adds"
    )


def _share(
    task: str, key: Key, speed: float, costs: dict[str, tuple[int, int]], rows: list[Row]
) -> str:
    """Return which share of the machine's arithmetic is used, that of a product of matrices."""
    precision = "bfloat16" if "bfloat16" in key[1] else "float32"
    peaks = [row["peak"][precision] for row in rows if "peak" in row]
    if key[0] not in costs or not peaks or "int8" in key[1]:
        return ""
    factor = OF_STEP if task in ("training", "whole") else 1
    return f"{factor * costs[key[0]][1] * speed / 1e9 / max(peaks):.0%}"


def _latency(rows: list[Row]) -> str:
    if "p50_ms" not in rows[0]:
        return ""
    return ", ".join(f"{median(row[key] for row in rows):.1f}" for key in ("p50_ms", "p99_ms"))


def _memory(rows: list[Row]) -> str:
    return f"{max(row['peak_mib'] for row in rows)} MiB" if "peak_mib" in rows[0] else ""
