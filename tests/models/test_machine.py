import json

import keras
import pytest

from delineate.models import machine
from delineate.recipe import Runtime


def test_the_environment_is_plain_json_and_names_the_versions():
    found = json.loads(json.dumps(machine.environment()))
    assert found["backend"] == keras.backend.backend()
    assert found["versions"]["keras"] == keras.__version__
    assert found["cores"] >= 1


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(machine, "PACKAGES", ("keras", "no-such-package"))
    assert list(machine.versions()) == ["keras"]


@pytest.mark.parametrize("threads", [None, 2])
def test_the_same_seed_draws_the_same_numbers(threads):
    draws = []
    for _ in range(2):
        machine.set_up(Runtime(seed=7, threads=threads))
        draws.append(keras.ops.convert_to_numpy(keras.random.normal((3,))).tolist())
    assert draws[0] == draws[1]
