from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import keras
import numpy as np
import pytest

from delineate.data.batches import Batches
from delineate.data.dataset import Dataset
from delineate.data.pipeline import TrainingWindows
from delineate.errors import DataError, ImageError
from delineate.recipe import Augment


class Numbered:
    """Windows that say which they are: the mask holds 100 × epoch + index."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def window(self, epoch, index):
        number = 100 * epoch + index
        return np.full((4, 4, 1), number, np.uint16), np.full((4, 4), number, np.uint16)


def numbers(batch):
    return batch[1][:, 0, 0].tolist()


def epoch_of(batches, epoch):
    return [numbers(batches.batch(epoch, step)) for step in range(batches.steps)]


def test_a_batch_follows_from_seed_epoch_and_step():
    first, again = (Batches(Numbered(10), batch_size=3, seed=4, shuffle=True) for _ in range(2))
    assert [epoch_of(first, e) for e in (0, 1, 2)] == [epoch_of(again, e) for e in (0, 1, 2)]
    other = Batches(Numbered(10), batch_size=3, seed=5, shuffle=True)
    assert epoch_of(first, 0) != epoch_of(other, 0)


def test_batches_of_real_windows_are_the_same_in_any_order_and_from_any_thread():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (5, 20, 20, 3), np.uint8)
    dataset = Dataset.from_arrays(images, images[..., 0] % 2)
    windows = TrainingWindows(dataset, (16, 16), "crop", 3, Augment(rotation=20, noise=0.1), seed=3)
    batches = Batches(windows, batch_size=2, seed=3, shuffle=True)
    expected = [batches[index] for index in range(9)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(batches.__getitem__, range(8, -1, -1)))[::-1]
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_every_window_is_used_in_each_epoch_and_epochs_differ_in_their_order():
    batches = Batches(Numbered(12), batch_size=4, shuffle=True)
    orders = [list(chain(*epoch_of(batches, epoch))) for epoch in range(5)]
    for epoch, order in enumerate(orders):
        assert sorted(order) == [100 * epoch + index for index in range(12)]
    assert len({tuple(number % 100 for number in order) for order in orders}) == 5


def test_the_last_shuffled_batch_is_filled_up_with_the_first_windows():
    batches = Batches(Numbered(10), batch_size=4, shuffle=True)
    first, second, last = epoch_of(batches, 0)
    assert batches.steps == 3
    assert len(last) == 4
    assert sorted(first + second + last[:2]) == list(range(10))
    assert last[2:] == first[:2]


def test_fewer_windows_than_a_batch_are_repeated():
    batches = Batches(Numbered(3), batch_size=8, shuffle=True)
    (only,) = epoch_of(batches, 0)
    assert only == only[:3] * 2 + only[:2]
    assert sorted(only[:3]) == [0, 1, 2]


def test_without_shuffling_the_order_is_kept_and_the_last_batch_is_smaller():
    assert epoch_of(Batches(Numbered(5), batch_size=2), 0) == [[0, 1], [2, 3], [4]]


def test_the_index_counts_all_steps_from_the_beginning():
    batches = Batches(Numbered(5), batch_size=2, shuffle=True)
    for index in range(9):
        assert numbers(batches[index]) == numbers(batches.batch(index // 3, index % 3))
    assert batches.num_batches is None


def test_batches_are_float32_images_and_int32_masks():
    images, masks = Batches(Numbered(2), batch_size=2)[0]
    assert (images.dtype, images.shape) == (np.float32, (2, 4, 4, 1))
    assert (masks.dtype, masks.shape) == (np.int32, (2, 4, 4))


def test_nothing_makes_no_batches():
    with pytest.raises(DataError, match="no images to make batches of"):
        Batches(Numbered(0), batch_size=2)


def make_model():
    """A model of two weights, in which each batch leaves its trace."""
    inputs = keras.Input((4, 4, 1))
    outputs = keras.layers.Conv2D(1, 1, kernel_initializer="ones")(inputs / 300)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.SGD(0.3), loss=distance)
    return model


def distance(masks, found):
    wanted = keras.ops.sin(keras.ops.cast(keras.ops.reshape(masks, (-1,)), "float32"))
    return keras.ops.mean((keras.ops.reshape(found, (-1,)) - wanted) ** 2)


class Weights(keras.callbacks.Callback):
    """Notes the weights after each epoch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(weights_of(self.model))


def weights_of(model):
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


def trained_by_hand(batches, places):
    """Return the weights after each step on the batches of (epoch, step)."""
    model, seen = make_model(), []
    for place in places:
        model.train_on_batch(*batches.batch(*place))
        seen.append(weights_of(model))
    return seen


@pytest.mark.parametrize("options", [{}, {"workers": 2}], ids=["one thread", "two threads"])
def test_plain_fit_sees_the_same_batches_epoch_after_epoch(options):
    if options and keras.backend.backend() != "tensorflow":
        pytest.skip("Keras gives the first batch of several threads away when it builds a model")
    batches = Batches(Numbered(7), batch_size=3, seed=1, shuffle=True, **options)
    notes = Weights()
    make_model().fit(
        batches,
        steps_per_epoch=batches.steps,
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[notes],
    )
    places = [(epoch, step) for epoch in range(2) for step in range(3)]
    by_hand = trained_by_hand(batches, places)
    np.testing.assert_allclose(notes.seen, [by_hand[2], by_hand[5]], rtol=1e-4)
    other_order = trained_by_hand(batches, [*places[:3], places[4], places[3], places[5]])
    assert np.abs(other_order[5] / by_hand[5] - 1).max() > 1e-2


def test_plain_fit_takes_validation_batches_too():
    training = Batches(Numbered(4), batch_size=2, shuffle=True)
    validation = Batches(Numbered(5), batch_size=2)
    model = make_model()
    history = model.fit(
        training,
        steps_per_epoch=training.steps,
        validation_data=validation,
        validation_steps=validation.steps,
        shuffle=False,
        verbose=0,
    ).history
    parts = [validation.batch(0, step) for step in range(validation.steps)]
    images, masks = (np.concatenate(part) for part in zip(*parts, strict=True))
    expected = model.evaluate(images, masks, batch_size=2, verbose=0)
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-5)


class Damaged(Numbered):
    """Windows of which some cannot be read."""

    def __init__(self, count, bad):
        super().__init__(count)
        self.bad = bad

    def window(self, epoch, index):
        if index in self.bad:
            raise ImageError(f"{index}.png is damaged.", hint="Copy it again.")
        return super().window(epoch, index)


def test_a_window_that_cannot_be_read_is_an_error():
    with pytest.raises(ImageError, match=r"3\.png"):
        Batches(Damaged(6, {3}), batch_size=6).batch(0, 0)


def test_where_it_is_asked_for_the_next_one_takes_its_place_and_it_is_named_once(caplog):
    batches = Batches(Damaged(6, {2, 3, 5}), batch_size=3, skip=True)
    assert [numbers(batches.batch(0, step)) for step in (0, 1)] == [[0, 1, 4], [4, 4, 0]]
    batches.batch(1, 1)
    assert caplog.text.count("left out: 3.png is damaged.") == 1


def test_where_none_can_be_read_it_is_an_error_after_all():
    with pytest.raises(ImageError):
        Batches(Damaged(4, {0, 1, 2, 3}), batch_size=2, skip=True).batch(0, 0)


def test_the_indices_of_a_batch_are_those_of_its_windows():
    batches = Batches(Numbered(5), batch_size=2, seed=3, shuffle=True)
    for step in range(batches.steps):
        assert numbers(batches.batch(0, step)) == batches.indices(0, step).tolist()
