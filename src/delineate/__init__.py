"""Semantic image segmentation on Keras 3.

The public names are loaded when they are first used, so that importing delineate costs nothing.

Example:
    >>> import delineate as dl
    >>> dl.Recipe.load("unet-nuclei").data.size
    (128, 128)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from delineate.version import __version__ as __version__

if TYPE_CHECKING:
    from delineate.bundle import Bundle, Card
    from delineate.data.checking.check import check
    from delineate.data.dataset import Dataset
    from delineate.data.fetching.fetch import fetch
    from delineate.data.records import Sample
    from delineate.errors import DelineateError
    from delineate.evaluation.evaluate import evaluate
    from delineate.evaluation.show import show, show_predictions
    from delineate.exporting.benchmark import benchmark
    from delineate.exporting.export import export
    from delineate.models.build import build_model
    from delineate.planning.plan import Plan, plan
    from delineate.prediction.many import Done, predict, predict_files
    from delineate.prediction.outputs import Wanted
    from delineate.prediction.predictor import Prediction, Predictor
    from delineate.prediction.video.predicting import Watching
    from delineate.recipe import Recipe
    from delineate.report import Finding, Report
    from delineate.runs import Run
    from delineate.training.demo import demo
    from delineate.training.train import train

_PLACES = {
    "Bundle": "delineate.bundle",
    "Card": "delineate.bundle",
    "Dataset": "delineate.data.dataset",
    "DelineateError": "delineate.errors",
    "Done": "delineate.prediction.many",
    "Finding": "delineate.report",
    "Plan": "delineate.planning.plan",
    "Prediction": "delineate.prediction.predictor",
    "Predictor": "delineate.prediction.predictor",
    "Recipe": "delineate.recipe",
    "Report": "delineate.report",
    "Run": "delineate.runs",
    "Sample": "delineate.data.records",
    "Wanted": "delineate.prediction.outputs",
    "Watching": "delineate.prediction.video.predicting",
    "benchmark": "delineate.exporting.benchmark",
    "build_model": "delineate.models.build",
    "check": "delineate.data.checking.check",
    "demo": "delineate.training.demo",
    "evaluate": "delineate.evaluation.evaluate",
    "export": "delineate.exporting.export",
    "fetch": "delineate.data.fetching.fetch",
    "plan": "delineate.planning.plan",
    "predict": "delineate.prediction.many",
    "predict_files": "delineate.prediction.many",
    "show": "delineate.evaluation.show",
    "show_predictions": "delineate.evaluation.show",
    "train": "delineate.training.train",
}
# These import Keras, whose backend has to be chosen before.
_NEED_KERAS = {"build_model", "demo", "export", "plan", "train"}

__all__ = [
    "Bundle",
    "Card",
    "Dataset",
    "DelineateError",
    "Done",
    "Finding",
    "Plan",
    "Prediction",
    "Predictor",
    "Recipe",
    "Report",
    "Run",
    "Sample",
    "Wanted",
    "Watching",
    "benchmark",
    "build_model",
    "check",
    "demo",
    "evaluate",
    "export",
    "fetch",
    "plan",
    "predict",
    "predict_files",
    "show",
    "show_predictions",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'delineate' has no attribute '{name}'")
    if name in _NEED_KERAS:
        from delineate.backend import choose_backend

        choose_backend()
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
