"""`delineate check`: what a data set is, and what is wrong with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from delineate.cli.options import Data, FollowLinks, Json, Traceback, links_of
from delineate.cli.output import errors_told, progress_of, put, say

if TYPE_CHECKING:
    from delineate.data.checking.inspection import Inspection
    from delineate.data.repairing.repair import Repairs
    from delineate.recipe import Recipe


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    data: Data,
    to: Annotated[
        Path | None, typer.Option(help="Write report.html, report.json and pictures here.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write a proposed dataset.toml into DATA.")
    ] = False,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write a copy into FOLDER, as far as can be repaired."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Check for this recipe, and draw samples as it augments them, to augmented.png.",
        ),
    ] = None,
    follow_links: FollowLinks = False,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Say what a data set is, and look for what is wrong with it."""
    with errors_told(trace=traceback):
        from delineate.data.checking.check import examine, write_report
        from delineate.data.checking.inspection import inspect
        from delineate.data.checking.summary import summarise
        from delineate.data.dataset import Dataset
        from delineate.recipe import Recipe

        _refuse(data, write=write, fix=fix)
        settings = Recipe.load(recipe) if recipe is not None else None
        dataset = Dataset.open(data, links=links_of(follow_links or _follows(settings)))
        inspection = inspect(dataset, progress_of("reading"), recipe=settings)
        report = examine(inspection, pictures=to is not None)
        if to is not None:
            write_report(report, to)
        values = report.to_json()
        if fix is not None:
            repairs = _repair(inspection, fix)
            values["repairs"] = repairs.as_json()
        text = summarise(report)
        if fix is not None:
            text += f"\n\n{repairs.describe()}"
        put(values, as_json=as_json, text=text)
        _tell_where(data, to)
        if write:
            _write(inspection, data)
        if recipe is not None:
            _draw(inspection, recipe, (to or Path()) / "augmented.png")
        if report.failed:
            raise SystemExit(1)


def _refuse(data: Path, *, write: bool, fix: Path | None) -> None:
    """Refuse, before anything is read, what could not be written at the end."""
    from delineate.data.describing.description import FILE
    from delineate.data.repairing.repair import require_free
    from delineate.errors import DataError

    if write and (data / FILE).exists():
        raise DataError(
            f"{data / FILE} exists, and is not replaced.",
            hint="Move it elsewhere first, or leave --write out.",
        )
    if fix is not None:
        require_free(data, fix)


def _follows(settings: "Recipe | None") -> bool:
    return settings is not None and settings.data.links == "follow"


def _repair(inspection: "Inspection", folder: Path) -> "Repairs":
    from delineate.data.repairing.repair import repair

    return repair(inspection, folder, progress=progress_of("repairing"))


def _write(inspection: "Inspection", data: Path) -> None:
    from delineate.data.describing.description import FILE
    from delineate.data.proposing.proposal import propose, write_description

    write_description(data, propose(inspection))
    say(f"look over what was guessed, and correct it: {data / FILE}")


def _draw(inspection: "Inspection", recipe: str, path: Path) -> None:
    from delineate.data.checking.check import draw_augmented
    from delineate.errors import DataError

    try:
        draw_augmented(inspection.readable, recipe, path)
    except DataError as error:
        say(f"no augmented samples: {error.message}")
    else:
        say(f"augmented samples are in {path}")


def _tell_where(data: Path, to: Path | None) -> None:
    if to is None:
        say(f"for pictures of all this: delineate check {data} --to FOLDER")
    else:
        say(f"the page is {to / 'report.html'}")
