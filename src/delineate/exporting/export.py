"""A bundle as a model of another engine: written, opened again, compared, and only then kept."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from delineate.backend import choose_backend
from delineate.bundle import Bundle, Card, Export, Member
from delineate.catalog import FORMATS, find
from delineate.data.dataset import Dataset
from delineate.data.pipeline import ValidationWindows
from delineate.errors import BundleError, UsageError, near_miss
from delineate.evaluation.choose import choose_part
from delineate.exporting.calibration import Calibration
from delineate.exporting.formats import Format
from delineate.exporting.parity import TOLERANCES, compare, require_near, too_far
from delineate.exporting.precision import in_float32
from delineate.exporting.writing import write_model
from delineate.prediction.exports import source_of
from delineate.prediction.predictor import Predictor
from delineate.prediction.runtimes.keras import KerasRuntime, load
from delineate.runs import Run

# Images on which exports are compared, and windows by which int8 is calibrated, at the most.
COMPARED, CALIBRATING = 50, 128

Say = Callable[[str], None]


def export(
    run: Run | str | Path,
    dataset: Dataset,
    *,
    format: str,  # noqa: A002 - the word of the command line
    precision: str = "float32",
    to: str | Path | None = None,
    say: Say | None = None,
) -> Bundle:
    """Return the bundle of a run as a model of another engine.

    It is opened again and compared with the Keras model on validation images before it counts:
    outside the tolerance of its precision it is an error, and nothing is left behind.

    Args:
        run: A run, or the folder of a run or of a bundle.
        dataset: What it was trained on: its validation images compare, its training images
            calibrate int8. Of other data all images do both.
        format: A name in the table of formats.
        precision: "float32", "float16", "bfloat16" or "int8": as the format has them.
        to: The folder to write; unset: ``exports/FORMAT-PRECISION`` in the run.
        say: Called with a sentence before each stage.

    Raises:
        UsageError: There is no such format, or it has no such precision.
        BundleError: There is no bundle of Keras models, or the export is too far from it.
        MissingExtraError: The engine, or what converts to it, is not installed.
        DataError: The data does not fit the bundle.
        OSError: It cannot be written.
    """
    tell = say or (lambda _: None)
    _require_format(format, precision)
    folder = run.folder if isinstance(run, Run) else Path(run)
    choose_backend()
    source = Bundle.open(folder)
    _require_keras(source)
    target = _usual_place(folder, format, precision) if to is None else _free(Path(to))
    images, windows = _images(dataset, folder, source.card, precision)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as name:
        place = Path(name)
        card = _proven(
            source, place, images=images, windows=windows, to=(format, precision), tell=tell
        )
        return Bundle.save(target, card, lambda fresh: _move(place, fresh))


def _proven(
    source: Bundle,
    place: Path,
    *,
    images: Dataset,
    windows: Sequence[np.ndarray],
    to: tuple[str, str],
    tell: Say,
) -> Card:
    """Write the models, of int8 with more in floating point until they are near their source.

    Args:
        source: The bundle of Keras models.
        place: The folder to write to.
        images: To compare on.
        windows: Inputs of the network, by which int8 is calibrated.
        to: The format and the precision.
        tell: Called with a sentence before each stage.

    Returns:
        The card of what was written.

    Raises:
        BundleError: It is too far from its source.
        MissingExtraError: The engine, or what converts to it, is not installed.
    """
    name, precision = to
    most = find("formats", name).spares if precision == "int8" else 0
    # First: what of it cannot be predicted with is not exported.
    usual = Predictor.open(source.folder, runtime="keras")
    for spared in range(most + 1):
        tell(f"writing {name} in {precision}{', its first convolution in float32' * spared}")
        card = _write(source, place, Calibration(windows, spared), to=to)
        tell(f"comparing it on {len(images)} images")
        found = _compared(source, card, place, usual=usual, images=images)
        if not too_far(found, TOLERANCES[precision]):
            break
    require_near(found, TOLERANCES[precision])
    return card.model_copy(update={"export": found})


def _write(source: Bundle, place: Path, calibration: Calibration, *, to: tuple[str, str]) -> Card:
    """Write each member as a file below a folder; return the card that names them.

    Args:
        source: The bundle of Keras models.
        place: The folder.
        calibration: What int8 is made by.
        to: The format and the precision.
    """
    name, precision = to
    plain = find("formats", name).file.format(precision=precision)
    several = len(source.card.members) > 1
    written = []
    for number, member in enumerate(source.card.members, 1):
        file = f"member-{number}/{plain}" if several else plain
        written.append(Member(file=file, runtime=name))
        write_model(
            source.folder / member.file,
            place / file,
            format=name,
            precision=precision,
            calibration=calibration,
        )
    return source.card.model_copy(update={"members": tuple(written), "precision": precision})


def _compared(
    source: Bundle, card: Card, place: Path, *, usual: Predictor, images: Dataset
) -> Export:
    """Return how near what was written is to its source.

    Args:
        source: The bundle of Keras models.
        card: What names the written files.
        place: The folder they are in.
        usual: What predicts with the source.
        images: To compare on.

    Raises:
        BundleError: It does not run.
        MissingExtraError: The engine is not installed.
    """
    name, precision = card.members[0].runtime, card.precision
    files = [source.folder / member.file for member in source.card.members]
    keras = [KerasRuntime(in_float32(load(file))) for file in files]
    before = Predictor(source.card, keras)
    runtime = find("runtimes", name)
    after = Predictor(card, [runtime.open(place / member.file) for member in card.members])
    # Not before it is opened, which says what is missing and keeps it from reporting its use.
    engine = find("formats", name).engine_version()
    found = compare(before, after, images, usual=usual, said=(name, precision, engine))
    return found.model_copy(update={"source": source_of(source.card)})


def _require_format(name: str, precision: str) -> None:
    if name not in FORMATS:
        raise UsageError(
            f"There is no format '{name}'.{near_miss(name, list(FORMATS))}",
            hint=f"Use one of: {', '.join(FORMATS)}.",
        )
    found: Format = find("formats", name)
    if precision not in found.precisions:
        raise UsageError(
            f"{name} has no precision '{precision}'.{near_miss(precision, found.precisions)}",
            hint=f"Use one of: {', '.join(found.precisions)}.",
        )


def _require_keras(source: Bundle) -> None:
    others = {member.runtime for member in source.card.members} - {"keras"}
    if others:
        raise BundleError(
            f"{source.folder} is an export already ({', '.join(sorted(others))}).",
            hint="Export the run, or the bundle with the Keras model.",
        )


def _free(target: Path) -> Path:
    """Return a folder that is not there yet, is empty, or holds another export."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return target
    try:
        if Bundle.open(target).folder == target and Bundle.open(target).card.export is not None:
            return target
    except BundleError:
        pass
    raise UsageError(
        f"{target} holds something else than an export, which would be lost.",
        hint="Name a new folder with --to.",
    )


def _usual_place(folder: Path, name: str, precision: str) -> Path:
    if not Run(folder).recipe.is_file():
        raise UsageError(
            f"{folder} is a bundle and no run: where should its export go?",
            hint="Name a folder with --to.",
        )
    return Run(folder).exports / f"{name}-{precision}"


def _images(
    dataset: Dataset, folder: Path, card: Card, precision: str
) -> tuple[Dataset, list[np.ndarray]]:
    """Return the images to compare on, and inputs of the network to calibrate with."""
    whole = choose_part(dataset, folder, card.names, split="all").whole
    compared = whole.split("validation") if "validation" in whole.splits else whole
    if precision != "int8":
        return compared.evenly(COMPARED), []
    trained = whole.split("train") if "train" in whole.splits else whole
    windows = ValidationWindows(
        trained,
        card.size,
        card.fit,
        card.channels,
        normalise=card.normalisation,
    )
    chosen = np.unique(np.linspace(0, len(windows) - 1, CALIBRATING).round().astype(int))
    inputs = [windows.window(0, int(index))[0] for index in chosen]
    return compared.evenly(COMPARED), [image[np.newaxis].astype(np.float32) for image in inputs]


def _move(place: Path, fresh: Path) -> None:
    for path in list(place.iterdir()):
        path.rename(fresh / path.name)
