"""What runs there are, what a run is, and what its predictions look like."""

from pathlib import Path
from typing import Any

from delineate.bundle import CARD, Bundle, Card
from delineate.catalog import TABLES
from delineate.data.dataset import Dataset
from delineate.errors import UsageError
from delineate.evaluation.choose import choose_part
from delineate.evaluation.describe import triptych
from delineate.evaluation.figures import triptychs
from delineate.evaluation.tables import table_rows
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe, names
from delineate.runs import Run

Rows = list[dict[str, Any]]
SCORES = ("val_loss", "val_accuracy", "val_dice", "val_mean_iou")


class Shown(bytes):
    """A PNG that a notebook shows by itself."""

    def _repr_png_(self) -> bytes:
        return bytes(self)


def show(what: str | Path) -> Rows:
    """Return rows about a run, a bundle, all runs in a folder, or a table of names.

    Args:
        what: A run's or a bundle's folder, a folder of runs, "recipes", or the name of a table.

    Raises:
        UsageError: It is none of these.
        BundleError: The bundle is damaged.
    """
    if str(what) == "recipes":
        return [_recipe_row(name) for name in names()]
    if str(what) in TABLES:
        return table_rows(str(what))
    folder = Path(what)
    # A refiner's training has its folder in the run's, and no recipe of its own.
    if Run(folder).recipe.is_file() or Run(folder).journal.is_file():
        return [{"epoch": int(row["epoch"]), **_without(row, "epoch")} for row in Run(folder).rows]
    if (folder / CARD).is_file():
        return _bundle_rows(Bundle.open(folder).card)
    runs = [Run(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    rows = [_run_row(run) for run in runs if run.recipe.is_file()]
    if rows:
        return rows
    raise UsageError(
        f"'{what}' is neither a run or bundle nor a folder of runs nor a table.",
        hint=f"Name one, or: recipes, {', '.join(TABLES)}.",
    )


def show_predictions(
    run: Run | str | Path, dataset: Dataset, *, split: str | None = None, count: int = 4
) -> Shown:
    """Return a picture of image, truth, prediction and errors; a notebook shows it inline.

    Args:
        run: A run or a bundle's folder.
        dataset: The samples.
        split: "train", "validation" or "test"; unset: the part that the training has not seen.
        count: How many samples, evenly spread.

    Returns:
        The PNG's bytes.

    Raises:
        BundleError: There is no bundle.
        DataError: There is no such split, or the data does not fit the bundle.
    """
    folder = run.folder if isinstance(run, Run) else Path(run)
    predictor = Predictor.open(folder)
    part = choose_part(dataset, folder, predictor.card.names, split=split).part
    shown = part.evenly(count)
    rows = [triptych(predictor, shown, index) for index in range(len(shown))]
    return Shown(triptychs(rows, predictor.card.colours, names=predictor.card.names))


def _run_row(run: Run) -> dict[str, Any]:
    rows = run.rows
    best = Recipe.load(run.recipe).callbacks.best
    choose = min if best.endswith(("loss", "error")) else max
    scored = (row for row in rows if best in row)
    row = choose(scored, key=lambda row: row[best], default={})
    if best == "last" and rows:
        row = rows[-1]
    seconds = sum(item.get("seconds", 0.0) for item in rows)
    return {
        "run": run.folder.name,
        "epochs": len(rows),
        "best": int(row["epoch"]) if row else None,
        **{name: row.get(name) for name in SCORES},
        "seconds": round(seconds),
    }


def _bundle_rows(card: Card) -> Rows:
    facts: dict[str, Any] = {
        "members": ", ".join(member.file for member in card.members),
        "classes": ", ".join(card.names),
        **{name: getattr(card, name) for name in ("channels", "dtype", "normalisation", "fit")},
        "size": "×".join(str(side) for side in card.size),
        **{name: getattr(card, name) for name in ("stride", "output", "precision")},
        "threshold": card.post.threshold,
        **card.scores,
    }
    return [{"about": name, "value": value} for name, value in facts.items()]


def _recipe_row(name: str) -> dict[str, Any]:
    recipe = Recipe.load(name)
    return {
        "recipe": name,
        "network": f"{recipe.model.encoder} + {recipe.model.decoder}",
        "size": "×".join(str(side) for side in recipe.data.size),
        "fit": recipe.data.fit,
        "loss": " + ".join(recipe.loss.terms),
        "epochs": recipe.training.epochs,
    }


def _without(row: dict[str, float], key: str) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != key}
