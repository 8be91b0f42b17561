"""Disagreements: regions and scores against plain loops; a planted label error comes first."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.ndimage import gaussian_filter

from delineate.data.records import Sample
from delineate.evaluation.contradiction import Contradiction, regions_of
from delineate.evaluation.disagreement import LEAST, find_disagreements, label_doubt
from delineate.prediction.predictor import Prediction

NAMES = ("background", "cell", "vessel")


def sample(mask, instances=None, name="a"):
    mask = np.asarray(mask, np.uint8)
    objects = None if instances is None else np.asarray(instances, np.int32)
    return Sample(name, np.zeros((*mask.shape, 1), np.uint8), mask, objects)


def prediction(mask, sure=0.9):
    """Return a mask as it is predicted with the same certainty everywhere."""
    mask = np.asarray(mask, np.uint8)
    other = (1 - sure) / 2
    probabilities = np.where(mask[..., None] == np.arange(3), sure, other)
    return Prediction(mask, probabilities.astype(np.float32))


def disc(size, centre, radius):
    rows, columns = np.ogrid[: size[0], : size[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def find(truth, found, **options):
    return find_disagreements(Contradiction.of(truth, found), NAMES, **options)


def scene():
    """Return the truth of four cells, and a prediction whose outlines are a pixel off."""
    truth = np.zeros((64, 80), np.uint8)
    found = np.zeros((64, 80), np.uint8)
    for centre in ((14, 14), (14, 50), (45, 20), (44, 60)):
        truth |= disc(truth.shape, centre, 8)
        found |= disc(truth.shape, (centre[0] + 1, centre[1]), 8)
    return truth, found


def test_a_cell_that_the_truth_has_forgotten_comes_first_and_outlines_do_not_come_at_all():
    truth, found = scene()
    whole = prediction(found, 0.97)
    assert find(sample(truth), whole) == []
    forgotten = truth * ~disc(truth.shape, (45, 20), 9)
    (only,) = find(sample(forgotten), whole)
    assert (only.true_class, only.predicted_class) == ("background", "cell")
    assert only.score > 0.8
    assert disc(truth.shape, (46, 20), 3)[only.place]
    assert only.box == (38, 12, 55, 29)
    assert only.area == disc(truth.shape, (46, 20), 8).sum()


def test_the_surer_of_two_contradictions_comes_first_though_it_is_smaller():
    truth = np.zeros((40, 80), np.uint8)
    small, large = disc(truth.shape, (20, 15), 6), disc(truth.shape, (20, 55), 14)
    found = (small | large).astype(np.uint8)
    sure = np.where(small, 0.95, 0.7)
    probabilities = np.stack([1 - sure, sure, 0 * sure], axis=-1) * found[..., None]
    probabilities[..., 0] += 1 - found
    first, second = find(sample(truth), Prediction(found, probabilities.astype(np.float32)))
    assert (first.area, second.area) == (small.sum(), large.sum())
    assert first.predicted_probability == pytest.approx(0.95)
    assert second.true_probability == pytest.approx(0.3)


def test_scores_and_regions_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (6, 7)).repeat(6, 0).repeat(6, 1).astype(np.uint8)
    truth[:, -2:] = 255
    probabilities = rng.dirichlet([0.4] * 3, (12, 14)).repeat(3, 0).repeat(3, 1)
    found = probabilities.argmax(axis=-1).astype(np.uint8)
    regions = find(sample(truth), Prediction(found, probabilities.astype(np.float32)), least=0)
    expected = []
    for true in range(3):
        for other in range(3):
            if true == other:
                continue
            labels, count = ndimage.label((truth == true) & (found == other), np.ones((3, 3)))
            for number in range(1, count + 1):
                inside = labels == number
                margin = probabilities[..., other] - probabilities[..., true]
                around = gaussian_filter(np.where(inside, margin, 0), 2, mode="mirror")
                expected.append((around[inside].max(), NAMES[true], NAMES[other], inside.sum()))
    got = [(each.score, each.true_class, each.predicted_class, each.area) for each in regions]
    expected.sort(key=lambda row: -row[0])
    assert len(got) == len(expected) > 5
    assert [row[0] for row in got] == pytest.approx([row[0] for row in expected], abs=2e-3)
    assert {row[1:] for row in got} == {row[1:] for row in expected}


def test_what_is_ignored_is_not_contradicted():
    truth, found = scene()
    ignored = truth.copy()
    ignored[:, 40:] = 255
    forgotten = np.where(disc(truth.shape, (44, 60), 10), 255, truth)
    assert find(sample(forgotten), prediction(found)) == []
    assert regions_of(sample(np.full_like(truth, 255)), prediction(found)).max() == 0
    assert not (regions_of(sample(ignored), prediction(found))[:, 40:] > 0).any()


def test_a_rim_of_one_pixel_is_left_out_however_sure_the_network_is():
    truth, found = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    found[:, 10] = 1
    (line,) = find(sample(truth), prediction(found, 1.0), least=0)
    assert LEAST - 0.01 < line.score < LEAST


def test_a_few_pixels_beside_a_sure_region_do_not_share_in_its_score():
    truth, found = np.zeros((30, 30), np.uint8), np.zeros((30, 30), np.uint8)
    found[5:20, 5:20] = 1
    found[10:12, 20] = 2
    scores = {each.area: each.score for each in find(sample(truth), prediction(found), least=0)}
    assert scores[225] > 0.8
    assert scores[2] < 0.1


def test_two_objects_that_touch_are_two_places_where_the_data_has_objects():
    truth = np.zeros((24, 40), np.uint8)
    truth[6:18, 4:34] = 1
    instances = np.where(np.arange(40) < 19, 3, 8) * truth
    nothing = prediction(np.zeros_like(truth))
    (both,) = find(sample(truth), nothing)
    first, second = find(sample(truth, instances), nothing)
    assert (both.area, both.object) == (360, None)
    assert {first.object, second.object} == {3, 8}
    assert first.area == second.area == 180


def test_two_predicted_objects_that_touch_are_two_places_of_no_true_object():
    found = np.zeros((24, 40), np.uint8)
    found[4:14, 4:34] = 1
    found[14:20, 10:20] = 2
    nothing = np.zeros_like(found)
    places = find(sample(nothing, nothing), prediction(found))
    assert [(each.predicted_class, each.object) for each in places] == [
        ("cell", None),
        ("vessel", None),
    ]


def test_equal_scores_are_sorted_by_size_then_by_name_and_place():
    truth, found = np.zeros((30, 90), np.uint8), np.zeros((30, 90), np.uint8)
    found[10:20, 10:20] = found[10:20, 60:70] = 1
    places = find(sample(truth), prediction(found))
    assert places[0].score == places[1].score
    assert [each.box[1] for each in places] == [10, 60]
    other = replace(places[0], image="b")
    larger = replace(places[1], image="c", area=500)
    ranked = sorted([other, *reversed(places), larger], key=lambda each: each.order)
    assert ranked == [larger, *places, other]


def test_classes_that_were_chosen_in_spite_of_less_probability_are_no_contradiction():
    truth, found = np.zeros((20, 20), np.uint8), np.ones((20, 20), np.uint8)
    unsure = np.tile(np.float32([0.6, 0.4, 0.0]), (20, 20, 1))
    (place,) = find(sample(truth), Prediction(found, unsure), least=0)
    assert place.score == 0


def test_doubt_is_the_mean_of_what_is_missing_weighted_towards_the_highest():
    probabilities = np.random.default_rng(1).random((5, 6))
    missing = 1 - probabilities.ravel()
    weights = [np.exp(each / 0.1) for each in missing]
    expected = sum(w * each for w, each in zip(weights, missing, strict=True)) / sum(weights)
    assert label_doubt(probabilities) == pytest.approx(expected)
    assert label_doubt(np.ones(4)) == 0
    assert label_doubt(np.zeros(4)) == 1
    assert label_doubt(np.array([])) == 0
