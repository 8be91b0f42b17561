"""The jackknife of objectives, against leaving images out by hand."""

import numpy as np
import pytest
from scipy import stats

from delineate.evaluation.objective import Truth, gain_of, measure
from delineate.prediction.predictor import Prediction


def random_pairs(count=7, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(count):
        mask = rng.integers(0, classes, (8, 9)).astype(np.uint8)
        said = np.where(rng.random(mask.shape) < 0.7, mask, rng.integers(0, classes, mask.shape))
        mask[0, 0] = 255
        truths.append(Truth(mask, None))
        found.append(Prediction(said.astype(np.uint8), np.zeros((8, 9, classes), np.float32)))
    return truths, found


@pytest.mark.parametrize(("objective", "classes"), [("mean_iou", 3), ("dice_per_image", 2)])
def test_the_score_without_each_image_is_that_of_the_others(objective, classes):
    truths, found = random_pairs(classes=classes)
    whole = measure(truths, found, objective, classes=classes)
    for number in range(len(truths)):
        others = [truth for index, truth in enumerate(truths) if index != number]
        said = [each for index, each in enumerate(found) if index != number]
        alone = measure(others, said, objective, classes=classes)
        assert whole.without[number] == pytest.approx(alone.value)


def test_for_a_mean_the_error_is_that_of_the_paired_differences():
    truths, first = random_pairs(12, 2, seed=1)
    _, second = random_pairs(12, 2, seed=2)
    before, after = (measure(truths, each, "dice_per_image", classes=2) for each in (first, second))
    single = [
        [
            measure([t], [p], "dice_per_image", classes=2).value
            for t, p in zip(truths, each, strict=True)
        ]
        for each in (first, second)
    ]
    differences = np.subtract(single[1], single[0])
    gain, error = gain_of(before, after)
    assert gain == pytest.approx(differences.mean())
    assert error == pytest.approx(stats.sem(differences))


@pytest.mark.parametrize(("objective", "classes"), [("mean_iou", 3), ("dice_per_image", 2)])
def test_images_of_a_group_are_left_out_together(objective, classes):
    truths, found = random_pairs(classes=classes)
    groups = ["a", "b", "a", None, "b", None, "a"]
    grouped = [Truth(truth.mask, None, group) for truth, group in zip(truths, groups, strict=True)]
    whole = measure(grouped, found, objective, classes=classes)
    for place, left in enumerate([(0, 2, 6), (1, 4), (3,), (5,)]):
        kept = [index for index in range(7) if index not in left]
        alone = measure(
            [truths[i] for i in kept], [found[i] for i in kept], objective, classes=classes
        )
        assert whole.without[place] == pytest.approx(alone.value)
    assert len(whole.without) == 4


def test_images_of_one_group_alone_are_left_out_one_by_one():
    truths, found = random_pairs(classes=2)
    one = [Truth(truth.mask, None, "a") for truth in truths]
    plain, grouped = (measure(t, found, "dice_per_image", classes=2) for t in (truths, one))
    assert np.array_equal(plain.without, grouped.without)
