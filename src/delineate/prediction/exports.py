"""Which of a run's exports predicts: the fastest one whose engine is installed."""

from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from delineate.bundle import Bundle, Card
from delineate.catalog import RUNTIMES
from delineate.errors import BundleError
from delineate.runs import Run

# What each runtime imports.
_MODULES = {
    "litert": "ai_edge_litert",
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "savedmodel": "tensorflow",
}


def fastest(folder: str | Path, *, runtime: str | None = None) -> Bundle:
    """Return the bundle that is to predict.

    Args:
        folder: A run's folder, or a bundle's.
        runtime: Only an export of this engine will do, where there is one; "keras": none.

    Returns:
        Of a run the export that was fastest where it was made, if it is faster than Keras, is of
        the present best weights, and its engine is installed; else the run's best bundle. A bundle
        itself.

    Raises:
        BundleError: There is no bundle, or none of that engine.
    """
    best = Bundle.open(folder)
    usable = [
        bundle
        for bundle in _exports(Run(Path(folder)))
        if _is_of(bundle.card, best.card) and _is_installed(bundle.card)
    ]
    if runtime is not None:
        usable = [each for each in usable if each.card.members[0].runtime == runtime]
    if not usable:
        _require_runtime(best, runtime)
        return best
    found = min(usable, key=_seconds)
    slower = found.card.export and _seconds(found) >= found.card.export.seconds["before"]
    return best if slower and runtime is None else found


def _require_runtime(best: Bundle, runtime: str | None) -> None:
    """Refuse an engine of ours that has no model here; one of the user's own may open anything."""
    if runtime in RUNTIMES and runtime != best.card.members[0].runtime:
        raise BundleError(
            f"{best.folder} has no model for {runtime}, or {runtime} is not installed.",
            hint=f"Make one: delineate export RUN --format {runtime} --data DATA."
            if runtime != "keras"
            else "Name the run that it was exported from.",
        )


def source_of(card: Card) -> str:
    """Return what tells the weights of a bundle from others: a hash of its files' hashes."""
    return sha256("".join(sorted(card.files.values())).encode()).hexdigest()


def _exports(run: Run) -> list[Bundle]:
    found = []
    for folder in sorted(run.exports.glob("*")) if run.exports.is_dir() else []:
        try:
            found.append(Bundle.open(folder))
        except BundleError:
            # A damaged export does not keep the run from predicting.
            continue
    return found


def _is_of(card: Card, best: Card) -> bool:
    return card.export is not None and card.export.source == source_of(best)


def _is_installed(card: Card) -> bool:
    module = _MODULES.get(card.members[0].runtime)
    return module is not None and find_spec(module) is not None


def _seconds(bundle: Bundle) -> float:
    return bundle.card.export.seconds["after"] if bundle.card.export else float("inf")
