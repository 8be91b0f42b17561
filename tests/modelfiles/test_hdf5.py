"""HDF5 files from elsewhere: their numbers and texts, written anew; the probes have the rest."""

import errno
from pathlib import Path

import h5py
import numpy as np
import pytest

from delineate.errors import BundleError, WeightsError
from delineate.modelfiles import hdf5, raw_tensors
from delineate.modelfiles.hdf5 import most_bytes, plain_copy, tensors_in
from delineate.modelfiles.hdf5_reading import read

FULL = Path("/dev/full")
KINDS = ["f2", "f4", "f8", ">f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", "?"]


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file.attrs["backend"] = "tensorflow"
        file.attrs["layer_names"] = [b"first", b"second"]
        group = file.create_group("first/vars")
        group.attrs["name"] = "größer"
        group.attrs["weight_names"] = []
        group.attrs["number"] = 3
        group.attrs["numbers"] = np.arange(3)
        group["0"] = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
        file.create_group("empty")
    return tmp_path / "own.h5"


def test_numbers_groups_and_texts_are_those_of_the_file(path):
    with plain_copy(path) as plain, h5py.File(plain) as file:
        assert file.attrs["backend"] == "tensorflow"
        assert list(file.attrs["layer_names"]) == ["first", "second"]
        assert dict(file["first/vars"].attrs).keys() == {"name", "weight_names"}
        assert file["first/vars"].attrs["name"] == "größer"
        assert len(file["first/vars"].attrs["weight_names"]) == 0
        np.testing.assert_array_equal(file["first/vars/0"][()], np.arange(6).reshape(1, 2, 3))
        assert sorted(file) == ["empty", "first"]
        assert plain.name.endswith(".weights.h5")
    assert not plain.exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_numbers_of_each_type_and_shape_are_kept(tmp_path, kind, shape):
    values = np.random.default_rng(0).integers(0, 2, shape).astype(kind)
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["values"] = values
    with plain_copy(tmp_path / "own.h5") as plain, h5py.File(plain) as file:
        found = file["values"]
        assert found.dtype == values.dtype.newbyteorder("<")
        np.testing.assert_array_equal(found[()], values)


def test_compressed_numbers_and_long_lists_of_names_are_read(tmp_path):
    names = [f"{number:0100}" for number in range(2000)]
    with h5py.File(tmp_path / "own.h5", "w", libver="latest") as file:
        file.attrs["layer_names"] = names
        file.create_dataset("0", data=np.ones((64, 64), np.float32), compression="gzip")
    with plain_copy(tmp_path / "own.h5") as plain, h5py.File(plain) as file:
        assert list(file.attrs["layer_names"]) == names
        assert file["0"][()].sum() == 64 * 64


def test_tensors_are_counted_by_shape_and_type(path):
    with h5py.File(path, "r+") as file:
        file["second"] = np.zeros((1, 2, 3), np.float32)
        file["byte"] = np.zeros((1, 2, 3), np.uint8)
        file["half"] = np.zeros((1, 2, 3), np.float16)
        file["third"] = np.zeros((), ">f4")
    with plain_copy(path) as plain:
        assert tensors_in(plain) == {
            ((1, 2, 3), "float32"): 2,
            ((1, 2, 3), "integers"): 1,
            ((1, 2, 3), "float16"): 1,
            ((), "float32"): 1,
        }


def test_more_numbers_than_allowed_are_refused(path, monkeypatch):
    monkeypatch.setattr(raw_tensors, "MOST_BYTES", 20)
    with (
        pytest.raises(WeightsError, match=r"own\.h5 cannot be read .* more than 20 bytes") as error,
        plain_copy(path),
    ):
        pass
    assert error.value.hint


def test_a_small_number_counts_as_one_of_four_bytes(tmp_path, monkeypatch):
    """Whoever takes it may make one of it."""
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["0"] = np.zeros(6, np.uint8)
    monkeypatch.setattr(raw_tensors, "MOST_BYTES", 24)
    with plain_copy(tmp_path / "own.h5"):
        pass
    monkeypatch.setattr(raw_tensors, "MOST_BYTES", 23)
    with pytest.raises(WeightsError, match="more than 23 bytes"), plain_copy(tmp_path / "own.h5"):
        pass


def test_the_most_bytes_grow_with_the_file_between_their_ends():
    sizes = (0, 2**20, 2**23, 2**40)
    assert list(map(most_bytes, sizes)) == [2**26, 2**26, 2**27, 6 * 2**30]


def test_a_file_that_is_not_there_is_told(tmp_path):
    with (
        pytest.raises(WeightsError, match=r"nowhere\.h5 cannot be read"),
        plain_copy(tmp_path / "nowhere.h5"),
    ):
        pass


def test_the_name_in_errors_may_be_another(tmp_path):
    (tmp_path / "inner").write_bytes(b"no HDF5")
    with (
        pytest.raises(WeightsError, match=r"^model\.keras cannot be read as a file of Keras"),
        plain_copy(tmp_path / "inner", name="model.keras"),
    ):
        pass


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"groups": None, "tensors": []},
        {"groups": [{"place": "a"}], "tensors": []},
        {"groups": [], "tensors": [{"place": "a", "dtype": "O", "shape": [], "attributes": {}}]},
        {
            "groups": [],
            "tensors": [{"place": "a", "dtype": "<f4", "shape": [-1], "attributes": {}}],
        },
        {"groups": [], "tensors": [{"place": "a", "dtype": "<f4", "shape": [9], "attributes": {}}]},
        {"groups": [], "tensors": [{"place": "a", "dtype": "<f4", "shape": [2**60]}]},
    ],
)
def test_what_a_child_says_is_not_believed(path, monkeypatch, answer):
    def lie(module, said, **_):
        Path(said["to"]).write_bytes(bytes(8))
        return answer

    monkeypatch.setattr(hdf5, "run_child", lie)
    with pytest.raises(WeightsError, match="cannot be read"), plain_copy(path):
        pass


def test_limits_that_are_passed_name_the_file(path, monkeypatch):
    def give_up(module, said, *, limits, name):
        raise BundleError(f"{name} could not be opened within {limits}.", hint="Get another.")

    monkeypatch.setattr(hdf5, "run_child", give_up)
    with (
        pytest.raises(BundleError, match=r"own\.h5 could not be opened within 9 s and 2 GB"),
        plain_copy(path),
    ):
        pass


@pytest.mark.parametrize(
    "where",
    ["temporary.TemporaryDirectory", "modelfiles.hdf5.run_child", "modelfiles.hdf5._write"],
)
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Can't decrement id ref count (file write failed: errno = 28, ...)"),
    ],
    ids=["system", "HDF5"],
)
def test_a_full_temporary_folder_is_no_fault_of_the_file(path, monkeypatch, where, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(f"delineate.{where}", fail)
    with (
        pytest.raises(BundleError, match=r"temporary folder .* has no room .*own\.h5") as told,
        plain_copy(path),
    ):
        pass
    assert "TMPDIR" in told.value.hint


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
def test_a_child_tells_of_a_full_temporary_folder(path):
    said = {"file": str(path), "to": str(FULL), "most": 10**6, "name": "own.h5"}
    with pytest.raises(BundleError, match=r"has no room for what is in own\.h5"):
        read(said, {})
