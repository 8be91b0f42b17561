"""What two equal trainings have in common, and by what others are told from them."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from delineate.bundle import Bundle, Card, Category, Member
from delineate.runs import Run
from delineate.training import checkpoint
from delineate.training.checkpoint import ResumePoint
from tests.campaigns.outcome import differences, model_hash, outcome_of, parts_of

CARD = Card(
    members=(Member(file="model.keras"),),
    classes=tuple(Category(name=name, colour=(0, 0, 0)) for name in "ab"),
    channels=3,
    dtype="uint8",
    fit="crop",
    size=(32, 32),
    stride=2,
    output="softmax",
)


def write_model(path, value, *, date="now"):
    """Write what Keras writes: arrays, and the time."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/dense/vars/0"] = np.full((2, 3), value, np.float32)
        file["layers/dense/vars/1"] = np.zeros(3, np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"date_saved": date}))
        archive.writestr("model.weights.h5", content.getvalue())


def write_run(folder, *, best=1.0, variable=1.0, date="now", **changes):
    """Write a run of one epoch; ``changes`` are of its card."""
    folder.mkdir(parents=True)
    run = Run(folder)
    seconds = len(date)
    events = [
        {"event": "epoch", "scores": {"epoch": 1, "val_loss": 0.5, "seconds": seconds}},
        {"event": "tuned", "time": seconds, "settings": {"threshold": 0.4}},
    ]
    run.write_events(events)
    arrays = [np.full(3, variable)]
    checkpoint.save(run.last, ResumePoint(1, 0, True, 1.0, {}, events, arrays))
    scores = {"val_loss": 0.5, "seconds": seconds, "images_per_second": 1 / seconds}
    card = CARD.model_copy(update={"scores": scores, **changes})
    Bundle.save(run.best, card, lambda at: write_model(at / "model.keras", best, date=date))
    return folder


@pytest.fixture
def whole(tmp_path):
    return outcome_of(write_run(tmp_path / "whole"))


def test_times_and_places_make_no_difference(whole, tmp_path):
    other = write_run(tmp_path / "other" / "place", date="much later")
    assert differences(whole, outcome_of(other)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"best": 2.0}, ".: best"),
        ({"scores": {"val_loss": 0.4}}, ".: best"),
        ({"tile": 512}, ".: best"),
        ({"variable": 2.0}, ".: variables"),
    ],
    ids=str,
)
def test_another_model_card_or_variable_is_a_difference(whole, tmp_path, changes, told):
    assert differences(whole, outcome_of(write_run(tmp_path / "other", **changes))) == [told]


def test_other_rows_and_decisions_are_differences(whole, tmp_path):
    other = Run(write_run(tmp_path / "other"))
    epoch, tuned = other.events()
    other.write_events([epoch, {**tuned, "settings": {"threshold": 0.5}}])
    assert differences(whole, outcome_of(other.folder)) == [".: decisions"]
    other.write_events([epoch, epoch, tuned])
    assert differences(whole, outcome_of(other.folder)) == [".: rows"]


def test_what_only_one_of_them_has_is_a_difference(whole, tmp_path):
    other = write_run(tmp_path / "other")
    write_run(other / "refiner")
    found = [f"refiner: {what}" for what in ("best", "decisions", "rows", "variables")]
    assert differences(whole, outcome_of(other)) == found
    assert [part.folder.name for part in parts_of(other)] == ["other", "refiner"]


def test_the_hash_of_a_model_is_of_its_arrays_alone(tmp_path):
    paths = [tmp_path / f"{number}.keras" for number in range(3)]
    write_model(paths[0], 1.0)
    write_model(paths[1], 1.0, date="later")
    write_model(paths[2], 2.0)
    first, later, other = map(model_hash, paths)
    assert first == later != other
