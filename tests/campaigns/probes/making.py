"""A bundle as it comes from elsewhere, and what its author may do to it."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import CARD
from delineate.files import sha256
from delineate.prediction.predictor import Predictor
from tests.bundles import pointwise_model, save_bundle

MODEL = "model.keras"
# What a probe that runs code would leave behind, in the folder above its own.
BAIT = "code-has-run"


@dataclass(frozen=True)
class Probe:
    """One way to do harm.

    Attributes:
        make: Changes a bundle from elsewhere, given its folder.
        told: What the refusal says; None: it is opened, and does nothing but predict.
        needs: Modules without which it cannot be tried.
    """

    make: Callable[[Path], None]
    told: str | None
    needs: tuple[str, ...] = ()


def bundle_from_elsewhere(folder: Path, **card: Any) -> Path:
    """Return the folder of a bundle that predicts, and was not made here."""
    save_bundle(folder, pointwise_model([0.5]))
    seal(folder, **card)
    return folder


def seal(folder: Path, **changes: Any) -> None:
    """Write a card of what lies in a folder, as whoever made it would: all right but the mark."""
    path = folder / CARD
    card = json.loads(path.read_text())
    card.pop("made", None)
    files = [each for each in sorted(folder.rglob("*")) if each.is_file() and each != path]
    names = [each.relative_to(folder).as_posix() for each in files]
    card["files"] = {name: sha256(each) for name, each in zip(names, files, strict=True)}
    card["sizes"] = {name: each.stat().st_size for name, each in zip(names, files, strict=True)}
    path.write_text(json.dumps(card | changes))


def rezip(folder: Path, **members: bytes) -> None:
    """Change members of the model: ``config`` and ``weights``; and seal the bundle."""
    path = folder / MODEL
    named = {"config": "config.json", "weights": "model.weights.h5"}
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content |= {named[name]: each for name, each in members.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    seal(folder)


def config_of(folder: Path) -> dict[str, Any]:
    """Return the configuration of the model."""
    with zipfile.ZipFile(folder / MODEL) as archive:
        found: dict[str, Any] = json.loads(archive.read("config.json"))
    return found


def layer_of(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the configuration of one layer, to be changed."""
    return next(each for each in config["config"]["layers"] if each["name"] == name)


def rewrite(folder: Path, config: Any) -> None:
    """Write another configuration into the model, and seal the bundle."""
    rezip(folder, config=json.dumps(config).encode())


def open_and_predict(folder: Path, *, runtime: str | None = None) -> None:
    """Do with a bundle what a user would do: predict a blank image, and others of two sizes."""
    predictor, rng = Predictor.open(folder, runtime=runtime), np.random.default_rng(0)
    predictor.predict(np.zeros((8, 8, 1), np.uint8))
    for side in (8, 64):
        predictor.predict(rng.integers(0, 256, (side, side, 1), dtype=np.uint8))
