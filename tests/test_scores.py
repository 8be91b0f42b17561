import json
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn import metrics as sklearn_metrics

from delineate import scores
from delineate.errors import DataError

CLASSES = 4
IGNORE = 255

seeds = st.integers(0, 2**32 - 1)


def blobs(rng, size=(48, 64), classes=CLASSES, smooth=3.0):
    """A mask of smooth regions, so that bands and contours are not the whole image."""
    field = ndimage.gaussian_filter(rng.normal(size=size), smooth)
    ranks = field.ravel().argsort().argsort().reshape(size)
    return (ranks * classes // field.size).astype(np.uint8)


def pair(seed, *, classes=CLASSES, ignored=True, size=(48, 64)):
    """A truth with some ignored pixels, and a prediction that differs from it in places."""
    rng = np.random.default_rng(seed)
    truth = blobs(rng, size, classes)
    wrong = blobs(rng, size, 2).astype(bool)
    prediction = np.where(wrong, blobs(rng, size, classes), np.roll(truth, 1, axis=0))
    if ignored:
        truth[ndimage.gaussian_filter(rng.normal(size=size), 2) > 0.1] = IGNORE
    return truth, prediction.astype(np.uint8)


def reference_band(mask, dilation):
    """The boundary of the paper's own code: pad with zeros, erode many times, subtract."""
    height, width = mask.shape
    steps = max(1, round(dilation * np.sqrt(height**2 + width**2)))
    padded = np.pad(mask.astype(np.uint8), 1)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=steps)
    return (mask.astype(np.uint8) - eroded[1:-1, 1:-1]).astype(bool)


def reference_boundary_iou(truth, prediction, classes, dilation):
    values = []
    for label in range(1, classes):
        true = truth == label
        predicted = (prediction == label) & (truth != IGNORE)
        a, b = reference_band(true, dilation), reference_band(predicted, dilation)
        if a.any() or b.any():
            values.append((a & b).sum() / (a | b).sum())
    return np.mean(values) if values else None


def reference_boundary_f1(truth, prediction, classes, tolerance):
    values = []
    for label in range(1, classes):
        masks = (truth == label, (prediction == label) & (truth != IGNORE))
        a, b = (m & ~ndimage.binary_erosion(m, np.ones((3, 3))) for m in masks)
        if not (a.any() or b.any()):
            continue
        if not (a.any() and b.any()):
            values.append(0.0)
            continue
        recall = (ndimage.distance_transform_edt(~b)[a] <= tolerance).mean()
        precision = (ndimage.distance_transform_edt(~a)[b] <= tolerance).mean()
        total = precision + recall
        values.append(2 * precision * recall / total if total else 0.0)
    return np.mean(values) if values else None


# The confusion table


@pytest.mark.parametrize("seed", range(5))
def test_the_table_equals_that_of_scikit_learn(seed):
    truth, prediction = pair(seed)
    kept = truth != IGNORE
    expected = sklearn_metrics.confusion_matrix(
        truth[kept], prediction[kept], labels=range(CLASSES)
    )
    table = scores.confusion_table(truth, prediction, classes=CLASSES)
    assert table.dtype == np.int64
    np.testing.assert_array_equal(table, expected)


def test_the_table_is_counted_as_a_loop_over_pixels_counts_it():
    truth, prediction = pair(1, size=(7, 9))
    expected = np.zeros((CLASSES, CLASSES), dtype=int)
    for true, predicted in zip(truth.ravel(), prediction.ravel(), strict=True):
        if true != IGNORE:
            expected[true, predicted] += 1
    np.testing.assert_array_equal(
        scores.confusion_table(truth, prediction, classes=CLASSES), expected
    )


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int32", "int64", "uint64"])
def test_every_type_of_integer_gives_the_same_scores(dtype):
    truth, prediction = pair(2, classes=2, ignored=False)
    other = truth.astype(dtype), prediction.astype(dtype)
    for score in (scores.confusion_table, scores.boundary_iou, scores.boundary_f1):
        expected = score(truth, prediction, classes=2)
        np.testing.assert_array_equal(score(*other, classes=2), expected)


def test_more_classes_than_a_byte_holds_are_counted():
    truth = np.array([[299, 65535], [0, 255]], dtype=np.uint16)
    prediction = np.array([[299, 1], [255, 255]], dtype=np.uint16)
    table = scores.confusion_table(truth, prediction, classes=300, ignore=65535)
    assert table.sum() == 3
    assert (table[299, 299], table[0, 255], table[255, 255]) == (1, 1, 1)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_tables_of_parts_add_up_to_the_table_of_the_whole(seed):
    truth, prediction = pair(seed, size=(12, 16))
    parts = sum(
        scores.confusion_table(truth[rows], prediction[rows], classes=CLASSES)
        for rows in (slice(0, 5), slice(5, None))
    )
    np.testing.assert_array_equal(scores.confusion_table(truth, prediction, classes=CLASSES), parts)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_what_is_predicted_on_ignored_pixels_changes_no_score(seed):
    truth, prediction = pair(seed, size=(12, 16))
    noise = np.random.default_rng(seed).integers(0, 256, truth.shape, dtype=np.uint8)
    other = np.where(truth == IGNORE, noise, prediction)
    for score in (scores.confusion_table, scores.boundary_iou, scores.boundary_f1):
        expected = score(truth, prediction, classes=CLASSES)
        np.testing.assert_array_equal(score(truth, other, classes=CLASSES), expected)


@pytest.mark.parametrize(
    ("truth", "prediction", "named"),
    [
        ([[0, 7]], [[0, 1]], r"truth holds the value 7, .* end at 1"),
        ([[0, -3]], [[0, 1]], r"truth holds the value -3"),
        ([[0, 1]], [[0, 255]], r"prediction holds the value 255"),
        ([[0, 1]], [[0.0, 1.0]], r"prediction holds numbers of the type float64"),
        ([[0, 1]], [[0], [1]], r"shape \(1, 2\), but the prediction \(2, 1\)"),
    ],
)
@pytest.mark.parametrize("score", [scores.confusion_table, scores.boundary_iou, scores.boundary_f1])
def test_masks_that_cannot_be_scored_are_refused_by_name(score, truth, prediction, named):
    with pytest.raises(DataError, match=named) as caught:
        score(np.array(truth), np.array(prediction), classes=2)
    assert caught.value.hint


def test_an_ignore_value_that_is_a_class_id_is_refused():
    mask = np.zeros((2, 2), dtype=np.uint16)
    with pytest.raises(DataError, match="ignore value 255 is one of the 300 class ids"):
        scores.confusion_table(mask, mask, classes=300)


# Scores of a table


@pytest.mark.parametrize("seed", range(5))
def test_the_summary_equals_scikit_learn(seed):
    truth, prediction = pair(seed)
    kept = truth != IGNORE
    true, predicted = truth[kept], prediction[kept]
    summary = scores.summarise(scores.confusion_table(truth, prediction, classes=CLASSES))
    everything, foreground = range(CLASSES), range(1, CLASSES)

    def mean(score, labels):
        return score(true, predicted, labels=labels, average="macro")

    assert summary == pytest.approx(
        {
            "mean_iou": mean(sklearn_metrics.jaccard_score, everything),
            "mean_dice": mean(sklearn_metrics.f1_score, everything),
            "foreground_iou": mean(sklearn_metrics.jaccard_score, foreground),
            "foreground_dice": mean(sklearn_metrics.f1_score, foreground),
            "accuracy": sklearn_metrics.accuracy_score(true, predicted),
        },
        abs=1e-12,
    )


def test_a_class_in_neither_truth_nor_prediction_is_left_out_and_one_only_predicted_scores_zero():
    table = scores.confusion_table(np.array([[0, 1]]), np.array([[0, 1]]), classes=3)
    assert scores.summarise(table)["mean_iou"] == 1.0
    table = scores.confusion_table(np.array([[0, 1, 1]]), np.array([[0, 1, 2]]), classes=3)
    assert scores.summarise(table)["mean_iou"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert scores.summarise(table)["foreground_iou"] == pytest.approx((0.5 + 0) / 2)


def test_a_table_of_nothing_has_no_scores_and_is_still_json():
    summary = scores.summarise(np.zeros((3, 3), dtype=np.int64))
    assert set(summary.values()) == {None}
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


@given(st.lists(st.integers(0, 50), min_size=9, max_size=9))
@settings(max_examples=50, deadline=None)
def test_scores_stay_in_their_range_and_dice_is_never_below_iou(cells):
    table = np.array(cells).reshape(3, 3)
    summary = scores.summarise(table)
    assert all(value is None or 0 <= value <= 1 for value in summary.values())
    for row in scores.class_scores(table, "abc"):
        if row["iou"] is None:
            assert row["dice"] is None
        else:
            assert row["dice"] == pytest.approx(2 * row["iou"] / (1 + row["iou"]))


def test_the_scores_of_classes_have_names_values_and_true_pixels():
    truth, prediction = pair(3)
    truth[truth == 3], prediction[prediction == 3] = 0, 0
    table = scores.confusion_table(truth, prediction, classes=CLASSES)
    rows = scores.class_scores(table, ["background", "a", "b", "absent"])
    kept = truth != IGNORE
    iou = sklearn_metrics.jaccard_score(
        truth[kept], prediction[kept], labels=range(3), average=None
    )
    dice = sklearn_metrics.f1_score(truth[kept], prediction[kept], labels=range(3), average=None)
    assert [row["name"] for row in rows] == ["background", "a", "b", "absent"]
    assert [row["iou"] for row in rows[:3]] == pytest.approx(iou.tolist())
    assert [row["dice"] for row in rows[:3]] == pytest.approx(dice.tolist())
    assert [row["pixels"] for row in rows] == [int((truth == label).sum()) for label in range(4)]
    assert rows[3] == {"name": "absent", "iou": None, "dice": None, "pixels": 0}
    json.dumps(rows, allow_nan=False)


def test_a_missing_class_name_and_a_table_that_is_not_square_are_refused():
    with pytest.raises(DataError, match="1 class names for a table of 2"):
        scores.class_scores(np.eye(2, dtype=np.int64), ["background"])
    with pytest.raises(DataError, match=r"shape \(2, 3\)"):
        scores.summarise(np.zeros((2, 3), dtype=np.int64))


def test_the_scores_of_an_image_are_those_of_its_foreground_alone():
    truth, prediction = pair(4, classes=2, ignored=False)
    iou, dice = scores.image_scores(scores.confusion_table(truth, prediction, classes=2))
    assert iou == pytest.approx(sklearn_metrics.jaccard_score(truth.ravel(), prediction.ravel()))
    assert dice == pytest.approx(sklearn_metrics.f1_score(truth.ravel(), prediction.ravel()))


def test_the_scores_of_an_image_are_means_over_the_foreground_classes_it_has():
    truth = np.array([[0, 1, 1, 2]])
    prediction = np.array([[0, 1, 2, 2]])
    table = scores.confusion_table(truth, prediction, classes=9)
    assert scores.image_scores(table) == pytest.approx((0.5, 2 / 3))


def test_an_empty_image_has_no_score_but_a_false_positive_on_it_scores_zero():
    empty, false = np.zeros((2, 2), dtype=np.uint8), np.array([[0, 0], [0, 1]], dtype=np.uint8)
    for score in (scores.boundary_iou, scores.boundary_f1):
        assert score(empty, empty, classes=2) is None
        assert score(empty, false, classes=2) == 0.0
        assert score(false, empty, classes=2) == 0.0
    table = scores.confusion_table(empty, false, classes=2)
    assert scores.image_scores(table) == (0.0, 0.0)
    assert scores.image_scores(np.array([[4, 0], [0, 0]])) == (None, None)


# Boundaries


@pytest.mark.parametrize("dilation", [0.001, 0.02, 0.1, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_boundary_iou_equals_the_erosions_of_the_paper(seed, dilation):
    truth, prediction = pair(seed, ignored=seed % 2 == 0)
    expected = reference_boundary_iou(truth, prediction, CLASSES, dilation)
    got = scores.boundary_iou(truth, prediction, classes=CLASSES, dilation=dilation)
    assert got == pytest.approx(expected, abs=1e-12)


@given(seeds, st.integers(1, 12), st.integers(2, 30), st.integers(2, 30), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_one_distance_transform_equals_many_erosions_of_each_class(
    seed, width, rows, columns, classes
):
    labels = blobs(np.random.default_rng(seed), (rows, columns), classes, smooth=2).astype(np.int32)
    band = scores._band(labels, width)
    for label in range(classes):
        mask = labels == label
        eroded = ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width, border_value=0)
        np.testing.assert_array_equal(band & mask, mask & ~eroded)


@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_boundary_f1_equals_distance_transforms_of_each_class(seed, tolerance):
    truth, prediction = pair(seed, ignored=seed % 2 == 0)
    expected = reference_boundary_f1(truth, prediction, CLASSES, tolerance)
    got = scores.boundary_f1(truth, prediction, classes=CLASSES, tolerance=tolerance)
    assert got == pytest.approx(expected, abs=1e-12)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_a_right_mask_has_right_boundaries_and_turning_both_masks_changes_nothing(seed):
    truth, prediction = pair(seed, size=(20, 26))
    right = np.where(truth == IGNORE, 0, truth)
    for score in (scores.boundary_iou, scores.boundary_f1):
        assert score(truth, right, classes=CLASSES) in (1.0, None)
        value = score(truth, prediction, classes=CLASSES)
        assert score(truth.T, prediction.T, classes=CLASSES) == pytest.approx(value)
        assert 0 <= value <= 1


def test_masks_without_a_single_contour_match_have_no_boundary_score_but_zero():
    truth, prediction = np.zeros((2, 40, 40), dtype=np.uint8)
    truth[2:8, 2:8], prediction[25:35, 25:35] = 1, 1
    assert scores.boundary_iou(truth, prediction, classes=2) == 0.0
    assert scores.boundary_f1(truth, prediction, classes=2) == 0.0


def test_a_stack_of_masks_has_no_boundary_score():
    stack = np.zeros((2, 4, 4), dtype=np.uint8)
    with pytest.raises(DataError, match=r"\(2, 4, 4\), not \(height, width\)"):
        scores.boundary_iou(stack, stack, classes=2)


def test_a_megapixel_of_many_classes_is_scored_within_a_second_each():
    truth, prediction = pair(0, classes=21, size=(1000, 1000))
    for score in (scores.confusion_table, scores.boundary_iou, scores.boundary_f1):
        begin = time.process_time()
        score(truth, prediction, classes=21)
        assert time.process_time() - begin < 1.0


# Calibration


def softmax_pair(seed, size=(40, 50)):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(*size, CLASSES)) * 2
    exponent = np.exp(logits)
    probabilities = (exponent / exponent.sum(axis=-1, keepdims=True)).astype(np.float32)
    truth = rng.integers(0, CLASSES, size).astype(np.uint8)
    truth[:5] = IGNORE
    return probabilities, truth


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_equals_a_loop_over_bins(bins):
    probabilities, truth = softmax_pair(0)
    kept = truth != IGNORE
    confidence, winner = probabilities.max(-1)[kept], probabilities.argmax(-1)[kept]
    correct = winner == truth[kept]
    error, rows = 0.0, []
    for low, high in zip(np.arange(bins) / bins, np.arange(1, bins + 1) / bins, strict=True):
        inside = (confidence > low) & (confidence <= high)
        rows.append([inside.sum(), confidence[inside].sum(dtype=float), correct[inside].sum()])
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean(dtype=float))
            error += inside.mean() * gap
    histogram = scores.calibration_histogram(probabilities, truth, bins=bins)
    assert (histogram.shape, histogram.dtype) == ((bins, 3), np.float64)
    np.testing.assert_allclose(histogram, rows)
    assert scores.calibration_error(histogram) == pytest.approx(error)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it():
    confidence = np.array([0.5, 0.75, 0.76, 1.0])
    probabilities = np.stack([confidence, 1 - confidence], axis=-1)[None]
    histogram = scores.calibration_histogram(probabilities, np.zeros((1, 4), int), bins=4)
    assert histogram[:, 0].tolist() == [0, 1, 1, 2]


def test_calibration_histograms_of_images_add_up():
    probabilities, truth = softmax_pair(1)
    halves = [
        scores.calibration_histogram(probabilities[rows], truth[rows])
        for rows in (slice(0, 11), slice(11, None))
    ]
    whole = scores.calibration_histogram(probabilities, truth)
    np.testing.assert_allclose(sum(halves), whole)


def test_labels_drawn_from_the_probabilities_are_calibrated_and_overconfidence_is_not():
    probabilities, _ = softmax_pair(2, size=(200, 200))
    rng = np.random.default_rng(3)
    drawn = (rng.random((200, 200, 1)) > probabilities.cumsum(-1)).sum(-1).clip(0, CLASSES - 1)
    sharp = probabilities**4 / (probabilities**4).sum(-1, keepdims=True)
    honest, boastful = (
        scores.calibration_error(scores.calibration_histogram(each, drawn))
        for each in (probabilities, sharp)
    )
    assert honest < 0.02
    assert boastful > 0.15


def test_a_split_that_is_all_ignored_has_no_calibration_error():
    probabilities, truth = softmax_pair(4, size=(4, 4))
    histogram = scores.calibration_histogram(probabilities, np.full_like(truth, IGNORE))
    assert scores.calibration_error(histogram) is None


@pytest.mark.parametrize("value", [3.5, -1.0, float("nan")])
def test_logits_are_refused_as_probabilities(value):
    probabilities = np.full((2, 2, 2), value)
    with pytest.raises(DataError, match=f"hold the value {value}"):
        scores.calibration_histogram(probabilities, np.zeros((2, 2), dtype=np.uint8))


# The module


def test_the_module_needs_only_numpy_until_a_band_is_asked_for():
    code = (
        "import sys, delineate.scores; "
        "sys.exit(any(name.split('.')[0] in {'scipy', 'skimage', 'cv2', 'keras'} "
        "for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_real_street_masks_score_as_the_references_do(real_data):
    folder = real_data / "camvid" / "val" / "masks"
    paths = sorted(folder.iterdir())[:40:20]
    truth, prediction = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths)
    truth, prediction = np.where(truth == 11, 255, truth), prediction.clip(0, 10)
    kept = truth != IGNORE
    table = scores.confusion_table(truth, prediction, classes=11)
    np.testing.assert_array_equal(
        table,
        sklearn_metrics.confusion_matrix(truth[kept], prediction[kept], labels=range(11)),
    )
    assert scores.boundary_iou(truth, prediction, classes=11) == pytest.approx(
        reference_boundary_iou(truth, prediction, 11, 0.02), abs=1e-12
    )
    assert scores.boundary_f1(truth, prediction, classes=11) == pytest.approx(
        reference_boundary_f1(truth, prediction, 11, 2), abs=1e-12
    )
