import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from delineate.errors import DataError
from delineate.evaluation.curves import _best, _points, draw_curves

TRAINING, VALIDATION, BEST = (0x9A, 0xA5, 0xAD), (0x1F, 0x6F, 0x78), (0xC8, 0x55, 0x3D)


def epochs(count, *names):
    generator = np.random.default_rng(0)
    return [
        {"epoch": epoch, **{name: float(generator.random()) for name in names}}
        for epoch in range(1, count + 1)
    ]


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def shows(pixels, colour):
    return bool((pixels == colour).all(axis=-1).any())


def height_of(*names):
    return pixels_of(draw_curves(epochs(3, *names), title="t")).shape[0]


def width_of(*names):
    return pixels_of(draw_curves(epochs(3, *names), title="t")).shape[1]


def test_training_and_validation_are_drawn_in_their_own_colours():
    both = pixels_of(draw_curves(epochs(20, "loss", "val_loss"), title="t"))
    assert shows(both, TRAINING)
    assert shows(both, VALIDATION)
    alone = pixels_of(draw_curves(epochs(20, "loss"), title="t"))
    assert shows(alone, TRAINING)
    assert not shows(alone, VALIDATION)


def test_there_is_a_panel_for_each_score_that_is_known_and_none_for_others():
    assert width_of("loss", "dice") == 2 * width_of("loss")
    assert width_of("loss", "something") == width_of("loss")
    assert height_of("loss", "dice", "accuracy", "val_mean_iou") > 1.5 * height_of("loss", "dice")


def test_the_learning_rate_has_a_small_panel_below():
    small = height_of("loss", "learning_rate") - height_of("loss")
    panel = height_of("loss", "dice", "accuracy") - height_of("loss", "dice")
    assert 0 < small < panel / 2


def test_the_losses_of_two_adversaries_have_no_best_epoch():
    assert shows(pixels_of(draw_curves(epochs(5, "fidelity"), title="t")), BEST)
    assert not shows(pixels_of(draw_curves(epochs(5, "critic", "adversarial"), title="t")), BEST)


def test_the_best_epoch_is_marked_where_the_loss_is_lowest():
    rows = [{"epoch": e, "loss": abs(e - 8) + 1.0} for e in range(1, 11)]
    pixels = pixels_of(draw_curves(rows, title="t"))
    marked = (pixels == BEST).all(axis=-1)
    labels, count = ndimage.label(ndimage.binary_dilation(marked, iterations=4))
    regions = ndimage.find_objects(labels)
    ring = max(regions, key=lambda region: region[0].start)
    line = np.nonzero((pixels == TRAINING).all(axis=-1).any(axis=0))[0]
    expected = line[0] + (line[-1] - line[0]) * 7 / 9
    assert count > 1
    # The legend's sample of the line lies inside the span of the curve.
    assert abs((ring[1].start + ring[1].stop) / 2 - expected) < 0.03 * pixels.shape[1]


@pytest.mark.parametrize(("lowest", "epoch"), [(True, 2), (False, 3)])
def test_the_first_of_equally_good_epochs_is_the_best(lowest, epoch):
    points = [(1, 0.5), (2, 0.1), (3, 0.9), (4, 0.1), (5, 0.9)]
    assert _best(points, lowest=lowest)[0] == epoch


def test_values_that_are_missing_or_not_finite_are_left_out():
    rows = [
        {"epoch": 1, "dice": float("nan")},
        {"epoch": 2},
        {"epoch": 3, "dice": 0.5},
        {"epoch": 4, "dice": None},
        {"epoch": 5, "dice": float("inf")},
    ]
    assert _points(rows, "dice") == [(3, 0.5)]
    assert shows(pixels_of(draw_curves(rows, title="t")), TRAINING)


def test_a_single_epoch_is_drawn_with_all_panels():
    names = ("loss", "accuracy", "dice", "mean_iou")
    rows = epochs(1, *names, *(f"val_{name}" for name in names), "learning_rate")
    pixels = pixels_of(draw_curves(rows, title="t"))
    assert shows(pixels, VALIDATION)
    assert shows(pixels, BEST)


def test_signs_of_formulas_in_the_title_are_only_text():
    assert draw_curves(epochs(2, "loss"), title="runs/$x_$ {a} \\frac")


@pytest.mark.parametrize("rows", [[], [{"epoch": 1, "learning_rate": 0.1}]])
def test_a_training_without_anything_to_draw_is_refused(rows):
    with pytest.raises(DataError, match=f"'first' has {len(rows)} epochs") as caught:
        draw_curves(rows, title="first")
    assert caught.value.hint


def test_the_same_rows_give_the_same_picture():
    rows = epochs(4, "loss", "val_loss")
    first, second = (pixels_of(draw_curves(rows, title="t")) for _ in range(2))
    np.testing.assert_array_equal(first, second)
