"""GIF files: one whole frame, or a refusal."""

import numpy as np
import pytest
from PIL import Image
from tests.image_files import GREY, IDS, RGB, read_values, refused, saved

from delineate.imaging import read_image, read_labels, read_size


def picture_of(ids: np.ndarray) -> Image.Image:
    picture = Image.fromarray(ids)
    picture.putpalette(bytes(range(30, 30 + 15)))
    return picture


@pytest.mark.parametrize("interlace", [0, 1])
def test_a_palette_gives_indices_and_colours(tmp_path, interlace):
    picture_of(IDS).save(tmp_path / "a.gif", optimize=False, interlace=interlace)
    labels = read_labels(tmp_path / "a.gif")
    np.testing.assert_array_equal(labels.values, IDS)
    assert labels.palette[1] == 0x212223
    with Image.open(tmp_path / "a.gif") as picture:
        expected = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif"), expected)
    assert read_size(tmp_path / "a.gif") == (9, 14)


def test_grey_is_grey(tmp_path):
    path = saved(tmp_path / "a.gif", GREY, optimize=False)
    np.testing.assert_array_equal(read_image(path), GREY[..., None])
    np.testing.assert_array_equal(read_values(path), GREY)


def test_black_and_white_is_a_mask_of_two_values(tmp_path):
    # As the masks of Carvana are stored.
    picture = Image.fromarray((IDS > 2).astype(np.uint8))
    picture.putpalette(bytes([0, 0, 0, 255, 255, 255]))
    picture.save(tmp_path / "a.gif", optimize=False)
    labels = read_labels(tmp_path / "a.gif")
    np.testing.assert_array_equal(labels.values, np.where(IDS > 2, 255, 0))
    assert labels.palette is None


@pytest.mark.parametrize("optimize", [True, False])
@pytest.mark.parametrize("levels", [(0, 2, 5), (5, 0, 2), (255, 0, 0), (255, 255, 255)])
def test_a_table_of_greys_is_grey_in_whatever_order_it_was_written(tmp_path, levels, optimize):
    # Pillow renumbers grey masks when it writes them: 0, 2 and 5 become 0, 1 and 2.
    masks = np.array(levels, np.uint8)[IDS % 3]
    Image.fromarray(masks).save(tmp_path / "a.gif", optimize=optimize)
    np.testing.assert_array_equal(read_values(tmp_path / "a.gif"), masks)
    assert read_image(tmp_path / "a.gif").shape == (*masks.shape, 1)


def test_white_before_black_is_not_turned_round(tmp_path):
    picture = Image.fromarray((IDS <= 2).astype(np.uint8))
    picture.putpalette(bytes([255, 255, 255, 0, 0, 0]))
    picture.save(tmp_path / "a.gif", optimize=False)
    np.testing.assert_array_equal(read_values(tmp_path / "a.gif"), np.where(IDS > 2, 255, 0))


def test_a_transparent_index_is_a_label_but_no_colour(tmp_path):
    picture_of(IDS).save(tmp_path / "a.gif", optimize=False, transparency=3)
    np.testing.assert_array_equal(read_values(tmp_path / "a.gif"), IDS)
    refused(tmp_path / "a.gif", f"{np.count_nonzero(IDS == 3)} transparent pixels")


def test_no_truncation_gives_a_picture(tmp_path):
    picture_of(IDS).save(tmp_path / "a.gif")
    whole = (tmp_path / "a.gif").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "a.gif").write_bytes(whole[:length])
        refused(tmp_path / "a.gif", "damaged|no format|empty")


def test_an_animation_is_refused_with_how_to_take_it_apart(tmp_path):
    frames = [Image.fromarray(np.roll(RGB, shift, axis=0)) for shift in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    for reader in (read_image, read_values, read_size):
        error = refused(tmp_path / "a.gif", "several pictures .an animation of 3 frames", reader)
        assert "magick" in error.hint


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (6, 15, "frame of 14 x 9 pixels on a canvas of 15 x 9"),
        (8, 0, "14 x 0"),
        (13 + 768, 0x99, "no block of kind 0x99"),
        (13 + 768, 0x3B, "no picture"),
    ],
)
def test_a_frame_that_is_not_the_picture_is_refused(tmp_path, place, value, words):
    whole = bytearray(saved(tmp_path / "a.gif", GREY, optimize=False).read_bytes())
    whole[place] = value
    (tmp_path / "a.gif").write_bytes(whole)
    refused(tmp_path / "a.gif", words)
