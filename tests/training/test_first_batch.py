"""The sheet of the first batch shows what the first step is given."""

import keras
import numpy as np
import pytest
from PIL import Image

from delineate.data.batches import Batches
from delineate.data.dataset import Dataset
from delineate.data.pipeline import TrainingWindows
from delineate.errors import DataError
from delineate.recipe import Augment
from delineate.runs import Run
from delineate.training import first_batch as module
from delineate.training.first_batch import draw_first_batch
from delineate.training.parts import assemble
from delineate.training.train import train

COLOURS = [(0, 0, 0), (230, 159, 0)]
NAMES = ("ground", "disc")


def batches_of(dataset, batch_size, **options):
    windows = TrainingWindows(dataset, (16, 24), "crop", 3, Augment(rotation=30), seed=2, **options)
    return Batches(windows, batch_size=batch_size, seed=2, shuffle=True)


@pytest.fixture
def shown(monkeypatch):
    """What is put on the sheet: samples, and the names in the legend."""
    seen = []

    def sheet(samples, colours, *, names):
        assert colours == COLOURS
        seen.append((list(samples), names))
        return b"\x89PNG"

    monkeypatch.setattr(module, "sample_sheet", sheet)
    return seen


def test_the_sheet_shows_the_windows_of_the_first_step_as_the_network_is_given_them(discs, shown):
    batches = batches_of(discs, 5, normalise="range")
    assert draw_first_batch(batches, COLOURS, names=NAMES) == b"\x89PNG"
    samples, names = shown[0]
    images, masks = batches.batch(0, 0)
    assert names == NAMES
    assert len(samples) == 5
    for (_, image, mask), given, truth in zip(samples, images, masks, strict=True):
        np.testing.assert_array_equal(image, given)
        np.testing.assert_array_equal(mask, truth)
        # Of another type, 255 would be a class and an image would be stretched.
        assert (image.dtype, mask.dtype) == (np.uint8, np.uint8)


def test_each_window_is_named_with_its_sample_and_its_values(discs, shown):
    batches = batches_of(discs, 3)
    draw_first_batch(batches, COLOURS, names=NAMES)
    for index, (name, image, _) in zip(batches.order(0), shown[0][0], strict=False):
        assert name == f"{index}: {image.min()}-{image.max()}"


def test_no_more_than_24_windows_are_drawn_and_none_beyond_them_is_made(discs, shown, monkeypatch):
    made = []
    real = TrainingWindows.window
    monkeypatch.setattr(
        TrainingWindows, "window", lambda *place: made.append(place) or real(*place)
    )
    draw_first_batch(batches_of(discs, 40, per_image=10), COLOURS, names=NAMES)
    assert len(shown[0][0]) == len(made) == 24


class Stop(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise KeyboardInterrupt


def test_a_run_has_its_first_batch_before_the_first_step(discs, recipe, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(discs, recipe, to=tmp_path / "run", callbacks=[Stop()])
    run = Run(tmp_path / "run")
    assert run.rows == []
    with Image.open(run.batch) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 4 * 176
    parts = assemble(discs, recipe)
    assert run.batch.read_bytes() == draw_first_batch(
        parts.batches, discs.colours, names=discs.classes
    )


@pytest.mark.parametrize("kind", ["range", "stain"])
def test_the_bundle_of_a_run_says_how_images_are_normalised(discs, recipe, kind):
    parts = assemble(discs, recipe.override({"data.normalise": kind}))
    assert parts.card.normalisation == kind
    assert parts.batches.windows.normalise == parts.validation.windows.normalise == kind
    assert parts.predictor().card.normalisation == kind


def test_stains_are_not_looked_for_in_grey_images(discs, recipe):
    grey = Dataset.from_arrays(
        [sample.image[..., :1] for sample in discs],
        [sample.mask for sample in discs],
        splits=[record.split for record in discs.records],
    )
    with pytest.raises(DataError, match="1 channels of uint8"):
        assemble(grey, recipe.override({"data.normalise": "stain"}))
