"""Outlines agree with geometry, and crowds keep every nucleus whole."""

import math

import numpy as np
import pytest
from skimage.draw import ellipse
from skimage.measure import label

from delineate.data.synthetic.shapes import Blob, Crowd, _fits, direction, draw_blob, place

CROWD = Crowd((20, 30), (5, 9), (1.0, 2.2), 0.15, 0.6, 0.2)


def full_depth(blob: Blob, size: tuple[int, int]) -> np.ndarray:
    depth = np.full(size, -np.inf)
    depth[blob.window(size)] = blob.depth(size)
    return depth


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
def test_a_blob_without_waves_is_the_ellipse_that_skimage_draws(degrees):
    angle = math.radians(degrees)
    blob = Blob(31.3, 40.7, 20.2, 9.6, complex(math.cos(angle), math.sin(angle)), ())
    drawn = np.zeros((64, 80), bool)
    # scikit-image turns the other way, and its first radius is the one along the rows.
    drawn[ellipse(31.3, 40.7, 9.6, 20.2, shape=drawn.shape, rotation=-angle)] = True
    inside = full_depth(blob, drawn.shape) > 0
    assert np.count_nonzero(inside != drawn) <= 2
    assert np.count_nonzero(inside) == pytest.approx(math.pi * 20.2 * 9.6, rel=0.02)


def test_waves_move_the_radius_of_a_disc_as_cosines_of_whole_multiples_of_the_angle():
    waves = (0.1 + 0.05j, -0.08j, 0.04 + 0j)
    blob = Blob(30, 30, 12, 12, 1 + 0j, waves)
    depth = full_depth(blob, (61, 61))
    row, column = np.mgrid[:61, :61] - 30.0
    angle = np.arctan2(row, column)
    radius = 12 * (
        1
        + sum(
            abs(w) * np.cos(k * angle - math.atan2(w.imag, w.real)) for k, w in enumerate(waves, 2)
        )
    )
    known = np.isfinite(depth) & ((row != 0) | (column != 0))
    np.testing.assert_allclose(depth[known], (radius - np.hypot(row, column))[known], atol=1e-7)


def test_the_window_leaves_out_no_part_of_a_blob():
    rng = np.random.default_rng(5)
    wild = Crowd((1, 1), (8, 20), (1.0, 2.4), 0.28, 0, 0)
    for _ in range(100):
        depth = draw_blob(wild, 100 + 100j, rng).depth((200, 200))
        rim = np.concatenate([depth[0], depth[-1], depth[:, 0], depth[:, -1]])
        assert rim.max() < 0


def test_a_blob_far_outside_has_an_empty_window():
    blob = Blob(-90, 500, 10, 8, 1 + 0j, ())
    assert blob.depth((64, 64)).size == 0


def test_directions_have_length_one_and_point_everywhere():
    rng = np.random.default_rng(0)
    drawn = np.array([direction(rng) for _ in range(2000)])
    np.testing.assert_allclose(np.abs(drawn), 1, atol=1e-9)
    assert abs(drawn.mean()) < 0.06


@pytest.mark.parametrize("seed", range(6))
def test_every_nucleus_of_a_crowd_is_one_piece_and_large_enough(seed):
    blobs, instances = place(CROWD, (96, 144), np.random.default_rng(seed))
    assert instances.dtype == np.int32
    np.testing.assert_array_equal(np.unique(instances), np.arange(len(blobs) + 1))
    for number in range(1, len(blobs) + 1):
        assert label(instances == number, connectivity=1).max() == 1
        assert np.count_nonzero(instances == number) >= 20


def test_a_nucleus_never_lies_over_its_neighbours_by_more_than_the_crowd_allows():
    blobs, _ = place(CROWD, (128, 128), np.random.default_rng(3))
    below = np.zeros((128, 128), bool)
    shares = []
    for blob in blobs:
        inside = full_depth(blob, below.shape) > 0
        shares.append(np.count_nonzero(inside & below) / np.count_nonzero(inside))
        below |= inside
    assert 0.02 < max(shares) <= CROWD.overlap


def test_crowds_touch_each_other_and_the_border():
    _, instances = place(CROWD, (128, 128), np.random.default_rng(1))
    right, left = instances[:, 1:], instances[:, :-1]
    assert np.count_nonzero((right != left) & (right > 0) & (left > 0)) > 10
    border = np.concatenate([instances[0], instances[-1], instances[:, 0], instances[:, -1]])
    assert np.unique(border[border > 0]).size >= 2


def test_a_nucleus_that_the_border_would_cut_in_two_is_refused():
    # Four lobes: the two lower ones reach down into the picture, what joins them does not.
    instances = np.zeros((64, 64), np.int32)
    clover = Blob(-8, 32, 12, 12, 1 + 0j, (0j, 0j, -0.4 + 0j))
    inside = full_depth(clover, instances.shape) > 0
    pieces = label(inside, connectivity=1).max()
    assert pieces == 2
    assert np.count_nonzero(inside) >= 20
    assert not _fits(clover, instances, 0.2)


def test_a_nucleus_that_would_cut_another_in_two_is_refused():
    instances = np.zeros((64, 64), np.int32)
    instances[30:34, 10:54] = 1
    bar = Blob(32, 32, 20, 4, 1j, ())
    assert not _fits(bar, instances, 1.0)
    assert _fits(bar, np.zeros_like(instances), 1.0)
