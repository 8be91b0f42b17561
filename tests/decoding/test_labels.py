"""What mask files store: numbers, colours, or a channel for each class."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.image_files import (
    GREY,
    GREY16,
    IDS,
    RGB,
    RGB16,
    exif_of,
    read_values,
    refused,
    saved,
)

from delineate.imaging import read_labels, read_one_hot

COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 7], [7, 128, 0], [0, 0, 255]], np.uint8)


def packed(colours: np.ndarray) -> np.ndarray:
    return (colours.astype(int) * [1 << 16, 1 << 8, 1]).sum(axis=-1)


# Numbers


def test_a_mask_saved_as_rgb_with_equal_channels_is_read(tmp_path):
    path = saved(tmp_path / "a.png", np.dstack([IDS] * 3))
    np.testing.assert_array_equal(read_values(path), IDS)
    opaque = np.dstack([IDS] * 3 + [np.full_like(IDS, 255)])
    np.testing.assert_array_equal(read_values(saved(path, opaque)), IDS)


def test_alpha_that_repeats_the_values_is_accepted_and_alpha_that_adds_to_them_is_not(tmp_path):
    same = np.dstack([IDS * 50] * 3 + [np.where(IDS > 0, 255, 0).astype(np.uint8)])
    np.testing.assert_array_equal(read_values(saved(tmp_path / "a.png", same)), IDS * 50)
    all_white = same.copy()
    all_white[..., :3] = 255
    refused(saved(tmp_path / "b.png", all_white), "transparency", read_values)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint32])
def test_wide_labels_fit_16_bits_or_are_refused(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", IDS.astype(kind))
    mask = read_values(tmp_path / "a.tif")
    assert mask.dtype == np.uint16
    np.testing.assert_array_equal(mask, IDS)
    refused(tmp_path / "a.tif", f"type {np.dtype(kind)}")
    bad = IDS.astype(kind)
    bad[0, 0] = np.iinfo(kind).min or 70_000
    tifffile.imwrite(tmp_path / "a.tif", bad)
    refused(tmp_path / "a.tif", "values from", read_values)


def test_a_palette_says_the_colour_of_each_value_that_occurs(tmp_path):
    picture = Image.fromarray(np.where(IDS == 2, 255, IDS).astype(np.uint8))
    picture.putpalette(bytes(range(256)) * 3)
    picture.save(tmp_path / "a.png")
    labels = read_labels(tmp_path / "a.png")
    assert labels.colours is None
    flat = (list(range(256)) * 3)[:768]
    assert labels.palette == {
        index: packed(np.array(flat[3 * index : 3 * index + 3])) for index in (0, 1, 3, 4, 255)
    }


def test_an_index_outside_the_palette_has_no_colour(tmp_path):
    picture = Image.fromarray(IDS)
    picture.putpalette(bytes(range(9)))
    picture.save(tmp_path / "a.bmp")
    content = bytearray((tmp_path / "a.bmp").read_bytes())
    (tmp_path / "a.bmp").write_bytes(content)
    labels = read_labels(tmp_path / "a.bmp")
    np.testing.assert_array_equal(labels.values, IDS)
    assert {0: 0x000102, 1: 0x030405, 2: 0x060708}.items() <= labels.palette.items()


def test_numbers_have_neither_colours_nor_a_palette(tmp_path):
    for array in (GREY, GREY16):
        labels = read_labels(saved(tmp_path / "a.png", array))
        np.testing.assert_array_equal(labels.values, array)
        assert labels.colours is None
        assert labels.palette is None


# Colours


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".ppm"])
def test_a_colour_picture_gives_its_colours_and_which_of_them(tmp_path, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    labels = read_labels(saved(tmp_path / f"a{suffix}", COLOURS[IDS], **options))
    assert labels.values.dtype == np.uint8
    assert labels.palette is None
    assert labels.colours == tuple(np.unique(packed(COLOURS)))
    assert all(type(colour) is int for colour in labels.colours)
    np.testing.assert_array_equal(np.array(labels.colours)[labels.values], packed(COLOURS[IDS]))


@pytest.mark.parametrize("count", [2, 256, 257, 4096])
def test_up_to_4096_colours_are_told_apart(tmp_path, count):
    rng = np.random.default_rng(count)
    numbers = rng.permutation(np.resize(np.arange(count), (70, 70)).ravel()).reshape(70, 70)
    colours = np.dstack([numbers % 256, numbers // 256, 255 - numbers % 256]).astype(np.uint8)
    labels = read_labels(saved(tmp_path / "a.png", colours))
    assert len(labels.colours) == count
    assert labels.values.dtype == (np.uint8 if count <= 256 else np.uint16)
    np.testing.assert_array_equal(np.array(labels.colours)[labels.values], packed(colours))


def test_a_photograph_is_no_mask(tmp_path):
    rng = np.random.default_rng(0)
    photograph = rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)
    count = len(np.unique(packed(photograph)))
    error = refused(saved(tmp_path / "a.png", photograph), f"holds {count} colours", read_labels)
    assert "PNG" in error.hint


def test_a_colour_picture_is_turned_upright(tmp_path):
    path = saved(tmp_path / "a.png", COLOURS[IDS], exif=exif_of(6))
    labels = read_labels(path)
    np.testing.assert_array_equal(
        np.array(labels.colours)[labels.values], packed(COLOURS[np.rot90(IDS, -1)])
    )


def test_a_colour_picture_of_16_bits_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB16, photometric="rgb")
    refused(tmp_path / "a.tif", "uint16", read_labels)
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([GREY16] * 3), photometric="rgb")
    np.testing.assert_array_equal(read_values(tmp_path / "a.tif"), GREY16)


def test_transparency_of_a_colour_of_its_own_says_nothing_new(tmp_path):
    alpha = np.where(IDS == 0, 0, 255).astype(np.uint8)
    clear = np.dstack([COLOURS[IDS], alpha])
    labels = read_labels(saved(tmp_path / "a.png", clear))
    np.testing.assert_array_equal(np.array(labels.colours)[labels.values], packed(COLOURS[IDS]))
    clear[IDS == 1, :3] = 0
    refused(saved(tmp_path / "a.png", clear), "transparency", read_labels)


# A channel for each class


@pytest.mark.parametrize("most", [1, 255])
@pytest.mark.parametrize("classes", [2, 3, 4, 7])
def test_the_channel_that_is_set_is_the_class(tmp_path, classes, most):
    ids = IDS % classes
    channels = (np.eye(classes, dtype=np.uint8) * most)[ids]
    tifffile.imwrite(tmp_path / "a.tif", channels, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(read_one_hot(tmp_path / "a.tif"), ids)
    if classes in (3, 4):
        path = saved(tmp_path / "a.png", channels)
        np.testing.assert_array_equal(read_one_hot(path), ids)


def test_pixels_in_no_or_several_channels_are_counted(tmp_path):
    channels = (np.eye(3, dtype=np.uint8) * 255)[IDS % 3]
    channels[0, :4] = 0
    channels[1, :2] = 255
    error = refused(
        saved(tmp_path / "a.png", channels),
        "4 pixels that are set in none of its 3 channels, and 2 that are set in several",
        read_one_hot,
    )
    assert "background" in error.hint


def test_what_is_not_one_hot_is_refused(tmp_path):
    refused(saved(tmp_path / "a.png", IDS), "1 of the 2 to 255 channels", read_one_hot)
    refused(saved(tmp_path / "a.png", RGB), "different values from", read_one_hot)
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((4, 4, 5), np.uint8),
        planarconfig="contig",
        photometric="minisblack",
    )
    refused(tmp_path / "a.tif", "20|16 pixels", read_one_hot)
    assert "one-hot" in refused(tmp_path / "a.tif", "5 channels", read_labels).hint
