"""Normalised images, against scikit-image, NumPy and a plain form of the method of Macenko et al."""

import numpy as np
import pytest
from skimage.exposure import rescale_intensity

from delineate import normalisation as module
from delineate.errors import DataError, UsageError
from delineate.normalisation import KINDS, correction, normalise, require_fitting
from tests.stains import FIRST, SECOND, amounts_of, section, stained, unit

STRETCHES = ("range", "percentile", "channel")
SHARES = {"range": (0, 100), "percentile": (1, 99.8), "channel": (1, 99.8)}
# Published by Ruifrok and Johnston (2001).
REFERENCE = unit(np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]]))


def some(channels=3, dtype=np.uint8, size=(37, 53), seed=0):
    """An image whose channels lie at different places of the range, with a few outliers."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    centre = top * np.linspace(0.3, 0.6, channels)
    values = rng.normal(centre, top * 0.06, (*size, channels))
    values[0, 0], values[0, 1] = 0.04 * top, 0.97 * top
    return values.clip(0.04 * top, 0.97 * top).astype(dtype)


def rescaled(values, shares, top):
    limits = tuple(np.percentile(values, shares))
    return rescale_intensity(values.astype(float), in_range=limits, out_range=(0, top))


@pytest.mark.parametrize("kind", STRETCHES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_values_are_stretched_as_scikit_image_stretches_them(kind, dtype, channels):
    image = some(channels, dtype)
    top = np.iinfo(dtype).max
    if kind == "channel":
        planes = [rescaled(image[..., number], SHARES[kind], top) for number in range(channels)]
        expected = np.stack(planes, axis=-1)
    else:
        expected = rescaled(image, SHARES[kind], top)
    found = normalise(image, kind)
    assert (found.dtype, found.shape) == (image.dtype, image.shape)
    assert np.abs(found - expected).max() <= 0.5 + 1e-6
    assert (found.min(), found.max()) == (0, top)


@pytest.mark.parametrize("kind", ["percentile", "channel"])
def test_a_few_outliers_do_not_hold_the_others_back(kind):
    image = np.full((100, 100, 1), 40, np.uint8)
    image[:50] = 60
    image[0, 0] = 255
    assert np.unique(normalise(image, kind)[1:]).tolist() == [0, 255]
    assert np.unique(normalise(image, "range")[1:]).tolist() == [0, 24]


def test_the_channels_are_stretched_together_or_each_by_itself():
    image = np.zeros((20, 20, 2), np.uint8)
    image[:10, :, 0], image[:10, :, 1] = 200, 40
    assert normalise(image, "percentile").max(axis=(0, 1)).tolist() == [255, 51]
    assert normalise(image, "channel").max(axis=(0, 1)).tolist() == [255, 255]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("kind", STRETCHES)
def test_a_flat_image_is_left_as_it_is(kind, value, dtype):
    image = np.full((5, 6, 3), value, dtype)
    np.testing.assert_array_equal(normalise(image, kind), image)


def test_a_flat_channel_is_left_as_it_is_beside_one_that_is_not():
    image = some(2)
    image[..., 0] = 9
    found = normalise(image, "channel")
    assert (found[..., 0] == 9).all()
    assert (found[..., 1].min(), found[..., 1].max()) == (0, 255)


@pytest.mark.parametrize("kind", STRETCHES)
def test_an_image_of_one_pixel_is_left_as_it_is(kind):
    assert normalise(np.array([[[3]]], np.uint8), kind).tolist() == [[[3]]]


def test_none_is_the_image_itself():
    image = some()
    assert normalise(image, "none") is image


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_done_to_an_image_may_be_done_to_its_parts(kind):
    image = section()
    part = np.s_[11:30, 40:41]
    change = correction(image, kind)
    np.testing.assert_array_equal(change(image[part]), normalise(image, kind)[part])
    np.testing.assert_array_equal(change(image[::-1]), normalise(image, kind)[::-1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_is_not_changed_in_place_and_may_be_on_the_disk(kind, tmp_path):
    np.save(tmp_path / "image.npy", section())
    stored = np.load(tmp_path / "image.npy", mmap_mode="r")
    np.testing.assert_array_equal(normalise(stored, kind), normalise(section(), kind))
    np.testing.assert_array_equal(stored, section())


@pytest.mark.parametrize("kind", KINDS)
def test_large_images_are_worked_on_in_parts_with_the_same_result(kind, monkeypatch):
    expected = normalise(section(), kind)
    monkeypatch.setattr(module, "_BLOCK", 1000)
    np.testing.assert_array_equal(normalise(section(), kind), expected)


def macenko(image):
    """The method as published: singular vectors of all densities, and least squares."""
    densities = -np.log10(np.maximum(image.reshape(-1, 3), 1) / 255)
    tissue = densities[densities.mean(axis=1) >= 0.15]
    plane = np.linalg.svd(tissue, full_matrices=False)[2][:2]
    plane *= np.sign(plane[0].sum())
    angles = [np.arctan2(pixel @ plane[1], pixel @ plane[0]) for pixel in tissue]
    low, high = np.percentile(angles, 1), np.percentile(angles, 99)
    ends = [np.cos(angle) * plane[0] + np.sin(angle) * plane[1] for angle in (low, high)]
    stains = np.array(sorted(ends, key=lambda stain: -stain[0]))
    amounts = np.linalg.lstsq(stains.T, densities.T, rcond=None)[0]
    own = np.linalg.lstsq(stains.T, tissue.T, rcond=None)[0]
    for number, reference in enumerate((0.85, 0.45)):
        prevails = own[number] > own[1 - number]
        amounts[number] *= reference / np.percentile(own[number][prevails], 99)
    light = 10.0 ** -(REFERENCE.T @ amounts).T
    return (255 * light).clip(0, 255).reshape(image.shape)


@pytest.mark.parametrize("stains", [FIRST, SECOND])
@pytest.mark.parametrize("seed", [0, 1])
def test_stains_are_normalised_as_the_method_is_published(stains, seed):
    image = section(stains, seed=seed)
    assert np.abs(normalise(image, "stain") - macenko(image)).max() <= 0.6


def test_sections_that_differ_in_their_stains_only_become_equal():
    amounts = amounts_of()
    first, second = stained(FIRST, amounts), stained(SECOND, amounts * (1.3, 0.8))
    before = np.abs(first.astype(int) - second)
    after = np.abs(normalise(first, "stain").astype(int) - normalise(second, "stain"))
    assert before.mean() > 10
    assert after.mean() < 1
    assert after.max() <= 6


def test_each_stain_gets_the_colour_and_the_strength_of_the_reference():
    amounts = amounts_of()
    found = normalise(stained(SECOND, amounts), "stain")
    densities = -np.log10(np.maximum(found, 1) / 255)
    for number, strongest in enumerate((0.85, 0.45)):
        pure = (amounts[..., number] > 0.4) & (amounts[..., 1 - number] == 0)
        directions = unit(densities[pure])
        angles = np.degrees(np.arccos(np.clip(directions @ REFERENCE[number], -1, 1)))
        assert np.median(angles) < 2
        lengths = np.linalg.norm(densities[pure], axis=1)
        assert np.percentile(lengths, 99) == pytest.approx(strongest, rel=0.05)


def test_glass_stays_white_and_nothing_is_as_it_was():
    image = section()
    found = normalise(image, "stain")
    glass = amounts_of().sum(axis=2) == 0
    assert (found[glass] == 255).all()
    assert (found[~glass] != image[~glass]).any(axis=1).mean() > 0.9


def only(number, noise=0.0):
    """A section with one of the two stains, and a little noise as of a camera."""
    amounts = amounts_of()
    amounts[..., 1 - number] = 0
    image = stained(FIRST, amounts) + np.random.default_rng(0).normal(0, noise, (60, 80, 3))
    return image.clip(0, 255).astype(np.uint8)


def nearly_empty():
    image = np.full((60, 80, 3), 245, np.uint8)
    image[:4, :11] = section()[:4, 40:51]
    return image


def violet():
    """Nuclei of one stain on a ground that the light tints."""
    amounts = amounts_of()
    amounts[..., 1] = 0.4
    return stained(np.array([[0.35, 0.93, 0.08], [0.6, 0.71, 0.37]]), amounts * (3, 1))


def grey():
    return np.repeat(some(1), 3, axis=2)


@pytest.mark.parametrize(
    "image",
    [
        only(0),
        only(1),
        only(1, noise=1),
        violet(),
        nearly_empty(),
        grey(),
        np.full((9, 9, 3), 255, np.uint8),
    ],
    ids=["nuclei", "eosin", "noisy eosin", "violet", "nearly empty", "grey", "white"],
)
def test_what_does_not_hold_two_stains_is_left_as_it_is(image):
    assert normalise(image, "stain") is image


def test_a_few_black_pixels_are_dark_and_disturb_nothing():
    image = section()
    black = np.zeros((60, 80), bool)
    black[::7, -1] = True
    dirty = np.where(black[..., None], 0, image).astype(np.uint8)
    found, clean = normalise(dirty, "stain"), normalise(image, "stain")
    assert found[black].mean() < 60
    assert np.abs(found[~black].astype(int) - clean[~black]).mean() < 2


def test_large_sections_are_measured_on_a_part_of_their_pixels(monkeypatch):
    image = section(size=(120, 160))
    whole = normalise(image, "stain").astype(int)
    monkeypatch.setattr(module, "_MEASURED", 4001)
    part = normalise(image, "stain")
    assert 0 < np.abs(whole - part).mean() < 3


@pytest.mark.parametrize(
    ("channels", "dtype", "told"),
    [(1, np.uint8, "1 channels of uint8"), (3, np.uint16, "3 channels of uint16")],
)
def test_stains_are_for_rgb_of_8_bits(channels, dtype, told):
    with pytest.raises(DataError, match=told) as caught:
        normalise(np.zeros((4, 4, channels), dtype), "stain")
    assert "percentile" in caught.value.hint


def test_an_unknown_kind_is_refused_with_the_nearest_one():
    with pytest.raises(UsageError, match=r"no normalisation 'stains'\. Did you mean 'stain'\?"):
        require_fitting("stains", channels=3, dtype=np.uint8)
