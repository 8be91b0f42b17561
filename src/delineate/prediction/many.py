"""Predictions of many files: index PNG, colour PNG, overlay and JSON."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from glob import glob
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import DataError, DelineateError, UsageError
from delineate.files import whole_file, write_whole
from delineate.imaging import IMAGE_SUFFIXES, read_image, write_png
from delineate.overlays import colourise
from delineate.overlays import overlay as draw_overlay
from delineate.prediction.predictor import Prediction, Predictor
from delineate.prediction.uncertainty import LeastSure, write_review
from delineate.runs import Run

Progress = Callable[[int, int], None]


@dataclass
class Done:
    """What has been predicted and what could not be.

    Attributes:
        written: A summary of each image that was predicted.
        failures: The error of each that was not.
    """

    written: list[dict[str, Any]] = field(default_factory=list)
    failures: list[DelineateError] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        failed = [{"error": item.message, "hint": item.hint} for item in self.failures]
        return {"predictions": self.written, "failed": failed}


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
    to: Path,
    overlay: bool = False,
    probabilities: bool = False,
    runtime: str | None = None,
    progress: Progress | None = None,
) -> Done:
    """Predict files, folders and patterns into a folder; a broken one does not stop the others.

    For each image ``a.png`` there are ``a.png`` (class ids as a palette PNG), ``a.json``, and where
    asked for ``a_overlay.png`` and ``a_probabilities.npy``. Of several images ``review.csv`` and
    ``review.png`` tell which ones the network is least sure of.

    Args:
        run: A run or bundle, or its folder.
        inputs: Files, folders (with all below) or patterns.
        to: The folder to write to.
        overlay: Also draw the mask on the image.
        probabilities: Also write the probabilities, float32 (height, width, classes).
        runtime: A name in the table of runtimes.
        progress: Called with (done, all) after each image.

    Raises:
        UsageError: An input names no file, or a prediction would replace an image.
        BundleError: There is no bundle.
    """
    files = find_inputs(inputs, to)
    predictor = Predictor.open(run, runtime=runtime)
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
            _write(to / name, image, prediction, predictor, overlay=overlay)
            if probabilities:
                _write_probabilities(to / name, prediction)
            done.written.append(_summary(to / name, path, prediction, predictor))
            unsure.add(str(path), image, prediction)
        if progress:
            progress(number, len(files))
    if len(unsure.items) > 1:
        write_review(to, unsure.items)
    return done


def find_inputs(inputs: Sequence[str], to: Path) -> list[tuple[Path, Path]]:
    """Return each image's file and the name of its prediction, without suffix.

    Below a folder the names keep the subfolders; two files of one name get their suffix as well,
    and a number if that is not enough.

    Args:
        inputs: Files, folders or patterns.
        to: The folder that is written to; what lies in it is left out of the folders.

    Raises:
        UsageError: An input names no image, or a prediction would replace an image.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        pairs = _matching(given, to)
        if not pairs:
            raise UsageError(
                f"'{given}' names no image.",
                hint="Name image files, a folder that holds some, or a pattern in quotes.",
            )
        found |= {path: name for path, name in pairs if path not in found}
    named = list(zip(found, _unlike(list(found.values())), strict=True))
    _refuse_replacing(named, to)
    return named


def _matching(given: str, to: Path) -> list[tuple[Path, Path]]:
    """Return the files that an input names, and the names that their predictions ask for."""
    path = Path(given)
    if path.is_dir():
        inside = [item for item in sorted(path.rglob("*")) if _is_image(item)]
        outside = [item for item in inside if to.resolve() not in item.resolve().parents]
        return [(item, item.relative_to(path)) for item in outside]
    if path.is_file():
        return [(path, Path(path.name))]
    matched = [Path(item) for item in sorted(glob(given, recursive=True))]  # noqa: PTH207
    return [(item, Path(item.name)) for item in matched if _is_image(item)]


def _is_image(path: Path) -> bool:
    shown = not path.name.startswith(".")
    return shown and path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES


def _unlike(names: Sequence[Path]) -> list[Path]:
    """Return names without suffix, of which no two have a picture in common."""
    counts = Counter(name.with_suffix("") for name in names)
    taken = {Run(Path()).review_sheet}
    chosen = []
    for name in names:
        first = name.with_suffix("")
        if counts[first] > 1:
            first = Path(f"{first}_{name.suffix[1:]}")
        numbered = (Path(f"{first}_{number}") for number in count(2))
        stem = next(item for item in chain([first], numbered) if not taken & _pictures(item))
        taken |= _pictures(stem)
        chosen.append(stem)
    return chosen


def _pictures(stem: Path) -> set[Path]:
    return {_file(stem, f"{ending}.png") for ending in ("", "_colour", "_overlay")}


def _refuse_replacing(named: Sequence[tuple[Path, Path]], to: Path) -> None:
    images = {path.resolve() for path, _ in named}
    for path, stem in named:
        written = _pictures(to / stem) | {Run(to).review_sheet}
        if any(picture.resolve() in images for picture in written):
            raise UsageError(
                f"The prediction of {path} would replace an image in {to}.",
                hint="Name another folder to write to.",
            )


def _write(
    stem: Path, image: np.ndarray, prediction: Prediction, predictor: Predictor, *, overlay: bool
) -> None:
    colours = predictor.card.colours
    stem.parent.mkdir(parents=True, exist_ok=True)
    write_png(_file(stem, ".png"), prediction.mask, palette=colours)
    write_png(_file(stem, "_colour.png"), colourise(prediction.mask, colours))
    if overlay:
        write_png(_file(stem, "_overlay.png"), draw_overlay(image, prediction.mask, colours))


def _write_probabilities(stem: Path, prediction: Prediction) -> None:
    with whole_file(_file(stem, "_probabilities.npy")) as path, path.open("wb") as file:
        np.save(file, prediction.probabilities, allow_pickle=False)


def _summary(
    stem: Path, path: Path, prediction: Prediction, predictor: Predictor
) -> dict[str, Any]:
    counts = np.bincount(prediction.mask.ravel(), minlength=len(predictor.card.classes))
    summary = {
        "image": str(path),
        "mask": str(_file(stem, ".png")),
        "size": list(prediction.mask.shape),
        "classes": [
            {"name": name, "pixels": int(count), "share": round(int(count) / counts.sum(), 6)}
            for name, count in zip(predictor.card.names, counts, strict=True)
        ],
    }
    write_whole(_file(stem, ".json"), json.dumps(summary, indent=1) + "\n")
    return summary


def _file(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)
