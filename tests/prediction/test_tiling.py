"""Tiles: they cover everything, agree where they overlap, and leave no seams."""

from itertools import pairwise

import numpy as np
import pytest

from delineate.prediction.tiling import in_tiles, starts


def identity(part):
    return part.astype(np.float32)


@pytest.mark.parametrize("tile", [4, 7, 16])
@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_the_tiles_of_a_side_cover_it_and_overlap_as_much_as_asked_for(tile, overlap):
    for length in range(1, 60):
        found = starts(length, tile, overlap)
        assert found[0] == 0
        assert found == sorted(set(found))
        if length > tile:
            assert found[-1] + tile == length
        for one, other in pairwise(found):
            assert one + tile - other >= max(overlap - 1, 0)


def test_a_side_that_fits_is_one_tile():
    assert starts(16, 16, 4) == [0]
    assert starts(3, 16, 4) == [0]


def test_no_more_tiles_are_made_than_needed():
    assert starts(28, 16, 4) == [0, 12]
    assert len(starts(29, 16, 4)) == 3


@pytest.mark.parametrize("size", [(37, 53), (1, 100), (100, 1), (16, 16), (17, 15), (1, 1)])
def test_an_identity_gives_the_image_back(size):
    image = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    found = in_tiles(image, identity, tile=(16, 16), overlap=5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, image, rtol=1e-6)


def test_each_tile_is_of_the_side_asked_for_or_as_large_as_the_image():
    seen = []

    def predict(part):
        seen.append(part.shape[:2])
        return identity(part)

    in_tiles(np.zeros((40, 10, 1)), predict, tile=(16, 16), overlap=4)
    assert set(seen) == {(16, 10)}
    assert len(seen) == 3


def test_where_two_tiles_disagree_the_change_is_gradual_and_never_leaves_their_range():
    """Each tile says its own number everywhere: a seam would be a jump from one to the next."""
    numbers = iter([0.0, 1.0])
    found = in_tiles(
        np.zeros((1, 28, 1)),
        lambda part: np.full((*part.shape[:2], 1), next(numbers), np.float32),
        tile=(16, 16),
        overlap=4,
    ).ravel()
    assert found.tolist() == pytest.approx([0.0] * 12 + [0.2, 0.4, 0.6, 0.8] + [1.0] * 12)


def test_what_a_tile_says_at_its_inner_border_counts_least():
    """The network lacks context there: a mistake in the outermost pixels is damped."""

    def wrong_at_the_border(part):
        found = np.zeros((*part.shape[:2], 1), np.float32)
        found[:, [0, -1]] = 1
        return found

    found = in_tiles(np.zeros((1, 28, 1)), wrong_at_the_border, tile=(16, 16), overlap=4).ravel()
    assert found[[0, -1]].tolist() == [1, 1]
    assert found[1:-1].max() == pytest.approx(0.2)


def test_tiles_may_be_higher_than_wide():
    seen = []

    def predict(part):
        seen.append(part.shape[:2])
        return part

    image = np.random.default_rng(1).random((40, 30, 1)).astype(np.float32)
    found = in_tiles(image, predict, tile=(16, 8), overlap=4)
    np.testing.assert_allclose(found, image, atol=1e-6)
    assert set(seen) == {(16, 8)}
