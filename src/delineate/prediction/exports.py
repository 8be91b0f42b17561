"""Which of a run's exports predicts: the fastest one whose engine runs here."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from delineate.bundle import Bundle, Card, read_card
from delineate.catalog import RUNTIMES
from delineate.errors import BundleError
from delineate.runs import Run

_log = logging.getLogger(__name__)

# What each runtime imports.
_MODULES = {
    "litert": "ai_edge_litert",
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "savedmodel": "tensorflow",
    "tensorrt": "onnxruntime",
}
# What of a card decides what is predicted of an image, beside the model's files.
DECIDING = {
    *("classes", "channels", "dtype", "normalisation", "fit", "size", "stride", "tile"),
    *("receptive_field", "fixed_size", "output", "objects", "post", "pixel_size", "pixel_unit"),
}


# Folders of exports whose cards are read, and exports that are looked at whole: of a run from
# elsewhere they may be many, and large.
_MOST_FOLDERS, _MOST_OPENED = 100, 8


@dataclass(frozen=True)
class _Claim:
    """What the card of an export says of it, whose files have not been looked at.

    Attributes:
        folder: Where it is.
        source: Tells the bundle that it is of from others.
        engine: In the table of runtimes.
        share: Which share of the time without it a prediction takes with it. Both times were
            measured in turns: those of different days would not compare.
        ours: Whether the card was written on this machine.
    """

    folder: Path
    source: str
    engine: str
    share: float
    ours: bool


def ranked(folder: str | Path, *, runtime: str | None = None) -> list[Bundle]:
    """Return the bundles that may predict, the one that is to do it first.

    Args:
        folder: A run's folder, or a bundle's.
        runtime: Only an export of this engine will do, where there is one; "keras": none.

    Returns:
        Of a run the exports that are of the present best weights, were made on this machine, whose
        engine is installed, and that were faster than Keras, the fastest first; then the run's best
        bundle. SavedModels, which are programs, and exports that were made elsewhere, only where
        they are asked for. A bundle itself.

    Raises:
        BundleError: There is no bundle, or none of that engine.
    """
    best = Bundle.open(folder)
    source = source_of(best.card)
    claims = [
        claim
        for claim in _claims(Run(Path(folder)))
        if claim.source == source and _is_installed(claim.engine)
    ]
    claims.sort(key=lambda claim: claim.share)
    if runtime is None:
        worth = [claim for claim in claims if claim.share < 1 and claim.engine != "savedmodel"]
        ours = [claim for claim in worth if claim.ours]
        if len(ours) < len(worth):
            _log.info("exports in %s were made elsewhere: name one with --runtime", folder)
        return [*_opened(ours, best), best]
    usable = _opened([claim for claim in claims if claim.engine == runtime], best)
    if not usable:
        _require_runtime(best, runtime)
    return usable or [best]


def _require_runtime(best: Bundle, runtime: str | None) -> None:
    """Refuse an engine of ours that has no model here; one of the user's own may open anything."""
    if runtime in RUNTIMES and runtime != _engine_of(best):
        raise BundleError(
            f"{best.folder} has no model for {runtime}, or {runtime} is not installed.",
            hint=f"Make one: delineate export RUN --format {runtime} --data DATA."
            if runtime != "keras"
            else "Name the run that it was exported from.",
        )


def source_of(card: Card) -> str:
    """Return what tells a bundle from others, and from itself with other weights or settings."""
    settings = card.model_dump_json(include=DECIDING)
    return sha256("".join([*sorted(card.files.values()), settings]).encode()).hexdigest()


def exports_of(run: Run) -> list[Path]:
    """Return the folders of a run's exports, whole or not."""
    folders = sorted(run.exports.glob("*")) if run.exports.is_dir() else []
    return [each for each in folders if each.is_dir() and not each.name.startswith(".")]


def _claims(run: Run) -> list[_Claim]:
    found = []
    for folder in exports_of(run)[:_MOST_FOLDERS]:
        # A damaged export does not keep the run from predicting.
        with suppress(BundleError):
            card, ours = read_card(folder)
            if card.export is not None:
                share = card.export.seconds["after"] / card.export.seconds["before"]
                engine = card.members[0].runtime
                found.append(_Claim(folder, card.export.source, engine, share, ours))
    return found


def _opened(claims: Sequence[_Claim], best: Bundle) -> list[Bundle]:
    """Return the exports that are whole, and what their cards have claimed."""
    found = []
    for claim in claims[:_MOST_OPENED]:
        try:
            bundle = Bundle.open(claim.folder)
        except BundleError:
            continue
        same = _engine_of(bundle) == claim.engine and bundle.ours == claim.ours
        if same and is_of(bundle.card, best.card):
            found.append(bundle)
    return found


def is_of(card: Card, best: Card) -> bool:
    """Return whether an export is of a bundle as it is now.

    Args:
        card: Of the export.
        best: Of the bundle.
    """
    return card.export is not None and card.export.source == source_of(best)


def _is_installed(engine: str) -> bool:
    module = _MODULES.get(engine)
    return module is not None and find_spec(module) is not None


def _engine_of(bundle: Bundle) -> str:
    return bundle.card.members[0].runtime
