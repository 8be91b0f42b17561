"""Batches and windows: a function of seed, epoch and step that leaves nothing out."""

import keras
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.counting import count_ids
from delineate.data.batches import Batches
from delineate.data.dataset import Dataset
from delineate.data.pipeline import TrainingWindows, ValidationWindows
from tests.properties.strategies import masks, movements, noise, seeds, sizes

counts = st.integers(1, 40)
batch_sizes = st.integers(1, 12)
epochs = st.integers(0, 5)
NAMES = ["ground", "leaf", "stem", "root"]
IDS = 24


class Numbered:
    """Windows that hold their number."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def window(self, epoch, index):
        return np.full((1, 1, 1), index, np.uint16), np.full((1, 1), index, np.uint16)

    def name(self, epoch, index):
        return str(index)


@given(counts, batch_sizes, seeds, epochs)
def test_each_window_comes_once_in_an_epoch_and_then_the_first_again(count, size, seed, epoch):
    batches = Batches(Numbered(count), batch_size=size, seed=seed, shuffle=True)
    order = batches.order(epoch)
    assert len(order) == batches.steps * size
    assert sorted(order[:count]) == list(range(count))
    np.testing.assert_array_equal(order[count:], np.resize(order[:count], len(order) - count))


@given(counts, batch_sizes, seeds, st.integers(0, 100))
def test_a_step_is_the_same_batch_whoever_makes_it_and_whatever_was_made_before(
    count, size, seed, step
):
    one, other = (
        Batches(Numbered(count), batch_size=size, seed=seed, shuffle=True) for _ in range(2)
    )
    expected = one[step]
    assert expected[0].shape == (size, 1, 1, 1)
    for found in (one[step], other.batch(*divmod(step, other.steps))):
        for part, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(part, wanted, strict=True)


@given(counts, batch_sizes, epochs)
def test_without_shuffling_windows_come_in_order_and_none_twice(count, size, epoch):
    batches = Batches(Numbered(count), batch_size=size)
    found = [batches.batch(epoch, step)[1].ravel() for step in range(batches.steps)]
    np.testing.assert_array_equal(np.concatenate(found), np.arange(count))


@st.composite
def datasets(draw, side=16):
    """A few images of several sizes."""
    drawn = draw(st.lists(sizes(side), min_size=1, max_size=3))
    pictures = [draw(noise((*size, 3))) for size in drawn]
    truths = [draw(masks(len(NAMES), size=size, ignored=True)) for size in drawn]
    return Dataset.from_arrays(pictures, truths, classes=NAMES)


@given(datasets(), sizes(16), movements(), seeds, st.data())
def test_a_window_follows_from_seed_epoch_and_index(dataset, size, settings, seed, data):
    settings = settings.model_copy(update={"brightness": 0.3, "noise": 0.1})
    one, other = (
        TrainingWindows(dataset, size, "crop", 3, settings, seed, per_image=2, oversample=0.5)
        for _ in range(2)
    )
    places = st.tuples(epochs, st.integers(0, len(one) - 1))
    wanted = data.draw(st.lists(places, min_size=1, max_size=3))
    found = {place: one.window(*place) for place in wanted}
    for place in reversed(wanted):
        for part, expected in zip(other.window(*place), found[place], strict=True):
            np.testing.assert_array_equal(part, expected, strict=True)
        assert one.name(*place) == other.name(*place)


@given(datasets(), sizes(10))
def test_validation_windows_show_each_pixel_once(dataset, size):
    windows = ValidationWindows(dataset, size, "crop", 3)
    index = 0
    for sample in dataset:
        image, mask = np.zeros_like(sample.image), np.zeros_like(sample.mask)
        for row in range(0, sample.size[0], size[0]):
            for column in range(0, sample.size[1], size[1]):
                place = np.s_[row : row + size[0], column : column + size[1]]
                high, wide = mask[place].shape
                part, labels = windows.window(0, index)
                assert (labels[high:] == 255).all()
                assert (labels[:, wide:] == 255).all()
                assert windows.name(0, index) == sample.name
                image[place], mask[place] = part[:high, :wide], labels[:high, :wide]
                index += 1
        np.testing.assert_array_equal(image, sample.image)
        np.testing.assert_array_equal(mask, sample.mask)
    assert len(windows) == index


@given(st.lists(st.integers(0, 6), min_size=IDS, max_size=IDS))
def test_ids_are_counted_on_any_backend_as_numpy_counts_them(ids):
    found = count_ids(keras.ops.convert_to_tensor(np.array(ids, np.int32)), 7)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), np.bincount(ids, minlength=7))
