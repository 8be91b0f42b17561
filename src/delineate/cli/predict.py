"""`delineate predict`: masks of images, videos, folders, cameras and streams."""

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from delineate.cli.options import Json, RunFolder, Runtime, Traceback
from delineate.cli.output import errors_told, progress_of, put, say
from delineate.errors import UsageError

if TYPE_CHECKING:
    from delineate.prediction.many import Done


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Images, videos, folders or patterns ('a/*.png'); camera:0, rtsp://...",
    ),
]
To = Annotated[Path, typer.Option(help="The folder to write to.")]
Overlay = Annotated[bool, typer.Option("--overlay", help="Also the mask on the image.")]
Probabilities = Annotated[
    bool, typer.Option("--probabilities", help="Also the probabilities, as .npy.")
]
Instances = Annotated[
    bool,
    typer.Option("--instances", help="Also the objects: label image, table and outlines."),
]
RunLengths = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv", help="All objects as run lengths (Data Science Bowl)."),
]
PixelSize = Annotated[
    float | None,
    typer.Option(metavar="µm", min=1e-9, help="Side of a pixel, instead of what files say."),
]
Size = Annotated[
    str | None,
    typer.Option(metavar="HEIGHTxWIDTH", help="Frames of videos are predicted at this size."),
]
Smoothing = Annotated[
    float, typer.Option(min=0, max=0.99, help="Share of earlier frames: against flicker.")
]
Rate = Annotated[
    float | None,
    typer.Option(min=0.01, help="The images are one video of so many frames per second."),
]
Seconds = Annotated[
    float | None, typer.Option(min=0, help="How long a camera or stream is watched.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(predict)


def predict(
    run: RunFolder,
    inputs: Inputs,
    to: To = Path("predictions"),
    overlay: Overlay = False,
    probabilities: Probabilities = False,
    instances: Instances = False,
    rle: RunLengths = None,
    pixel_size: PixelSize = None,
    size: Size = None,
    smoothing: Smoothing = 0.0,
    rate: Rate = None,
    seconds: Seconds = None,
    runtime: Runtime = None,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Predict the masks of images of any size: class ids, colours, and a summary of each."""
    with errors_told(trace=traceback):
        from delineate.prediction.many import predict_files
        from delineate.prediction.outputs import Wanted
        from delineate.prediction.video.predicting import Watching

        wanted = Wanted(
            overlay=overlay,
            probabilities=probabilities,
            instances=instances,
            run_lengths=rle,
            pixel_size=pixel_size,
        )
        watching = Watching(
            size=_size(size),
            smoothing=smoothing,
            seconds=seconds,
            rate=None if rate is None else Fraction(rate).limit_denominator(1001),
        )
        done = predict_files(
            run,
            inputs,
            to=to,
            wanted=wanted,
            watching=watching,
            runtime=runtime,
            progress=progress_of("predicting"),
        )
        _tell(done, to, as_json=as_json)
        if done.failures:
            raise SystemExit(1)


def _tell(done: "Done", to: Path, *, as_json: bool) -> None:
    for failure in done.failures:
        say(f"error: {failure.message}")
        say(f"hint: {failure.hint}")
    if done.review is not None:
        say(f"which ones to look at first: {done.review}")
    put(done.to_json(), as_json=as_json, text=f"{len(done.written)} predictions are in {to}")


def _size(said: str | None) -> tuple[int, int] | None:
    """Return (height, width) of ``288x512``."""
    if said is None:
        return None
    found = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", said)
    if found is None or not all(map(int, found.groups())):
        raise UsageError(
            f"--size {said} is no size.", hint="Say height and width, such as 288x512."
        )
    return int(found[1]), int(found[2])
