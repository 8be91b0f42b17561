"""Scores of objects, against sets of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate import instance_scores as scores
from tests.properties.strategies import label_pairs, sizes

thresholds = st.lists(st.floats(0.5, 0.99), min_size=1, max_size=6)


def objects(labels):
    """The set of pixels of each object."""
    return [set(np.flatnonzero(labels == number)) for number in np.unique(labels[labels > 0])]


@given(label_pairs())
def test_overlaps_are_those_of_the_sets_of_pixels(pair):
    true, found = (objects(each) for each in pair)
    overlaps = scores.measure_overlaps(*pair)
    assert overlaps.truth_areas.tolist() == [len(each) for each in true]
    assert overlaps.prediction_areas.tolist() == [len(each) for each in found]
    pairs = zip(overlaps.truth_index, overlaps.prediction_index, strict=True)
    expected = {
        (i, j): len(one & other) / len(one | other)
        for i, one in enumerate(true)
        for j, other in enumerate(found)
        if one & other
    }
    assert dict(zip(pairs, overlaps.iou, strict=True)) == pytest.approx(expected)


@given(label_pairs(), thresholds)
def test_each_object_is_matched_or_not_and_a_stricter_threshold_matches_no_more(pair, levels):
    counts = scores.match_counts(*pair, thresholds=sorted(levels))
    true, found = (len(objects(each)) for each in pair)
    assert (counts[:, 0] + counts[:, 1] == found).all()
    assert (counts[:, 0] + counts[:, 2] == true).all()
    assert (np.diff(counts[:, 0]) <= 0).all()


@given(label_pairs())
def test_panoptic_quality_is_the_mean_iou_of_matches_times_the_share_of_matched(pair):
    iou = scores.measure_overlaps(*pair).iou
    matched, false, missed = scores.match_counts(*pair, thresholds=[0.5])[0]
    if matched + false + missed == 0:
        assert scores.pq(*pair) is None
    elif matched == 0:
        assert scores.pq(*pair) == 0
    else:
        share = matched / (matched + false / 2 + missed / 2)
        assert scores.pq(*pair) == pytest.approx(iou[iou > 0.5].mean() * share)


@given(sizes(8), st.data(), thresholds)
def test_the_matches_of_two_pictures_side_by_side_add_up(size, data, levels):
    one, other = (data.draw(label_pairs(size=size)) for _ in range(2))
    apart = (np.where(each > 0, each + 100, 0) for each in other)
    beside = (np.hstack(each) for each in zip(one, apart, strict=True))
    expected = sum(scores.match_counts(*each, thresholds=levels) for each in (one, other))
    np.testing.assert_array_equal(scores.match_counts(*beside, thresholds=levels), expected)


@given(label_pairs(), st.data())
def test_to_leave_out_an_object_that_matches_none_never_costs_anything(pair, data):
    truth, prediction = pair
    overlaps = scores.measure_overlaps(truth, prediction)
    matched = set(overlaps.prediction_index[overlaps.iou > 0.5])
    ids = np.unique(prediction[prediction > 0])
    wrong = [number for index, number in enumerate(ids) if index not in matched]
    if not wrong:
        return
    fewer = np.where(prediction == data.draw(st.sampled_from(wrong)), 0, prediction)
    for score in (scores.ap50, scores.dsb_map, scores.pq):
        before, after = score(truth, prediction), score(truth, fewer)
        assert (before == 0) if after is None else (before <= after + 1e-12)
