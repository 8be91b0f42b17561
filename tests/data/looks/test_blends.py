import cv2
import numpy as np
import pytest

from delineate.data.describing.description import COLOUR
from delineate.data.looks.blends import find_blends

CIRCLE = cv2.circle(np.zeros((64, 64), np.uint8), (30, 33), 20, 255, -1)
# 0, 3 and 8 side by side, none of which is the mean of two others.
CLASSES = np.select([np.add.outer(np.arange(64), np.arange(64)) > 80, CIRCLE > 0], [8, 3], 0)
CLASSES = CLASSES.astype(np.uint8)


def border_of(labels):
    """The pixels that differ from one of their four neighbours, by a loop."""
    padded = np.pad(labels.astype(int), 1, mode="edge")
    border = np.zeros(labels.shape, bool)
    for row, column in np.ndindex(labels.shape):
        here = padded[row + 1, column + 1]
        around = (padded[row, column + 1], padded[row + 2, column + 1])
        around += (padded[row + 1, column], padded[row + 1, column + 2])
        border[row, column] = any(value != here for value in around)
    return border


def blends(labels, colours=None):
    return find_blends(labels, border_of(labels), colours)


def blends_by_a_loop(labels):
    labels = labels.astype(int)
    mixed = set()
    for row, column in np.ndindex(labels.shape):
        for step in ((0, 1), (1, 0)):
            before = row - step[0], column - step[1]
            after = row + step[0], column + step[1]
            if min(before) < 0 or after[0] >= labels.shape[0] or after[1] >= labels.shape[1]:
                continue
            low, high = sorted((labels[before], labels[after]))
            if low < labels[row, column] < high:
                mixed.add((row, column))
    return len(mixed) / np.count_nonzero(border_of(labels))


def jpeg(mask, quality=90):
    _, data = cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def half(mask):
    return cv2.resize(mask, (32, 32), interpolation=cv2.INTER_AREA)


def double(mask):
    return cv2.resize(mask, (128, 128), interpolation=cv2.INTER_LINEAR)


def smoothed(mask):
    return cv2.GaussianBlur(mask, (3, 3), 0)


@pytest.mark.parametrize("change", [half, double, smoothed])
@pytest.mark.parametrize("mask", [CIRCLE, CLASSES], ids=["0 and 255", "ids"])
def test_what_was_smoothed_holds_mixtures_along_its_borders(change, mask):
    found = blends(change(mask))
    assert found.share == pytest.approx(blends_by_a_loop(change(mask)))
    assert found.share > 0.15
    assert len(found.values) > 1


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
@pytest.mark.parametrize("levels", [(0, 255), (0, 100, 200)])
def test_the_waves_of_a_jpeg_are_mixtures(levels, quality):
    boxes = np.zeros((64, 64), np.uint8)
    boxes[9:30, 5:31], boxes[20:47, 33:60] = levels[1], levels[-1]
    found = blends(jpeg(boxes, quality))
    assert found.share > 0.2
    assert all(min(abs(value - level) for level in levels) <= 16 for value in found.values)


def test_many_small_objects_with_ids_of_their_own_are_no_waves():
    rng = np.random.default_rng(0)
    labels = np.zeros((256, 256), np.uint16)
    for number, (row, column) in enumerate(rng.integers(0, 240, (150, 2)), 1):
        side = rng.integers(2, 14)
        labels[row : row + side, column : column + side] = number
    assert blends(labels).share < 0.06


@pytest.mark.parametrize("mask", [CIRCLE, CLASSES, CIRCLE // 255, CLASSES[30:31]])
def test_a_mask_with_hard_edges_holds_next_to_none(mask):
    found = blends(mask)
    assert found.share == pytest.approx(blends_by_a_loop(mask))
    assert found.share < 0.03


def test_an_outline_of_two_pixels_is_no_mixture():
    ring = CIRCLE.copy()
    cv2.circle(ring, (30, 33), 20, 128, 2)
    assert blends(ring).share < 0.03


def test_thin_objects_beside_each_other_are_told_by_their_few_values():
    ring = CIRCLE.copy()
    cv2.circle(ring, (30, 33), 20, 128, 1)
    assert blends(ring).values == (128,)


def test_ids_in_any_order_side_by_side_hold_few():
    seeds = np.random.default_rng(0).integers(0, 128, (60, 2))
    grid = np.stack(np.mgrid[:128, :128], axis=-1)[:, :, None]
    cells = np.square(grid - seeds).sum(axis=-1).argmin(axis=-1).astype(np.uint8)
    assert blends(cells).share < 0.06


def test_mixtures_of_colours_lie_on_the_line_between_them():
    red, grey, blue, green = 0xFF0000, 0x7F0080, 0x0000FF, 0x00FF00
    colours = tuple(COLOUR | colour for colour in (red, grey, blue, green))
    mixed = np.array([[0, 0, 1, 2, 2]] * 3, np.uint8)
    apart = np.array([[0, 0, 3, 2, 2]] * 3, np.uint8)
    assert blends(mixed, colours).values == (COLOUR | grey,)
    assert blends(mixed, colours).share == pytest.approx(1 / 3)
    assert blends(apart, colours).share == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_mask_of_a_few_pixels_holds_none(shape):
    labels = np.arange(4, dtype=np.uint8)[: shape[0] * shape[1]].reshape(shape)
    assert blends(labels).values == ()
