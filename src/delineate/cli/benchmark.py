"""`delineate benchmark`: what a run's model and its exports cost, side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli.options import FollowLinks, Json, RunFolder, Traceback, links_of
from delineate.cli.output import errors_told, put, say, table


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("benchmark")(benchmark)


def benchmark(
    run: RunFolder,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Predict its validation images, and score them."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long each is timed, at the least.")
    ] = 5.0,
    follow_links: FollowLinks = False,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Time the Keras model and each export of a run: latency, memory, size and score."""
    with errors_told(trace=traceback):
        from delineate.data.dataset import Dataset
        from delineate.exporting.benchmark import benchmark as run_benchmark

        links = links_of(follow_links)
        dataset = None if data is None else Dataset.open(data, links=links)
        rows = run_benchmark(run, dataset, seconds=seconds, say=say)
        text = table([_shown(row) for row in rows])
        put({"run": str(run), "rows": rows}, as_json=as_json, text=text)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    if "problem" in row:
        return {"format": row["format"], "mean_iou": row["problem"]}
    latency = row["latency_ms"]
    return {
        "format": f"{row['format']} (stale)" if row["stale"] else row["format"],
        "precision": row["precision"],
        "ms p50": latency["p50"],
        "ms p99": latency["p99"],
        "images/s": row["images_per_second"],
        "faster": row["faster"],
        "MiB": row["memory_mib"],
        "file MiB": row["file_mib"],
        "mean_iou": row["mean_iou"],
    }
