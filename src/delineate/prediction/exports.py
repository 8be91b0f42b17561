"""Which of a run's exports predicts: the fastest one whose engine runs here."""

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
    "tensorrt": "onnxruntime",
}
# What of a card decides what is predicted of an image, beside the model's files.
DECIDING = {
    *("classes", "channels", "dtype", "normalisation", "fit", "size", "stride", "tile"),
    *("receptive_field", "fixed_size", "output", "objects", "post", "pixel_size", "pixel_unit"),
}


def ranked(folder: str | Path, *, runtime: str | None = None) -> list[Bundle]:
    """Return the bundles that may predict, the one that is to do it first.

    Args:
        folder: A run's folder, or a bundle's.
        runtime: Only an export of this engine will do, where there is one; "keras": none.

    Returns:
        Of a run the exports that are of the present best weights, whose engine is installed, and
        that were faster than Keras where they were made, the fastest first; then the run's best
        bundle. SavedModels, which are programs, only where they are asked for. A bundle itself.

    Raises:
        BundleError: There is no bundle, or none of that engine.
    """
    best = Bundle.open(folder)
    usable = [
        bundle
        for bundle in _exports(Run(Path(folder)))
        if is_of(bundle.card, best.card) and _is_installed(bundle.card)
    ]
    usable.sort(key=_share)
    if runtime is None:
        worth = [each for each in usable if _share(each) < 1 and _engine_of(each) != "savedmodel"]
        return [*worth, best]
    usable = [each for each in usable if _engine_of(each) == runtime]
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


def _exports(run: Run) -> list[Bundle]:
    found = []
    for folder in exports_of(run):
        try:
            found.append(Bundle.open(folder))
        except BundleError:
            # A damaged export does not keep the run from predicting.
            continue
    return found


def is_of(card: Card, best: Card) -> bool:
    """Return whether an export is of a bundle as it is now.

    Args:
        card: Of the export.
        best: Of the bundle.
    """
    return card.export is not None and card.export.source == source_of(best)


def _is_installed(card: Card) -> bool:
    module = _MODULES.get(card.members[0].runtime)
    return module is not None and find_spec(module) is not None


def _engine_of(bundle: Bundle) -> str:
    return bundle.card.members[0].runtime


def _share(bundle: Bundle) -> float:
    """Return which share of the time without the export a prediction takes with it.

    Both were measured in turns: times of different days would not compare.
    """
    export = bundle.card.export
    return export.seconds["after"] / export.seconds["before"] if export else float("inf")
