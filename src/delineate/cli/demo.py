"""`delineate demo`: the whole way on a data set that it makes itself."""

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import Json, Traceback
from delineate.cli.output import duration, errors_told, progress_of, put, say


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    to: Annotated[Path, typer.Option(help="The folder to make.")] = Path("delineate-demo"),
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Make data, check it, train, evaluate and report: less than three minutes on two cores."""
    with errors_told(trace=traceback):
        from delineate.backend import choose_backend
        from delineate.cli.progress import Display

        choose_backend()
        from delineate.training.demo import demo as run_demo

        done = run_demo(to, say=say, watch=Display().show, progress=progress_of("reading"))
        text = f"test Dice {done['dice_per_image']:.3f} after {duration(done['seconds'])}"
        put(done, as_json=as_json, text=text)
        say(f"look at {done['report']}")
