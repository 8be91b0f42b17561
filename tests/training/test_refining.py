"""Trainings with a refiner: after the network or together with it, cut short and resumed."""

import errno
import hashlib
import json
import os
import shutil
import signal

import keras
import numpy as np
import pytest

from delineate import bundle, files
from delineate.bundle import Bundle
from delineate.errors import RecipeError, RunError
from delineate.prediction.predictor import Predictor
from delineate.runs import Run
from delineate.training import checkpoint, refining, watching
from delineate.training.train import train

SMALL = {
    "training.epochs": 2,
    "callbacks.early_stopping": "none",
    "refiner.epochs": 2,
    "refiner.filters": 4,
    "refiner.depth": 1,
    "refiner.critic_filters": 4,
    "refiner.critic_depth": 1,
    "refiner.learning_rate": 0.01,
}
MODES = ("after", "together")


def hash_of(run):
    """The SHA-256 over all variables of the last resume point."""
    digest = hashlib.sha256()
    for array in checkpoint.load(run.last).arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def rows_of(run):
    passing = ("seconds", "images_per_second")
    return [{key: value for key, value in row.items() if key not in passing} for row in run.rows]


def outcome(run):
    """All that must be the same after a resumption: weights, scores, and what was decided."""
    return (
        hash_of(run),
        hash_of(run.refiner),
        rows_of(run),
        rows_of(run.refiner),
        Bundle.open(run.folder).card.refiner,
    )


class Killed(Exception):  # noqa: N818
    """Stands for a process that is gone: nothing more of it runs."""


def at(stage, epoch, step, act):
    """An onlooker who acts after a step of a stage."""

    def watch(progress):
        where = progress.stage, progress.epoch, progress.step
        if where == (stage, epoch, step) and not progress.epoch_done:
            act()

    return watch


def kill():
    raise Killed


def ring():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def watchful(monkeypatch):
    """Onlookers see every step."""
    monkeypatch.setattr(watching, "EVERY", 0.0)


@pytest.fixture(scope="module")
def recipes(recipe):
    settings = SMALL | {"callbacks.save_steps": 1, "evaluation.boundary": True}
    return {mode: recipe.override(settings | {"refiner.use": mode}) for mode in MODES}


@pytest.fixture(scope="module")
def seen():
    """What an onlooker of the finished trainings is told, by the mode."""
    return {mode: [] for mode in MODES}


@pytest.fixture(scope="module")
def finished(discs, recipes, seen, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refined")
    runs = {}
    for mode in MODES:
        extra = {"callbacks.pictures": 1, "evaluation.report": mode == "after"}
        wanted = recipes[mode].override(extra)
        runs[mode] = train(discs, wanted, to=folder / mode, watch=seen[mode].append)
    return runs


@pytest.fixture(scope="module")
def stopped(discs, recipes, tmp_path_factory):
    """A training that Ctrl-C has ended in the last step of the network's own stage."""
    run = Run(tmp_path_factory.mktemp("stopped") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "EVERY", 0.0)
        with pytest.raises(KeyboardInterrupt):
            train(discs, recipes["after"], to=run.folder, watch=at("", 2, 2, ring))
    return run


@pytest.fixture
def cut(stopped, tmp_path):
    """A copy of it, whose refiner is still to be trained."""
    return Run(shutil.copytree(stopped.folder, tmp_path / "cut"))


@pytest.fixture(scope="module")
def plain(discs, recipe, tmp_path_factory):
    """The same training without a refiner."""
    settings = {key: value for key, value in SMALL.items() if not key.startswith("refiner")}
    return train(discs, recipe.override(settings), to=tmp_path_factory.mktemp("plain") / "run")


@pytest.mark.parametrize("mode", MODES)
def test_the_refiner_has_a_run_folder_of_its_own(finished, mode):
    own = finished[mode].refiner
    assert [row["epoch"] for row in own.rows] == [1, 2]
    assert {"loss", "fidelity", "adversarial", "critic", "val_mean_iou"} <= set(own.rows[0])
    assert own.rows[0]["learning_rate"] == 0.01
    names = [path.name for path in sorted(own.pictures.iterdir())]
    assert names == ["epoch0001.png", "epoch0002.png"]
    assert own.curves.stat().st_size > 0
    assert len(own.results.read_text().splitlines()) == 3


@pytest.mark.parametrize("mode", MODES)
def test_the_network_becomes_what_it_would_be_without_a_refiner(finished, plain, mode):
    assert hash_of(finished[mode]) == hash_of(plain)
    assert rows_of(finished[mode]) == rows_of(plain)
    first = keras.saving.load_model(finished[mode].refiner.first / "model.keras")
    best = keras.saving.load_model(plain.best / "model.keras")
    for found, expected in zip(first.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_after_the_training_the_best_weights_are_refined_and_stay(finished):
    run = finished["after"]
    joined = keras.saving.load_model(run.refiner.best / "model.keras")
    first = keras.saving.load_model(run.refiner.first / "model.keras")
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    cut = keras.Model(joined.input, joined.get_layer("probabilities").output)
    np.testing.assert_allclose(cut.predict_on_batch(images), first.predict_on_batch(images))


def test_what_was_decided_stands_on_the_card_in_the_report_and_in_the_journal(finished):
    run = finished["after"]
    decided = Bundle.open(run.folder).card.refiner
    before, after = (decided.scores[name]["mean_iou"] for name in ("without", "with"))
    assert decided.kept == (after > before)
    source = run.refiner.best if decided.kept else run.refiner.first
    assert Bundle.open(run.folder).card.files == Bundle.open(source).card.files
    told = json.loads(run.report_json.read_text())["refiner"]
    assert told == {"kept": decided.kept, "decided_by": "mean_iou", **decided.scores}
    assert set(told["with"]) == {"mean_iou", "mean_dice", "boundary_iou", "boundary_f1"}
    assert "Refinement" in run.report.read_text()
    assert [event["kept"] for event in run.events() if event["event"] == "refined"] == [
        decided.kept
    ]


@pytest.mark.parametrize(
    ("after", "kept"), [(0.6, True), (0.5, False), (0.4, False), (None, False)]
)
def test_the_refiner_is_kept_only_where_it_gains(
    discs, recipes, finished, tmp_path, monkeypatch, after, kept
):
    run = Run(shutil.copytree(finished["after"].folder, tmp_path / "run"))
    shutil.rmtree(run.best)
    shutil.copytree(run.refiner.first, run.best)
    scores = {"without": {"mean_iou": 0.5}, "with": {"mean_iou": after}}
    monkeypatch.setattr(refining, "refinement_scores", lambda *_, **__: scores)
    train(discs, None, to=run.folder, resume=True)
    card = Bundle.open(run.folder).card
    assert card.refiner.kept is kept
    source = run.refiner.best if kept else run.refiner.first
    assert card.files == Bundle.open(source).card.files
    assert (run.refiner.best / "card.json").is_file(), "what lost stays to be compared"


def test_ctrl_c_in_the_networks_last_step_ends_before_the_refiner_begins(stopped):
    assert checkpoint.load(stopped.last).finished
    assert not stopped.refiner.journal.exists()


def test_killed_while_the_refiner_is_trained_it_resumes_exactly(discs, cut, finished):
    with pytest.raises(Killed):
        train(discs, None, to=cut.folder, resume=True, watch=at("refiner", 2, 2, kill))
    point = checkpoint.load(cut.refiner.last)
    assert (point.epoch, point.step) == (1, 1)
    train(discs, None, to=cut.folder, resume=True)
    assert outcome(cut) == outcome(finished["after"])


def test_ctrl_c_in_the_refiners_stage_saves_everything_and_resuming_is_exact(discs, cut, finished):
    with pytest.raises(KeyboardInterrupt):
        train(discs, None, to=cut.folder, resume=True, watch=at("refiner", 1, 1, ring))
    point = checkpoint.load(cut.refiner.last)
    assert (point.epoch, point.step) == (0, 1)
    assert [event["event"] for event in cut.refiner.events()] == ["interrupted"]
    train(discs, None, to=cut.folder, resume=True)
    assert outcome(cut) == outcome(finished["after"])


def test_killed_while_it_is_decided_the_decision_is_made_on_resuming(
    discs, cut, finished, monkeypatch
):
    def fail(*_, **__):
        raise Killed

    monkeypatch.setattr(refining, "refinement_scores", fail)
    with pytest.raises(Killed):
        train(discs, None, to=cut.folder, resume=True)
    monkeypatch.undo()
    assert Bundle.open(cut.folder).card.refiner is None
    train(discs, None, to=cut.folder, resume=True)
    assert outcome(cut) == outcome(finished["after"])


@pytest.mark.parametrize(("writer", "ending"), [(files, ".npz"), (bundle, ".keras")])
def test_a_full_disk_in_the_refiners_stage_keeps_its_last_good_state(
    discs, cut, finished, monkeypatch, writer, ending
):
    flush, written = files.flush, []

    def fill_up(path):
        written.extend([path] * (path.suffix == ending))
        if len(written) > 1 and path.suffix == ending:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        flush(path)

    monkeypatch.setattr(writer, "flush", fill_up)
    with pytest.raises(RunError, match="The disk is full") as raised:
        train(discs, None, to=cut.folder, resume=True)
    assert "--resume" in raised.value.hint
    monkeypatch.undo()
    train(discs, None, to=cut.folder, resume=True)
    assert outcome(cut) == outcome(finished["after"])


def test_ctrl_c_while_both_are_trained_saves_both_and_resuming_is_exact(
    discs, recipes, finished, tmp_path
):
    run = Run(tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        train(discs, recipes["together"], to=run.folder, watch=at("", 2, 1, ring))
    points = [checkpoint.load(folder) for folder in (run.last, run.refiner.last)]
    assert [(point.epoch, point.step) for point in points] == [(1, 1), (1, 1)]
    train(discs, None, to=run.folder, resume=True)
    assert outcome(run) == outcome(finished["together"])


def test_killed_between_the_two_resume_points_both_go_back_to_the_same_step(
    discs, recipes, finished, tmp_path, monkeypatch
):
    saved = []

    def save(folder, point, real=checkpoint.save):
        saved.append(folder)
        if len(saved) == 4:
            raise Killed
        real(folder, point)

    monkeypatch.setattr(checkpoint, "save", save)
    run = Run(tmp_path / "cut")
    with pytest.raises(Killed):
        train(discs, recipes["together"], to=run.folder)
    monkeypatch.undo()
    assert checkpoint.load(run.refiner.last).step == 2
    assert checkpoint.load(run.last).step == 1
    train(discs, None, to=run.folder, resume=True)
    assert outcome(run) == outcome(finished["together"])


@pytest.mark.parametrize("damaged", [0, 1])
def test_where_the_newest_point_of_one_is_damaged_both_go_back(
    discs, recipes, finished, tmp_path, damaged
):
    run = Run(tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        train(discs, recipes["together"], to=run.folder, watch=at("", 2, 1, ring))
    folders = [run.last, run.refiner.last]
    newest = max(folders[damaged].iterdir())
    newest.write_bytes(newest.read_bytes()[:-100])
    train(discs, None, to=run.folder, resume=True)
    assert outcome(run) == outcome(finished["together"])
    (resumed,) = (event for event in run.events() if event["event"] == "resumed")
    assert resumed["damaged"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_resuming_a_finished_training_changes_nothing(discs, finished, tmp_path, mode):
    run = Run(shutil.copytree(finished[mode].folder, tmp_path / "run"))
    before = outcome(run), (run.best / "model.keras").stat().st_mtime_ns
    train(discs, None, to=run.folder, resume=True)
    assert (outcome(run), (run.best / "model.keras").stat().st_mtime_ns) == before


def test_damaged_resume_points_of_the_refiner_are_an_error_and_no_fresh_start(
    discs, finished, tmp_path
):
    run = Run(shutil.copytree(finished["after"].folder, tmp_path / "run"))
    run.write_events(
        [event for event in run.events() if event["event"] not in ("refined", "ended")]
    )
    for path in run.refiner.last.iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(RunError, match="no resume point"):
        train(discs, None, to=run.folder, resume=True)


def test_a_refiner_without_its_resume_points_is_not_trained_anew(discs, finished, tmp_path):
    run = Run(shutil.copytree(finished["after"].folder, tmp_path / "run"))
    run.write_events(
        [event for event in run.events() if event["event"] not in ("refined", "ended")]
    )
    # As many epochs as it has can only be if one was saved.
    run.refiner.write_events([*run.refiner.events(), {"event": "resumed", "time": 0.0}])
    shutil.rmtree(run.refiner.last)
    with pytest.raises(RunError, match="holds no resume point any more"):
        train(discs, None, to=run.folder, resume=True)


def test_an_onlooker_is_told_which_stage_runs(finished, seen):
    done = {
        mode: [(item.stage, item.epoch, item.epochs) for item in seen[mode] if item.epoch_done]
        for mode in MODES
    }
    assert done["after"] == [("", 1, 2), ("", 2, 2), ("refiner", 1, 2), ("refiner", 2, 2)]
    assert done["together"] == [("", 1, 2), ("refiner", 1, 2), ("", 2, 2), ("refiner", 2, 2)]


def test_where_the_validation_images_choose_nothing_they_choose_no_epoch_of_the_refiner(recipes):
    for best, expected in (("val_loss", "val_mean_iou"), ("last", "last")):
        chosen = recipes["after"].override({"callbacks.best": best})
        assert refining._recipe_of_refiner(chosen).callbacks.best == expected


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"refiner.depth": 6}, "refiner's stride 64"),
        ({"refiner.critic_depth": 6}, "refiner.critic_depth = 6"),
        ({"refiner.adversarial_weight": 0.0, "refiner.fidelity_weight": 0.0}, "both 0"),
    ],
)
def test_what_makes_no_sense_is_refused_and_no_folder_is_made(
    discs, recipes, tmp_path, changes, told
):
    with pytest.raises(RecipeError) as caught:
        train(discs, recipes["after"].override(changes), to=tmp_path / "run")
    assert told in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_without_a_validation_part_a_refiner_is_refused(discs, recipes, tmp_path):
    alone = discs.with_splits({record.name: "train" for record in discs.records})
    changes = {
        "data.validation": 0.0,
        "callbacks.best": "loss",
        "callbacks.reduce_on_plateau": "none",
    }
    with pytest.raises(RecipeError, match="needs a validation part"):
        train(alone, recipes["after"].override(changes), to=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_infinite_loss_of_the_refiner_names_its_own_learning_rate(discs, cut, monkeypatch):
    from delineate.training.adversarial import AdversarialStepper

    losses = {"loss": 1.0, "critic": float("nan")}
    monkeypatch.setattr(AdversarialStepper, "step", lambda *_: losses)
    with pytest.raises(RunError, match="critic is nan") as caught:
        train(discs, None, to=cut.folder, resume=True)
    assert "refiner.learning_rate" in caught.value.hint


@pytest.mark.parametrize("fidelity", ["l1", "loss"])
def test_many_classes_are_refined_with_the_other_fidelities(recipes, tmp_path, fidelity):
    from delineate.data.dataset import Dataset

    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (6, 32, 32), dtype=np.uint8)
    masks[:, :4] = 255
    images = np.repeat((masks % 5 * 80)[..., None], 3, axis=3).astype(np.uint8)
    dataset = Dataset.from_arrays(
        images, masks, classes=["ground", "a", "b"], splits=["train"] * 4 + ["validation"] * 2
    )
    settings = {
        "model.output": "softmax",
        "loss.terms": {"sparse_categorical_crossentropy": 1.0},
        "loss.class_weights": [1.0, 2.0, 0.5],
        "training.epochs": 1,
        "refiner.epochs": 1,
        "refiner.depth": 2,
        "refiner.fidelity": fidelity,
        # Its masks are noise.
        "data.check": "none",
    }
    run = train(dataset, recipes["together"].override(settings), to=tmp_path / "run")
    assert 0 < run.refiner.rows[0]["fidelity"] < 3
    assert Bundle.open(run.folder).card.refiner is not None
    predictor = Predictor.open(run.refiner.best)
    assert predictor.card.stride == 4, "the refiner's, which is more than the network's 2"
    assert predictor.predict(images[0][:29, :21]).mask.shape == (29, 21)
