"""`delineate show`: a run, many runs, or a table of names."""

from typing import Annotated

import typer

from delineate.cli.options import Json, Traceback
from delineate.cli.output import errors_told, put, table


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A run, a folder of runs, or recipes, encoders, decoders, losses, layouts.",
        ),
    ],
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Show a run, a table of many runs, or the names that a setting may have."""
    with errors_told(trace=traceback):
        from delineate.evaluation.show import show as describe

        rows = describe(what)
        put({"rows": rows}, as_json=as_json, text=table(rows))
