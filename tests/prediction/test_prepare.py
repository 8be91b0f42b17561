"""From any image to the network's input and back, at the image's own size."""

import numpy as np
import pytest

from delineate.prediction.prepare import Preparation, to_mask, two_classes


class Echo:
    """An engine that gives the pixel values back as probabilities, and keeps what it was given."""

    def __init__(self, granularity=1):
        self.granularity = granularity
        self.given = []

    def run(self, images):
        self.given.append(images)
        return images / np.float32(255)


def some(size, channels=3):
    return np.random.default_rng(1).integers(0, 256, (*size, channels), dtype=np.uint8)


SIZES = [(37, 53), (1, 1), (1, 40), (16, 16), (130, 20), (5000, 40)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("stride", "granularity"), [(1, 1), (8, 1), (6, 4)])
def test_in_native_resolution_each_pixel_stays_where_it_is(size, stride, granularity):
    engine = Echo(granularity)
    image = some(size)
    found = Preparation("crop", (64, 64), stride, tile=256).predict(image, engine)
    np.testing.assert_allclose(found, image / np.float32(255), atol=1e-6)
    for given in engine.given:
        assert given.dtype == np.float32
        assert given.shape[1] % stride == given.shape[2] % stride == 0
        assert given.shape[1] % granularity == given.shape[2] % granularity == 0


def test_only_images_larger_than_a_tile_are_cut_into_tiles():
    counts = []
    for size in ((64, 64), (65, 64)):
        engine = Echo()
        Preparation("crop", (16, 16), 2, tile=64, overlap=8).predict(some(size), engine)
        counts.append(len(engine.given))
    assert counts == [1, 2]


@pytest.mark.parametrize("tile", [32, 64, 65])
def test_tiles_no_larger_than_the_usual_overlap_still_work(tile):
    image = some((150, 70))
    found = Preparation("crop", (16, 16), 2, tile=tile).predict(image, Echo())
    np.testing.assert_allclose(found, image / np.float32(255), atol=1e-6)


@pytest.mark.parametrize("size", [(37, 53), (1, 1), (16, 16), (300, 40)])
def test_with_resizing_the_network_sees_the_whole_image_at_its_size(size):
    engine = Echo()
    found = Preparation("resize", (32, 48), 16, tile=64).predict(some(size), engine)
    assert [given.shape for given in engine.given] == [(1, 32, 48, 3)]
    assert found.shape == (*size, 3)


def test_resizing_there_and_back_keeps_what_is_where():
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = 255
    found = Preparation("resize", (32, 48), 16).predict(image, Echo())
    np.testing.assert_array_equal(found[:30, :46], 1)
    np.testing.assert_array_equal(found[34:], 0)
    np.testing.assert_array_equal(found[:, 50:], 0)


def test_values_of_16_bits_reach_the_network_as_they_are_stored():
    engine = Echo()
    image = np.array([[[0], [65535]]], np.uint16)
    Preparation("crop", (16, 16), 1).predict(image, engine)
    assert engine.given[0].ravel().tolist() == [0, 65535]


def test_one_channel_becomes_background_and_foreground():
    found = two_classes(np.array([[[0.2]]], np.float32))
    assert found.ravel().tolist() == pytest.approx([0.8, 0.2])


def test_several_channels_stay_as_they_are():
    probabilities = np.ones((2, 3, 4), np.float32)
    assert two_classes(probabilities) is probabilities


def as_two(foreground):
    return two_classes(np.array([[[value] for value in foreground]], np.float32))


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_the_foreground_begins_at_the_threshold(output):
    found = to_mask(as_two([0.1, 0.29, 0.31, 0.9]), output=output, threshold=0.3)
    assert found.tolist() == [[0, 0, 1, 1]]
    assert found.dtype == np.uint8


@pytest.mark.parametrize(("output", "tie"), [("sigmoid", 1), ("softmax", 0)])
def test_an_even_chance_is_foreground_for_a_sigmoid_and_background_for_a_softmax(output, tie):
    """As the metric does, which sees logits: a sigmoid's 0 is foreground, argmax takes the first."""
    assert to_mask(as_two([0.49, 0.5, 0.51]), output=output, threshold=0.5).tolist() == [
        [0, tie, 1]
    ]


def test_more_than_two_classes_are_decided_by_the_largest():
    probabilities = np.array([[[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.1, 0.1, 0.8]]], np.float32)
    assert to_mask(probabilities, output="softmax", threshold=0.9).tolist() == [[1, 0, 2]]


@pytest.mark.parametrize("size", [(32, 48), (10, 20), (100, 60), (33, 48), (1, 1)])
def test_a_network_of_one_size_sees_images_of_that_size_only(size):
    engine, image = Echo(), some(size)
    found = Preparation("crop", (32, 48), 16, tile=1024, fixed=True).predict(image, engine)
    np.testing.assert_allclose(found, image / np.float32(255), atol=1e-6)
    assert {given.shape for given in engine.given} == {(1, 32, 48, 3)}
