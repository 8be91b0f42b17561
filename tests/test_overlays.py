import cv2
import numpy as np
import pytest
from skimage.color import rgb2lab

from delineate.imaging import PALETTE, colourise, error_overlay, overlay, to_rgb8

# Machado, Oliveira and Fernandes (2009), severity 1, for linear light.
SIGHTS = {
    "normal": np.eye(3),
    "green-blind": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "red-blind": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


def smallest_difference(colours: list, sight: str) -> float:
    light = np.array(colours) / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ np.array(SIGHTS[sight]).T, 0, 1)
    shown = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    lab = rgb2lab(shown[None])[0]
    distances = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return distances[np.triu_indices(len(colours), 1)].min()


def grey(value: int, size: tuple[int, int] = (12, 12)) -> np.ndarray:
    return np.full((*size, 1), value, np.uint8)


def test_the_palette_has_256_distinct_colours_from_black_to_light_grey():
    assert len(set(PALETTE)) == len(PALETTE) == 256
    assert PALETTE[0] == (0, 0, 0)
    assert min(PALETTE[255]) == max(PALETTE[255]) > 200
    assert all(0 <= value <= 255 for colour in PALETTE for value in colour)


@pytest.mark.parametrize(
    ("sight", "least"), [("normal", 24), ("green-blind", 15), ("red-blind", 15)]
)
def test_the_first_twenty_colours_are_told_apart_by_all_eyes(sight, least):
    # A CIELAB distance of 2.3 is just noticeable; random palettes of 22 reach about 8.
    assert smallest_difference([*PALETTE[:21], PALETTE[255]], sight) > least


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_colours_of_errors_are_told_apart_by_all_eyes(sight):
    truth, prediction = np.array([[1, 0, 1]], np.uint8), np.array([[1, 1, 0]], np.uint8)
    for value in (0, 128, 255):
        picture = error_overlay(grey(value, (1, 3)), truth, prediction)
        assert smallest_difference(picture[0].tolist(), sight) > 15


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_mask_gets_its_colours_and_ids_beyond_them_the_palette(kind):
    ignore = np.iinfo(kind).max
    mask = np.array([[0, 1, 2, 7, ignore]], kind)
    picture = colourise(mask, [(1, 2, 3), (4, 5, 6)])
    assert picture.dtype == np.uint8
    assert picture.tolist() == [
        [[1, 2, 3], [4, 5, 6], *map(list, (PALETTE[2], PALETTE[7], PALETTE[255]))]
    ]


def test_many_ids_repeat_the_colours_but_never_that_of_ignore_or_background():
    picture = colourise(np.arange(1, 2000, dtype=np.uint16)[None], PALETTE[:2])
    assert {tuple(colour) for colour in picture[0].tolist()} == set(PALETTE[1:255])


def test_eight_bit_images_are_shown_as_they_are():
    image = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    shown = to_rgb8(image)
    np.testing.assert_array_equal(shown, image)
    shown[:] = 0
    assert image.any()


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 5])
def test_any_number_of_channels_is_shown_in_three(channels):
    shape = (3, 4) if channels is None else (3, 4, channels)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    shown = to_rgb8(image)
    assert shown.shape == (3, 4, 3)
    first = image.reshape(3, 4, -1)
    np.testing.assert_array_equal(
        shown, first[..., :3] if (channels or 1) > 2 else first[..., [0] * 3]
    )


def test_dim_fluorescence_is_brightened_and_a_black_image_stays_black():
    dim = np.zeros((10, 10, 1), np.uint8)
    dim[2:6] = 40
    shown = to_rgb8(dim)
    assert shown[3, 3].tolist() == [200, 200, 200]
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert to_rgb8(np.zeros((4, 4, 1), np.uint8)).max() == 0


def test_frames_of_a_video_are_as_bright_as_they_are():
    dim = np.full((10, 10, 3), 40, np.uint8)
    assert (to_rgb8(dim, brighten=False) == 40).all()
    assert (overlay(dim, np.zeros((10, 10), np.uint8), PALETTE, brighten=False) == 40).all()


def test_deep_images_are_stretched_between_percentiles():
    values = np.arange(1000, 2000, dtype=np.uint16)
    values[0], values[-1] = 0, 65535
    shown = to_rgb8(values.reshape(10, 100))[..., 0].ravel().astype(int)
    assert shown[0] == 0
    assert shown[-1] == 255
    np.testing.assert_allclose(shown[10:-10], np.linspace(0, 255, 1000)[10:-10], atol=3)
    assert to_rgb8(np.full((2, 2), 700, np.uint16)).max() == 0
    assert to_rgb8(np.array([[0.0, 0.5, 1.0]], np.float32))[0, :, 0].tolist() == [0, 128, 255]


def test_an_overlay_leaves_the_background_and_tints_and_outlines_the_classes():
    mask = np.zeros((12, 12), np.uint8)
    mask[3:9, 4:10] = 1
    picture = overlay(grey(100), mask, [(0, 0, 0), (200, 0, 50)], opacity=0.25)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8)) == 1
    assert (picture[mask == 0] == 100).all()
    assert (picture[inner] == [125, 75, 88]).all()
    assert (picture[(mask == 1) & ~inner] == [200, 0, 50]).all()


@pytest.mark.parametrize(
    ("colour", "shown"),
    [((0, 0, 0), [100] * 3), ((255, 255, 255), [100] * 3), ((0, 100, 200), [50, 100, 150])],
)
def test_class_0_is_tinted_where_its_colour_is_not_that_of_a_background(colour, shown):
    picture = overlay(grey(100), np.zeros((12, 12), np.uint8), [colour], opacity=0.5)
    assert (picture == shown).all()


def test_one_line_of_one_pixel_parts_two_classes():
    mask = np.full((6, 12), 1, np.uint8)
    mask[:, 6:] = 2
    picture = overlay(grey(0, (6, 12)), mask, PALETTE, opacity=0.5)
    lines = (picture == PALETTE[2]).all(axis=2)
    assert np.unique(np.argwhere(lines)[:, 1]).tolist() == [6]
    assert not (picture == PALETTE[1]).all(axis=2).any()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_ignored_pixels_are_hatched_and_not_outlined(kind):
    mask = np.zeros((12, 12), kind)
    mask[:6] = np.iinfo(kind).max
    picture = overlay(grey(100), mask, PALETTE)
    changed = (picture != 100).any(axis=2)
    assert not changed[6:].any()
    assert changed[:6].mean() == pytest.approx(1 / 3)
    assert (np.ptp(picture, axis=2) == 0).all()


def test_errors_get_the_colour_of_their_kind_and_ignored_pixels_none():
    truth = np.array([[0, 1, 0, 1, 2, 255, 255]], np.uint8)
    prediction = np.array([[0, 1, 1, 0, 1, 1, 0]], np.uint8)
    picture = error_overlay(grey(100, (1, 7)), truth, prediction)[0].astype(int)
    red, green, blue = picture.T
    assert (picture[[0, 5, 6]] == 100).all()
    assert green[1] > red[1]
    assert min(red[2], blue[2]) > green[2]
    assert min(red[3], green[3]) > blue[3]
    np.testing.assert_array_equal(picture[4], picture[2])


def test_errors_lie_on_a_grey_picture():
    image = np.zeros((1, 2, 3), np.uint8)
    image[..., 0] = 255
    none = np.zeros((1, 2), np.uint8)
    assert error_overlay(image, none, none).tolist() == [[[76] * 3] * 2]


def test_inputs_are_not_changed():
    image, mask = grey(9), np.ones((12, 12), np.uint8)
    overlay(image, mask, PALETTE)
    error_overlay(image, mask, mask)
    assert (image == 9).all()
    assert (mask == 1).all()
