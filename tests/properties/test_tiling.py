"""Tiles: together they are the whole image."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from delineate.prediction.prepare import Preparation
from delineate.prediction.rasters.seams import Seams
from delineate.prediction.tiling import Tiling, in_tiles, spans, tiles
from tests.properties.strategies import seeds, sizes


@st.composite
def sharp_tilings(draw):
    """Tiles that are cut where each has seen enough, as the predictor makes them."""
    step = draw(st.integers(1, 4))
    side = step * draw(st.integers(2, 8))
    return Tiling((side, side), margin=draw(st.integers(0, side // 4)), ramp=0, step=step)


@st.composite
def blended_tilings(draw):
    """Tiles that fade into each other."""
    step = draw(st.integers(1, 4))
    side = step * draw(st.integers(2, 8))
    return Tiling((side, side), ramp=draw(st.integers(0, side // 4)), step=step)


tilings = sharp_tilings() | blended_tilings()
lengths = st.integers(1, 100)
pictures = st.builds(
    lambda seed, size: np.random.default_rng(seed).integers(0, 256, (*size, 1), np.uint8),
    seeds,
    sizes(60),
)


@given(tilings, lengths)
def test_what_counts_of_the_tiles_of_a_side_makes_one_everywhere(tiling, length):
    total = np.zeros(length, np.float32)
    for span in spans(length, tiling.tile[0], tiling):
        total[span.first : span.last] += span.weights()
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(tilings, lengths)
def test_tiles_begin_at_steps_and_count_only_what_lies_behind_their_margin(tiling, length):
    side = tiling.tile[0]
    found = spans(length, side, tiling)
    assert (found[0].first, found[-1].last) == (0, length)
    assert all(span.start % tiling.step == 0 for span in found)
    assert all(span.start <= span.first < span.last <= span.stop <= length for span in found)
    for one, other in pairwise(found):
        assert one.last - other.first == tiling.ramp
        assert one.start + side - one.last >= tiling.margin
        assert other.first - other.start >= tiling.margin


@given(tilings, pictures)
def test_tiles_that_say_what_they_see_make_the_image(tiling, image):
    found = in_tiles(image, lambda part: part.astype(np.float32), tiling)
    np.testing.assert_allclose(found, image, rtol=1e-5)


@given(sharp_tilings(), pictures)
def test_tiled_equals_whole_for_what_looks_no_further_than_the_margin(tiling, image):
    kernel = np.ones((2 * tiling.margin + 1, 2 * tiling.margin + 1))

    def sum_around(part):
        # What lies outside counts as 0: at the image's border rightly, at that of a tile wrongly.
        total = ndimage.correlate(part[..., 0].astype(np.float64), kernel, mode="constant")
        return total[..., np.newaxis].astype(np.float32)

    np.testing.assert_array_equal(in_tiles(image, sum_around, tiling), sum_around(image))


@given(blended_tilings(), pictures, seeds)
def test_where_tiles_disagree_the_blend_stays_between_what_they_say(tiling, image, seed):
    rng = np.random.default_rng(seed)
    said = []

    def one_number(part):
        said.append(rng.random())
        return np.full((*part.shape[:2], 1), said[-1], np.float32)

    found = in_tiles(image, one_number, tiling)
    assert min(said) - 1e-5 <= found.min() <= found.max() <= max(said) + 1e-5


@given(tilings, pictures)
def test_blocks_that_settle_one_by_one_are_what_all_tiles_give_together(tiling, image):
    found = np.full(image.shape, np.nan, np.float32)
    seams = Seams(image.shape[1])
    for rows, columns in tiles(image.shape[:2], tiling):
        part = _unlike(image[rows.start : rows.stop, columns.start : columns.stop])
        block = seams.settle(part, rows, columns)
        assert np.isnan(found[rows.settled, columns.settled]).all()
        found[rows.settled, columns.settled] = block
    np.testing.assert_allclose(found, in_tiles(image, _unlike, tiling), rtol=1e-5, atol=1e-3)


def _unlike(part):
    """A prediction that depends on where in its tile a pixel lies, so that tiles disagree."""
    rows, columns = np.indices(part.shape[:2])
    return (part + (3 * rows + 5 * columns)[..., np.newaxis]).astype(np.float32)


@st.composite
def preparations(draw):
    """How a bundle wants its images, at native resolution."""
    height, width = draw(sizes(4))
    return Preparation(
        "crop",
        (8 * height, 8 * width),
        draw(st.sampled_from([1, 2, 4, 8])),
        tile=draw(st.integers(8, 40)),
        overlap=draw(st.integers(0, 16)),
        fixed=draw(st.booleans()),
        field=draw(st.none() | st.integers(0, 12)),
    )


@given(preparations(), st.sampled_from([1, 2, 3]), pictures)
def test_a_network_that_returns_its_input_gives_any_image_back(prepared, granularity, image):
    def as_it_is(batch):
        size = batch.shape[1:3]
        if prepared.fixed:
            assert size == prepared.size
        else:
            assert all(side % prepared.stride == side % granularity == 0 for side in size)
        return batch

    engine = SimpleNamespace(granularity=granularity, run=as_it_is)
    found = prepared.predict(image, engine)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, image, rtol=1e-5)
