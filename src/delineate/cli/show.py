"""`delineate show`: a run, many runs, or a table of names."""

from typing import Annotated, Any

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
        put({"rows": rows}, as_json=as_json, text=table(readable(rows)))


def readable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows for people: large numbers in millions or billions, lists in short.

    Columns of flags that no row has, and the widths of encoders, are left to the JSON.
    """
    flags = {key for row in rows for key, value in row.items() if value is False}
    left = {"widths"} | {key for key in flags if not any(row.get(key) for row in rows)}
    return [
        {key: _short(key, value) for key, value in row.items() if key not in left} for row in rows
    ]


def _short(key: str, value: Any) -> Any:
    if key in ("parameters", "multiply_adds"):
        return f"{value / 1e6:.1f} M" if value < 1e9 else f"{value / 1e9:.1f} G"
    if key == "strides":
        return f"{value[0]}–{value[-1]}"
    if isinstance(value, list):
        return " ".join(map(str, value)) or None
    if isinstance(value, bool):
        return "yes" if value else None
    return value
