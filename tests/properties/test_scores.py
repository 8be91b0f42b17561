"""Scores of masks, against sets of pixels."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate import scores
from tests.properties.strategies import mask_pairs, noise, sizes

CLASSES = 4


def table_of(truth, prediction):
    return scores.confusion_table(truth, prediction, classes=CLASSES)


@given(mask_pairs(CLASSES, ignored=True))
def test_the_table_counts_each_known_pixel_in_its_row_and_column(pair):
    truth, prediction = pair
    counts = Counter(zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True))
    expected = [[counts[true, found] for found in range(CLASSES)] for true in range(CLASSES)]
    np.testing.assert_array_equal(table_of(truth, prediction), expected)


@given(mask_pairs(CLASSES, ignored=True))
def test_iou_and_dice_are_those_of_the_sets_of_pixels(pair):
    truth, prediction = pair
    known = set(np.flatnonzero(truth != 255))
    rows = scores.class_scores(table_of(truth, prediction), "abcd")
    for label, row in enumerate(rows):
        true, found = (set(np.flatnonzero(each == label)) & known for each in pair)
        assert row["pixels"] == len(true)
        if true | found:
            assert row["iou"] == pytest.approx(len(true & found) / len(true | found))
            assert row["dice"] == pytest.approx(2 * len(true & found) / (len(true) + len(found)))
        else:
            assert row["iou"] is row["dice"] is None


@given(mask_pairs(CLASSES, ignored=True))
def test_only_a_mask_that_is_right_everywhere_scores_one(pair):
    truth, prediction = pair
    known = truth != 255
    summary = scores.summarise(table_of(truth, prediction))
    if not known.any():
        assert set(summary.values()) == {None}
        return
    right = np.array_equal(truth[known], prediction[known])
    assert (summary["mean_iou"] == 1) == (summary["accuracy"] == 1) == right
    assert (summary["mean_dice"] == 1) == right
    assert summary["accuracy"] == pytest.approx(np.mean(truth[known] == prediction[known]))


@given(mask_pairs(CLASSES))
def test_truth_and_prediction_may_change_places(pair):
    table, other = table_of(*pair), table_of(*pair[::-1])
    np.testing.assert_array_equal(other, table.T)
    assert scores.summarise(other) == pytest.approx(scores.summarise(table))
    for score in (scores.boundary_iou, scores.boundary_f1):
        expected = score(*pair, classes=CLASSES)
        assert score(*pair[::-1], classes=CLASSES) == pytest.approx(expected)


@given(mask_pairs(CLASSES), st.permutations(range(CLASSES)))
def test_classes_in_another_order_have_the_same_scores(pair, order):
    renamed = table_of(*(np.array(order, np.uint8)[each] for each in pair))
    rows = scores.class_scores(table_of(*pair), "abcd")
    others = scores.class_scores(renamed, "abcd")
    for label, row in enumerate(rows):
        assert others[order[label]] | {"name": row["name"]} == row
    for name in ("mean_iou", "mean_dice", "accuracy"):
        expected = scores.summarise(table_of(*pair))[name]
        assert scores.summarise(renamed)[name] == pytest.approx(expected)


@given(mask_pairs(CLASSES, side=6, ignored=True), st.integers(1, 4))
def test_masks_of_larger_pixels_have_the_same_scores(pair, factor):
    larger = (np.kron(each, np.ones((factor, factor), np.uint8)) for each in pair)
    table = table_of(*pair)
    found = table_of(*larger)
    np.testing.assert_array_equal(found, table * factor**2)
    assert scores.summarise(found) == pytest.approx(scores.summarise(table))


@given(mask_pairs(CLASSES, ignored=True), st.floats(0, 4), st.floats(0, 4))
def test_a_wider_tolerance_never_lowers_the_boundary_score(pair, one, other):
    narrow, wide = (
        scores.boundary_f1(*pair, classes=CLASSES, tolerance=each) for each in sorted((one, other))
    )
    if narrow is None:
        assert wide is None
    else:
        assert narrow <= wide + 1e-12


@given(mask_pairs(CLASSES, ignored=True))
def test_a_boundary_as_wide_as_the_image_is_the_whole_of_each_class(pair):
    found = scores.boundary_iou(*pair, classes=CLASSES, dilation=2)
    assert found == pytest.approx(scores.image_scores(table_of(*pair))[0])


@given(sizes(8), st.integers(2, 4), st.integers(1, 20), st.data())
def test_calibration_counts_each_known_pixel_once_and_errs_between_zero_and_one(
    size, classes, bins, data
):
    raw = data.draw(noise((*size, classes))).astype(np.float32) + 1
    probabilities = raw / raw.sum(axis=-1, keepdims=True)
    truth = data.draw(noise(size)) % (classes + 1)
    truth[truth == classes] = 255
    known = truth != 255
    histogram = scores.calibration_histogram(probabilities, truth, bins=bins)
    right = (probabilities.argmax(axis=-1) == truth)[known]
    confidence = probabilities.max(axis=-1)[known].sum(dtype=float)
    np.testing.assert_allclose(histogram.sum(axis=0), [known.sum(), confidence, right.sum()])
    error = scores.calibration_error(histogram)
    assert error is None if not known.any() else 0 <= error <= 1
