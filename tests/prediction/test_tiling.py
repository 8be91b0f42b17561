"""Tiles: they cover everything, count for one together, and leave no seams."""

from itertools import pairwise

import numpy as np
import pytest

from delineate.prediction.tiling import Tiling, in_tiles, spans


def identity(part):
    return part.astype(np.float32)


TILINGS = [
    Tiling((16, 16), margin=0, ramp=0),
    Tiling((16, 16), margin=0, ramp=4),
    Tiling((16, 16), margin=4, ramp=0),
    Tiling((16, 16), margin=0, ramp=1, step=4),
    Tiling((32, 32), margin=6, ramp=0, step=8),
    Tiling((32, 32), margin=0, ramp=8, step=8),
    Tiling((64, 64), margin=0, ramp=16, step=32),
]


@pytest.mark.parametrize("tiling", TILINGS)
def test_what_counts_of_the_tiles_of_a_side_makes_one_everywhere(tiling):
    for length in range(1, 200):
        total = np.zeros(length, np.float32)
        for span in spans(length, tiling.tile[0], tiling):
            total[span.first : span.last] += span.weights()
        np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("tiling", TILINGS)
def test_the_tiles_of_a_side_begin_at_steps_and_see_their_margin(tiling):
    tile, step = tiling.tile[0], tiling.step
    for length in range(1, 200):
        found = spans(length, tile, tiling)
        whole = -(-length // step) * step
        assert found[0].start == 0
        assert found[-1].stop == length
        for span in found:
            assert span.start % step == 0
            assert span.start <= span.first < span.last <= span.stop
            assert len(found) == 1 or min(span.start + tile, length) == span.stop
        assert len(found) == 1 or found[-1].start + tile == whole
        for one, other in pairwise(found):
            assert one.start + tile - one.last >= tiling.margin
            assert other.first - other.start >= tiling.margin
            assert one.last - other.first == tiling.ramp
            assert one.settled.stop == other.first


def test_no_pixel_is_of_three_tiles():
    for tiling in TILINGS:
        for length in range(1, 200):
            found = spans(length, tiling.tile[0], tiling)
            for one, later in zip(found, found[2:], strict=False):
                assert one.last <= later.first


def test_a_side_that_fits_is_one_tile_and_no_more_are_made_than_needed():
    tiling = Tiling((16, 16), ramp=4)
    assert len(spans(16, 16, tiling)) == len(spans(3, 16, tiling)) == 1
    assert [span.start for span in spans(28, 16, tiling)] == [0, 12]
    assert len(spans(29, 16, tiling)) == 3


@pytest.mark.parametrize("tiling", TILINGS[:4])
@pytest.mark.parametrize("size", [(37, 53), (1, 100), (100, 1), (16, 16), (17, 15), (1, 1)])
def test_an_identity_gives_the_image_back(size, tiling):
    image = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    found = in_tiles(image, identity, tiling)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, image, rtol=1e-6)


def test_each_tile_is_of_the_side_asked_for_or_as_large_as_the_image():
    seen = []

    def predict(part):
        seen.append(part.shape[:2])
        return identity(part)

    in_tiles(np.zeros((40, 10, 1)), predict, Tiling((16, 16), ramp=4))
    assert set(seen) == {(16, 10)}
    assert len(seen) == 3


def test_where_two_tiles_disagree_the_change_is_gradual_and_never_leaves_their_range():
    """Each tile says its own number everywhere: a seam would be a jump from one to the next."""
    numbers = iter([0.0, 1.0])
    found = in_tiles(
        np.zeros((1, 28, 1)),
        lambda part: np.full((*part.shape[:2], 1), next(numbers), np.float32),
        Tiling((16, 16), ramp=4),
    ).ravel()
    assert found.tolist() == pytest.approx([0.0] * 12 + [0.2, 0.4, 0.6, 0.8] + [1.0] * 12)


def test_what_a_blended_tile_says_at_its_inner_border_counts_least():
    """The network lacks context there: a mistake in the outermost pixels is damped."""
    found = in_tiles(np.zeros((1, 28, 1)), wrong_at_the_border, Tiling((16, 16), ramp=4)).ravel()
    assert found[[0, -1]].tolist() == [1, 1]
    assert found[1:-1].max() == pytest.approx(0.2)


def wrong_at_the_border(part):
    found = np.zeros((*part.shape[:2], 1), np.float32)
    found[:, [0, -1]] = 1
    return found


def test_what_an_exact_tile_says_within_its_margin_does_not_count():
    found = in_tiles(np.zeros((1, 28, 1)), wrong_at_the_border, Tiling((16, 16), 2, ramp=0)).ravel()
    assert found.tolist() == [1, *[0] * 26, 1]


def test_tiles_may_be_higher_than_wide():
    seen = []

    def predict(part):
        seen.append(part.shape[:2])
        return part

    image = np.random.default_rng(1).random((40, 30, 1)).astype(np.float32)
    found = in_tiles(image, predict, Tiling((16, 8), ramp=2))
    np.testing.assert_allclose(found, image, atol=1e-6)
    assert set(seen) == {(16, 8)}
