import json
from dataclasses import replace

import keras
import pytest

from delineate.models import probe
from delineate.models.machine import machine
from delineate.models.probe import Trial, paces_of
from delineate.recipe import Model


def pace_of(trial, folder):
    return paces_of([trial], folder=folder)[0]


def measuring(pace, told):
    """What stands in for measuring: tells each trial, and returns a pace for it."""

    def measure(trials):
        told.extend(trials)
        return [pace for _ in trials]

    return measure


TRIAL = Trial(Model(depth=1, filters=4), classes=2, channels=3, size=(16, 16), batch_size=2)


def test_a_pace_is_measured_and_kept(tmp_path, monkeypatch):
    first = pace_of(TRIAL, folder=tmp_path)
    assert first.images_per_second > 0
    assert first.compiling > 0
    monkeypatch.setattr(probe, "_measure", lambda trials: pytest.fail("they are known"))
    assert pace_of(TRIAL, folder=tmp_path) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"size": (32, 16)},
        {"batch_size": 4},
        {"precision": "bfloat16"},
        {"model": Model(filters=5)},
        {"compiled": True},
        {"fused": False},
        {"threads": 1},
        {"deterministic": False},
    ],
)
def test_another_trial_is_measured_anew(tmp_path, monkeypatch, changes):
    measured = []
    monkeypatch.setattr(probe, "_measure", measuring(probe.Pace(1, 2), measured))
    pace_of(TRIAL, folder=tmp_path)
    pace_of(Trial(**{**TRIAL.__dict__, **changes}), folder=tmp_path)
    assert len(measured) == 2


def test_another_machine_is_measured_anew(tmp_path, monkeypatch):
    """A home folder may be shared by machines, and a container get another share of one."""
    measured = []
    monkeypatch.setattr(probe, "_measure", measuring(probe.Pace(1, 2), measured))
    pace_of(TRIAL, folder=tmp_path)
    real = probe.machine()
    for changes in ({"cores": real["cores"] + 1}, {"accelerator": {"name": "another"}}):
        monkeypatch.setattr(probe, "machine", lambda changes=changes: real | changes)
        pace_of(TRIAL, folder=tmp_path)
        pace_of(TRIAL, folder=tmp_path)
    assert len(measured) == 3


def test_what_is_compared_is_measured_together(tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(probe, "_measure", measuring(probe.Pace(1, 2), measured))
    both = [TRIAL, replace(TRIAL, precision="bfloat16")]
    paces_of(both[:1], folder=tmp_path)
    paces_of(both, folder=tmp_path)
    assert measured == [*both[:1], *both], "the first one again, as the machine may be busier now"
    paces_of(both, folder=tmp_path)
    assert len(measured) == 3


def test_what_the_encoder_begins_with_changes_no_pace(tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(probe, "_measure", measuring(probe.Pace(1, 2), measured))
    pace_of(TRIAL, folder=tmp_path)
    model = TRIAL.model.model_copy(update={"weights": "somewhere.h5"})
    pace_of(Trial(**{**TRIAL.__dict__, "model": model}), folder=tmp_path)
    assert [trial.model.weights for trial in measured] == [None]


@pytest.mark.parametrize("settings", [{"statistics": "frozen"}, {"freeze": "all"}])
def test_an_encoder_with_weights_is_measured_without_them(tmp_path, settings):
    model = Model(encoder="mobilenetv2", width=0.35, depth=2, weights="none.h5", **settings)
    trial = Trial(model, classes=2, channels=3, size=(32, 32), batch_size=2)
    assert pace_of(trial, folder=tmp_path).images_per_second > 0


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"images_per_second": 1}'])
def test_a_damaged_note_is_measured_anew(tmp_path, monkeypatch, content):
    monkeypatch.setattr(probe, "_measure", measuring(probe.Pace(3.0, 4.0), []))
    pace_of(TRIAL, folder=tmp_path)
    note = next(tmp_path.iterdir())
    note.write_text(content)
    assert pace_of(TRIAL, folder=tmp_path).images_per_second == 3.0
    assert json.loads(note.read_text())["compiling"] == 4.0


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "_measure", measuring(probe.Pace(3.0, 4.0), []))
    (tmp_path / "file").write_text("in the way")
    assert pace_of(TRIAL, folder=tmp_path / "file").compiling == 4.0


def more_than_any_memory(trials):
    values = keras.ops.ones((2**20, 2**20, 2**6))
    return keras.ops.convert_to_numpy(keras.ops.sum(values))


def as_on_a_gpu(trials):
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of 8 GiB")


@pytest.mark.parametrize("measure", [more_than_any_memory, as_on_a_gpu])
def test_a_full_memory_is_one_error_whatever_the_backend_calls_it(tmp_path, monkeypatch, measure):
    monkeypatch.setattr(probe, "_measure", measure)
    with pytest.raises(MemoryError, match="2 windows"):
        pace_of(TRIAL, folder=tmp_path)
    assert not list(tmp_path.iterdir()), "there may be more memory the next time"


def test_a_batch_that_no_memory_holds_is_told(tmp_path):
    trial = replace(TRIAL, batch_size=2**24, size=(4096, 4096))
    with pytest.raises(MemoryError):
        pace_of(trial, folder=tmp_path)


def test_another_error_stays_what_it_is(tmp_path, monkeypatch):
    def measure(trials):
        raise ValueError("wrong shape")

    monkeypatch.setattr(probe, "_measure", measure)
    with pytest.raises(ValueError, match="wrong shape"):
        pace_of(TRIAL, folder=tmp_path)


def test_the_machine_is_told_in_plain_values():
    assert json.loads(json.dumps(machine()))["cores"] >= 1
