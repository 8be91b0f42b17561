"""Blocks that are settled tile by tile make the image that is blended whole."""

import numpy as np
import pytest

from delineate.prediction.rasters.seams import Seams
from delineate.prediction.tiling import Tiling, in_tiles, tiles


def position_dependent(part):
    """Return a prediction that differs where tiles differ."""
    rows = np.arange(part.shape[0], dtype=np.float32)[:, np.newaxis, np.newaxis]
    return part + rows / 100


@pytest.mark.parametrize("size", [(50, 70), (16, 90), (90, 16), (10, 10), (33, 47)])
@pytest.mark.parametrize(
    "tiling",
    [Tiling((16, 16), ramp=4), Tiling((16, 16), margin=3, ramp=0), Tiling((16, 16), ramp=1)],
)
def test_settled_blocks_make_the_whole(size, tiling):
    image = np.random.default_rng(0).random((*size, 2)).astype(np.float32)
    found = np.full((*size, 2), np.nan, np.float32)
    seams = Seams(size[1])
    for rows, columns in tiles(size, tiling):
        part = image[rows.start : rows.stop, columns.start : columns.stop]
        block = seams.settle(position_dependent(part), rows, columns)
        assert np.isnan(found[rows.settled, columns.settled]).all()
        found[rows.settled, columns.settled] = block
    np.testing.assert_allclose(found, in_tiles(image, position_dependent, tiling), atol=1e-5)
