"""Predictions of many files."""

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Card
from delineate.errors import (
    BundleError,
    DataError,
    DelineateError,
    MissingExtraError,
    NotNowError,
    UsageError,
)
from delineate.imaging import read_image
from delineate.prediction.inputs import find_inputs, refuse_replacing, refuse_table
from delineate.prediction.large import predict_large
from delineate.prediction.outputs import Wanted, write_prediction
from delineate.prediction.predictor import Prediction, Predictor
from delineate.prediction.rasters.raster import is_read_in_parts
from delineate.prediction.run_length_file import Add, run_length_file
from delineate.prediction.uncertainty import LeastSure, write_review
from delineate.prediction.video.frames import is_live, is_video, open_file, open_live, open_sequence
from delineate.prediction.video.predicting import Watching, predict_video
from delineate.runs import Run

Progress = Callable[[int, int], None]

# What keeps all further predictions from being written: no space, no permission, no such folder.
_ENDS = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)


@dataclass
class Done:
    """What has been predicted and what could not be.

    Attributes:
        written: A summary of each image that was predicted.
        failures: The error of each that was not.
        review: The table of the images that the network is least sure of, where there are several.
        run_lengths: The table of all objects, where it was wanted.
    """

    written: list[dict[str, Any]] = field(default_factory=list)
    failures: list[DelineateError] = field(default_factory=list)
    review: Path | None = None
    run_lengths: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        failed = [{"error": item.message, "hint": item.hint} for item in self.failures]
        tables = {"review": self.review, "run_lengths": self.run_lengths}
        told = {name: None if path is None else str(path) for name, path in tables.items()}
        return {"predictions": self.written, "failed": failed, **told}


def predict(run: Any, images: Sequence[np.ndarray] | np.ndarray | str | Path) -> list[Prediction]:
    """Return the predictions of one or many images, in order.

    Args:
        run: A run or bundle, or its folder.
        images: One image, a file, or a sequence of them; each of any size.

    Raises:
        BundleError: There is no bundle, or its engine fails at an image.
        DataError: An image does not fit the network.
    """
    predictor = Predictor.open(run)
    if isinstance(images, str | Path) or (isinstance(images, np.ndarray) and images.ndim < 4):
        images = [images]  # type: ignore[list-item]
    return list(predictor.predict_many(images))


def predict_files(
    run: Any,
    inputs: Sequence[str],
    *,
    to: str | Path,
    wanted: Wanted | None = None,
    watching: Watching | None = None,
    runtime: str | None = None,
    progress: Progress | None = None,
) -> Done:
    """Predict files, folders and patterns into a folder; a broken one does not stop the others.

    Videos, cameras (``camera:0``) and streams (``rtsp://…``) give videos; images beyond memory
    (large TIFF files, OME-Zarr) are predicted in parts.

    For each image ``a.png`` there are ``a.png`` (class ids as a palette PNG), ``a_colour.png``,
    ``a.json``, and what else is wanted. Of several images ``review.csv`` and ``review.png`` tell
    which ones the network is least sure of.

    Args:
        run: A run or bundle, or its folder.
        inputs: Files, folders (with all below) or patterns.
        to: The folder to write to.
        wanted: What is written beside the mask; unset: nothing.
        watching: How videos, cameras and streams are predicted; unset: as they are.
        runtime: A name in the table of runtimes.
        progress: Called with (done, all) after each image; within a video with its frames, within
            an image beyond memory with its tiles.

    Raises:
        UsageError: An input names no file, or a prediction would replace an image, or the table of
            run lengths one of the other files; or objects of a camera or a sequence are wanted.
        DataError: Two images of one name would be in one table of run lengths.
        BundleError: There is no bundle.
        OSError: Nothing more can be written: the disk is full, or may not be written to.
        Terminated: A camera or stream was ended by SIGTERM; what has been predicted is written.
    """
    wanted, to = wanted or Wanted(), Path(to)
    watching = replace(watching or Watching(), overlay=wanted.overlay)
    live = [given for given in inputs if is_live(given)]
    still = [given for given in inputs if not is_live(given)]
    files = find_inputs(still, to) if still else []
    table = wanted.run_lengths
    if table is not None and files:
        refuse_table(table, files, to)
        _refuse_one_name(files, table)
    if live or watching.rate is not None:
        _require_masks_alone(wanted, "the frames", UsageError)
    if watching.rate is not None:
        _refuse_beside_sequence(live, files)
    predictor = Predictor.open(run, runtime=runtime)
    refuse_replacing(files, to, values=_values_of(predictor.card))
    if watching.rate is not None:
        return Done([_predict_sequence(files, predictor, to, watching, progress)])
    with nullcontext() if table is None else run_length_file(table) as add:
        todo = _Todo(predictor, to, wanted, watching, add, LeastSure(predictor.card.colours))
        done = _predict_all(files, todo, progress)
    done.run_lengths = table
    if len(todo.unsure.items) > 1:
        write_review(to, todo.unsure.items)
        done.review = Run(to).review
    for number, given in enumerate(live):
        try:
            with open_live(given, seconds=watching.seconds) as source:
                stem = to / f"live-{number}"
                done.written.append(predict_video(predictor, source, stem, watching))
        except (DataError, MissingExtraError, NotNowError) as error:
            done.failures.append(error)
    return done


@dataclass(frozen=True)
class _Todo:
    """What is to be done with each file."""

    predictor: Predictor
    to: Path
    wanted: Wanted
    watching: Watching
    add: Add | None
    unsure: LeastSure


def _predict_all(
    files: Sequence[tuple[Path, Path]], todo: _Todo, progress: Progress | None
) -> Done:
    done = Done()
    for number, (path, name) in enumerate(files, 1):
        try:
            done.written.append(_predict_file(path, todo.to / name, todo, progress))
        except (BundleError, DataError, MissingExtraError, NotNowError) as error:
            named = str(path) in error.message
            message = error.message if named else f"{path}: {error.message}"
            done.failures.append(type(error)(message, hint=error.hint))
        except OSError as error:
            if error.errno in _ENDS:
                raise
            done.failures.append(_not_done(path, error))
        if progress:
            progress(number, len(files))
    return done


def _not_done(path: Path, error: OSError) -> DataError:
    """Return the error about an image that is not read, or whose predictions are not written."""
    hint = "Check the disk that it lies on, and the one that is written to."
    if error.errno == errno.ENAMETOOLONG:
        hint = "Give it a shorter name: those of its mask and pictures are longer."
    return DataError(f"{path} is not predicted: {error.strerror or error}.", hint=hint)


def _predict_file(path: Path, stem: Path, todo: _Todo, progress: Progress | None) -> dict[str, Any]:
    """Predict a video, an image beyond memory, or an image, and return its summary."""
    card = todo.predictor.card
    whole = todo.wanted.whole or card.fit == "resize"
    if is_read_in_parts(path, values=_values_of(card), whole=whole):
        return predict_large(todo.predictor, path, stem, todo.wanted, progress)
    if is_video(path):
        _require_masks_alone(todo.wanted, f"the video {path}", DataError)
        with open_file(path) as source:
            return predict_video(todo.predictor, source, stem, todo.watching, progress)
    image = read_image(path)
    prediction = todo.predictor.predict(image)
    summary = write_prediction(stem, path, image, prediction, todo.predictor.card, todo.wanted)
    if todo.add is not None:
        todo.add(path.stem, prediction.instances)
    todo.unsure.add(str(path), image, prediction)
    return summary


def _values_of(card: Card) -> int:
    """Return how many values a prediction has for each pixel."""
    return len(card.classes) + len(card.objects)


def _predict_sequence(
    files: Sequence[tuple[Path, Path]],
    predictor: Predictor,
    to: Path,
    watching: Watching,
    progress: Progress | None,
) -> dict[str, Any]:
    """Predict images as the frames of one video, and return its summary."""
    with open_sequence([path for path, _ in files], watching.rate or Fraction(25)) as source:
        return predict_video(predictor, source, to / "sequence", watching, progress)


def _require_masks_alone(wanted: Wanted, what: str, kind: type[DelineateError]) -> None:
    """Refuse what there is of images, and not of videos, with an error of such a kind."""
    if wanted.whole:
        raise kind(
            f"There are no objects, probabilities or run lengths of {what}.",
            hint="Leave out --instances, --probabilities and --rle, or name images.",
        )


def _refuse_beside_sequence(live: Sequence[str], files: Sequence[tuple[Path, Path]]) -> None:
    """Refuse what cannot be a frame of the one video that images make, or be told of it."""
    videos = [str(path) for path, _ in files if is_video(path)]
    for given in [*live, *videos]:
        raise UsageError(
            f"With --rate all images are the frames of one video, beside which {given} has no "
            "place.",
            hint="Name images alone, or leave out --rate.",
        )


def _refuse_one_name(files: Sequence[tuple[Path, Path]], table: Path) -> None:
    """Refuse images that one table could not tell apart, before hours are spent on them."""
    counts = Counter(path.stem for path, _ in files)
    name, count = counts.most_common(1)[0]
    if count > 1:
        raise DataError(
            f"{count} images are called '{name}', which {table} could not tell apart.",
            hint="Rename them, or write a table for each folder.",
        )
