"""A training looks at its data first."""

import json
import logging

import keras
import numpy as np
import pytest
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.errors import DataError, RunError
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
