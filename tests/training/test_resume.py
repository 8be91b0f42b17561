"""A training that is cut short and resumed ends with the weights of the uninterrupted one."""

import hashlib
import itertools
import json
import os
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from delineate.bundle import Bundle
from delineate.errors import RunError
from delineate.evaluation.tune import Tuning
from delineate.hold import LOCK
from delineate.interrupt import Terminated
from delineate.recipe import Post
from delineate.runs import Run
from delineate.training import beginning, checkpoint
from delineate.training import train as training
from delineate.training.train import train


def weights_hash(run):
    """The SHA-256 over all variables of the last resume point."""
    digest = hashlib.sha256()
    for array in checkpoint.load(run.last).arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class Killed(Exception):  # noqa: N818
    """Stands for a process that is gone: nothing more of it runs."""


class Bomb(keras.callbacks.Callback):
    def __init__(self, epoch, step):
        super().__init__()
        self.at, self.epoch = (epoch, step), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise Killed


class Bell(Bomb):
    """Sends the process the signal that Ctrl-C sends."""

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def scores_of(run):
    kept = ("epoch", "loss", "val_loss", "val_dice", "learning_rate")
    return [{key: row[key] for key in kept} for row in run.rows]


@pytest.fixture(scope="module")
def finished(discs, recipe, tmp_path_factory):
    return train(discs, recipe, to=tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture
def whole(finished, tmp_path):
    """The finished training, in a copy that a test may damage."""
    return Run(shutil.copytree(finished.folder, tmp_path / "whole"))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    discs, recipe, whole, tmp_path
):
    again = train(discs, recipe, to=tmp_path / "again")
    assert weights_hash(again) == weights_hash(whole)
    other = train(discs, recipe.override({"runtime.seed": 1}), to=tmp_path / "other")
    assert weights_hash(other) != weights_hash(whole)


@pytest.mark.parametrize("at", [(0, 1), (1, 0), (2, 1)])
def test_a_training_killed_in_mid_epoch_resumes_to_the_same_weights(
    discs, recipe, whole, tmp_path, at
):
    recipe = recipe.override({"callbacks.save_steps": 1})
    with pytest.raises(Killed):
        train(discs, recipe, to=tmp_path / "cut", callbacks=[Bomb(*at)])
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)
    assert scores_of(run) == scores_of(whole)


def test_ctrl_c_saves_everything_and_resuming_is_exact(discs, recipe, whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(discs, recipe, to=tmp_path / "cut", callbacks=[Bell(1, 0)])
    point = checkpoint.load(tmp_path / "cut" / "last")
    assert (point.epoch, point.step) == (1, 1)
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)
    assert [event["event"] for event in run.events()].count("interrupted") == 1


def test_ctrl_c_in_the_last_step_of_an_epoch_still_finishes_the_epoch(
    discs, recipe, whole, tmp_path
):
    with pytest.raises(KeyboardInterrupt):
        train(discs, recipe, to=tmp_path / "cut", callbacks=[Bell(0, 1)])
    point = checkpoint.load(tmp_path / "cut" / "last")
    assert (point.epoch, point.step) == (1, 0)
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)


def test_ctrl_c_in_the_very_last_step_leaves_search_and_report_to_a_resumption(
    discs, recipe, whole, tmp_path
):
    thorough = recipe.override({"post.tune": True, "evaluation.report": True})
    with pytest.raises(KeyboardInterrupt):
        train(discs, thorough, to=tmp_path / "cut", callbacks=[Bell(2, 1)])
    cut = Run.open(tmp_path / "cut")
    assert len(cut.rows) == 3
    assert not cut.report.exists()
    assert "tuned" not in [event["event"] for event in cut.events()]
    run = train(discs, None, to=cut.folder, resume=True)
    assert weights_hash(run) == weights_hash(whole)
    assert run.report.is_file()
    assert [event["event"] for event in run.events()].count("tuned") == 1


def test_what_a_search_has_found_is_not_searched_again_after_a_kill(
    discs, recipe, tmp_path, monkeypatch
):
    wanted = recipe.override({"post.tune": True})
    found = Post(threshold=0.35)
    calls = []

    def tune(*_, **__):
        calls.append(1)
        return Tuning(post=found, objective="mean_dice", before=0.1, after=0.2, tried=())

    def killed(*_, post=None, **__):
        if post is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "tune", tune)
    with monkeypatch.context() as once:
        once.setattr(training, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            train(discs, wanted, to=tmp_path / "cut")
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert len(calls) == 1
    assert Bundle.open(run.best).card.post == found


def test_resuming_restores_early_stopping_and_the_plateau(discs, recipe, tmp_path):
    patient = recipe.override(
        {
            "training.epochs": 6,
            "callbacks.early_stopping_patience": 2,
            "callbacks.reduce_patience": 1,
            "callbacks.minimum_gain": 10.0,
        }
    )
    whole = train(discs, patient, to=tmp_path / "patient")
    assert len(whole.rows) == 3, "no gain is ever large enough, so it stops after the patience"
    assert whole.rows[2]["learning_rate"] < whole.rows[0]["learning_rate"]
    with pytest.raises(KeyboardInterrupt):
        train(discs, patient, to=tmp_path / "cut", callbacks=[Bell(1, 0)])
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)
    assert scores_of(run) == scores_of(whole)


def test_resuming_a_finished_training_changes_nothing(discs, whole):
    whole.batch.write_bytes(b"as it was")
    before = _content(whole.folder)
    train(discs, None, to=whole.folder, resume=True)
    assert _content(whole.folder) == before


def _content(folder):
    # Who has had the folder last is written down beside its lock.
    files = (path for path in folder.rglob("*") if path.is_file() and path.name[:5] != ".lock")
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_report_that_is_missing_is_made_and_the_rest_stays(discs, recipe, tmp_path):
    thorough = recipe.override({"evaluation.report": True})
    run = train(discs, thorough, to=tmp_path / "run")
    run.report.unlink()
    before = _content(run.folder)
    train(discs, None, to=run.folder, resume=True)
    after = _content(run.folder)
    assert "resumed" not in {event["event"] for event in run.events()}
    assert str(run.report) in after
    names = [name for name in before if "report" not in name and "review" not in name]
    assert run.confusion_matrix.is_file()
    kept = [name for name in names if name != str(run.confusion_matrix)]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


@pytest.mark.parametrize("sign", ["ended", "resumed", "epochs"])
def test_where_all_resume_points_were_deleted_the_best_model_is_not_replaced(discs, whole, sign):
    shutil.rmtree(whole.last)
    events = [event for event in whole.events() if event["event"] == "epoch"]
    if sign != "epochs":
        events = [*events[:1], {"event": sign, "time": 0.0}]
    whole.write_events(events)
    before = _content(whole.folder)
    with pytest.raises(RunError, match="holds no resume point any more") as refused:
        train(discs, None, to=whole.folder, resume=True)
    assert "best model stays" in refused.value.hint
    assert _content(whole.folder) == before


def test_a_damaged_resume_point_falls_back_to_the_one_before(discs, recipe, whole, tmp_path):
    points = sorted(whole.last.glob("*.npz"))
    assert len(points) == checkpoint.KEPT == 3
    expected = weights_hash(whole)
    for point in points[1:]:
        content = point.read_bytes()
        point.write_bytes(content[: len(content) // 2])
    assert checkpoint.load(whole.last).epoch == 1
    run = train(discs, None, to=whole.folder, resume=True)
    assert checkpoint.load(run.last).epoch == 3
    assert weights_hash(run) == expected
    assert run.events()[-1]["event"] != "resumed"
    (resumed,) = [event for event in run.events() if event["event"] == "resumed"]
    assert resumed["damaged"] == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:100],
        lambda content: content.replace(b"head.npy", b"hexd.npy"),
        lambda content: content.replace(b'"epoch"', b'"epic!"'),
        lambda content: b"PK\x03\x04" + bytes(400),
    ],
    ids=["empty", "cut", "no head", "another key", "zeros"],
)
def test_whatever_the_damage_the_one_before_is_taken(whole, damage):
    points = sorted(whole.last.glob("*.npz"))
    points[-1].write_bytes(damage(points[-1].read_bytes()))
    assert checkpoint.load(whole.last).epoch == 2


@pytest.mark.parametrize("last", ["recipe.toml", "environment.json", "dataset.json", "batch.png"])
def test_killed_before_the_first_resume_point_it_begins_anew(
    discs, recipe, whole, tmp_path, monkeypatch, last
):
    """Whatever was written last, resuming gives the weights of the uninterrupted training."""
    written, real = [], beginning.write_whole

    def write(path, content, **options):
        if written and written[-1] == last:
            raise Killed
        real(path, content, **options)
        written.append(path.name)

    monkeypatch.setattr(beginning, "write_whole", write)
    monkeypatch.setattr(training, "write_whole", write)
    monkeypatch.setattr(checkpoint, "save", lambda *_: write(Path("epoch.npz"), b""))
    with pytest.raises(Killed):
        train(discs, recipe, to=tmp_path / "cut")
    assert written[-1] == last
    monkeypatch.undo()
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)
    assert scores_of(run) == scores_of(whole)


def test_killed_before_anything_was_written_it_can_be_begun_again(
    discs, recipe, whole, tmp_path, monkeypatch
):
    def write(path, content, **options):
        raise Killed

    monkeypatch.setattr(beginning, "write_whole", write)
    with pytest.raises(Killed):
        train(discs, recipe, to=tmp_path / "cut")
    monkeypatch.undo()
    assert all(path.name.startswith(LOCK) for path in (tmp_path / "cut").iterdir())
    assert weights_hash(train(discs, recipe, to=tmp_path / "cut")) == weights_hash(whole)


def test_resume_points_come_by_the_clock_too(discs, recipe, whole, tmp_path, monkeypatch):
    saved, real = [], checkpoint.save

    def save(folder, point):
        saved.append((point.epoch, point.step))
        real(folder, point)

    monkeypatch.setattr(checkpoint, "save", save)
    clock = SimpleNamespace(monotonic=itertools.count(0, 61).__next__, time=time.time)
    monkeypatch.setattr("delineate.training.session.time", clock)
    by_minutes = recipe.override({"callbacks.save_minutes": 1.0})
    run = train(discs, by_minutes, to=tmp_path / "run")
    assert saved == [(0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]
    assert weights_hash(run) == weights_hash(whole)
    saved.clear()
    train(discs, recipe.override({"callbacks.save_minutes": 100.0}), to=tmp_path / "seldom")
    assert saved == [(1, 0), (2, 0), (3, 0)]


class Terminator(Bell):
    """Sends the process what a scheduler sends before it ends it by force."""

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("at", "point"), [((1, 0), (1, 1)), ((1, 1), (1, 2)), ((2, 1), (2, 2))])
def test_a_sigterm_is_heeded_before_the_validation_and_resuming_is_exact(
    discs, recipe, whole, tmp_path, at, point
):
    with pytest.raises(Terminated):
        train(discs, recipe, to=tmp_path / "cut", callbacks=[Terminator(*at)])
    saved = checkpoint.load(tmp_path / "cut" / "last")
    assert (saved.epoch, saved.step) == point
    run = train(discs, None, to=tmp_path / "cut", resume=True)
    assert weights_hash(run) == weights_hash(whole)
    assert scores_of(run) == scores_of(whole)


MODES = {
    "average": {"training.average": 0.9},
    "accumulation": {"training.accumulate": 2},
    "bfloat16": {"runtime.precision": "bfloat16"},
    "clipping and decay": {
        "training.optimizer": "adamw",
        "training.weight_decay": 0.01,
        "training.clip_norm": 0.5,
        "training.schedule": "cosine",
        "training.warmup": 0.3,
    },
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", [(1, 0), (1, 1)], ids=["mid-epoch", "an epoch's end"])
def test_every_way_to_train_resumes_exactly(discs, recipe, tmp_path, mode, at):
    wanted = recipe.override(MODES[mode])
    expected = weights_hash(train(discs, wanted, to=tmp_path / "whole"))
    with pytest.raises(Terminated):
        train(discs, wanted, to=tmp_path / "cut", callbacks=[Terminator(*at)])
    assert weights_hash(train(discs, None, to=tmp_path / "cut", resume=True)) == expected


def test_without_any_resume_point_there_is_an_error(tmp_path):
    (tmp_path / "last").mkdir()
    with pytest.raises(RunError, match="no resume point"):
        checkpoint.load(tmp_path / "last")


def test_a_resume_point_of_another_network_is_refused(discs, recipe, whole):
    text = whole.recipe.read_text().replace("filters = 4", "filters = 6")
    whole.recipe.write_text(text)
    with pytest.raises(RunError, match="another network"):
        train(discs, None, to=whole.folder, resume=True)


class Counter(keras.callbacks.Callback):
    """Counts epochs, and resumes exactly."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1

    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


class Doubler(Counter):
    def on_epoch_end(self, epoch, logs=None):
        self.count += 2


def test_callbacks_of_one_kind_each_have_their_own_state(discs, recipe, tmp_path):
    begun = [Counter(), Doubler(), Counter()]
    begun[2].count = 10
    train(discs, recipe, to=tmp_path / "run", callbacks=begun)
    resumed = [Counter(), Doubler(), Counter()]
    train(discs, None, to=tmp_path / "run", resume=True, callbacks=resumed)
    assert [each.count for each in resumed] == [each.count for each in begun] == [3, 6, 13]


def test_resuming_with_other_callbacks_is_refused(discs, recipe, whole, tmp_path):
    with pytest.raises(RunError, match=r"the callbacks now are .*Counter"):
        train(discs, None, to=whole.folder, resume=True, callbacks=[Counter()])
    train(discs, recipe, to=tmp_path / "run", callbacks=[Counter()])
    with pytest.raises(RunError, match=r"has the states of .*Counter"):
        train(discs, None, to=tmp_path / "run", resume=True)


def test_a_resumption_says_where_the_weights_were_that_are_gone(
    discs, recipe, weights, tmp_path, monkeypatch
):
    own = shutil.copyfile(weights, tmp_path / "own.weights.h5")
    monkeypatch.chdir(tmp_path)
    mobile = {"model.encoder": "mobilenetv2", "model.width": 0.35, "model.depth": 2}
    begun = recipe.override({**mobile, "model.weights": own.name, "training.epochs": 1})
    run = train(discs, begun, to=tmp_path / "run")
    monkeypatch.chdir("/")
    train(discs, None, to=run.folder, resume=True)  # from another folder: it is found
    own.rename(tmp_path / "moved.weights.h5")
    with pytest.raises(RunError, match="are not there any more") as caught:
        train(discs, None, to=run.folder, resume=True)
    assert str(run.recipe) in caught.value.hint


def test_changed_data_is_refused(discs, whole):
    with pytest.raises(RunError, match="not what the run was begun with"):
        train(discs.subset(range(11)), None, to=whole.folder, resume=True)


def test_resuming_needs_a_run(discs, tmp_path):
    with pytest.raises(RunError, match="Which run"):
        train(discs, resume=True)
    with pytest.raises(RunError, match="no run folder"):
        train(discs, to=tmp_path, resume=True)


def test_a_resume_point_holds_no_pickle(whole):
    path = sorted(whole.last.glob("*.npz"))[-1]
    with np.load(path, allow_pickle=False) as stored:
        head = json.loads(stored["head"].tobytes())
    assert head["finished"] is True
    assert Run.open(whole.folder).rows == whole.rows


def test_resuming_a_searched_training_searches_no_second_time(discs, recipe, tmp_path):
    searched = recipe.override({"post.tune": True})
    run = train(discs, searched, to=tmp_path / "run")
    events, card = run.events(), (run.best / "card.json").read_bytes()
    assert [event["event"] for event in events if event["event"] in ("tuned", "ended")] == [
        "tuned",
        "ended",
    ]
    again = train(discs, None, to=run.folder, resume=True)
    assert again.events() == events
    assert (run.best / "card.json").read_bytes() == card
