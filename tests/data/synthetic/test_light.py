"""Noise, light and dye have the statistics and the physics that their docstrings say."""

import numpy as np
import pytest
from scipy import stats

from delineate.data.synthetic import light
from delineate.data.synthetic.shapes import Blob

DISC = Blob(32, 32, 12, 12, 1 + 0j, ())


@pytest.mark.parametrize("scale", [0.9, 2.5, 7.0])
def test_clouds_have_mean_zero_and_deviation_one(scale):
    clouds = light._clouds((400, 400), scale, np.random.default_rng(0))
    assert clouds.mean() == pytest.approx(0, abs=0.1)
    assert clouds.std() == pytest.approx(1, rel=0.15)


def test_streaks_are_drawn_out_along_one_direction():
    streaks = light._streaks((128, 128), np.random.default_rng(2))
    rows, columns = np.gradient(streaks)
    tensor = [
        [(rows * rows).mean(), (rows * columns).mean()],
        [(rows * columns).mean(), (columns * columns).mean()],
    ]
    weak, strong = np.linalg.eigvalsh(tensor)
    assert strong > 5 * weak


def test_light_falls_from_one_by_the_share_asked_for():
    field = light._illumination((60, 90), 0.4, np.random.default_rng(1))
    assert field.min() == pytest.approx(0.6)
    assert field.max() == pytest.approx(1, abs=0.001)


def test_specks_are_sharp_and_as_many_as_asked_for():
    grains = light._specks((200, 200), 12, (0.6, 1.2), np.random.default_rng(4))
    assert 0.2 < grains.max() <= 1.0
    assert 12 * 0.2 * 2 < grains.sum() < 12 * 2 * np.pi * 1.2**2
    assert not light._specks((50, 50), 0, (0.6, 1.2), np.random.default_rng(4)).any()


def test_fibres_are_long_and_thin():
    threads = light._fibres((128, 128), 1, (0.7, 0.7), np.random.default_rng(7))
    bright = threads > 0.5 * threads.max()
    assert 20 < np.count_nonzero(bright) < 300
    rows, columns = np.nonzero(bright)
    assert max(np.ptp(rows), np.ptp(columns)) > 12


def test_brightness_is_uniform_in_its_logarithm():
    rng = np.random.default_rng(0)
    drawn = np.log([light._between(20, 200, rng) for _ in range(1000)])
    assert stats.kstest(drawn, "uniform", (np.log(20), np.log(10))).pvalue > 0.01


def test_paint_covers_half_of_a_pixel_on_the_outline_and_adds_where_blobs_overlap():
    painted = light._paint([DISC], (64, 64), [10.0], dome=0.0)
    assert painted[32, 32] == pytest.approx(10)
    assert painted[32, 44] == pytest.approx(5)
    assert painted.sum() == pytest.approx(10 * np.pi * 144, rel=0.01)
    twice = light._paint([DISC, DISC], (64, 64), [10.0, 3.0], dome=0.0)
    np.testing.assert_allclose(twice, 1.3 * painted)


def test_a_dome_is_lower_and_a_rim_is_higher_at_the_outline():
    dome = light._paint([DISC], (64, 64), [1.0], dome=0.5)
    rim = light._paint([DISC], (64, 64), [1.0], dome=0.0, rim=0.3)
    assert dome[32, 42] < 0.75 < dome[32, 32]
    assert rim[32, 43] > 1.2 > rim[32, 32]


def test_nucleoli_lie_inside_their_nucleus():
    spots = light._nucleoli([DISC], (64, 64), np.random.default_rng(0))
    rows, columns = np.nonzero(spots > 0.5)
    assert rows.size
    assert np.hypot(rows - 32, columns - 32).max() < 12


@pytest.mark.parametrize("level", [10.0, 120.0])
def test_the_camera_adds_shot_noise_that_grows_with_the_light_and_read_noise_that_does_not(level):
    picture = light._expose(np.full((300, 300), level), 0.3, 2.0, np.random.default_rng(0))
    assert picture.shape == (300, 300, 3)
    assert picture.dtype == np.uint8
    assert (picture == picture[:, :, :1]).all()
    # Rounding to whole levels adds a twelfth.
    assert picture[:, :, 0].var() == pytest.approx(0.3 * level + 4 + 1 / 12, rel=0.03)
    assert picture[:, :, 0].mean() == pytest.approx(level, abs=0.1)


def test_the_camera_saturates_instead_of_wrapping_round():
    picture = light._expose(np.array([[-500.0, 900.0]]), 0.0, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(picture[0, :, 0], [0, 255])


def test_twice_the_dye_lets_the_square_of_the_light_through():
    def mean(amount: float) -> np.ndarray:
        dye = [((0.3, 0.6, 0.1), np.full((64, 64), amount))]
        return light._stained(dye, (64, 64), np.random.default_rng(0)).mean(axis=(0, 1))

    clear, once, twice = mean(0.0), mean(1.0), mean(2.0)
    np.testing.assert_allclose(once / clear, np.exp([-0.3, -0.6, -0.1]), rtol=0.01)
    np.testing.assert_allclose(twice / clear, (once / clear) ** 2, rtol=0.01)
