"""With the refiner and without: what evaluate and its report say of both."""

import shutil

import pytest

from delineate.bundle import Bundle, Refinement, copy_bundle
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.refinement import refinement_of, refinement_scores
from delineate.evaluation.show import show
from delineate.evaluation.tally import score_image
from delineate.page import render
from delineate.prediction.predictor import Predictor
from delineate.recipe import Post
from delineate.report import Picture
from delineate.runs import Run
from tests.bundles import pointwise_model, save_bundle
from tests.evaluation.conftest import BOUNDS, make_run

# Worse bounds: what the network says without its refiner.
ROUGH = [0.3, 0.6]
COMPARED = ("mean_iou", "mean_dice", "boundary_iou", "boundary_f1")


def make_refined(folder, data, *, kept=True, **settings):
    """A run whose refiner moves its bounds to where they should be."""
    run = make_run(folder, data, rows=[{"epoch": 1, "loss": 1.0}], **settings)
    told = {"with": {"mean_iou": 0.9}, "without": {"mean_iou": 0.8}}
    decided = Refinement(kept=kept, decided_by="mean_iou", scores=told)
    save_bundle(run.refiner.first, pointwise_model(ROUGH))
    save_bundle(run.refiner.best, pointwise_model(BOUNDS))
    run.refiner.write_events(
        [{"event": "epoch", "scores": {"epoch": 1, "loss": 2.0, "critic": 0.7, "val_loss": 1.5}}]
    )
    source = run.refiner.best if kept else run.refiner.first
    bundle = Bundle.open(source)
    copy_bundle(bundle, run.best, bundle.card.model_copy(update={"refiner": decided}))
    return run


@pytest.fixture(scope="module")
def refined(tmp_path_factory, data):
    return make_refined(tmp_path_factory.mktemp("refined") / "run", data)


@pytest.fixture(scope="module")
def report(refined, data):
    return evaluate(refined, data)


def test_both_are_scored_as_each_bundle_would_be_by_itself(refined, data, report):
    found = report.values["refiner"]
    for name, folder in (("without", refined.refiner.first), ("with", refined.refiner.best)):
        alone = shutil.copytree(folder, refined.folder.parent / name)
        values = evaluate(alone, data.split("test")).values
        assert found[name] == pytest.approx({key: values[key] for key in COMPARED})
    assert found["with"]["mean_iou"] > found["without"]["mean_iou"]
    assert found["kept"] is True


def with_post(folder, target, post):
    """Copy a bundle, as a search of settings leaves it."""
    bundle = Bundle.open(folder)
    return copy_bundle(bundle, target, bundle.card.model_copy(update={"post": post})).folder


def test_both_are_scored_with_the_settings_that_were_searched_afterwards(tmp_path, data, report):
    run = make_refined(tmp_path / "run", data, **{"evaluation.cases": 0})
    found = Post(smallest_object=25)
    with_post(run.best, run.best, found)
    values = evaluate(run, data).values
    for name, folder in (("without", run.refiner.first), ("with", run.refiner.best)):
        alone = evaluate(with_post(folder, tmp_path / name, found), data.split("test")).values
        compared = values["refiner"][name]
        assert compared == pytest.approx({key: alone[key] for key in COMPARED})
        assert compared["mean_iou"] != report.values["refiner"][name]["mean_iou"]


def test_what_is_scored_already_is_not_predicted_again(refined, data, monkeypatch):
    part = data.split("test")
    expected = refinement_scores(refined, part)
    predictor = Predictor.open(refined)
    scored = [score_image(item, predictor.predict(item.image), classes=3) for item in part]
    opened = []

    def open_predictor(folder, *, runtime, real=Predictor.open):
        opened.append(folder)
        return real(folder, runtime=runtime)

    monkeypatch.setattr(Predictor, "open", open_predictor)
    bundle = Bundle.open(refined.folder)
    assert refinement_scores(refined, part, scored=scored, by=bundle) == expected
    assert opened == [refined.refiner.first]


def test_the_report_has_a_table_of_both_and_the_curves_of_the_refiner(report):
    section = next(item for item in report.sections if item.title == "Refinement")
    (table,) = section.tables
    assert table.columns == ("score", "without", "with", "gain")
    assert [row[0] for row in table.rows] == [
        "Mean IoU",
        "Mean Dice",
        "Boundary IoU",
        "Boundary F1",
    ]
    for _, before, after, gain in table.rows:
        assert gain == pytest.approx(after - before)
    assert "It is part of this network" in section.text
    assert [type(picture) for picture in section.pictures] == [Picture]
    assert "Refinement" in render(report)


def test_a_refiner_that_was_left_out_is_compared_all_the_same(tmp_path, data, report):
    run = make_refined(tmp_path / "run", data, kept=False, **{"evaluation.cases": 0})
    found = evaluate(run, data, split="validation")
    section = next(item for item in found.sections if item.title == "Refinement")
    assert "It was left out" in section.text
    assert "decided by these images" in section.text
    assert found.values["refiner"]["kept"] is False
    assert found.values["mean_iou"] == found.values["refiner"]["without"]["mean_iou"]


def test_without_boundary_scores_there_are_none_of_the_refiner(tmp_path, data):
    settings = {"evaluation.cases": 0, "evaluation.boundary": False}
    values = evaluate(make_refined(tmp_path / "run", data, **settings), data).values
    assert set(values["refiner"]["with"]) == {"mean_iou", "mean_dice"}


def test_a_run_without_a_refiner_has_nothing_to_compare(run, refined, tmp_path):
    assert refinement_of(run) is None
    assert refinement_of(refined).kept
    assert refinement_of(Run(tmp_path)) is None


def test_the_epochs_of_a_refiner_are_shown(refined):
    assert show(refined.refiner.folder)[0]["critic"] == 0.7
