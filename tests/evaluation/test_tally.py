"""The scores image by image, and together."""

from dataclasses import replace

import numpy as np
import pytest

from delineate.data.records import Record, Sample
from delineate.evaluation.tally import (
    BINS,
    groups_of,
    histogram_of,
    mean_of,
    score_image,
    summarise_images,
)
from delineate.prediction.predictor import Prediction

NAMES = ("background", "cell")


def sample(mask, instances=None):
    mask = np.array(mask, np.uint8)
    image = np.zeros((*mask.shape, 1), np.uint8)
    return Sample("one", image, mask, None if instances is None else np.array(instances, np.int32))


def prediction(mask):
    mask = np.array(mask, np.uint8)
    return Prediction(mask, np.eye(2, dtype=np.float32)[mask])


def score(truth, found, **options):
    return score_image(sample(truth), prediction(found), classes=2, **options)


def summary(*images):
    return summarise_images(images, np.zeros((BINS, 3)), NAMES)


def test_an_image_has_its_table_and_the_scores_of_its_foreground():
    found = score([[0, 1, 1, 255]], [[1, 1, 0, 1]])
    assert found.table.tolist() == [[0, 1], [1, 1]]
    assert (found.iou, found.dice) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert set(found.boundary) == {"boundary_iou", "boundary_f1"}
    assert found.instances is None


def test_an_image_without_foreground_has_no_score_of_its_own():
    found = score([[0, 0]], [[0, 0]])
    assert (found.iou, found.dice) == (None, None)


def test_the_whole_is_scored_from_the_sum_of_the_tables_and_not_from_the_mean_of_the_scores():
    small = score([[1]], [[1]])
    large = score([[1] * 9], [[0] * 9])
    values = summary(small, large)
    assert values["foreground_iou"] == pytest.approx(1 / 10)
    assert values["iou_per_image"] == pytest.approx(1 / 2)


def test_images_without_a_score_are_left_out_of_the_mean_over_images():
    values = summary(score([[1, 0]], [[1, 0]]), score([[0, 0]], [[0, 0]]))
    assert values["dice_per_image"] == 1
    assert [image["dice"] for image in values["images"]] == [1, None]


def test_boundary_scores_are_left_out_where_they_are_not_asked_for():
    found = score([[1, 0]], [[1, 0]], boundary=False)
    assert found.boundary == {}
    assert "boundary_iou" not in summary(found)


def test_objects_are_the_connected_parts_of_the_prediction():
    truth = sample([[1, 1, 0, 1]], [[1, 1, 0, 2]])
    found = score_image(truth, prediction([[1, 1, 0, 0]]), classes=2)
    assert found.instances["ap50"] == pytest.approx(1 / 2)
    assert summary(found)["instances"]["count_error"] == 1


def test_what_is_ignored_is_no_object():
    truth = sample([[1, 0, 255, 255]], [[1, 0, 0, 5]])
    found = score_image(truth, prediction([[1, 0, 1, 1]]), classes=2)
    assert found.instances["ap50"] == 1


def test_images_without_objects_of_their_own_do_not_hide_those_of_others():
    truth = sample([[1, 0]], [[1, 0]])
    both = score_image(truth, prediction([[1, 0]]), classes=2), score([[1, 0]], [[0, 0]])
    assert summary(*both)["instances"]["ap50"] == 1


def test_the_histogram_counts_the_pixels_that_are_not_ignored():
    found = histogram_of(sample([[0, 1, 255]]), prediction([[0, 0, 0]]))
    assert found.shape == (BINS, 3)
    assert found.sum(axis=0).tolist() == [2, 2, 1]


def test_the_intervals_come_from_the_seed():
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (2, 6, 1, 30))
    images = [score(truth, found) for truth, found in zip(*masks, strict=True)]
    histogram = np.zeros((BINS, 3))
    first, same, other = (
        summarise_images(images, histogram, NAMES, seed=seed)["intervals"] for seed in (0, 0, 1)
    )
    assert first == same != other


def test_objects_have_intervals_like_all_other_scores():
    masks = np.random.default_rng(1).integers(0, 2, (2, 8, 1, 30))
    images = [
        score_image(sample(truth, np.arange(1, 31) * truth), prediction(found), classes=2)
        for truth, found in zip(*masks, strict=True)
    ]
    values = summary(*images)
    for key, value in values["instances"].items():
        low, high = values["intervals"][key]
        assert low <= value <= high
    assert values["bootstrap"] == {"over": "images", "units": 8}


def test_groups_of_images_are_resampled_as_wholes():
    masks = np.random.default_rng(2).integers(0, 2, (2, 6, 1, 30))
    images = [score(truth, found) for truth, found in zip(*masks, strict=True)]

    def summed(groups):
        return summarise_images(images, np.zeros((BINS, 3)), NAMES, groups=groups)

    assert summed(list("abcdef"))["intervals"] == summed(None)["intervals"]
    assert summed(list("abcdef"))["bootstrap"] == {"over": "groups", "units": 6}
    pairs, one = summed(list("aabbcc")), summed(list("aaaaaa"))
    assert pairs["intervals"].keys() == summed(None)["intervals"].keys()
    assert pairs["intervals"] != summed(None)["intervals"]
    assert one["intervals"] == {}


def test_an_image_without_a_group_is_a_group_of_its_own():
    records = [Record(name, (), ()) for name in ("a", "b", "c", "d")]
    assert groups_of(records) is None
    grouped = [replace(records[0], group="d"), replace(records[1], group="d"), *records[2:]]
    found = groups_of(grouped)
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_a_mean_of_nothing_is_nothing():
    assert mean_of([None, None]) is None
    assert mean_of([1.0, None, 0.0]) == 0.5
