import math

import numpy as np
import pytest
from scipy import ndimage

from delineate.data import warp as module
from delineate.data.source import Source
from delineate.data.warp import Warp, draw_warp, warp_parts
from delineate.data.windows import Turn
from delineate.recipe import Augment


def make_warp(settings, seed, source=(90, 120), native=(48, 64), size=(48, 64), turn=None):
    rng = np.random.default_rng(seed)
    return draw_warp(source, native, turn or Turn(), size, settings=settings, rng=rng)


def make_parts(size=(90, 120), channels=3, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random((*size, channels)), (2, 2, 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    image = np.rint(smooth * np.iinfo(dtype).max).astype(dtype)
    mask = rng.integers(0, 200, size).astype(np.uint8)
    return image, mask, rng.integers(0, 2**31 - 1, size).astype(np.int32)


def linear_part(warp):
    """The (2, 2) matrix of a warp that is affine."""
    rows, columns = warp.rows.astype(float), warp.columns.astype(float)
    return np.array(
        [
            [rows[-1, 0] - rows[0, 0], rows[0, -1] - rows[0, 0]],
            [columns[-1, 0] - columns[0, 0], columns[0, -1] - columns[0, 0]],
        ]
    ) / (np.array(rows.shape) - 1)


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("source", [(90, 120), (30, 200), (11, 7)])
def test_a_warp_samples_as_scipy_does(source, channels, dtype):
    settings = Augment(scale=0.3, rotation=180, shear=15, elastic=10)
    image, mask, instances = parts = make_parts(source, channels, dtype)
    top = np.iinfo(dtype).max
    for seed in range(4):
        warp = make_warp(settings, seed, source=source)
        if max(warp.density) > 1.5:
            continue
        found = warp_parts(Source(*parts), warp, classes=256)
        where = np.array([warp.rows, warp.columns], np.float64)
        for channel in range(channels):
            expected = ndimage.map_coordinates(
                image[..., channel].astype(float), where, order=1, mode="mirror"
            )
            # OpenCV rounds coordinates to 1/32 pixel where there are more than four channels.
            assert np.abs(found[0][..., channel] - expected).max() <= 1 + top * 0.01
        # Where a coordinate lies between two pixels, either may be taken.
        clear = (np.abs(where % 1 - 0.5) > 1e-3).all(axis=0)
        nearest = np.rint(where).astype(int)
        inside = ((nearest >= 0) & (nearest < np.reshape(source, (2, 1, 1)))).all(axis=0)
        row, column = np.where(inside, nearest, 0)
        np.testing.assert_array_equal(
            found[1][clear], np.where(inside, mask[row, column], 255)[clear]
        )
        np.testing.assert_array_equal(
            found[2][clear], np.where(inside, instances[row, column], 0)[clear]
        )
        assert found[0].dtype == dtype
        assert found[2].dtype == np.int32


def test_the_zoom_is_as_often_in_as_out_and_keeps_to_its_bounds():
    zooms = []
    for seed in range(300):
        matrix = linear_part(make_warp(Augment(scale=0.4), seed))
        np.testing.assert_allclose(matrix, np.eye(2) * matrix[0, 0], atol=1e-5)
        zooms.append(1 / matrix[0, 0])
    assert 0.6 - 1e-4 <= min(zooms) < 0.62
    assert 1 / 0.62 < max(zooms) <= 1 / 0.6 + 1e-4
    assert 110 < np.sum(np.array(zooms) > 1) < 190


def test_the_rotation_goes_both_ways_and_keeps_to_its_bounds():
    angles = []
    for seed in range(300):
        matrix = linear_part(make_warp(Augment(rotation=25), seed))
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-5)
        angles.append(math.degrees(math.atan2(matrix[1, 0], matrix[0, 0])))
    assert -25.01 <= min(angles) < -24
    assert 24 < max(angles) <= 25.01


def test_the_shear_keeps_areas_and_its_bounds():
    shears = []
    for seed in range(200):
        matrix = linear_part(make_warp(Augment(shear=20), seed))
        assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-4)
        assert min(abs(matrix[0, 1]), abs(matrix[1, 0])) < 1e-5
        shears.append(math.degrees(math.atan(matrix[0, 1] + matrix[1, 0])))
    assert -20.01 <= min(shears) < -18
    assert 18 < max(shears) <= 20.01


def test_a_resize_is_turned_in_the_pixels_of_the_source():
    """A square in the source is a parallelogram in the window, as after turning, then resizing."""
    matrix = linear_part(
        make_warp(Augment(rotation=40), 3, source=(100, 300), native=(100, 300), size=(50, 50))
    )
    rotation = matrix @ np.diag([50 / 100, 50 / 300])
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(2), atol=1e-4)
    assert abs(rotation[1, 0]) > 0.05


@pytest.mark.parametrize("size", [(8, 8), (128, 128), (48, 500), (512, 512)])
@pytest.mark.parametrize("largest", [2, 20, 100])
def test_an_elastic_field_bends_and_never_folds(size, largest):
    reached = 0.0
    for seed in range(12):
        straight = make_warp(Augment(), seed, source=size, native=size, size=size)
        bent = make_warp(Augment(elastic=largest), seed, source=size, native=size, size=size)
        down, right = bent.rows - straight.rows, bent.columns - straight.columns
        reached = max(reached, float(np.hypot(down, right).max()))
        down_down, down_right = np.gradient(bent.rows)
        right_down, right_right = np.gradient(bent.columns)
        assert (down_down * right_right - down_right * right_down).min() > 0
    # The nodes stay within the bound; what is interpolated may go a little further.
    bound = min(largest, min(size) / 12)
    assert 0.4 * bound < reached <= 1.4 * bound


class Extremes:
    """Draws nothing but the largest and the smallest values allowed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def uniform(self, low, high, shape=None):
        return high if shape is None else self.rng.choice([low, high], shape)


def test_an_elastic_field_of_extremes_does_not_fold():
    rows, columns = np.indices((600, 600))
    for seed in range(10):
        # 60 pixels between nodes that move by 10.
        down, right = module._draw_elastic(np.eye(2), (600, 600), 10, Extremes(seed))
        down_down, down_right = np.gradient(rows + down)
        right_down, right_right = np.gradient(columns + right)
        assert (down_down * right_right - down_right * right_down).min() > 0.1


@pytest.mark.parametrize("density", [1.6, 4.0, 9.0])
def test_a_shrinking_warp_averages_before_it_samples(density):
    """Fine checks turn into their mean grey; sampled without it they would alias."""
    image = ((np.indices((300, 300)).sum(axis=0) % 2) * 255).astype(np.uint8)[..., None]
    steps = (np.arange(24) - 11.5) * density + 149.5
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    warp = Warp(rows.astype(np.float32), columns.astype(np.float32), (density, density))
    found, mask, _ = warp_parts(Source(image, np.ones((300, 300), np.uint8)), warp, classes=2)
    assert np.abs(found.astype(float) - 127.5).max() < (60 if density < 2 else 20)
    assert (mask == 1).all()


@pytest.mark.parametrize("density", [1.4, 2.0, 3.3, 8.0])
def test_a_shrinking_warp_stays_where_it_is(density):
    """A ramp has the same values however it is reduced."""
    image = np.tile(np.arange(600, dtype=np.uint16)[:, None, None] * 100, (1, 300, 1))
    rows = (np.arange(30) * density + 40.25)[:, None] + np.zeros(30)
    columns = (np.arange(30) * density + 20)[None] + np.zeros((30, 1))
    warp = Warp(rows.astype(np.float32), columns.astype(np.float32), (density, density))
    mask = (image[..., 0] >= 10_000).astype(np.uint8)
    found, labels, _ = warp_parts(Source(image, mask), warp, classes=2)
    assert np.abs(found[..., 0] - rows * 100).max() < 100
    clear = np.abs(rows - 99.5) > density
    np.testing.assert_array_equal(labels[clear], (rows > 99.5)[clear])


@pytest.mark.parametrize("length", [1, 2, 50, 1000])
@pytest.mark.parametrize(("low", "high"), [(-30, 12), (10.5, 40), (-3, 1020), (970, 1040), (0, 0)])
def test_the_part_that_is_cut_out_gives_what_the_whole_gives(length, low, high):
    values = np.random.default_rng(0).random(length)
    steps = np.clip(np.linspace(low, high, 37), -length - 30, 2 * length + 30)
    span = module._span(steps, length, 1.0)
    whole = ndimage.map_coordinates(values, [steps], order=1, mode="mirror")
    part = ndimage.map_coordinates(values[span], [steps - span.start], order=1, mode="mirror")
    np.testing.assert_allclose(part, whole)
    assert span.stop - span.start <= max(high - low + 6, 2 * (max(-low, high - length) + 6))
