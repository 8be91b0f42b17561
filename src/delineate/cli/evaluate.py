"""`delineate evaluate`: scores of a run on data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli.options import Data, FollowLinks, Json, RunFolder, Runtime, Traceback, links_of
from delineate.cli.output import errors_told, progress_of, put, say, table

SHOWN = (
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


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    run: RunFolder,
    data: Data,
    split: Annotated[
        str | None, typer.Option(help="train, validation or test; unset: the unseen part.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Score another run on the same images, and compare."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Write the report here; unset: to the run.")
    ] = None,
    runtime: Runtime = None,
    follow_links: FollowLinks = False,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Score a run on data, at each image's own size, and write the report."""
    with errors_told(trace=traceback):
        from delineate.data.dataset import Dataset
        from delineate.evaluation.evaluate import evaluate as run_evaluation

        report = run_evaluation(
            run,
            Dataset.open(data, links=links_of(follow_links)),
            split=split,
            compare=compare,
            to=to,
            runtime=runtime,
            progress=progress_of("scoring"),
        )
        values = report.to_json()
        put(values, as_json=as_json, text=_text(values))
        if to is not None or (run / "recipe.toml").is_file():
            say(f"the report is {(to or run) / 'report.html'}")


def _text(values: dict[str, Any]) -> str:
    rows = [{"score": name, "value": values[name]} for name in SHOWN if name in values]
    intervals = values["intervals"]
    for row in rows:
        low, high = intervals.get(row["score"], (None, None))
        row |= {"from": low, "to": high}
    head = f"{values['data']}, {values['split']}: {len(values['images'])} images"
    parts = [head, table(rows), table(values["classes"])]
    if "refiner" in values:
        parts.append(_refiner_text(values["refiner"]))
    if "instances" in values:
        parts.append(table([values["instances"]]))
    if "kinds" in values:
        parts.append(table([_kind_row(kind) for kind in values["kinds"]]))
    if "compare" in values:
        parts.append(_compared_text(values["compare"]))
    parts += [f"{found['level']}: {found['message']}" for found in values["findings"]]
    return "\n\n".join(parts)


def _kind_row(kind: dict[str, Any]) -> dict[str, Any]:
    low, high = kind["intervals"].get("dice_per_image", (None, None))
    columns = ("kind", "images", "dice_per_image", "iou_per_image", "mean_iou")
    shown = {column: kind[column] for column in columns[:3]} | {"from": low, "to": high}
    return shown | {column: kind[column] for column in columns[3:]}


def _compared_text(compared: dict[str, Any]) -> str:
    columns = ("here", "there", "difference")
    rows = []
    for name, scores in compared["scores"].items():
        low, high = scores["interval"] or (None, None)
        row = {"score": name, **{column: scores[column] for column in columns}}
        rows.append(row | {"from": low, "to": high, "p": scores["p_value"]})
    return f"compared with {compared['run']}\n{table(rows)}"


def _refiner_text(found: dict[str, Any]) -> str:
    rows = [
        {"score": name, "without": found["without"][name], "with": value}
        for name, value in found["with"].items()
    ]
    return f"refiner, {'kept' if found['kept'] else 'left out'}\n{table(rows)}"
