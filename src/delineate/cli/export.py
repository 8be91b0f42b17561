"""`delineate export`: a run's model for another engine, compared with the Keras model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli.options import FollowLinks, Json, RunFolder, Traceback, links_of
from delineate.cli.output import errors_told, put, say, table


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    run: RunFolder,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option("--format", help="openvino, onnx, litert, savedmodel or tensorrt.")
    ],
    data: Annotated[
        Path,
        typer.Option(metavar="DATA", help="What it was trained on: compares, and calibrates int8."),
    ],
    precision: Annotated[
        str, typer.Option(help="float32, float16, bfloat16 or int8, as the format has them.")
    ] = "float32",
    to: Annotated[
        Path | None, typer.Option(help="The folder to make; unset: RUN/exports/FORMAT-PRECISION.")
    ] = None,
    follow_links: FollowLinks = False,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Write the best model for another engine; keep it only where it predicts the same."""
    with errors_told(trace=traceback):
        from delineate.backend import choose_backend
        from delineate.data.dataset import Dataset

        choose_backend()
        from delineate.exporting.export import export as run_export

        dataset = Dataset.open(data, links=links_of(follow_links))
        bundle = run_export(run, dataset, format=format, precision=precision, to=to, say=say)
        found = bundle.card.export
        values = {"bundle": str(bundle.folder), **(found.model_dump() if found else {})}
        put(values, as_json=as_json, text=_text(values))


def _text(values: dict[str, Any]) -> str:
    rows = [
        {"of one image": name, "before": values[key]["before"], "after": values[key]["after"]}
        for name, key in (("mean IoU", "mean_iou"), ("seconds", "seconds"))
    ]
    return "\n".join(
        [
            f"{values['format']} in {values['precision']} is in {values['bundle']}",
            f"compared on {values['images']} images: probabilities differ by "
            f"{values['largest_difference']:.2g} at most, {values['changed']:.3%} of the pixels "
            "change class",
            table(rows),
        ]
    )
