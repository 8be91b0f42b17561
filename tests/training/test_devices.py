import json

import keras
import pytest

from delineate.recipe import Runtime
from delineate.training import devices


def test_the_environment_is_plain_json_and_names_the_versions():
    found = json.loads(json.dumps(devices.environment()))
    assert found["backend"] == keras.backend.backend()
    assert found["versions"]["keras"] == keras.__version__
    assert found["cores"] >= 1


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(devices, "PACKAGES", ("keras", "no-such-package"))
    assert list(devices.versions()) == ["keras"]


@pytest.mark.parametrize("threads", [None, 2])
def test_the_same_seed_draws_the_same_numbers(threads):
    draws = []
    for _ in range(2):
        devices.set_up(Runtime(seed=7, threads=threads))
        draws.append(keras.ops.convert_to_numpy(keras.random.normal((3,))).tolist())
    assert draws[0] == draws[1]
