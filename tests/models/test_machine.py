import json
from types import SimpleNamespace

import keras
import pytest

from delineate import share
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
    monkeypatch.setattr(share, "GROUPS_OF_PROCESS", tmp_path / "groups")
    monkeypatch.setattr(share, "GROUPS", tmp_path / "tree")
    sizes = {"SC_PHYS_PAGES": 2**22, "SC_PAGE_SIZE": 2**12}
    monkeypatch.setattr(share.os, "sysconf", sizes.__getitem__)
    assert machine.machine()["memory_gib"] == gib


@pytest.mark.parametrize(
    ("affinity", "allowed", "cores"),
    [
        (8, None, 8),
        (3, None, 3),
        (8, "max 100000", 8),
        (8, "250000 100000", 3),
        (8, "50000 100000", 1),
    ],
)
def test_the_cores_are_those_that_the_process_may_use(
    tmp_path, monkeypatch, affinity, allowed, cores
):
    (tmp_path / "groups").write_text("0::/job\n")
    (tmp_path / "job").mkdir()
    if allowed:
        (tmp_path / "job" / "cpu.max").write_text(f"{allowed}\n")
    monkeypatch.setattr(share, "GROUPS_OF_PROCESS", tmp_path / "groups")
    monkeypatch.setattr(share, "GROUPS", tmp_path)
    monkeypatch.setattr(share.os, "cpu_count", lambda: 8)
    own = set(range(affinity))
    monkeypatch.setattr(share.os, "sched_getaffinity", lambda process: own, raising=False)
    assert machine.machine()["cores"] == cores


def test_an_accelerator_is_told_by_its_name(monkeypatch):
    assert machine.machine()["accelerator"] is None
    monkeypatch.setattr(machine, "device", lambda: "gpu")
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        found = SimpleNamespace(name="H100", total_memory=80 * 2**30)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: found)
        expected = {"name": "H100", "memory_gib": 80.0}
    elif backend == "jax":
        import jax

        found = SimpleNamespace(device_kind="H100", memory_stats=lambda: {"bytes_limit": 2**35})
        monkeypatch.setattr(jax, "devices", lambda: [found])
        expected = {"name": "H100", "memory_gib": 32.0}
    else:
        import tensorflow as tf

        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first"])
        told = {"device_name": "H100"}
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda place: told)
        expected = {"name": "H100", "memory_gib": None}
    assert machine.machine()["accelerator"] == expected
