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


@pytest.mark.parametrize(
    ("groups", "limits", "gib"),
    [
        # The second version: the group and all that it lies in count.
        ("0::/job/step\n", {"job/memory.max": 2**31, "job/step/memory.max": "max"}, 2.0),
        ("0::/job/step\n", {"job/memory.max": 2**32, "job/step/memory.max": 2**30}, 1.0),
        # In a container the group is the top, whatever its name outside.
        ("0::/outside\n", {"memory.max": 2**29}, 0.5),
        # The first one, whose number for "no limit" is larger than any memory.
        ("5:cpu,memory:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": 2**31}, 2.0),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": 2**63 - 4096}, 16.0),
        ("0::/\n", {}, 16.0),
        (None, {}, 16.0),
    ],
)
def test_the_memory_is_what_the_process_may_use_of_it(tmp_path, monkeypatch, groups, limits, gib):
    if groups is not None:
        (tmp_path / "groups").write_text(groups)
    for name, limit in limits.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n")
    monkeypatch.setattr(machine, "GROUPS_OF_PROCESS", tmp_path / "groups")
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "tree")
    sizes = {"SC_PHYS_PAGES": 2**22, "SC_PAGE_SIZE": 2**12}
    monkeypatch.setattr(machine.os, "sysconf", sizes.__getitem__)
    assert machine.machine()["memory_gib"] == gib
