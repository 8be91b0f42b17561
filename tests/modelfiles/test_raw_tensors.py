"""Tensors that a child hands over; that it is not believed is tested where one is."""

import numpy as np
import pytest

from delineate.modelfiles.raw_tensors import bytes_allowed, put, taken

KINDS = ["f2", "f4", "f8", ">f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", "?"]


def test_tensors_come_back_as_they_were_put(tmp_path):
    rng = np.random.default_rng(0)
    values = [
        rng.integers(0, 2, shape).astype(kind) for kind in KINDS for shape in [(), (0, 3), (2, 3)]
    ]
    values.append(np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1))
    with (tmp_path / "values").open("wb") as out:
        said = [put(out, each) for each in values]
    found = list(taken(tmp_path / "values", said))
    for one, other in zip(values, found, strict=True):
        assert other.dtype == one.dtype.newbyteorder("<")
        np.testing.assert_array_equal(one, other)


def test_the_bytes_allowed_grow_with_the_file_between_their_ends():
    sizes = (0, 2**23, 2**24, 2**40)
    allowed = [bytes_allowed(size, growth=8) for size in sizes]
    assert allowed == [2**26, 2**26, 2**27, 6 * 2**30]


@pytest.mark.parametrize(
    "said",
    [
        {"dtype": "<c8", "shape": [1]},
        {"dtype": "O", "shape": [1]},
        {"dtype": "<f4", "shape": [-1]},
        {"dtype": "<f4", "shape": [3]},
        {"dtype": "<f4", "shape": [2**40, 2**40]},
        {"dtype": "<f4", "shape": [True]},
    ],
    ids=str,
)
def test_tensors_that_are_none_are_refused(tmp_path, said):
    (tmp_path / "values").write_bytes(bytes(8))
    with pytest.raises(ValueError, match=r"it has|it breaks off"):
        list(taken(tmp_path / "values", [said]))
