"""`delineate fetch`: a public data set, verified and unpacked."""

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import Json, Traceback
from delineate.cli.output import errors_told, progress_of, put


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fetch")(fetch)


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The data set, such as dsb2018.")],
    archive: Annotated[
        Path | None, typer.Option("--from", metavar="ARCHIVE", help="Take this archive at hand.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The folder to make; unset: NAME.")] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Download a public data set, or take its archive at hand; verify and unpack it safely."""
    with errors_told(trace=traceback):
        from delineate.data.fetch import fetch as run_fetch

        folder = run_fetch(name, archive=archive, to=to, progress=progress_of("fetching"))
        put({"folder": str(folder)}, as_json=as_json, text=str(folder))
