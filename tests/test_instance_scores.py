import doctest
import io
import json
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from skimage.metrics import contingency_table
from sklearn.metrics.cluster import contingency_matrix

from delineate import instance_scores as scores
from delineate.errors import DataError, UsageError

seeds = st.integers(0, 2**32 - 1)
EMPTY = np.zeros((6, 8), dtype=np.int32)
METRICS = [scores.ap50, scores.dsb_map, scores.pq, scores.aji, scores.count_error]
SHARES = [scores.ap50, scores.dsb_map, scores.pq, scores.aji]


def cells(seed, *, size=(40, 50), shift=1):
    """Round objects, and a prediction that moves, merges, splits, misses and invents some."""
    rng = np.random.default_rng(seed)
    truth, _ = ndimage.label(ndimage.gaussian_filter(rng.normal(size=size), 2) > 0.02)
    field = ndimage.gaussian_filter(rng.normal(size=size), 2)
    moved = np.roll(truth, shift, axis=1)
    prediction, _ = ndimage.label((moved > 0) & (field > -0.12) | (field > 0.22))
    return truth.astype(np.int32), prediction.astype(np.int32)


def naive_iou(truth, prediction):
    """The IoU of every pair by comparing whole images, the slow and plain way."""
    rows = [truth == i for i in np.unique(truth) if i > 0]
    columns = [prediction == j for j in np.unique(prediction) if j > 0]
    iou = np.array([[(a & b).sum() / (a | b).sum() for b in columns] for a in rows])
    return iou.reshape(len(rows), len(columns))


def kaggle_precision(iou, threshold):
    """As the competition's page counts: hits of true objects, of predictions, and the rest."""
    hits = iou > threshold
    tp = int((hits.sum(axis=1) == 1).sum())
    fp = int((hits.sum(axis=0) == 0).sum())
    fn = int((hits.sum(axis=1) == 0).sum())
    return tp, fp, fn


def naive_aji(truth, prediction):
    """Algorithm 1 of Kumar et al. 2017, line by line."""
    shared_total, union_total, used = 0, 0, set()
    for i in (i for i in np.unique(truth) if i > 0):
        best, best_iou = None, 0.0
        for j in (j for j in np.unique(prediction[truth == i]) if j > 0):
            a, b = truth == i, prediction == j
            if (a & b).sum() / (a | b).sum() > best_iou:
                best, best_iou = j, (a & b).sum() / (a | b).sum()
        if best is None:
            union_total += (truth == i).sum()
            continue
        shared_total += ((truth == i) & (prediction == best)).sum()
        union_total += ((truth == i) | (prediction == best)).sum()
        used.add(best)
    for j in set(np.unique(prediction)) - used - {0}:
        union_total += (prediction == j).sum()
    return shared_total / union_total if union_total else None


@pytest.mark.parametrize("seed", range(6))
def test_every_score_equals_the_naive_count(seed):
    truth, prediction = cells(seed)
    iou = naive_iou(truth, prediction)
    thresholds = np.round(np.arange(0.5, 1.0, 0.05), 2)
    counts = np.array([kaggle_precision(iou, t) for t in thresholds])
    assert counts[0, 0] > 0
    assert (counts[0, 1:] > 0).all()
    precision = counts[:, 0] / counts.sum(axis=1)
    tp, fp, fn = counts[0]
    np.testing.assert_array_equal(scores.match_counts(truth, prediction), counts)
    assert scores.ap50(truth, prediction) == pytest.approx(precision[0])
    assert scores.dsb_map(truth, prediction) == pytest.approx(precision.mean())
    assert scores.pq(truth, prediction) == pytest.approx(
        iou[iou > 0.5].sum() / (tp + fp / 2 + fn / 2)
    )
    assert scores.aji(truth, prediction) == pytest.approx(naive_aji(truth, prediction))
    assert scores.count_error(truth, prediction) == abs(iou.shape[0] - iou.shape[1])


@pytest.mark.parametrize("seed", range(3))
def test_overlaps_equal_the_contingency_tables_of_scikit_image_and_scikit_learn(seed):
    truth, prediction = cells(seed)
    overlaps = scores.measure_overlaps(truth, prediction)
    shape = (len(overlaps.truth_areas), len(overlaps.prediction_areas))
    table = np.zeros(shape, dtype=int)
    table[overlaps.truth_index, overlaps.prediction_index] = overlaps.shared
    expected = contingency_table(truth, prediction).toarray()
    np.testing.assert_array_equal(table, expected[1:, 1:])
    np.testing.assert_array_equal(expected, contingency_matrix(truth.ravel(), prediction.ravel()))
    np.testing.assert_array_equal(overlaps.truth_areas, expected.sum(axis=1)[1:])
    np.testing.assert_array_equal(overlaps.prediction_areas, expected.sum(axis=0)[1:])


def test_a_match_must_be_greater_than_the_threshold_as_in_the_competition():
    truth = np.array([[1, 1, 1, 0, 2, 2, 2, 2, 2]])
    prediction = np.array([[1, 1, 1, 0, 2, 2, 2, 0, 0]])
    counts = scores.match_counts(truth, prediction, [0.5, 0.55, 0.6, 0.65])
    np.testing.assert_array_equal(counts, [[2, 0, 0], [2, 0, 0], [1, 1, 1], [1, 1, 1]])
    half = np.array([[1, 1, 0, 0, 0, 0, 0, 0, 0]])
    assert scores.ap50(np.array([[1, 1, 1, 1, 0, 0, 0, 0, 0]]), half) == 0.0


@pytest.mark.parametrize("twentieths", range(10, 20))
def test_an_iou_equal_to_a_threshold_is_never_a_match_by_rounding(twentieths):
    truth = np.ones((1, 20), dtype=np.int32)
    prediction = (np.arange(20)[None] < twentieths).astype(np.int32)
    assert scores.dsb_map(truth, prediction) == pytest.approx((twentieths - 10) / 10)


def test_aji_by_hand():
    truth = np.zeros((1, 20), dtype=np.int32)
    prediction = truth.copy()
    truth[0, 0:4], truth[0, 6:8], truth[0, 10:12] = 1, 2, 3
    prediction[0, 0:3], prediction[0, 3], prediction[0, 15:18] = 5, 6, 7
    prediction[0, 6:12] = 9
    # Pairs 1-5 (3 of 4), 2-9 and 3-9 (2 of 6 each); unused 6 and 7 have 1 and 3 pixels.
    assert scores.aji(truth, prediction) == pytest.approx((3 + 2 + 2) / (4 + 6 + 6 + 1 + 3))


def test_aji_takes_the_lowest_number_of_equally_good_predictions():
    truth = np.array([[1, 1, 1, 1]])
    prediction = np.array([[8, 8, 3, 3]])
    assert scores.aji(truth, prediction) == pytest.approx(2 / (4 + 2))


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_a_right_prediction_scores_one_under_any_numbering(seed):
    truth, _ = cells(seed, size=(16, 20))
    rng = np.random.default_rng(seed)
    names = np.append(0, rng.choice(2**31 - 1, truth.max(), replace=False) + 1)
    renamed = names[truth].astype(np.int64)
    for score in SHARES:
        assert score(truth, renamed) == pytest.approx(1.0 if truth.any() else None)
    assert scores.count_error(truth, renamed) == 0


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_scores_do_not_depend_on_numbering_nor_on_the_order_of_pixels(seed):
    truth, prediction = cells(seed, size=(16, 20))
    rng = np.random.default_rng(seed)
    # Ascending numbers, so that the order among equally good pairs stays.
    names = np.append(0, np.cumsum(rng.integers(1, 10**6, prediction.max())))
    order = rng.permutation(truth.size)
    for score in METRICS:
        value = score(truth, prediction)
        assert score(truth, names[prediction]) == pytest.approx(value)
        shuffled = (each.ravel()[order].reshape(truth.shape) for each in (truth, prediction))
        assert score(*shuffled) == pytest.approx(value)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_scores_are_ordered_and_all_but_aji_are_symmetric(seed):
    truth, prediction = cells(seed, size=(16, 20))
    values = {score.__name__: score(truth, prediction) for score in METRICS}
    if values["ap50"] is not None:
        assert 0 <= values["dsb_map"] <= values["ap50"] <= 1
        assert 0 <= values["pq"] <= 1
        assert 0 <= values["aji"] <= 1
    for score in (scores.ap50, scores.dsb_map, scores.pq, scores.count_error):
        assert score(prediction, truth) == pytest.approx(values[score.__name__])


@pytest.mark.parametrize("score", SHARES)
def test_an_image_without_objects_has_no_score_but_one_wrong_object_scores_zero(score):
    single = EMPTY.copy()
    single[1:3, 1:3] = 4
    assert score(EMPTY, EMPTY) is None
    assert score(EMPTY, single) == 0.0
    assert score(single, EMPTY) == 0.0


def test_counts_of_empty_images_are_compared_all_the_same():
    single = np.where(np.eye(6, 8, dtype=bool), 1, EMPTY)
    assert scores.count_error(EMPTY, EMPTY) == 0.0
    assert scores.count_error(EMPTY, single) == 1.0
    np.testing.assert_array_equal(scores.match_counts(EMPTY, EMPTY, [0.5]), [[0, 0, 0]])


def test_all_scores_of_an_image_are_those_of_the_single_functions():
    truth, prediction = cells(11)
    expected = {score.__name__: score(truth, prediction) for score in METRICS}
    assert scores.instance_scores(truth, prediction) == expected
    assert set(expected) == {"ap50", "dsb_map", "pq", "aji", "count_error"}


def test_means_leave_out_images_without_a_score():
    truth, prediction = cells(12)
    one = scores.instance_scores(truth, prediction)
    none = scores.instance_scores(EMPTY, EMPTY)
    wrong = scores.instance_scores(truth, np.zeros_like(truth))
    mean = scores.mean_instance_scores(iter([one, none, wrong]))
    assert mean["dsb_map"] == pytest.approx(one["dsb_map"] / 2)
    assert mean["count_error"] == pytest.approx((one["count_error"] + truth.max()) / 3)
    assert scores.mean_instance_scores([none])["pq"] is None
    assert set(scores.mean_instance_scores([]).values()) == {None}
    json.dumps(mean, allow_nan=False)


@pytest.mark.parametrize("score", [*METRICS, scores.match_counts, scores.instance_scores])
@pytest.mark.parametrize(
    ("prediction", "named"),
    [
        (np.zeros((6, 7), dtype=np.int32), r"shape \(6, 8\), the predicted \(6, 7\)"),
        (np.full((6, 8), -2), "predicted instances are int64 with the least value -2"),
        (np.full((6, 8), 0.5), "predicted instances are float64"),
    ],
)
def test_labels_that_cannot_be_scored_are_refused_by_name(score, prediction, named):
    with pytest.raises(DataError, match=named) as caught:
        score(EMPTY, prediction)
    assert caught.value.hint


@pytest.mark.parametrize("threshold", [0.45, 1.0, 50])
def test_thresholds_at_which_an_object_may_match_twice_or_never_are_refused(threshold):
    with pytest.raises(UsageError, match=f"threshold {threshold} "):
        scores.match_counts(EMPTY, EMPTY, [0.5, threshold])


def test_a_megapixel_of_many_objects_is_scored_within_a_second():
    truth, prediction = cells(0, size=(1000, 1000))
    assert truth.max() > 1500
    begin = time.process_time()
    scores.instance_scores(truth, prediction)
    assert time.process_time() - begin < 1.0


def test_the_examples_in_the_docstrings_hold():
    failed, attempted = doctest.testmod(scores)
    assert attempted >= 8
    assert failed == 0


def test_real_nuclei_score_as_the_naive_count_does(real_data):
    with zipfile.ZipFile(real_data / "stage1_train.zip") as archive:
        names = archive.namelist()
        first = next(name for name in names if "/masks/" in name).split("/")[0]
        masks = [name for name in names if name.startswith(f"{first}/masks/") and "." in name]
        layers = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) > 0 for name in masks]
    truth = np.zeros(layers[0].shape, dtype=np.int32)
    for number, layer in enumerate(layers, start=1):
        truth[layer] = number
    prediction, _ = ndimage.label(ndimage.binary_erosion(truth > 0))
    iou = naive_iou(truth, prediction)
    counts = [kaggle_precision(iou, percent / 100) for percent in range(50, 100, 5)]
    np.testing.assert_array_equal(scores.match_counts(truth, prediction), counts)
    assert scores.aji(truth, prediction) == pytest.approx(naive_aji(truth, prediction))
