"""`delineate fetch`: a public data set, verified and unpacked."""

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import Json, Traceback
from delineate.cli.output import errors_told, progress_of, put, say


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fetch")(fetch)


def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The data set: camvid, dsb2018, kvasir-seg, oxford-pet or voc2012.",
        ),
    ],
    archives: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="ARCHIVE",
            help="Take this archive at hand and download nothing. Of a data set with several "
            "archives, such as oxford-pet, give each with a --from of its own, or the folder that "
            "holds them under their publisher's names.",
        ),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The folder to make; unset: NAME.")] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Download a public data set, or take its archives at hand; verify and unpack it safely."""
    with errors_told(trace=traceback):
        from delineate.data.fetching.fetch import fetch as run_fetch
        from delineate.data.fetching.sources import find_source

        source = find_source(name)
        say(f"{name}: {source.licence} ({source.homepage})")
        folder = run_fetch(name, archive=archives, to=to, progress=progress_of("fetching"))
        put({"folder": str(folder)}, as_json=as_json, text=str(folder))
