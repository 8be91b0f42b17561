"""`delineate check`: what a data set is, and what is wrong with it."""

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import Data, Json, Traceback
from delineate.cli.output import errors_told, progress_of, put, say


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    data: Data,
    to: Annotated[
        Path | None, typer.Option(help="Write report.html, report.json and pictures here.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Draw samples as this recipe augments them, to augmented.png."),
    ] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Look for what is wrong with a data set, and say what it is."""
    with errors_told(trace=traceback):
        from delineate.data.check import check as run_check
        from delineate.data.check import describe_findings, write_report
        from delineate.data.dataset import Dataset

        dataset = Dataset.open(data)
        report = run_check(dataset, progress=progress_of("reading"))
        if to is not None:
            write_report(report, to)
            say(f"the report is {to / 'report.html'}")
        if recipe is not None:
            from delineate.data.check import draw_augmented

            sheet = draw_augmented(dataset, recipe, (to or Path()) / "augmented.png")
            say(f"augmented samples are in {sheet}")
        put(report.to_json(), as_json=as_json, text=describe_findings(report))
        if report.failed:
            raise SystemExit(1)
