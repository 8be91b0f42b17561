"""A training looks at its data first."""

import json
import logging

import keras
import numpy as np
import pytest
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.errors import DataError, RunError
from delineate.evaluation.evaluate import evaluate
from delineate.planning.plan import plan
from delineate.recipe import Recipe
from delineate.runs import Run
from delineate.training.train import train

RNG = np.random.default_rng(0)
IMAGES = [
    np.kron(RNG.integers(0, 255, (8, 8, 1), np.uint8), np.ones((4, 4, 3), "B")) for _ in range(8)
]
MASKS = [image[..., 0] // 128 for image in IMAGES]
SETTINGS = {
    "data.size": [16, 16],
    "model.depth": 1,
    "model.filters": 2,
    "training.epochs": 1,
    "evaluation.report": False,
}


def train_with(check, folder, masks=MASKS):
    recipe = Recipe().override({**SETTINGS, "data.check": check})
    return train(Dataset.from_arrays(IMAGES, masks), recipe, to=folder)


def half_in_black_and_white():
    return [mask * (255 if number % 2 else 1) for number, mask in enumerate(MASKS)]


def test_an_error_in_the_data_stops_it_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match="D201") as caught:
        train_with("refuse", tmp_path / "run", half_in_black_and_white())
    assert "delineate check" in caught.value.hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("check", "told"), [("tell", True), ("none", False)])
def test_who_asks_for_it_trains_all_the_same(tmp_path, caplog, check, told):
    with caplog.at_level(logging.WARNING, logger="delineate"):
        run = train_with(check, tmp_path / "run", half_in_black_and_white())
    assert run.best.is_dir()
    assert any("D201" in message for message in caplog.messages) == told


def test_sound_data_is_trained_on_without_a_word(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="delineate"):
        train_with("refuse", tmp_path / "run")
    assert [message for message in caplog.messages if "error" in message] == []


@pytest.fixture
def damaged(tmp_path):
    """A folder of pairs, of which the image ``3`` is cut off."""
    for number, (image, mask) in enumerate(zip(IMAGES, MASKS, strict=True)):
        for kind, array in (("images", image), ("masks", mask)):
            place = tmp_path / "pairs" / kind
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(place / f"{number}.png")
    path = tmp_path / "pairs" / "images" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    return tmp_path / "pairs"


def test_an_image_that_cannot_be_read_stops_it(damaged, tmp_path):
    with pytest.raises(DataError, match=r"3\.png"):
        train(Dataset.open(damaged), Recipe().override(SETTINGS), to=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_where_it_is_asked_for_it_is_named_and_left_out(damaged, tmp_path, caplog):
    recipe = Recipe().override({**SETTINGS, "data.unreadable": "skip"})
    run = train(Dataset.open(damaged), recipe, to=tmp_path / "run")
    assert any("3 is left out" in message for message in caplog.messages)
    stored = json.loads(run.dataset.read_text())["splits"]
    names = sorted(item["name"] for items in stored.values() for item in items)
    assert names == ["0", "1", "2", "4", "5", "6", "7"]
    train(Dataset.open(damaged), to=run.folder, resume=True)


@pytest.mark.parametrize("split", [None, "train"])
def test_what_was_left_out_is_not_scored_either(damaged, tmp_path, split):
    recipe = Recipe().override({**SETTINGS, "data.unreadable": "skip"})
    run = train(Dataset.open(damaged), recipe, to=tmp_path / "run")
    stored = json.loads(run.dataset.read_text())["splits"]
    evaluation = evaluate(run, Dataset.open(damaged), split=split).to_json()
    assert evaluation["split"] == (split or "test")
    assert len(evaluation["images"]) == len(stored[split or "test"])


@pytest.fixture
def stopped(damaged, tmp_path):
    """A training that was stopped in its second epoch; an image of its training part breaks."""

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.params["epochs"] and batch == 0 and len(run.rows) == 1:
                raise KeyboardInterrupt

    run = Run(tmp_path / "run")
    recipe = Recipe().override(
        {**SETTINGS, "data.unreadable": "skip", "training.epochs": 3, "training.batch_size": 1}
    )
    with pytest.raises(KeyboardInterrupt):
        train(Dataset.open(damaged), recipe, to=run.folder, callbacks=[Stop()])
    stored = json.loads(run.dataset.read_text())["splits"]
    path = damaged / "images" / f"{stored['train'][0]['name']}.png"
    path.write_bytes(path.read_bytes()[:60])
    return run, path


def test_what_has_broken_since_is_left_out_of_what_is_resumed_and_that_is_told(
    damaged, stopped, caplog
):
    run, path = stopped
    train(Dataset.open(damaged), to=run.folder, resume=True)
    assert any(f"{path.stem} is left out from now on" in message for message in caplog.messages)
    assert len(run.rows) == 3
    resumed = next(event for event in run.events() if event["event"] == "resumed")
    assert not resumed["exact"]
    assert "1 of the images cannot be read any longer" in resumed["why"]


def test_it_is_refused_where_masks_mean_something_else_besides(damaged, stopped):
    run, _ = stopped
    (damaged / "dataset.toml").write_text("[masks]\nvalues = { 0 = 1, 1 = 0 }\n")
    with pytest.raises(RunError, match="do not mean what they did"):
        train(Dataset.open(damaged), to=run.folder, resume=True)


def test_what_could_not_be_read_for_a_while_is_told_and_not_exact(damaged, tmp_path):
    class Break(keras.callbacks.Callback):
        """Breaks an image after the first epoch, mends it after the second, and then stops."""

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                path.write_bytes(sound[:60])
            if epoch == 1:
                path.write_bytes(sound)

        def on_train_batch_end(self, batch, logs=None):
            if len(run.rows) == 2:
                raise KeyboardInterrupt

    run, path = Run(tmp_path / "run"), damaged / "images" / "3.png"
    Image.fromarray(IMAGES[3]).save(path)
    sound = path.read_bytes()
    said = {"data.unreadable": "skip", "training.epochs": 3, "runtime.workers": 0}
    recipe = Recipe().override({**SETTINGS, **said, "data.test": 0.0, "runtime.seed": 1})
    recipe = recipe.override({"evaluation.report": True})
    with pytest.raises(KeyboardInterrupt):
        train(Dataset.open(damaged, cache=False), recipe, to=run.folder, callbacks=[Break()])
    (told,) = [event for event in run.events() if event["event"] == "left out"]
    assert "3.png" in told["why"][0]
    train(Dataset.open(damaged), to=run.folder, resume=True)
    resumed = next(event for event in run.events() if event["event"] == "resumed")
    assert not resumed["exact"]
    assert any("could not be read for a while" in reason for reason in resumed["why"])
    assert "Left out while it ran:" in run.report.read_text()


def test_an_image_that_is_another_one_since_is_refused(damaged, stopped):
    run, path = stopped
    Image.fromarray(IMAGES[0] // 2).save(path)
    with pytest.raises(RunError, match="not what the run was begun with"):
        train(Dataset.open(damaged), to=run.folder, resume=True)


def test_a_plan_leaves_it_out_too(damaged):
    said = {**SETTINGS, "data.unreadable": "skip"}
    with pytest.raises(DataError, match=r"3\.png"):
        plan(Dataset.open(damaged), settings=SETTINGS)
    assert plan(Dataset.open(damaged), settings=said).fingerprint.images < len(IMAGES)


def test_where_nothing_can_be_read_it_is_an_error(damaged, tmp_path):
    for path in (damaged / "images").iterdir():
        path.write_bytes(b"")
    recipe = Recipe().override({**SETTINGS, "data.unreadable": "skip"})
    with pytest.raises(DataError):
        train(Dataset.open(damaged), recipe, to=tmp_path / "run")
    assert not (tmp_path / "run").exists()
