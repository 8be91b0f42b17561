"""Runs, tables and recipes as rows; predictions as a picture."""

import io

import numpy as np
import pytest
from PIL import Image

from delineate.catalog import TABLES
from delineate.errors import BundleError, DataError, UsageError
from delineate.evaluation.show import show, show_predictions
from delineate.recipe import Recipe, names
from delineate.recipe_text import write_recipe
from delineate.runs import Run

ROWS = [
    {"epoch": 1, "loss": 0.9, "val_loss": 0.5, "val_dice": 0.4, "seconds": 2.2},
    {"epoch": 2, "loss": 0.5, "val_loss": 0.4, "val_dice": 0.7, "seconds": 3.1},
    {"epoch": 3, "loss": 0.4, "val_loss": 0.6, "val_dice": 0.6, "seconds": 3.1},
]


def write_run(folder, rows, **settings):
    run = Run.create(folder)
    run.recipe.write_text(write_recipe(Recipe().override(settings)), encoding="utf-8")
    run.write_events([{"event": "epoch", "scores": row} for row in rows])
    return run


def test_a_run_shows_a_row_for_each_epoch(tmp_path):
    rows = show(write_run(tmp_path / "run", ROWS).folder)
    assert rows == ROWS
    assert [next(iter(row)) for row in rows] == ["epoch"] * 3


def test_a_run_that_has_not_finished_an_epoch_shows_no_rows(tmp_path):
    assert show(write_run(tmp_path / "run", []).folder) == []


def test_a_folder_of_runs_shows_a_row_for_each_with_its_best_epoch(tmp_path):
    write_run(tmp_path / "b", ROWS)
    write_run(tmp_path / "a", ROWS, **{"callbacks.best": "val_dice"})
    write_run(tmp_path / "c", [])
    (tmp_path / "something else").mkdir()
    (tmp_path / "notes.txt").write_text("no run")
    rows = show(str(tmp_path))
    assert [(row["run"], row["epochs"], row["best"]) for row in rows] == [
        ("a", 3, 2),
        ("b", 3, 2),
        ("c", 0, None),
    ]
    assert rows[0] == {
        "run": "a",
        "epochs": 3,
        "best": 2,
        "val_loss": 0.4,
        "val_accuracy": None,
        "val_dice": 0.7,
        "val_mean_iou": None,
        "seconds": 8,
    }
    assert rows[0].keys() == rows[2].keys()


@pytest.mark.parametrize(("best", "epoch"), [("loss", 3), ("val_dice", 2)])
def test_the_best_epoch_is_the_one_by_the_score_that_the_run_watches(tmp_path, best, epoch):
    write_run(tmp_path / "runs" / "one", ROWS, **{"callbacks.best": best})
    assert show(tmp_path / "runs")[0]["best"] == epoch


def test_an_epoch_without_the_watched_score_is_not_the_best(tmp_path):
    write_run(tmp_path / "runs" / "one", [{"epoch": 1, "loss": 1.0}, *ROWS[1:]])
    write_run(tmp_path / "runs" / "two", [{"epoch": 1, "loss": 1.0}])
    assert [row["best"] for row in show(tmp_path / "runs")] == [2, None]


def test_the_recipes_are_shown_with_what_tells_them_apart():
    rows = show("recipes")
    assert [row["recipe"] for row in rows] == names()
    row = next(row for row in rows if row["recipe"] == "unet-dice")
    recipe = Recipe.load("unet-dice")
    assert row == {
        "recipe": "unet-dice",
        "network": "plain + unet",
        "size": "256×256",
        "fit": "resize",
        "loss": "binary_crossentropy",
        "epochs": recipe.training.epochs,
    }


@pytest.mark.parametrize("table", TABLES)
def test_each_table_shows_its_names(table):
    rows = show(table)
    assert [next(iter(row.values())) for row in rows] == list(TABLES[table])
    assert len({tuple(row) for row in rows}) == 1


def test_a_bundle_shows_what_its_card_says(run):
    rows = {row["about"]: row["value"] for row in show(run.best)}
    assert rows == {
        "members": "model.keras",
        "classes": "background, cell, vessel",
        "channels": 1,
        "dtype": "uint8",
        "normalisation": "none",
        "fit": "crop",
        "size": "16×16",
        "stride": 2,
        "output": "softmax",
        "threshold": 0.5,
        "precision": "float32",
        "val_dice": 0.75,
    }


@pytest.mark.parametrize("what", ["nonsense", "."])
def test_what_is_neither_run_nor_table_is_refused(tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"'{what}' is neither a run") as refused:
        show(what)
    assert "losses" in refused.value.hint


def heights(picture):
    with Image.open(io.BytesIO(picture)) as image:
        return image.height


def test_predictions_are_a_picture_that_a_notebook_shows_by_itself(run, data):
    shown = show_predictions(run, data, count=2)
    assert shown._repr_png_() == bytes(shown)
    assert type(shown._repr_png_()) is bytes
    with Image.open(io.BytesIO(shown)) as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("L")).std() > 10


def test_as_many_samples_are_shown_as_asked_for_and_as_there_are(run, data):
    one, two, all_of_them = (
        heights(show_predictions(run.folder, data, count=count)) for count in (1, 2, 99)
    )
    assert one < two < all_of_them


@pytest.fixture
def drawn(monkeypatch):
    """The names of the images that are drawn."""
    seen = []

    def triptychs(rows, colours, *, names):
        seen.extend(row.title for row in rows)
        return b""

    monkeypatch.setattr("delineate.evaluation.show.triptychs", triptychs)
    return seen


def test_without_a_split_the_part_is_shown_that_the_training_has_not_seen(run, data, drawn):
    show_predictions(run, data.with_splits({}))
    assert drawn == ["7", "8", "9", "10"]


def test_the_split_that_is_asked_for_is_shown_evenly(run, data, drawn):
    show_predictions(str(run.folder), data, split="train", count=2)
    assert drawn == ["0", "3"]


def test_no_samples_at_all_are_refused(run, data):
    with pytest.raises(DataError, match="no predictions to show"):
        show_predictions(run, data, count=0)


def test_without_a_bundle_nothing_is_shown(tmp_path, data):
    with pytest.raises(BundleError):
        show_predictions(tmp_path, data)
