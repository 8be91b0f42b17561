"""The examples run, on a tiny data set and for one epoch."""

import runpy
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from delineate.data.synthetic.nuclei import make_nuclei
from delineate.recipe import Recipe
from delineate.recipe_text import parse_settings
from delineate.runs import Run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOK = EXAMPLES / "nuclei.ipynb"
SMALL = (
    "training.epochs=1",
    "data.size=[32, 32]",
    "model.depth=1",
    "model.filters=4",
    "model.convolutions=1",
    "model.normalisation=none",
    "callbacks.pictures=0",
    "evaluation.report=false",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that holds a tiny data set, in nuclei/."""
    folder = tmp_path_factory.mktemp("examples")
    make_nuclei(folder / "nuclei", train=4, validation=2, test=2, sizes=((64, 64),))
    return folder


@pytest.fixture
def run_script(place, monkeypatch, capsys):
    """Returns a function that runs an example as a script and returns what it prints."""

    def run(name, *arguments):
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_train_and_evaluate_go_one_after_the_other(place, run_script):
    assert "1 epochs" in run_script("train.py", "nuclei", "runs/first", *SMALL)
    assert Run(place / "runs" / "first").best.is_dir()
    said = run_script("evaluate.py", "runs/first", "nuclei", "test")
    assert "dice_per_image" in said
    assert Run(place / "runs" / "first").report.is_file()


def test_main_goes_the_whole_way(place, run_script):
    said = run_script("main.py", "nuclei", "runs/whole", *SMALL)
    assert 0 <= float(said.splitlines()[-1]) <= 1
    assert (place / "runs" / "whole" / "predictions.png").is_file()


@pytest.mark.parametrize("name", ["train.py", "evaluate.py", "main.py"])
def test_an_example_is_at_most_twenty_lines(name):
    assert len((EXAMPLES / name).read_text().splitlines()) <= 20


@pytest.mark.parametrize(
    "path", sorted((EXAMPLES / "recipes").glob("*.toml")), ids=lambda p: p.stem
)
def test_a_recipe_is_valid(path):
    assert Recipe.load(path) != Recipe()


def test_the_notebook_is_kept_without_outputs():
    book = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)


def test_the_notebook_runs_from_top_to_bottom_and_shows_predictions(place):
    book = nbformat.read(NOTEBOOK, as_version=4)
    parameters = next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source = "\n".join(
        [
            'data, recipe, to = "nuclei", "demo", "runs/notebook"',
            f"settings = {parse_settings(SMALL)!r}",
        ]
    )
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(place)}}).execute()
    assert "image/png" in book.cells[-1].outputs[0].data
    assert len(Run(place / "runs" / "notebook").rows) == 1
