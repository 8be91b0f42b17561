"""Predictions of many files."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import DataError, DelineateError
from delineate.imaging import read_image
from delineate.prediction.inputs import find_inputs, refuse_table
from delineate.prediction.outputs import Wanted, write_prediction
from delineate.prediction.predictor import Prediction, Predictor
from delineate.prediction.run_length_file import Add, run_length_file
from delineate.prediction.uncertainty import LeastSure, write_review
from delineate.runs import Run

Progress = Callable[[int, int], None]


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
        BundleError: There is no bundle.
        DataError: An image does not fit the network.
    """
    predictor = Predictor.open(run)
    if isinstance(images, str | Path) or (isinstance(images, np.ndarray) and images.ndim < 4):
        images = [images]  # type: ignore[list-item]
    return [predictor.predict(image) for image in images]


def predict_files(
    run: Any,
    inputs: Sequence[str],
    *,
    to: str | Path,
    wanted: Wanted | None = None,
    runtime: str | None = None,
    progress: Progress | None = None,
) -> Done:
    """Predict files, folders and patterns into a folder; a broken one does not stop the others.

    For each image ``a.png`` there are ``a.png`` (class ids as a palette PNG), ``a_colour.png``,
    ``a.json``, and what else is wanted. Of several images ``review.csv`` and ``review.png`` tell
    which ones the network is least sure of.

    Args:
        run: A run or bundle, or its folder.
        inputs: Files, folders (with all below) or patterns.
        to: The folder to write to.
        wanted: What is written beside the mask; unset: nothing.
        runtime: A name in the table of runtimes.
        progress: Called with (done, all) after each image.

    Raises:
        UsageError: An input names no file, or a prediction would replace an image, or the table of
            run lengths one of the other files.
        DataError: Two images of one name would be in one table of run lengths.
        BundleError: There is no bundle.
    """
    wanted, to = wanted or Wanted(), Path(to)
    files = find_inputs(inputs, to)
    table = wanted.run_lengths
    if table is not None:
        refuse_table(table, files, to)
        _refuse_one_name(files, table)
    predictor = Predictor.open(run, runtime=runtime)
    with nullcontext() if table is None else run_length_file(table) as add:
        done, unsure = _predict_all(files, predictor, to, wanted, add=add, progress=progress)
    done.run_lengths = table
    if len(unsure.items) > 1:
        write_review(to, unsure.items)
        done.review = Run(to).review
    return done


def _predict_all(
    files: Sequence[tuple[Path, Path]],
    predictor: Predictor,
    to: Path,
    wanted: Wanted,
    *,
    add: Add | None,
    progress: Progress | None,
) -> tuple[Done, LeastSure]:
    done, unsure = Done(), LeastSure(predictor.card.colours)
    for number, (path, name) in enumerate(files, 1):
        try:
            image = read_image(path)
            prediction = predictor.predict(image)
        except DataError as error:
            named = str(path) in error.message
            message = error.message if named else f"{path}: {error.message}"
            done.failures.append(type(error)(message, hint=error.hint))
        else:
            stem = to / name
            summary = write_prediction(stem, path, image, prediction, predictor.card, wanted)
            done.written.append(summary)
            if add is not None:
                add(path.stem, prediction.instances)
            unsure.add(str(path), image, prediction)
        if progress:
            progress(number, len(files))
    return done, unsure


def _refuse_one_name(files: Sequence[tuple[Path, Path]], table: Path) -> None:
    """Refuse images that one table could not tell apart, before hours are spent on them."""
    counts = Counter(path.stem for path, _ in files)
    name, count = counts.most_common(1)[0]
    if count > 1:
        raise DataError(
            f"{count} images are called '{name}', which {table} could not tell apart.",
            hint="Rename them, or write a table for each folder.",
        )
