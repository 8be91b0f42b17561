"""Checkpoints of PyTorch are read by another process, and hold no more than they say."""

import errno
import struct
from pathlib import Path

import numpy as np
import pytest

from delineate.errors import BundleError, WeightsError
from delineate.modelfiles.torch_reading import read
from delineate.models.weights import kinds, torch_files
from delineate.models.weights.torch_files import safetensors_state, torch_state

torch = pytest.importorskip("torch")

FULL = Path("/dev/full")


def save(state, path):
    torch.save(state, path)
    return path


def test_tensors_come_back_as_float32_where_they_are_floats(tmp_path):
    state = {
        "half": torch.arange(6).reshape(2, 3).half(),
        "brain": torch.arange(6).bfloat16(),
        "double": torch.arange(6).double(),
        "whole": torch.arange(6).reshape(1, 2, 3),
        "truth": torch.tensor([True, False]),
        "small": torch.tensor(3, dtype=torch.uint8),
        "empty": torch.zeros(0, 3),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "part": torch.arange(100.0)[10:20:3],
    }
    found = torch_state(save(state, tmp_path / "own.pt"))
    assert list(found) == list(state)
    for name, tensor in state.items():
        expected = tensor.float() if tensor.is_floating_point() else tensor
        assert found[name].dtype == expected.numpy().dtype
        np.testing.assert_array_equal(found[name], expected.numpy())


def test_this_process_unpickles_nothing(tmp_path, monkeypatch):
    path = save({"a": torch.ones(2)}, tmp_path / "own.pt")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it has been opened here"))
    np.testing.assert_array_equal(torch_state(path)["a"], [1, 1])


def test_a_tensor_that_is_larger_than_what_is_stored_of_it_is_refused(tmp_path):
    """40,000,000,000 numbers, of which one is stored: as float32 they are 160 GB."""
    state = {"large": torch.zeros(1, dtype=torch.float16).expand(200_000, 200_000)}
    path = save(state, tmp_path / "own.pt")
    with pytest.raises(WeightsError, match=r"own\.pt cannot be read: large has more") as error:
        torch_state(path)
    assert error.value.hint


def test_many_names_of_one_tensor_are_counted(tmp_path):
    shared = torch.zeros(2**20)
    path = save({str(number): shared for number in range(100)}, tmp_path / "own.pt")
    with pytest.raises(WeightsError, match="its numbers have more than 67108864 bytes"):
        torch_state(path)


def test_two_names_of_one_tensor_are_read(tmp_path):
    shared = torch.arange(3.0)
    found = torch_state(save({"a": shared, "b": shared}, tmp_path / "own.pt"))
    np.testing.assert_array_equal(found["a"], found["b"])


@pytest.mark.parametrize(
    "tensor",
    [
        lambda: torch.zeros(2, dtype=torch.complex64),
        lambda: torch.zeros(2, device="meta"),
    ],
    ids=["complex", "meta"],
)
def test_tensors_without_plain_numbers_are_refused(tmp_path, tensor):
    path = save({"a": tensor()}, tmp_path / "own.pt")
    with pytest.raises(WeightsError, match=r"own\.pt cannot be read"):
        torch_state(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.pt cannot be read"):
        torch_state(tmp_path / "nowhere.pt")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"tensors": None},
        {"tensors": [{"name": "a"}]},
        {"tensors": [{"name": "a", "dtype": "O", "shape": []}]},
        {"tensors": [{"name": "a", "dtype": "<f4", "shape": [-1]}]},
        {"tensors": [{"name": "a", "dtype": "<f4", "shape": [9]}]},
    ],
    ids=str,
)
def test_what_a_child_says_is_not_believed(tmp_path, monkeypatch, answer):
    def lie(module, said, **_):
        Path(said["to"]).write_bytes(bytes(8))
        return answer

    (tmp_path / "own.pt").write_bytes(b"anything")
    monkeypatch.setattr(torch_files, "run_child", lie)
    with pytest.raises(WeightsError, match=r"own\.pt cannot be read"):
        torch_state(tmp_path / "own.pt")


def test_limits_that_are_passed_are_an_error_of_weights(tmp_path, monkeypatch):
    def give_up(module, said, *, accelerated, limits, name):
        raise BundleError(f"{name} could not be opened within {limits}.", hint="Get another.")

    with (tmp_path / "own.pt").open("wb") as file:
        file.truncate(10**8)
    monkeypatch.setattr(torch_files, "run_child", give_up)
    with pytest.raises(WeightsError, match=r"own\.pt could .* within 61 s and 3\.4 GB") as error:
        torch_state(tmp_path / "own.pt")
    assert error.value.hint == "Get another."


@pytest.mark.parametrize("where", ["TemporaryDirectory", "run_child"])
def test_a_full_temporary_folder_is_no_fault_of_the_file(tmp_path, monkeypatch, where):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "own.pt").write_bytes(b"anything")
    monkeypatch.setattr(torch_files, where, fail)
    with pytest.raises(WeightsError, match=r"temporary folder .* no room .*own\.pt") as error:
        torch_state(tmp_path / "own.pt")
    assert "TMPDIR" in error.value.hint


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
def test_a_child_tells_of_a_full_temporary_folder(tmp_path):
    path = save({"a": torch.zeros(2)}, tmp_path / "own.pt")
    said = {"file": str(path), "to": str(FULL), "most": 10**6, "name": "own.pt"}
    with pytest.raises(BundleError, match=r"has no room for what is in own\.pt"):
        read(said, {})


def test_a_file_that_is_too_large_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "MOST_BYTES", 99)
    monkeypatch.setattr(torch_files, "run_child", lambda *_, **__: pytest.fail("it is opened"))
    (tmp_path / "own.pt").write_bytes(bytes(100))
    for read_state in (torch_state, safetensors_state):
        with pytest.raises(WeightsError, match=r"own\.pt has 100 bytes; the limit is 99"):
            read_state(tmp_path / "own.pt")


def test_time_and_memory_have_a_ceiling_for_any_file(tmp_path, monkeypatch):
    def give_up(module, said, *, accelerated, limits, name):
        raise BundleError(f"{name} could not be opened within {limits}.", hint="Get another.")

    with (tmp_path / "own.pt").open("wb") as file:
        file.truncate(4 * 10**9)  # of which the disk holds nothing
    monkeypatch.setattr(torch_files, "run_child", give_up)
    with pytest.raises(WeightsError, match=r"within 100 s and 16 GB"):
        torch_state(tmp_path / "own.pt")


# Safetensors


def test_the_tensors_of_a_safetensors_file_come_in_their_order(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    state = {"b": np.arange(6.0).reshape(2, 3), "a": np.float16([1, 2]), "c": np.int64([3])}
    numpy.save_file(state, tmp_path / "own.safetensors")
    found = safetensors_state(tmp_path / "own.safetensors")
    assert sorted(found) == sorted(state)
    for name, expected in state.items():
        np.testing.assert_array_equal(found[name], expected)
    assert {str(value.dtype) for value in found.values()} == {"float32", "int64"}


@pytest.mark.parametrize("length", [9 * 2**20, 100, 2**64 - 1])
def test_a_file_whose_header_is_too_long_is_not_read(tmp_path, monkeypatch, length):
    pytest.importorskip("safetensors")
    path = tmp_path / "own.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    if length == 9 * 2**20:
        with path.open("r+b") as file:
            file.truncate(10 * 2**20)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it has been read"))
    with pytest.raises(WeightsError, match=f"its header has {length} bytes"):
        safetensors_state(path)


def test_a_file_of_too_many_tensors_is_not_read(tmp_path, monkeypatch):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({str(number): np.zeros(0) for number in range(5)}, tmp_path / "own")
    monkeypatch.setattr(torch_files, "_MOST_TENSORS", 6)
    assert len(safetensors_state(tmp_path / "own")) == 5
    monkeypatch.setattr(torch_files, "_MOST_TENSORS", 5)
    with pytest.raises(WeightsError, match="names more than 5 tensors"):
        safetensors_state(tmp_path / "own")


def test_a_lack_of_memory_is_told(tmp_path, monkeypatch):
    safetensors = pytest.importorskip("safetensors")
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({"a": np.zeros(3)}, tmp_path / "own")

    def fail(_):
        raise MemoryError

    monkeypatch.setattr(safetensors, "deserialize", fail)
    with pytest.raises(WeightsError, match="own cannot be read: MemoryError"):
        safetensors_state(tmp_path / "own")
