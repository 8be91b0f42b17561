"""`delineate predict`: masks of files, folders and patterns."""

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.options import Json, RunFolder, Traceback
from delineate.cli.output import errors_told, progress_of, put, say


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(predict)


def predict(
    run: RunFolder,
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Files, folders or patterns ('a/*.png')."),
    ],
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("predictions"),
    overlay: Annotated[bool, typer.Option("--overlay", help="Also the mask on the image.")] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also the probabilities, as .npy.")
    ] = False,
    instances: Annotated[
        bool,
        typer.Option("--instances", help="Also the objects: label image, table and outlines."),
    ] = False,
    rle: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="All objects as run lengths (Data Science Bowl)."),
    ] = None,
    pixel_size: Annotated[
        float | None,
        typer.Option(metavar="µm", min=1e-9, help="Side of a pixel, instead of what files say."),
    ] = None,
    runtime: Annotated[str | None, typer.Option(help="The engine; unset: the bundle's.")] = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Predict the masks of images of any size: class ids, colours, and a summary of each."""
    with errors_told(trace=traceback):
        from delineate.prediction.many import predict_files
        from delineate.prediction.outputs import Wanted

        done = predict_files(
            run,
            inputs,
            to=to,
            wanted=Wanted(
                overlay=overlay,
                probabilities=probabilities,
                instances=instances,
                run_lengths=rle,
                pixel_size=pixel_size,
            ),
            runtime=runtime,
            progress=progress_of("predicting"),
        )
        for failure in done.failures:
            say(f"error: {failure.message}")
            say(f"hint: {failure.hint}")
        if done.review is not None:
            say(f"which ones to look at first: {done.review}")
        text = f"{len(done.written)} predictions are in {to}"
        put(done.to_json(), as_json=as_json, text=text)
        if done.failures:
            raise SystemExit(1)
