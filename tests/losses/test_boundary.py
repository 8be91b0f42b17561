"""What the boundary loss takes for an outline, and how far one may be away."""

import numpy as np
import pytest

from delineate.losses import IGNORE, SegmentationLoss


def square(row, column, side=12):
    mask = np.zeros((1, 32, 32), int)
    mask[:, row : row + side, column : column + side] = 1
    return mask


def value(truth, mask):
    logits = np.where(mask == 1, 60.0, -60.0)[..., np.newaxis]
    return float(SegmentationLoss({"boundary": 1.0}, output="sigmoid")(truth, logits))


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_an_outline_may_be_two_pixels_away(shift):
    assert value(square(8, 8), square(8 + shift, 8 + shift)) == pytest.approx(0, abs=1e-6)


def test_an_outline_that_is_further_away_costs():
    costs = [value(square(8, 8), square(8, 8 + shift)) for shift in (2, 3, 4)]
    assert costs[0] < 1e-6 < 0.1 < costs[1]
    assert costs[1] == pytest.approx(costs[2], abs=0.1)
    assert value(square(4, 4, 8), square(20, 20, 8)) > 0.9


def test_what_borders_on_ignored_pixels_is_no_outline():
    truth = square(8, 8)
    truth[:, :, 14:] = IGNORE
    anything = np.where(truth == IGNORE, 0, truth)
    assert value(truth, anything) == pytest.approx(0, abs=1e-6)
    assert value(truth, square(8, 8)) == pytest.approx(0, abs=1e-6)


def test_the_edge_of_the_image_is_no_outline():
    everything = np.ones((1, 32, 32), int)
    assert value(everything, everything) == pytest.approx(0, abs=1e-6)
    half = square(0, 0, 32)
    half[:, 16:] = 0
    # The only outline is that along the row: 32 pixels that the other does not have.
    assert value(half, everything) == pytest.approx(1 - 2 / 33 / (1 + 1 / 33))


def test_a_class_that_is_not_there_and_is_predicted_costs_nearly_all():
    nothing = np.zeros((1, 32, 32), int)
    assert value(nothing, nothing) == pytest.approx(0, abs=1e-6)
    assert value(nothing, square(8, 8)) > 0.9
