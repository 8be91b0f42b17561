"""Which ways to train are cut short and resumed, and whether forgetting would show."""

from types import SimpleNamespace

import pytest

from delineate.bundle import Bundle
from delineate.recipe import Recipe
from delineate.recipe_text import write_recipe
from delineate.runs import Run
from tests.campaigns import resume_matrix as campaign
from tests.training.conftest import TINY


def point(epoch=4, **states):
    return SimpleNamespace(epoch=epoch, states=states)


@pytest.fixture
def run(tmp_path):
    """A run of nine epochs at the most, which can be given events."""
    found = Run(tmp_path / "run")
    found.folder.mkdir()
    found.recipe.write_text(write_recipe(Recipe().override({**TINY, "training.epochs": 9})))
    return found


def epochs(*losses):
    rows = ({"epoch": number, "val_loss": loss} for number, loss in enumerate(losses, 1))
    return [{"event": "epoch", "scores": row} for row in rows]


def test_all_settings_that_a_resumption_could_forget_are_among_the_modes():
    wanted = {"average", "accumulate", "budget", "encoder_rate", "unfreeze_after", "validate_every"}
    wanted = {f"training.{name}" for name in (*wanted, "folds", "schedule", "clip_norm")}
    wanted |= {"refiner.use", "runtime.precision", "model.objects", "post.tune"}
    wanted |= {"callbacks.early_stopping_patience", "callbacks.reduce_patience"}
    assert wanted <= {key for mode in campaign.MODES.values() for key in mode.settings}
    assert all(": " not in name for name in campaign.MODES)


@pytest.mark.parametrize("name", campaign.MODES)
def test_each_mode_is_a_recipe_that_is_cut_short_before_its_end(name, monkeypatch, tmp_path):
    monkeypatch.setattr(campaign, "_weights", lambda path: path)
    recipe = campaign.recipe_of(name, tmp_path)
    assert campaign.MODES[name].at < recipe.training.epochs


def test_forgetting_rate_and_patience_shows_once_both_are_other_than_at_first(run):
    def is_telling(scale=0.1, plateau=1, stopping=3):
        state = {"waited": plateau, "scale": scale}
        states = {"ReduceOnPlateau": state, "EarlyStopping": {"waited": stopping}}
        return campaign._is_lowered(point(**states), run)

    run.write_events(epochs(*[0.5] * 7))
    assert is_telling()
    assert not is_telling(scale=1.0)
    assert not is_telling(plateau=0)
    assert not is_telling(stopping=0)
    run.write_events(epochs(*[0.5] * 9))
    assert not is_telling(), "patience never came to its end"


def test_forgetting_the_best_epoch_shows_once_it_lies_before_the_cut(run, monkeypatch):
    card = SimpleNamespace(scores={"val_loss": 0.5})
    monkeypatch.setattr(Bundle, "open", lambda _: SimpleNamespace(card=card))
    run.write_events(epochs(0.5, 0.7, 0.9))
    assert campaign._is_best_before(point(epoch=1), run)
    run.write_events(epochs(0.7, 0.5, 0.9))
    assert not campaign._is_best_before(point(epoch=1), run)
    card.scores["val_loss"] = 0.9
    run.write_events(epochs(0.5, 0.7, 0.9))
    assert not campaign._is_best_before(point(epoch=1), run), "another model was kept"


def test_the_time_of_a_budget_is_that_before_the_cut_and_that_after_it(run):
    def is_counted(spent, before=10.0):
        resumed, ends = {"event": "resumed", "time": 100.0}, {"event": "ended", "time": 108.0}
        run.write_events([resumed, {**ends, "spent": spent}])
        return campaign._is_counted(point(budget={"spent": before}), run)

    assert is_counted(19.0)
    assert not is_counted(9.0), "forgotten"
    assert not is_counted(15.0), "counted in part"
    assert not is_counted(19.0, before=0.0)
