import logging
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from delineate import backend
from delineate.backend import BACKENDS, choose_backend
from delineate.errors import BackendError, UsageError


@pytest.fixture
def machine(monkeypatch):
    """A machine with no backend, no GPU and a Keras that has not been imported."""
    state = SimpleNamespace(installed=set(), imported=[], gpu=False)
    exists = Path.exists
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(backend, "find_spec", lambda name: name in state.installed or None)
    monkeypatch.setattr(backend, "import_module", state.imported.append)
    monkeypatch.setattr(
        Path,
        "exists",
        lambda path: state.gpu if str(path).startswith("/proc/driver") else exists(path),
    )
    yield state
    # What the tests set is not in the way of the other tests.
    os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
    os.environ.pop("KERAS_BACKEND", None)


def loaded_keras(monkeypatch, name):
    keras = ModuleType("keras")
    keras.backend = SimpleNamespace(backend=lambda: name)
    monkeypatch.setitem(sys.modules, "keras", keras)


@pytest.mark.parametrize(
    ("installed", "gpu", "chosen"),
    [
        ({"tensorflow", "jax", "torch"}, False, "tensorflow"),
        ({"jax", "torch"}, False, "jax"),
        ({"torch"}, False, "torch"),
        ({"tensorflow", "jax", "torch"}, True, "jax"),
        ({"tensorflow", "torch"}, True, "torch"),
        ({"tensorflow"}, True, "tensorflow"),
    ],
)
def test_the_first_installed_backend_is_chosen_in_the_order_for_the_machine(
    machine, installed, gpu, chosen
):
    machine.installed, machine.gpu = installed, gpu
    assert choose_backend() == chosen
    assert os.environ["KERAS_BACKEND"] == chosen
    assert machine.imported == ["keras"]


def test_tensorflow_does_not_warn_of_each_new_size(machine, caplog):
    machine.installed = {"tensorflow"}
    choose_backend()
    logger = logging.getLogger("tensorflow")
    logger.propagate, before = True, logger.propagate
    try:
        logger.warning("5 out of the last %d calls triggered tf.function retracing.", 5)
        logger.warning("Something else.")
    finally:
        logger.propagate = before
    assert caplog.messages == ["Something else."]


def test_what_is_wanted_comes_before_what_is_first(machine):
    machine.installed = set(BACKENDS)
    assert choose_backend("torch") == "torch"


def test_the_environment_comes_before_what_is_wanted(machine, monkeypatch):
    machine.installed = set(BACKENDS)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert choose_backend("torch") == "jax"


def test_without_any_backend_the_way_to_install_one_is_told(machine):
    with pytest.raises(BackendError, match="No Keras backend is installed") as caught:
        choose_backend()
    assert "pip install 'delineate[tensorflow]'" in caught.value.hint
    assert machine.imported == []


@pytest.mark.parametrize("name", BACKENDS)
def test_a_wanted_backend_that_is_not_installed_is_refused(machine, name):
    machine.installed = set(BACKENDS) - {name}
    with pytest.raises(BackendError, match=f"'{name}' is not installed") as caught:
        choose_backend(name)
    assert f"pip install 'delineate[{name}]'" in caught.value.hint
    assert "KERAS_BACKEND" not in os.environ


def test_an_unknown_backend_is_refused_with_the_nearest_name(machine, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflo")
    with pytest.raises(UsageError, match=r"'tensorflo' .*Did you mean 'tensorflow'\?") as caught:
        choose_backend()
    assert caught.value.exit_code == 2


def test_a_keras_that_runs_already_keeps_its_backend(machine, monkeypatch):
    loaded_keras(monkeypatch, "jax")
    assert choose_backend() == choose_backend("jax") == "jax"
    assert machine.imported == []


def test_another_backend_than_the_one_that_runs_is_refused(machine, monkeypatch):
    loaded_keras(monkeypatch, "jax")
    with pytest.raises(
        BackendError, match=r"asks for the backend 'torch'.*runs on 'jax'"
    ) as caught:
        choose_backend("torch")
    assert "KERAS_BACKEND=torch" in caught.value.hint
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert choose_backend("torch") == "jax"


def test_what_is_said_while_keras_is_imported_is_held_back(machine, monkeypatch, capfd):
    machine.installed = {"torch"}
    monkeypatch.setattr(backend, "import_module", lambda _name: os.write(2, b"chatter\n"))
    choose_backend()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_is_said_is_let_out_where_the_import_fails(machine, monkeypatch, capfd):
    def fail(_name):
        os.write(2, b"the reason\n")
        raise ImportError("no libx")

    machine.installed = {"torch"}
    monkeypatch.setattr(backend, "import_module", fail)
    with pytest.raises(ImportError, match="no libx"):
        choose_backend()
    assert capfd.readouterr().err == "the reason\n"
