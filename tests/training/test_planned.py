"""A training that nobody gave a recipe: it plans, and its run says why it is as it is."""

from delineate.planning.plan import Plan
from delineate.planning.plan import plan as real
from delineate.recipe import Recipe
from delineate.training import beginning
from delineate.training.train import train


def test_without_a_recipe_a_training_plans(discs, recipe, tmp_path, monkeypatch):
    """The network and the epochs are small here; all else is a plan's."""
    small = recipe.model_dump()
    kept = {f"model.{key}": small["model"][key] for key in ("depth", "filters")}
    kept |= {"model.encoder": "plain", "data.size": (32, 32), "training.epochs": 1}
    told = []

    def plan(dataset, *, progress):
        found = real(dataset, budget=1.0, settings=kept, progress=progress)
        told.append(found)
        return found

    monkeypatch.setattr(beginning, "plan", plan)
    run = train(discs, to=tmp_path / "run")
    assert isinstance(told[0], Plan)
    assert Recipe.load(run.recipe) == told[0].recipe
    text = run.recipe.read_text(encoding="utf-8")
    assert told[0].reasons["training.learning_rate"] in text
    assert "as you said" in text
    assert run.report.is_file()
