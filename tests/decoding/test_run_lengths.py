"""Run lengths, against a plain loop over the pixels and the example of the Data Science Bowl."""

import time

import numpy as np
import pytest

from delineate.decoding.run_lengths import decode, encode
from delineate.errors import DataError, ImageError


def reference_encode(instances):
    """The runs of each object, pixel by pixel."""
    flat = np.ravel(instances, order="F")
    found = []
    for number in np.unique(flat[flat > 0]):
        runs = []
        for pixel in np.flatnonzero(flat == number) + 1:
            if runs and runs[-1][0] + runs[-1][1] == pixel:
                runs[-1][1] += 1
            else:
                runs.append([pixel, 1])
        found.append(" ".join(f"{start} {length}" for start, length in runs))
    return found


def reference_decode(runs, size):
    """The objects and their overlap, pixel by pixel."""
    flat, overlap = np.zeros(size[0] * size[1], int), 0
    for number, text in enumerate(runs, 1):
        values = [int(word) for word in text.split()]
        pairs = zip(values[::2], values[1::2], strict=True)
        pixels = {pixel - 1 for start, length in pairs for pixel in range(start, start + length)}
        overlap += sum(flat[pixel] > 0 for pixel in pixels)
        for pixel in pixels:
            flat[pixel] = number
    return flat.reshape(size, order="F"), overlap


def objects(seed, size=(13, 17)):
    """Random squares, of which some touch, are parted by others or reach over the border."""
    rng = np.random.default_rng(seed)
    instances = np.zeros(size, np.int32)
    for number in rng.permutation(40)[:12] + 1:
        row, column = rng.integers(-3, size[0]), rng.integers(-3, size[1])
        instances[max(row, 0) : row + 5, max(column, 0) : column + 4] = number
    return instances


def test_the_example_of_the_competition_is_read_and_written():
    # "'1 3 10 5' implies pixels 1,2,3,10,11,12,13,14 are to be included in the mask", and "1 is
    # pixel (1,1), 2 is pixel (2,1)".
    found, overlap = decode(["1 3 10 5"], (4, 5))
    assert [(row, column) for column in range(5) for row in range(4) if found[row, column]] == [
        ((pixel - 1) % 4, (pixel - 1) // 4) for pixel in (1, 2, 3, 10, 11, 12, 13, 14)
    ]
    assert overlap == 0
    assert encode(found) == ["1 3 10 5"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint16, np.int64])
def test_objects_are_written_as_a_plain_loop_writes_them(seed, kind):
    instances = objects(seed).astype(kind)
    assert encode(instances) == reference_encode(instances)
    turned = instances[::-1].T
    assert encode(turned) == reference_encode(turned)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_written_is_read_again_with_ids_from_one(seed):
    instances = objects(seed)
    found, overlap = decode(encode(instances), instances.shape)
    ids = np.unique(instances[instances > 0])
    np.testing.assert_array_equal(found, np.searchsorted([0, *ids], instances))
    assert (found.dtype, found.flags.c_contiguous, overlap) == (np.int32, True, 0)


@pytest.mark.parametrize("seed", range(6))
def test_runs_in_any_order_and_upon_each_other_are_read_as_by_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    runs = []
    for count in rng.integers(0, 6, 8):
        starts, lengths = rng.integers(1, 60, count), rng.integers(1, 17, count)
        pairs = zip(starts, lengths, strict=True)
        runs.append("  ".join(f"{start} {length}" for start, length in pairs))
    found, overlap = decode(runs, (7, 11))
    expected, shared = reference_decode(runs, (7, 11))
    np.testing.assert_array_equal(found, expected)
    assert overlap == shared > 0


def test_borders_and_runs_over_several_columns_are_whole():
    for text in ("1 1", "20 1", "1 20", "4 2", "3 7"):
        found, _ = decode([text], (4, 5))
        np.testing.assert_array_equal(found, reference_decode([text], (4, 5))[0])
        assert encode(found) == [text]


def test_no_object_and_no_pixel_are_no_fault():
    assert encode(np.zeros((3, 4), int)) == encode(np.zeros((0, 4), int)) == []
    found, overlap = decode(["", "2 1", " "], (2, 2))
    assert found.tolist() == [[0, 0], [2, 0]]
    assert (overlap, decode([], (2, 2))[0].any()) == (0, False)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 3 10", "Object 2 has 3 values, so a start has no length"),
        ("0 3", "Object 2: run 1 has the start 0"),
        ("1 1 -4 3", "Object 2: run 2 has the start -4"),
        ("1 1 3 0", "Object 2: run 2 has the length 0"),
        ("5 -1", "Object 2: run 1 has the length -1"),
        ("1 2 19 3", r"the run '19 3' ends outside the image of 4×5 pixels \(height×width\)"),
        ("1 999999999999999999", "ends outside the image"),
        ("999999999999999999 999999999999999999", "ends outside the image"),
        ("1 9999999999999999999", "'9999999999999999999' is no whole number of up to 18 digits"),
        ("1 2.0", r"'2\.0' is no whole number"),
        ("1,2", "'1,2' is no whole number"),
        ("nan", "'nan' is no whole number"),
        ("1 ٣", "'٣' is no whole number"),
        ("1 1_0", "'1_0' is no whole number"),
    ],
)
def test_damaged_runs_are_named_with_the_object_and_a_hint(text, complaint):
    with pytest.raises(ImageError, match=complaint) as caught:
        decode(["1 1", text], (4, 5))
    assert caught.value.hint


def test_an_error_calls_the_object_what_the_caller_calls_it():
    with pytest.raises(ImageError, match=r"^labels\.csv, line 7: run 1"):
        decode(["1 1", "0 1"], (4, 5), origins=["labels.csv, line 3", "labels.csv, line 7"])


@pytest.mark.parametrize(
    "instances",
    [np.zeros((2, 2, 1), int), np.zeros((2, 2)), np.array([[0, -2]]), np.ones((2, 2), bool)],
    ids=["three dimensions", "floats", "negative", "bool"],
)
def test_what_is_no_array_of_object_ids_is_refused(instances):
    with pytest.raises(DataError, match="The instances are") as caught:
        encode(instances)
    assert "whole object ids" in caught.value.hint


def test_thousands_of_objects_take_about_a_second():
    tile = np.zeros((28, 28), np.int32)
    tile[2:25, 4:20] = 1
    number = np.kron(np.arange(1, 5042).reshape(71, 71), tile > 0).astype(np.int32)
    instances = np.pad(number, ((0, 2048 - 1988), (0, 2048 - 1988)))
    before = time.process_time()
    runs = encode(instances)
    found, _ = decode(runs, instances.shape)
    assert time.process_time() - before < 4
    assert len(runs) == 5041
    np.testing.assert_array_equal(found, instances)
