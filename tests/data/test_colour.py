import cv2
import numpy as np
import pytest
from scipy import ndimage, stats
from skimage import color, exposure

from delineate.data.colour import _turn_hue, alter_intensity
from delineate.recipe import Augment

EVERYTHING = Augment(
    brightness=0.2,
    contrast=0.4,
    gamma=0.4,
    hue=0.3,
    blur=2,
    noise=0.05,
    compression=1,
    grey=0.5,
    invert=0.5,
)


def picture(channels=3, dtype=np.uint8, top=255, seed=0, size=(48, 56)):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random((*size, channels)), (3, 3, 0), mode="mirror")
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return np.rint(smooth * top).astype(dtype)


def altered(image, seed=0, **settings):
    return alter_intensity(image, Augment(**settings), np.random.default_rng(seed))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 4095)])
def test_every_change_keeps_shape_and_type_and_leaves_the_input_alone(channels, dtype, top):
    image = picture(channels, dtype, top)
    copy = image.copy()
    image.flags.writeable = False
    found = alter_intensity(image, EVERYTHING, np.random.default_rng(0))
    assert found.shape == image.shape
    assert found.dtype == dtype
    assert not np.array_equal(found, image)
    np.testing.assert_array_equal(image, copy)


def test_without_settings_the_image_itself_comes_back():
    image = picture()
    assert altered(image) is image


def test_the_same_generator_state_gives_the_same_image_with_any_number_of_threads():
    image = picture(size=(400, 300))
    before = cv2.getNumThreads()
    try:
        found = []
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            found.append(alter_intensity(image, EVERYTHING, np.random.default_rng(1)))
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(
        found[0], alter_intensity(image, EVERYTHING, np.random.default_rng(2))
    )


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 4000)])
def test_brightness_shifts_all_values_by_up_to_a_share_of_the_range(dtype, top):
    image = np.linspace(0.4 * top, 0.6 * top, 300).astype(dtype).reshape(10, 10, 3)
    image.flat[0] = top
    shifts = []
    for seed in range(200):
        change = altered(image, seed, brightness=0.3).astype(int) - image
        middle = change.ravel()[1:]
        assert np.ptp(middle) <= 1
        shifts.append(middle.mean() / top)
    assert -0.31 < min(shifts) < -0.27
    assert 0.27 < max(shifts) < 0.31


@pytest.mark.parametrize(("background", "objects"), [(5, 30), (250, 225)])
def test_a_dim_or_pale_picture_keeps_its_objects_whatever_the_brightness(background, objects):
    image = np.full((40, 40, 3), background, np.uint8)
    image[10:20, 10:20] = objects
    darker = 0
    for seed in range(50):
        found = altered(image, seed, brightness=0.5).astype(int)
        contrast = found[15, 15, 0] - found[0, 0, 0]
        assert np.sign(contrast) == np.sign(objects - background)
        assert abs(contrast) > 15
        darker += found[15, 15, 0] < objects
    assert 10 < darker < 40


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_values_are_clipped_and_never_wrap(dtype, top):
    image = np.array([0, top // 2, top] * 3, dtype).reshape(3, 1, 3)
    for seed in range(40):
        found = altered(image, seed, brightness=1, contrast=0.9, noise=0.2).astype(int).ravel()
        quiet = altered(image, seed, brightness=1, contrast=0.9).astype(int).ravel()
        assert (np.diff(quiet[:3]) >= 0).all()
        # Noise cannot take a value further than about three of its deviations.
        assert np.abs(found - quiet).max() <= 3 * 0.2 * top + 1


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 4000)])
def test_contrast_stretches_about_the_mean_within_its_bounds(dtype, top):
    rng = np.random.default_rng(0)
    image = (0.3 * top + top / 20 * rng.uniform(-1, 1, (40, 40, 1))).astype(dtype)
    image[0, 0] = top
    factors = []
    for seed in range(200):
        found = altered(image, seed, contrast=0.5)
        assert found.mean() == pytest.approx(image.mean(), abs=0.003 * top)
        factors.append(found[1:].std() / image[1:].std())
    assert 0.48 < min(factors) < 0.53
    assert 1.88 < max(factors) < 2.03
    assert 70 < np.sum(np.array(factors) > 1) < 130


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 3000)])
def test_gamma_is_the_one_of_scikit_image(dtype, top):
    image = np.arange(top + 1).astype(dtype)[:, None, None]
    exponents = []
    for seed in range(60):
        found = altered(image, seed, gamma=0.4)
        exponent = np.log(found[top // 2, 0, 0] / top) / np.log((top // 2) / top)
        expected = exposure.adjust_gamma(image / top, exponent) * top
        assert np.abs(found - expected).max() <= 0.006 * top + 1
        assert found[0] == 0
        assert found[-1] == top
        exponents.append(exponent)
    assert 0.58 < min(exponents) < 0.66
    assert 1.5 < max(exponents) < 1.69


def test_a_third_of_a_turn_takes_red_to_green_to_blue():
    image = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200]]], np.uint8)
    np.testing.assert_array_equal(_turn_hue(image, 1 / 3), image[:, [1, 2, 0]])
    np.testing.assert_array_equal(_turn_hue(image, -1 / 3), image[:, [2, 0, 1]])


def test_a_hue_shift_is_that_of_the_colour_circle_and_keeps_greys_and_means():
    rng = np.random.default_rng(0)
    image = rng.integers(90, 160, (30, 30, 3)).astype(np.uint8)
    grey = np.repeat(rng.integers(0, 255, (30, 30, 1)).astype(np.uint8), 3, axis=2)
    hues, coloured = color.rgb2hsv(image)[..., 0], np.ptp(image, axis=2) > 30
    for turns in (-0.4, -0.1, 0.05, 0.25):
        found = _turn_hue(image, turns)
        # The colour circle of HSV is a hexagon: it runs up to 0.02 ahead of or behind an angle.
        moved = (color.rgb2hsv(found)[..., 0] - hues - turns + 0.5) % 1 - 0.5
        assert np.abs(moved[coloured]).max() < 0.04
        assert np.abs(found.mean(axis=2) - image.mean(axis=2)).max() <= 0.7
        assert np.abs(_turn_hue(grey, turns).astype(int) - grey).max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_only_three_channels_have_a_hue(channels):
    image = picture(channels)
    assert altered(image, hue=1) is image
    assert altered(picture(3), hue=1) is not image


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 60000)])
def test_the_blur_is_a_gaussian_of_scipy_within_its_bound(dtype, top):
    image = np.zeros((41, 41, 1), dtype)
    image[20, 20] = top
    image[:, 30] = top
    sigmas = np.linspace(0.1, 3, 59)
    references = [
        ndimage.gaussian_filter(image[..., 0].astype(float), sigma, mode="mirror")
        for sigma in sigmas
    ]
    found = []
    for seed in range(40):
        blurred = altered(image, seed, blur=3)[..., 0]
        errors = [np.abs(blurred - reference).max() for reference in references]
        assert min(errors) < 0.05 * top
        found.append(sigmas[np.argmin(errors)])
    assert min(found) < 0.6
    assert 2.4 < max(found) <= 3


def test_a_blur_of_a_tenth_of_a_pixel_is_none():
    image = picture()
    assert altered(image, blur=0.05) is image


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 4000)])
def test_noise_is_normal_independent_and_of_up_to_the_deviation_asked_for(dtype, top):
    image = np.full((80, 80, 3), top // 2, dtype)
    image[0, 0, 0] = top
    deviations = []
    for seed in range(60):
        noise = altered(image, seed, noise=0.1)[1:].astype(float) - top // 2
        deviations.append(noise.std() / top)
        if deviations[-1] < 0.03:
            continue
        assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(noise.size)
        assert abs(stats.kurtosis(noise, axis=None)) < 0.35
        assert abs(stats.skew(noise, axis=None)) < 0.1
        red, green = noise[..., 0], noise[..., 1]
        assert abs(np.corrcoef(red.ravel(), green.ravel())[0, 1]) < 0.06
        assert abs(np.corrcoef(red[:-1].ravel(), red[1:].ravel())[0, 1]) < 0.06
    assert min(deviations) < 0.01
    assert 0.09 < max(deviations) < 0.102


def test_the_asked_for_share_goes_through_a_jpeg_and_stays_near():
    image = picture()
    changed = []
    for seed in range(200):
        found = altered(image, seed, compression=0.4)
        changed.append(found is not image)
        assert np.abs(found.astype(int) - image).mean() < 8
    assert 0.28 < np.mean(changed) < 0.52


def test_red_stays_red_in_a_jpeg():
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 220
    found = altered(image, compression=1)
    assert found is not image
    assert np.abs(found.astype(int) - image).max() < 12


@pytest.mark.parametrize(("channels", "dtype"), [(4, np.uint8), (3, np.uint16), (2, np.uint8)])
def test_what_no_jpeg_holds_is_not_compressed(channels, dtype):
    image = picture(channels, dtype)
    assert altered(image, compression=1) is image


def test_a_black_16_bit_image_has_no_range_and_no_fault():
    image = np.zeros((8, 8, 3), np.uint16)
    found = alter_intensity(image, EVERYTHING, np.random.default_rng(0))
    assert found.max() <= 2


def test_a_grey_picture_has_the_luminance_of_scikit_image_in_each_channel():
    image = picture()
    found = altered(image, grey=1.0)
    assert (found == found[..., :1]).all()
    assert np.abs(found[..., 0] - 255 * color.rgb2yuv(image)[..., 0]).max() <= 1


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 4095)])
def test_a_negative_is_that_of_scikit_image_within_the_range_of_the_camera(dtype, top):
    image = picture(1, dtype, top)
    found = altered(image, invert=1.0)
    np.testing.assert_array_equal(found.astype(int), top - image.astype(int))


def test_only_the_asked_for_share_is_grey_or_a_negative():
    image = picture()
    greys = [bool(np.ptp(altered(image, seed, grey=0.3), axis=2).max() == 0) for seed in range(300)]
    negatives = [altered(image, seed, invert=0.3)[0, 0, 0] != image[0, 0, 0] for seed in range(300)]
    assert 0.2 < np.mean(greys) < 0.4
    assert 0.2 < np.mean(negatives) < 0.4


def test_only_rgb_loses_its_colours():
    image = picture(2)
    assert altered(image, grey=1.0) is image


def test_a_share_of_the_images_keeps_its_light():
    image = np.full((8, 8, 3), 100, np.uint8)
    settings = Augment(brightness=0.3, noise=0.05, light_probability=0.3)
    rng = np.random.default_rng(0)
    changed = [alter_intensity(image, settings, rng) is not image for _ in range(1000)]
    assert 0.25 < np.mean(changed) < 0.35
