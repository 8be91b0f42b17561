"""The options that all commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from delineate.data.links import Links

Json = Annotated[bool, typer.Option("--json", help="Give one JSON object on stdout.")]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show where an error came from.")]
Data = Annotated[Path, typer.Argument(metavar="DATA", help="The folder of the data set.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder or a bundle.")]
Runtime = Annotated[
    str | None, typer.Option(help="RUN's engine; unset: that of the fastest export.")
]
Budget = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="How long it may take: 90s, 20m, 1h30m; 20: minutes."),
]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links", help="Read files outside of DATA that its links and tables name."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Replace a setting of the recipe."),
]


def links_of(follow: bool) -> "Links":
    """Return what is done with links out of a data set, as ``--follow-links`` says."""
    return "follow" if follow else "refuse"
