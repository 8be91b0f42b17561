"""Folds: each image held out once, one bundle in the end, and a fold at a time to resume."""

import json
import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest

from delineate.bundle import Bundle
from delineate.data.dataset import Dataset
from delineate.data.splitting.partition import partition_folds
from delineate.errors import DataError, RunError
from delineate.prediction.predictor import Predictor
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training import folds
from delineate.training.beginning import describe
from delineate.training.folds import train_folds, whole_run
from delineate.training.train import train
from tests.training.conftest import make_discs
from tests.training.test_resume import Bell, weights_hash


@pytest.fixture(scope="module")
def unsplit():
    images, masks, instances = make_discs(count=10, seed=3)
    return Dataset.from_arrays(images, masks, instances=instances, name="discs")


@pytest.fixture(scope="module")
def threefold(recipe):
    return recipe.override(
        {"training.folds": 3, "data.test": 0.2, "training.epochs": 2, "post.tune": True}
    )


@pytest.fixture(scope="module")
def trained(unsplit, threefold, tmp_path_factory):
    return train(unsplit, threefold, to=tmp_path_factory.mktemp("folds") / "run")


class Second(Bell):
    """Interrupts the second fold."""

    trainings = 0

    def on_train_begin(self, logs=None):
        self.trainings += 1

    def on_train_batch_end(self, batch, logs=None):
        if self.trainings == 2:
            super().on_train_batch_end(batch, logs)


def splits_of(run):
    return json.loads(run.dataset.read_text())["splits"]


def names(items):
    return {item["name"] for item in items}


def test_each_image_but_those_of_the_test_is_held_out_once(trained, unsplit):
    folds = [splits_of(trained.fold(number)) for number in (1, 2, 3)]
    tests = [names(fold["test"]) for fold in folds]
    assert tests[0] == tests[1] == tests[2]
    assert len(tests[0]) == 2
    held = [name for fold in folds for name in names(fold["validation"])]
    assert len(held) == len(set(held)) == 8
    for fold in folds:
        assert not names(fold["train"]) & (names(fold["validation"]) | tests[0])


def test_the_run_knows_all_its_images_as_trained_on(trained):
    assert {key: len(items) for key, items in splits_of(trained).items()} == {"train": 8, "test": 2}


def test_the_bundle_averages_the_members(trained, unsplit):
    card = Bundle.open(trained.best).card
    assert [member.file for member in card.members] == [f"model-{n}.keras" for n in (1, 2, 3)]
    image = unsplit[0].image
    joined = Predictor.open(trained)
    single = [Predictor(joined.card, [runtime]) for runtime in joined.runtimes]
    mean = np.mean([each.predict(image).probabilities for each in single], axis=0)
    np.testing.assert_allclose(joined.predict(image).probabilities, mean, atol=1e-6)


def test_an_interrupted_fold_goes_on_and_the_others_are_left_alone(
    unsplit, threefold, trained, tmp_path
):
    with pytest.raises(KeyboardInterrupt):
        train(unsplit, threefold, to=tmp_path / "cut", callbacks=[Second(1, 0)])
    cut = Run(tmp_path / "cut")
    assert not cut.fold(3).folder.exists()
    first = (cut.fold(1).best / "model.keras").stat().st_mtime_ns
    run = train(unsplit, None, to=cut.folder, resume=True)
    assert (run.fold(1).best / "model.keras").stat().st_mtime_ns == first
    for number in (1, 2, 3):
        assert weights_hash(run.fold(number)) == weights_hash(trained.fold(number))
    assert Bundle.open(run.best).card.post == Bundle.open(trained.best).card.post


def test_a_validation_part_of_the_data_s_own_becomes_the_test_part(recipe):
    images, masks, instances = make_discs(count=8)
    splits = ["train"] * 6 + ["validation"] * 2
    own = Dataset.from_arrays(images, masks, instances=instances, splits=splits)
    parts = partition_folds(own, recipe.data, folds=3, seed=0)
    for part in parts:
        assert {record.name for record in part.split("test").records} == {
            record.name for record in own.split("validation").records
        }


def test_a_validation_part_beside_a_test_part_is_left_out(recipe):
    images, masks, instances = make_discs(count=9)
    splits = ["train"] * 6 + ["validation"] * 2 + ["test"]
    own = Dataset.from_arrays(images, masks, instances=instances, splits=splits)
    for part in partition_folds(own, recipe.data, folds=2, seed=0):
        assert len(part) == 7
        assert {name: len(each) for name, each in part.splits.items()} == {
            "train": 3,
            "validation": 3,
            "test": 1,
        }


def test_a_fold_that_came_to_nothing_begins_anew(unsplit, threefold, trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "run")
    run = Run(tmp_path / "run")
    events = [event for event in run.events() if event["event"] != "ended"]
    run.write_events(events)
    shutil.rmtree(run.fold(2).last)
    journal = [event for event in run.fold(2).events() if event["event"] != "ended"]
    run.fold(2).write_events(journal)
    again = train(unsplit, None, to=run.folder, resume=True)
    assert weights_hash(again.fold(2)) == weights_hash(trained.fold(2))


def test_changed_data_is_refused(unsplit, trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "run")
    run = Run(tmp_path / "run")
    run.write_events([])
    images, masks, instances = make_discs(count=10, seed=4)
    other = Dataset.from_arrays(images, masks, instances=instances, name="discs")
    with pytest.raises(RunError, match="not what the run was begun with"):
        train(other, None, to=run.folder, resume=True)


def test_more_folds_than_images_are_refused_with_their_number(unsplit, threefold, tmp_path):
    with pytest.raises(DataError, match="50 folds are wanted") as caught:
        train(unsplit, threefold.override({"training.folds": 50}), to=tmp_path / "run")
    assert "training.folds" in caught.value.hint


def test_a_run_of_folds_is_not_joined_again(unsplit, trained):
    before = (trained.best / "card.json").stat().st_mtime_ns
    train(unsplit, None, to=trained.folder, resume=True)
    assert (trained.best / "card.json").stat().st_mtime_ns == before


def test_the_report_is_of_the_test_images_by_all_members(unsplit, threefold, tmp_path):
    told = threefold.override({"evaluation.report": True, "training.epochs": 1})
    run = train(unsplit, told, to=tmp_path / "run")
    values = json.loads(run.report_json.read_text())
    assert values["split"] == "test"
    assert {row["name"] for row in values["images"]} == names(splits_of(run)["test"])


def budgeted(recipe, minutes):
    return recipe.override({"training.budget": minutes, "training.epochs": 1})


def shares(run):
    """The minutes that each fold was given."""
    return [Recipe.load(run.fold(number).recipe).training.budget for number in (1, 2, 3)]


def test_the_time_is_shared_by_what_comes_after_the_folds(
    unsplit, threefold, tmp_path, monkeypatch
):
    """All of it is told by one clock, which only the folds and what follows move on."""
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    monkeypatch.setattr(folds, "time", clock)
    told = []

    def after(predictor, *, members, reported, searched, augment, budget):
        told.append((members, reported, len(searched), budget))
        return 600.0

    monkeypatch.setattr(folds, "seconds_of_search_and_report", after)

    def one(dataset, recipe, *, to, resume):
        run = train(dataset, recipe, to=to, resume=resume)
        now[0] += 60 * recipe.training.budget
        return run

    recipe = budgeted(threefold, 60.0)
    run = Run.create(tmp_path / "run")
    describe(run, whole_run(unsplit, recipe), recipe, {})
    train_folds(unsplit, recipe, run, one, begun=0.0)
    # 5 % are left at first; then ten minutes, as was measured.
    assert shares(run) == pytest.approx([19.0, 15.5, 15.5])
    assert told == [(3, None, 8, 3600.0)] * 2


def test_what_was_spent_before_an_interruption_counts(unsplit, threefold, tmp_path):
    asked = threefold.override({"training.budget": 600.0, "training.epochs": 2})
    with pytest.raises(KeyboardInterrupt):
        train(unsplit, asked, to=tmp_path / "cut", callbacks=[Second(1, 0)])
    cut = Run(tmp_path / "cut")
    events = cut.fold(1).events()
    assert events[-1]["event"] == "ended"
    # As if the first fold had taken an hour.
    events[-1]["spent"] = 3600.0
    cut.fold(1).write_events(events)
    train(unsplit, None, to=cut.folder, resume=True)
    first, _, third = shares(cut)
    assert first == pytest.approx(600 * 0.95 / 3, rel=0.01)
    assert third < 600 - 60
    assert third == pytest.approx(600 - 60, rel=0.02)
