"""`delineate plan`, and `train` without a recipe: what they heed and what they refuse."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.cli.main import run
from delineate.errors import RunError
from delineate.models.probe import Pace
from delineate.planning import training_choices
from delineate.recipe import Recipe


@pytest.fixture
def cells(tmp_path):
    """Six pairs of a bright square on a dark ground."""
    rng = np.random.default_rng(0)
    for number in range(6):
        mask = np.zeros((40, 48), np.uint8)
        mask[6 + 2 * number : 20 + 2 * number, 4 * number : 20 + 4 * number] = 1
        image = rng.integers(0, 90, (40, 48, 3)) + 100 * (mask > 0)[..., None]
        for name, array in (("images", image), ("masks", mask)):
            folder = tmp_path / "cells" / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "cells"


@pytest.fixture(autouse=True)
def pace(monkeypatch):
    monkeypatch.setattr(
        training_choices, "paces_of", lambda trials: [Pace(10.0, 1.0)] * len(trials)
    )


@pytest.fixture
def trained(monkeypatch):
    """What `train` would train, instead of training it."""
    found = []

    def refuse(dataset, recipe, **_):
        found.append(recipe)
        raise RunError("not now", hint="later")

    monkeypatch.setattr("delineate.training.train.train", refuse)
    return found


@pytest.mark.parametrize(("cache", "kept"), [("true", True), ("false", False)])
def test_nothing_is_kept_where_that_is_said(cells, cache, kept):
    assert run(["plan", str(cells), "--set", f"data.cache={cache}"]) == 0
    assert (Path(os.environ["XDG_CACHE_HOME"]) / "delineate").exists() == kept


def test_what_train_would_refuse_is_not_written(cells, tmp_path, capsys):
    plan = tmp_path / "plan.toml"
    said = ["--budget", "5m", "--set", "refiner.use=after", "--to", str(plan)]
    assert run(["plan", str(cells), *said]) == 2
    assert "training.budget = 5.0 does not go with refiner.use" in capsys.readouterr().err
    assert not plan.exists()


def test_what_is_said_is_judged_with_what_is_chosen(cells, tmp_path, monkeypatch, trained, capsys):
    said = ["--set", "model.freeze=all"]
    assert run(["train", str(cells), *said, "--to", str(tmp_path / "run")]) == 2
    assert "model.freeze = all without model.weights" in capsys.readouterr().err
    monkeypatch.setattr("delineate.planning.model_choices.at_hand", lambda *_: True)
    plan = tmp_path / "plan.toml"
    assert run(["plan", str(cells), *said, "--to", str(plan)]) == 0
    assert Recipe.load(plan).model.freeze == "all"
    assert run(["train", str(cells), *said, "--to", str(tmp_path / "run")]) == 1
    assert trained[0].recipe == Recipe.load(plan)


def test_folds_are_told_to_the_plan(cells, tmp_path, trained):
    arguments = ["train", str(cells), "--budget", "60m", "--to", str(tmp_path / "run")]
    run(arguments)
    run([*arguments, "--folds", "2"])
    whole, part = (made.recipe.training for made in trained)
    assert (whole.folds, part.folds, part.budget) == (1, 2, 60.0)
    assert part.epochs < 0.6 * whole.epochs
