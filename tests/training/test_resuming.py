"""Whether a resumed training is that of the uninterrupted one, and that the report says so."""

import json

import pytest

from delineate.errors import RunError
from delineate.evaluation.evaluate import evaluate
from delineate.runs import Run, resumptions_of
from delineate.training.resuming import inexact
from delineate.training.train import train


@pytest.fixture(scope="module")
def run(discs, recipe, tmp_path_factory):
    return train(discs, recipe, to=tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def begun(run, tmp_path):
    """A run folder whose environment a test may change."""
    copy = Run(tmp_path / "run")
    copy.folder.mkdir()
    for path in ("environment", "recipe"):
        getattr(copy, path).write_bytes(getattr(run, path).read_bytes())
    return copy


def change(run, **values):
    known = json.loads(run.environment.read_text())
    run.environment.write_text(json.dumps({**known, **values}))


def test_on_the_same_machine_it_is_exact(begun, recipe):
    assert inexact(begun, recipe) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cores": 77}, "cores was 77"),
        ({"processor": "another"}, "processor was another"),
        ({"threads": {"OMP_NUM_THREADS": "77"}}, "threads was OMP_NUM_THREADS=77"),
        ({"versions": {"keras": "3.0"}}, "keras was 3.0"),
        ({"device": "gpu"}, "device was gpu"),
    ],
    ids=str,
)
def test_another_machine_may_give_other_weights(begun, recipe, changes, told):
    change(begun, **changes)
    assert any(reason.startswith(told) for reason in inexact(begun, recipe))


def test_a_recipe_that_was_changed_is_told(begun, recipe):
    begun.recipe.write_text(begun.recipe.read_text() + "\n# slower\n")
    (reason,) = inexact(begun, recipe)
    assert reason.startswith("recipe.toml was changed")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"training.budget": 1.0}, "with a budget"),
        ({"runtime.deterministic": False}, "runtime.deterministic"),
    ],
    ids=str,
)
def test_settings_that_are_not_exact_are_named(begun, recipe, said, told):
    (reason,) = inexact(begun, recipe.override(said))
    assert reason.startswith(told)


def test_an_environment_that_is_lost_is_no_error(begun, recipe):
    begun.environment.write_bytes(b"{")
    assert inexact(begun, recipe) == ["on which machine it was begun is not known"]


def test_another_backend_is_refused(begun, recipe):
    change(begun, backend="another")
    with pytest.raises(RunError, match="was begun on another") as told:
        inexact(begun, recipe)
    assert "KERAS_BACKEND=another" in told.value.hint


def test_the_report_says_how_often_it_was_resumed_and_whether_that_was_exact(
    discs, recipe, tmp_path
):
    wanted = recipe.override({"evaluation.report": True})
    run = train(discs, wanted, to=tmp_path / "run")
    assert "resumed" not in json.loads(run.report_json.read_text())
    # Killed when all was done but to write that down.
    run.write_events([event for event in run.events() if event["event"] != "ended"])
    train(discs, to=run.folder, resume=True)
    values = evaluate(run, discs, split="test", to=tmp_path / "again").values
    assert values["resumed"] == {"times": 1, "exact": True, "why": []}
    assert "resumed once; the weights are those of an uninterrupted" in (
        (tmp_path / "again" / "report.html").read_text()
    )
    # Nothing is trained any more: another machine changes no weight.
    change(run, cores=77)
    run.write_events([event for event in run.events() if event["event"] != "ended"])
    train(discs, to=run.folder, resume=True)
    assert resumptions_of(run.events()) == {"times": 2, "exact": True, "why": []}
    resumed = {"event": "resumed", "exact": False, "why": ["cores was 77, and is 2"]}
    run.write_events([*run.events(), resumed])
    evaluate(run, discs, split="test", to=tmp_path / "other")
    assert "cores was 77" in (tmp_path / "other" / "report.html").read_text()


def test_resumptions_of_older_runs_are_not_said_to_be_exact():
    events = [{"event": "epoch", "scores": {}}, {"event": "resumed", "epoch": 1, "step": 1}]
    assert resumptions_of(events) == {"times": 1, "exact": False, "why": []}
    assert resumptions_of(events[:1]) is None
