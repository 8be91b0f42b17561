"""Objects as runs of pixels, and back."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.data.layouts.run_length_table import read_table
from delineate.decoding.run_lengths import decode, encode
from delineate.prediction.run_length_file import write_run_lengths
from tests.properties.strategies import label_images, noise, seeds, sizes

# Names of files that a line of text can hold.
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)


def runs_of(text):
    """(start, length) of each run, counted from 1."""
    numbers = [int(word) for word in text.split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@given(label_images())
def test_objects_are_read_as_they_were_written_with_numbers_from_one(instances):
    found, overlap = decode(encode(instances), instances.shape)
    ids = np.unique(instances[instances > 0])
    np.testing.assert_array_equal(found, np.searchsorted([0, *ids], instances))
    assert overlap == 0


@given(label_images())
def test_runs_have_the_pixels_of_their_object_and_ascend_without_touching(instances):
    ids = np.unique(instances[instances > 0])
    for number, text in zip(ids, encode(instances), strict=True):
        runs = runs_of(text)
        assert sum(length for _, length in runs) == np.count_nonzero(instances == number)
        assert all(one + length < other for (one, length), (other, _) in pairwise(runs))


@given(label_images(most=1), seeds)
def test_runs_in_any_order_and_said_twice_are_the_same_object(instances, seed):
    rng = np.random.default_rng(seed)
    runs = [run for text in encode(instances) for run in runs_of(text)]
    again = [runs[index] for index in rng.integers(len(runs), size=3)] if runs else []
    shuffled = rng.permutation(np.array([*runs, *again], int).reshape(-1, 2))
    found, overlap = decode([" ".join(map(str, shuffled.ravel()))], instances.shape)
    np.testing.assert_array_equal(found, instances)
    assert overlap == 0


@given(sizes(8), st.integers(1, 4), st.data())
def test_the_later_object_has_the_pixel_and_what_it_takes_is_counted(size, count, data):
    layers = data.draw(noise((count, *size))) % 2
    expected, shared = np.zeros(size, int), 0
    for number, layer in enumerate(layers, 1):
        shared += np.count_nonzero(expected[layer > 0])
        expected[layer > 0] = number
    found, overlap = decode(["".join(encode(layer)) for layer in layers], size)
    np.testing.assert_array_equal(found, expected)
    assert overlap == shared


@given(st.dictionaries(names.filter(str.strip), label_images(side=6), max_size=4))
def test_a_table_of_runs_is_read_as_it_was_written(folder, objects):
    write_run_lengths(folder / "runs.csv", objects.items())
    rows = read_table(folder / "runs.csv").rows
    assert list(rows) == list(objects)
    for name, instances in objects.items():
        assert rows[name].runs == (tuple(encode(instances)) or ("",))
