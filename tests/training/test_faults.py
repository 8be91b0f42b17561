"""The disk, another training, the memory: one sentence and a hint, and nothing good is lost."""

import errno
import shutil

import keras
import pytest

from delineate.bundle import Bundle
from delineate.errors import OutOfMemoryError, RunError
from delineate.files import TEMPORARY
from delineate.hold import hold
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training.budget import Budget
from delineate.training.faults import DISK, disk_told
from delineate.training.steppers import PlainStepper
from delineate.training.train import train


class Act(keras.callbacks.Callback):
    """Does something after the first epoch."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.act()


class ActAtOnce(keras.callbacks.Callback):
    """Does something after the first step."""

    def __init__(self, act):
        super().__init__()
        self.acts = [act]

    def on_train_batch_end(self, batch, logs=None):
        if self.acts:
            self.acts.pop()()


@pytest.mark.parametrize("number", DISK, ids=errno.errorcode.get)
def test_an_error_of_the_disk_says_what_to_do(tmp_path, number):
    with pytest.raises(RunError) as told, disk_told(Run(tmp_path)):
        raise OSError(number, "so", "a/file")
    assert "a/file" in told.value.message
    assert told.value.hint.endswith("then go on with --resume.")


def test_other_errors_of_the_system_are_left_alone(tmp_path):
    with pytest.raises(ConnectionResetError), disk_told(Run(tmp_path)):
        raise ConnectionResetError(errno.ECONNRESET, "so")


def test_a_second_training_into_a_folder_is_refused(discs, recipe, tmp_path):
    run = train(discs, recipe, to=tmp_path / "run")
    before = run.journal.read_bytes()
    with hold(run.folder):
        for resume in (True, False):
            with pytest.raises(RunError, match=r"is being written|exists already"):
                train(discs, None if resume else recipe, to=run.folder, resume=resume)
    assert run.journal.read_bytes() == before


def test_while_it_is_trained_into_a_folder_is_held(discs, recipe, tmp_path):
    refused = []

    def try_it():
        with pytest.raises(RunError, match="is being written by process"):
            train(discs, to=tmp_path / "run", resume=True)
        refused.append(True)

    train(discs, recipe, to=tmp_path / "run", callbacks=[Act(try_it)])
    assert refused == [True]


def test_folds_hold_the_folder_that_they_share(discs, recipe, tmp_path):
    refused = []

    def try_it():
        with pytest.raises(RunError, match="is being written by process"):
            train(discs, to=tmp_path / "run", resume=True)
        refused.append(True)

    wanted = recipe.override({"training.folds": 2, "training.epochs": 1})
    train(discs, wanted, to=tmp_path / "run", callbacks=[Act(try_it)])
    assert refused == [True, True]


def test_a_folder_that_was_moved_is_not_made_anew(discs, recipe, tmp_path):
    def move():
        (tmp_path / "run").rename(tmp_path / "moved")

    with pytest.raises(RunError, match="was moved or deleted") as told:
        train(discs, recipe, to=tmp_path / "run", callbacks=[Act(move)])
    assert "--resume" in told.value.hint
    assert not (tmp_path / "run").exists()
    run = train(discs, to=tmp_path / "moved", resume=True)
    assert len(run.rows) == recipe.training.epochs


def test_a_folder_that_was_deleted_is_not_made_anew(discs, recipe, tmp_path):
    with pytest.raises(RunError, match="was moved or deleted"):
        train(
            discs,
            recipe,
            to=tmp_path / "run",
            callbacks=[Act(lambda: shutil.rmtree(tmp_path / "run"))],
        )
    assert not (tmp_path / "run").exists()


def test_another_training_in_its_place_is_left_alone(discs, recipe, tmp_path):
    place = tmp_path / "run"

    def replace():
        place.rename(tmp_path / "moved")
        place.mkdir()
        for path in (tmp_path / "moved").rglob("*"):
            if path.is_file():
                (place / path.relative_to(tmp_path / "moved")).parent.mkdir(exist_ok=True)
                (place / path.relative_to(tmp_path / "moved")).write_bytes(b"theirs")

    with pytest.raises(RunError, match="was moved or deleted"):
        train(discs, recipe, to=place, callbacks=[Act(replace)])
    found = [path for path in place.rglob("*") if path.is_file()]
    assert found
    assert {path.read_bytes() for path in found} == {b"theirs"}


class Leave(keras.callbacks.Callback):
    """Takes the run folder away when the training of the network has ended."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_train_end(self, logs=None):
        self.folder.rename(self.folder.with_name("moved"))


@pytest.mark.parametrize("report", [False, True])
def test_a_folder_that_goes_after_the_last_step_is_missed(discs, recipe, tmp_path, report):
    wanted = recipe.override({"evaluation.report": report, "post.tune": report})
    with pytest.raises(RunError, match="was moved or deleted"):
        train(discs, wanted, to=tmp_path / "run", callbacks=[Leave(tmp_path / "run")])
    assert not (tmp_path / "run").exists()
    run = train(discs, to=tmp_path / "moved", resume=True)
    assert run.report.is_file() == report


def test_a_folder_that_goes_while_the_best_model_is_written_is_not_made_anew(
    discs, recipe, tmp_path, monkeypatch
):
    real = Bundle.save

    def save(folder, *said, **more):
        folder.parent.rename(tmp_path / "moved")
        return real(folder, *said, **more)

    monkeypatch.setattr(Bundle, "save", save)
    with pytest.raises(RunError, match="is not there any more"):
        train(discs, recipe, to=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("how", ["budget", "loss"])
def test_a_folder_that_was_moved_gets_no_note_and_no_batch(
    discs, recipe, tmp_path, monkeypatch, how
):
    def move():
        (tmp_path / "run").rename(tmp_path / "moved")
        if how == "loss":
            nothing = {"loss": float("nan")}
            monkeypatch.setattr(PlainStepper, "step", lambda *_: nothing)
        else:
            monkeypatch.setattr(Budget, "count", lambda *_: True)

    settings = {"training.budget": 5.0} if how == "budget" else {}
    with pytest.raises(RunError):
        train(discs, recipe.override(settings), to=tmp_path / "run", callbacks=[ActAtOnce(move)])
    assert not (tmp_path / "run").exists()


def test_what_a_killed_process_left_half_written_is_tidied_up(discs, recipe, tmp_path):
    run = train(discs, recipe.override({"refiner.use": "none"}), to=tmp_path / "run")
    left = [run.folder / f"{TEMPORARY}a.json", run.last / f"{TEMPORARY}b.npz"]
    for path in left:
        path.write_bytes(b"half")
    train(discs, to=run.folder, resume=True)
    assert not any(path.exists() for path in left)


@pytest.fixture
def memory(monkeypatch):
    """How many windows of a batch the memory holds."""
    most, real = {"windows": 2}, PlainStepper.step

    def step(self, images, masks):
        if len(images) > most["windows"]:
            raise RuntimeError("RESOURCE_EXHAUSTED: OOM when allocating tensor\nand much more")
        return real(self, images, masks)

    monkeypatch.setattr(PlainStepper, "step", step)
    return most


def test_a_step_that_does_not_fit_says_which_batch_to_try(discs, recipe, memory, tmp_path):
    with pytest.raises(OutOfMemoryError, match="of 4 windows of 32×32 does not fit") as told:
        train(discs, recipe, to=tmp_path / "run")
    assert "training.batch_size=2" in told.value.hint
    memory["windows"] = 0
    one = recipe.override({"training.batch_size": 1})
    with pytest.raises(OutOfMemoryError, match="of 1 window of") as told:
        train(discs, one, to=tmp_path / "one")
    assert "data.size" in told.value.hint


def test_where_it_is_allowed_the_batch_is_halved_until_it_fits(discs, recipe, memory, tmp_path):
    wanted = recipe.override({"training.smaller_batch": True, "training.batch_size": 8})
    run = train(discs, wanted, to=tmp_path / "run")
    assert Recipe.load(run.recipe).training.batch_size == 2
    small = recipe.override({"training.smaller_batch": True, "training.batch_size": 2})
    same = train(discs, small, to=tmp_path / "small")
    assert [row["loss"] for row in run.rows] == [row["loss"] for row in same.rows]


def test_a_batch_is_not_halved_once_something_is_saved(discs, recipe, memory, tmp_path):
    memory["windows"] = 4
    wanted = recipe.override({"training.smaller_batch": True})

    def shrink():
        memory["windows"] = 2

    with pytest.raises(OutOfMemoryError):
        train(discs, wanted, to=tmp_path / "run", callbacks=[Act(shrink)])
    assert Recipe.load(tmp_path / "run" / "recipe.toml").training.batch_size == 4


def test_where_only_the_validation_does_not_fit_the_batch_is_halved_too(
    discs, recipe, tmp_path, monkeypatch
):
    real = PlainStepper.test

    def test(self, images, masks):
        if len(images) > 1:
            raise RuntimeError("RESOURCE_EXHAUSTED: OOM when allocating tensor")
        return real(self, images, masks)

    monkeypatch.setattr(PlainStepper, "test", test)
    wanted = recipe.override({"training.smaller_batch": True, "training.batch_size": 2})
    run = train(discs, wanted, to=tmp_path / "run")
    assert Recipe.load(run.recipe).training.batch_size == 1
    with pytest.raises(OutOfMemoryError, match="A batch of the validation"):
        train(discs, wanted.override({"training.smaller_batch": False}), to=tmp_path / "no")
