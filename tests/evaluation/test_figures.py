import io

import numpy as np
import pytest
from PIL import Image

from delineate.errors import DataError
from delineate.evaluation.figures import (
    Triptych,
    confusion_matrix,
    histogram_of_scores,
    reliability,
    triptychs,
)
from delineate.imaging import error_overlay

COLOURS = [(0, 0, 0), (230, 159, 0), (0, 114, 178)]
SHADES = np.array([[0xF3, 0xF5, 0xF5], [0x1F, 0x6F, 0x78]])


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def count(pixels, colour):
    return int((pixels == np.asarray(colour)).all(axis=-1).sum())


def triptych(title="a", size=(64, 64), truth=True, score=0.5):
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 1
    image = np.full((*size, 3), 128, np.uint8)
    return Triptych(title, image, mask if truth else None, np.roll(mask, size[1] // 8, 1), score)


def test_a_row_shows_image_truth_prediction_and_errors():
    row = triptych(size=(256, 256))
    pixels = pixels_of(triptychs([row], COLOURS))
    columns = [pixels[48:, left : left + 256] for left in (8, 272, 536, 800)]
    outlined = [count(column, COLOURS[1]) > 100 for column in columns]
    assert outlined == [False, True, True, False]
    found = np.nonzero((columns[1] == COLOURS[1]).all(axis=-1))[1]
    predicted = np.nonzero((columns[2] == COLOURS[1]).all(axis=-1))[1]
    assert (found.min(), predicted.min()) == (64, 96)
    expected = error_overlay(row.image, row.truth, row.prediction)
    for colour in np.unique(expected.reshape(-1, 3), axis=0):
        assert count(columns[3], colour) >= (expected == colour).all(axis=-1).sum()


def test_the_legend_has_the_colours_of_the_errors():
    grey = np.full((32, 32, 3), 128, np.uint8)
    nothing = np.zeros((32, 32), np.uint8)
    pixels = pixels_of(triptychs([Triptych("a", grey, nothing, nothing, None)], COLOURS))
    wrong = error_overlay(grey, nothing, np.ones_like(nothing))[0, 0]
    missed = error_overlay(grey, np.ones_like(nothing), nothing)[0, 0]
    assert count(pixels, wrong) == count(pixels, missed) == 144


def test_without_any_truth_there_are_only_image_and_prediction():
    known = pixels_of(triptychs([triptych()], COLOURS))
    unknown = pixels_of(triptychs([triptych(truth=False)], COLOURS))
    assert unknown.shape[1] < 0.6 * known.shape[1]
    assert unknown.shape[0] < known.shape[0]


def test_a_row_without_truth_beside_others_leaves_truth_and_errors_empty():
    rows = [triptych(size=(256, 256), truth=False, score=None), triptych(size=(256, 256))]
    pixels = pixels_of(triptychs(rows, COLOURS))
    row = pixels[90:280]
    empty = [bool((row[:, left : left + 256] == 255).all()) for left in (8, 272, 536, 800)]
    assert empty == [False, True, False, True]


def test_names_of_classes_are_explained_in_the_legend():
    plain = pixels_of(triptychs([triptych()], COLOURS))
    named = pixels_of(triptychs([triptych()], COLOURS, names=["none", "cell", "wall"]))
    assert named.shape[0] > plain.shape[0]
    assert count(named, COLOURS[2]) == 144


def test_images_of_any_size_and_depth_stand_in_the_same_columns():
    tall = Triptych(
        "b" * 500,
        np.full((300, 20, 1), 9000, np.uint16),
        np.zeros((300, 20), np.uint16),
        np.zeros((300, 20), np.uint8),
        1.0,
    )
    pixels = pixels_of(triptychs([triptych(size=(30, 900)), tall], COLOURS))
    assert pixels.shape[1] == 4 * 264 + 8


def test_no_predictions_are_refused():
    with pytest.raises(DataError, match="no predictions"):
        triptychs([], COLOURS)


def test_a_prediction_of_another_size_is_refused():
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(DataError, match=r"\(8, 8\).*\(4, 4\)"):
        triptychs([Triptych("a", image, None, np.zeros((4, 4), np.uint8), None)], COLOURS)


def squares(pixels):
    """Which cells of a table of two classes are dark, found by the colour in their corners."""
    dark = np.abs(pixels.astype(int) - SHADES[1]).sum(axis=-1) < 30
    light = np.abs(pixels.astype(int) - SHADES[0]).sum(axis=-1) < 6
    # Letters have such colours as well, but fill no row or column.
    rows = np.nonzero((dark | light).sum(axis=1) > 80)[0]
    columns = np.nonzero((dark | light).sum(axis=0) > 80)[0]
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    return [
        [bool(dark[int(row), int(column)]) for column in (left + 9, right - 9)]
        for row in (top + 9, bottom - 9)
    ]


def test_rows_are_true_classes_and_are_normalised():
    table = np.array([[0, 3], [0, 40_000]], np.int64)
    assert squares(pixels_of(confusion_matrix(table, ["a", "b"]))) == [[False, True]] * 2


def test_columns_are_predicted_classes():
    table = np.array([[5, 0], [7, 0]], np.int64)
    assert squares(pixels_of(confusion_matrix(table, ["a", "b"]))) == [[True, False]] * 2


@pytest.mark.parametrize("classes", [2, 5, 21, 45])
def test_a_matrix_is_drawn_for_few_and_for_many_classes(classes):
    table = np.random.default_rng(0).integers(0, 900, (classes, classes))
    table[-1] = 0
    names = [f"${index}$ a long name"[: 4 + index] for index in range(classes)]
    pixels = pixels_of(confusion_matrix(table, names))
    assert 300 < min(pixels.shape[:2]) <= max(pixels.shape[:2]) < 2200


def test_small_tables_have_counts_and_large_ones_only_shares():
    def ink(value, classes):
        table = np.full((classes, classes), value, np.int64)
        return (pixels_of(confusion_matrix(table, ["n"] * classes)) < 100).sum()

    assert ink(1, 2) != ink(8_888_888, 2)
    assert ink(1, 8) == ink(8_888_888, 8)


@pytest.mark.parametrize("shape", [(2, 3), (3, 3)])
def test_a_table_that_does_not_fit_the_names_is_refused(shape):
    with pytest.raises(DataError, match="2 class names"):
        confusion_matrix(np.ones(shape, np.int64), ["a", "b"])


def bars(pixels):
    """The heights of the bars at five places from 0 to 1."""
    bar = (pixels == (0xA9, 0xCF, 0xCB)).all(axis=-1)
    frame = np.nonzero((pixels == (0xC9, 0xCE, 0xD2)).all(axis=-1).sum(axis=0) > 0)[0]
    left, right = frame.min(), frame.max()
    places = [int(left + (right - left) * share) for share in (0.06, 0.3, 0.5, 0.7, 0.94)]
    # The line of the mean or median may cover the middle of a bar.
    return [int(bar[:, place - 6 : place + 7].sum(axis=0).max()) for place in places]


def test_a_histogram_has_its_bars_where_the_scores_are():
    heights = bars(pixels_of(histogram_of_scores([0.06] * 2 + [0.94] * 4 + [None, float("nan")])))
    assert heights[1:4] == [0, 0, 0]
    assert heights[4] == pytest.approx(2 * heights[0], abs=2)
    assert heights[0] > 20


@pytest.mark.parametrize("values", [[], [None], [float("nan")]])
def test_a_histogram_without_scores_says_so(values):
    pixels = pixels_of(histogram_of_scores(values))
    assert sum(bars(pixels)) == 0
    assert (pixels[100:200, 150:500] < 100).any()


def gap(pixels):
    return int(((pixels[..., 0].astype(int) - pixels[..., 2]) > 60).sum())


def test_reliability_shows_the_gap_between_confidence_and_truth():
    pixels = np.array([10.0, 10.0, 0.0])
    confidence = np.array([3.0, 6.0, 0.0])
    honest = reliability(np.stack([pixels, confidence, confidence], axis=1))
    boasting = reliability(np.stack([pixels, confidence, confidence / 3], axis=1))
    assert gap(pixels_of(honest)) == 0
    assert gap(pixels_of(boasting)) > 100


def test_reliability_of_no_pixels_is_an_empty_picture():
    assert gap(pixels_of(reliability(np.zeros((15, 3))))) == 0
