"""What is known of each pixel, against NumPy and SciPy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from delineate.data.records import Sample
from delineate.evaluation.contradiction import (
    Contradiction,
    highest,
    strongest,
    surroundings,
    widened,
)
from delineate.prediction.predictor import Prediction


def example(seed=0, size=(13, 17)):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, size).astype(np.uint8)
    truth[:2] = 255
    probabilities = rng.dirichlet([1, 1, 1], size).astype(np.float32)
    instances = np.where(truth % 255 > 0, rng.choice([4, 9, 2**30], size), 0).astype(np.int32)
    sample = Sample("a", np.zeros((*size, 1), np.uint8), truth, instances)
    return sample, Prediction(probabilities.argmax(axis=-1).astype(np.uint8), probabilities)


def test_a_pixel_is_contradicted_by_how_much_likelier_another_class_is():
    sample, prediction = example()
    found = Contradiction.of(sample, prediction)
    for place in np.ndindex(sample.mask.shape):
        values, true = prediction.probabilities[place], int(sample.mask[place])
        expected = 0 if true == 255 else values.max() - values[true]
        assert found.against[place] == pytest.approx(expected)
        assert found.predicted[place] == values.max()
        assert found.true[place] == values[true % 255]
    np.testing.assert_array_equal(found.labels["class"] > 0, found.against > 0)


def test_objects_are_numbered_without_gaps_and_without_what_is_ignored():
    sample, prediction = example()
    labels = Contradiction.of(sample, prediction).labels
    known = np.where(sample.mask == 255, 0, sample.instances)
    assert np.unique(labels["joined"]).tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(labels["joined"], np.unique(known, return_inverse=True)[1])
    assert (labels["split"][:2] == 0).all()
    np.testing.assert_array_equal(labels["split"][2:] > 0, prediction.mask[2:] > 0)


def test_without_objects_there_are_regions_alone():
    sample, prediction = example()
    plain = Sample("a", sample.image, sample.mask)
    assert set(Contradiction.of(plain, prediction).labels) == {"class"}


def test_the_strongest_place_is_where_the_mean_of_the_region_is_highest():
    rng = np.random.default_rng(1)
    against, inside = rng.random((23, 31)).astype(np.float32), rng.random((23, 31)) < 0.5
    around = gaussian_filter(np.where(inside, against, 0), 2, mode="mirror")
    np.testing.assert_allclose(surroundings(np.where(inside, against, 0)), around, atol=2e-3)
    score, place = strongest(against, inside)
    assert score == pytest.approx(around[inside].max(), abs=2e-3)
    assert inside[place]
    assert around[place] == pytest.approx(score, abs=2e-3)


def test_the_first_of_equally_high_values_is_taken():
    assert highest(np.array([[0, 2, 1], [2, 2, 0]])) == (0, 1)


def test_a_box_is_widened_and_begins_in_the_image():
    assert widened((slice(3, 5), slice(20, 30))) == (slice(0, 13), slice(12, 38))
