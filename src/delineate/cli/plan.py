"""`delineate plan`: a recipe for a data set on this machine, with a reason for every value."""

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import Budget, Data, Json, Settings, Traceback
from delineate.cli.output import errors_told, progress_of, put, say


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    data: Data,
    budget: Budget = None,
    settings: Settings = None,
    to: Annotated[Path | None, typer.Option(help="The TOML file to write.")] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Choose a recipe by what the data is and how fast this machine is; `train` then takes it."""
    with errors_told(trace=traceback):
        from delineate.backend import choose_backend
        from delineate.data.dataset import Dataset
        from delineate.errors import UsageError
        from delineate.files import write_whole
        from delineate.recipe import Recipe
        from delineate.recipe_text import minutes_of, parse_settings

        said = parse_settings(settings or [])
        chosen = Recipe().override(said)
        if to is not None and to.exists():
            raise UsageError(f"{to} exists already.", hint="Name another file, or delete it.")
        dataset = Dataset.open(data, cache=chosen.data.cache, links=chosen.data.links)
        dataset.require_pairs()
        choose_backend(chosen.runtime.backend)
        from delineate.planning.plan import plan as make
        from delineate.training.refusing import refuse_settings

        found = make(
            dataset,
            budget=None if budget is None else minutes_of(budget),
            settings=said,
            refuse=refuse_settings,
            progress=progress_of("reading"),
        )
        if to is not None:
            write_whole(to, found.text())
            say(f"edit {to} as you like, then: delineate train {data} --recipe {to}")
        put(found.to_json(), as_json=as_json, text=str(to) if to is not None else found.text())
