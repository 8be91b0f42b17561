"""A training looks at its data first."""

import logging

import numpy as np
import pytest

from delineate.data.dataset import Dataset
from delineate.errors import DataError
from delineate.recipe import Recipe
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
