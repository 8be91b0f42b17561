"""What a training came to: all in which two equal ones have to be the same."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from delineate.bundle import Bundle
from delineate.runs import Run
from tests.campaigns.record import point_of, weights_hash, went_on

# Of a row, and of a card's scores: how long it took.
PASSING = ("seconds", "images_per_second")
# Of a card: sums and sizes of archives, which hold times. Their arrays are compared instead.
ARCHIVES = ("files", "sizes")
# Events that say what was decided.
DECISIONS = ("tuned", "refined")
_ARRAYS = "model.weights.h5"


def parts_of(folder: Path) -> list[Run]:
    """Return the trainings in a run folder that have resume points; if none has, the run itself."""
    run = Run(folder)
    parts = (run, run.refiner, run.fold(1), run.fold(2))
    return [part for part in parts if part.last.is_dir()] or [run]


def points_of(folder: Path) -> dict[Path, tuple[int, int] | None]:
    """Return where each training in a run folder will go on, as ``point_of``, by its folder."""
    return {part.folder: point_of(part.folder) for part in parts_of(folder)}


def all_went_on(points: Mapping[Path, tuple[int, int] | None]) -> bool:
    """Return whether each training went on from where it stood."""
    return all(went_on(folder, point) for folder, point in points.items())


def outcome_of(folder: Path) -> dict[str, Any]:
    """Return what a run and the trainings in it have come to, without times and paths."""
    found: dict[str, Any] = {}
    for part in dict.fromkeys([Run(folder), *parts_of(folder)]):
        name = part.folder.relative_to(folder).as_posix()
        found |= {f"{name}: {what}": value for what, value in _outcome_of_one(part).items()}
    return found


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return in what two outcomes are not the same: nothing, where the trainings are equal."""
    both = one.keys() & other.keys()
    return sorted((one.keys() ^ other.keys()) | {key for key in both if one[key] != other[key]})


def _outcome_of_one(run: Run) -> dict[str, Any]:
    decisions = (event for event in run.events() if event["event"] in DECISIONS)
    found: dict[str, Any] = {
        "rows": [_without(row, *PASSING) for row in run.rows],
        "decisions": [_without(event, "time") for event in decisions],
    }
    if run.last.is_dir():
        found["variables"] = weights_hash(run.folder)
    for folder in (run.best, run.first):
        if folder.is_dir():
            found[folder.name] = bundle_of(folder)
    return found


def bundle_of(folder: Path) -> dict[str, Any]:
    """Return the hashes of a bundle's models, and its card."""
    card = Bundle.open(folder).card
    said = json.loads(card.model_dump_json())
    return {
        **_without(said, *ARCHIVES),
        "names": sorted(card.files),
        "scores": _without(said["scores"], *PASSING),
        "models": [model_hash(folder / member.file) for member in card.members],
    }


def model_hash(path: Path) -> str:
    """Return the SHA-256 over all arrays of a Keras archive."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read(_ARRAYS))
    with h5py.File(content, "r") as file:
        names: list[str] = []
        file.visit(names.append)
        for name in sorted(names):
            if isinstance(file[name], h5py.Dataset):
                array = np.ascontiguousarray(file[name])
                digest.update(f"{name} {array.dtype} {array.shape} ".encode())
                digest.update(array.tobytes())
    return digest.hexdigest()


def _without(values: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}
