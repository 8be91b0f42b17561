import csv

import numpy as np
import pytest

from delineate.decoding.run_lengths import decode
from delineate.errors import DataError
from delineate.prediction.run_length_file import run_length_file
from tests.run_lengths import write_run_lengths

SQUARES = np.kron(np.array([[0, 3], [8, 0]]), np.ones((3, 2), int))


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_each_object_has_a_row_and_an_image_without_objects_an_empty_one(tmp_path):
    path = tmp_path / "new" / "cells.csv"
    images = [("b", SQUARES), ("none", np.zeros((4, 4), np.int32)), ("ä, 1", SQUARES.T > 0)]
    images[2] = images[2][0], images[2][1].astype(np.uint8)
    write_run_lengths(path, iter(images))
    rows = rows_of(path)
    assert rows[0] == ["ImageId", "EncodedPixels"]
    assert [row[0] for row in rows[1:]] == ["b", "b", "none", "ä, 1"]
    assert rows[3] == ["none", ""]
    found, _ = decode([runs for name, runs in rows[1:] if name == "b"], SQUARES.shape)
    np.testing.assert_array_equal(found, np.searchsorted([0, 3, 8], SQUARES))
    assert path.read_bytes().count(b"\r") == 0


def test_a_name_that_is_no_text_is_written_as_its_bytes(tmp_path):
    path = tmp_path / "cells.csv"
    write_run_lengths(path, [(b"caf\xe9".decode("utf-8", "surrogateescape"), SQUARES)])
    assert path.read_bytes().splitlines()[1].startswith(b"caf\xe9,")


def test_without_images_there_is_the_header_alone(tmp_path):
    write_run_lengths(tmp_path / "cells.csv", [])
    assert rows_of(tmp_path / "cells.csv") == [["ImageId", "EncodedPixels"]]


def test_a_loop_adds_images_one_by_one_and_the_file_comes_last(tmp_path):
    path = tmp_path / "cells.csv"
    with run_length_file(path) as add:
        add("a", SQUARES)
        assert not path.exists()
    assert len(rows_of(path)) == 3


@pytest.mark.parametrize("second", [("a", SQUARES), ("b", SQUARES - 1)], ids=["name", "array"])
def test_after_an_error_the_previous_file_stands_and_nothing_else(tmp_path, second):
    path = tmp_path / "cells.csv"
    path.write_text("before")
    with pytest.raises(DataError) as caught:
        write_run_lengths(path, [("a", SQUARES), second])
    assert caught.value.hint
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_two_images_of_one_name_are_refused_with_it(tmp_path):
    with pytest.raises(DataError, match="Two images are called 'a'"):
        write_run_lengths(tmp_path / "cells.csv", [("a", SQUARES), ("a", SQUARES)])
