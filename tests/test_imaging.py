"""Writing, resizing and padding; reading is in decoding/."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from delineate.errors import DataError
from delineate.imaging import (
    PALETTE,
    pad_to_multiple,
    read_image,
    read_labels,
    resize_image,
    resize_mask,
    resize_probabilities,
    write_png,
)

RNG = np.random.default_rng(1)


def discs(size: tuple[int, int], count: int, *, classes: int = 2, seed: int = 0) -> np.ndarray:
    """Return a mask of discs with radii 4 to 12, about as large as nuclei."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(size)
    mask = np.zeros(size, np.uint8)
    for label in range(count):
        row, column, radius = rng.uniform((0, 0, 4), (*size, 12))
        inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        mask[inside] = 1 + label % (classes - 1)
    return mask


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (first.sum() + second.sum())


def area_shares(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return area means by exact integer arithmetic: enlarge to a common multiple, average."""
    (height, width), (rows, columns) = array.shape, size
    large = np.kron(array.astype(float), np.ones((rows, columns)))
    return large.reshape(rows, height, columns, width).mean(axis=(1, 3))


# Writing


@pytest.mark.parametrize(
    "array",
    [
        RNG.integers(0, 256, (5, 7), dtype=np.uint8),
        RNG.integers(0, 256, (5, 7, 1), dtype=np.uint8),
        RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8),
        RNG.integers(0, 65536, (5, 7), dtype=np.uint16),
        RNG.integers(0, 256, (5, 14, 3), dtype=np.uint8)[:, ::-2],
    ],
    ids=["grey", "channel", "rgb", "deep", "strided"],
)
def test_a_written_png_is_read_back_the_same(tmp_path, array):
    write_png(tmp_path / "a.png", array)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), array.reshape(5, 7, -1))
    unchanged = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    shown = unchanged[..., ::-1] if unchanged.ndim == 3 else unchanged
    np.testing.assert_array_equal(shown, np.squeeze(array))


@pytest.mark.parametrize("colours", [PALETTE[:2], PALETTE[:16], PALETTE])
def test_a_palette_of_any_length_keeps_every_id(tmp_path, colours):
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_png(tmp_path / "a.png", ids, colours)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png").values, ids)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(
            np.asarray(picture.convert("RGB")), np.uint8(PALETTE).reshape(16, 16, 3)
        )


@pytest.mark.parametrize(
    ("array", "palette"),
    [
        (np.zeros((2, 2), np.float32), None),
        (np.zeros((2, 2), bool), None),
        (np.zeros((2, 2, 4), np.uint8), None),
        (np.zeros((2, 2, 3), np.uint16), None),
        (np.zeros((2, 2, 3), np.uint8), PALETTE),
        (np.zeros((2, 2), np.uint16), PALETTE),
        (np.zeros((0, 2), np.uint8), None),
        (np.zeros(3, np.uint8), None),
    ],
)
def test_an_array_that_is_no_picture_is_not_written(tmp_path, array, palette):
    with pytest.raises(DataError, match=str(array.dtype)):
        write_png(tmp_path / "a.png", array, palette)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    path = tmp_path / "a.png"
    write_png(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_png(path, np.ones((2, 2), np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# Resizing


@pytest.mark.parametrize("size", [(10, 15), (7, 11), (3, 2), (20, 6), (1, 1)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_shrinking_takes_the_mean_over_areas(size, kind):
    image = (RNG.random((20, 15, 2)) * 250).astype(kind)
    expected = np.dstack([area_shares(image[..., channel], size) for channel in range(2)])
    result = resize_image(image, size)
    assert result.dtype == kind
    np.testing.assert_allclose(result, expected, atol=0.51 if kind != np.float32 else 1e-3)


def test_growing_is_bilinear_with_aligned_outer_edges():
    row = np.array([[[0.0], [8.0]]], np.float32)
    np.testing.assert_allclose(resize_image(row, (1, 4))[0, :, 0], [0, 2, 6, 8])
    image = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    expected = cv2.resize(image.astype(np.float64), (36, 24), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(resize_image(image, (24, 36)), expected, atol=1)


def test_an_axis_may_shrink_while_the_other_grows():
    image = np.zeros((8, 4, 1), np.float32)
    image[::2] = 1
    image[:, 2:] += 2
    result = resize_image(image, (4, 8))[..., 0]
    np.testing.assert_allclose(result, np.tile([0.5, 0.5, 0.5, 1.0, 2.0, 2.5, 2.5, 2.5], (4, 1)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 9])
def test_any_number_of_channels_is_kept(channels):
    image = RNG.integers(0, 256, (8, 6, channels), dtype=np.uint8)
    for size in ((4, 3), (16, 12), (8, 6)):
        result = resize_image(image, size)
        assert result.shape == (*size, channels)
        each = [resize_image(image[..., [c]], size) for c in range(channels)]
        # OpenCV rounds a half up or to even, depending on the number of channels.
        np.testing.assert_allclose(result, np.concatenate(each, axis=2), atol=1)
    np.testing.assert_array_equal(resize_image(image, (8, 6)), image)


def test_a_resized_image_and_mask_stay_aligned():
    mask = discs((97, 131), 12)
    picture = resize_image(mask[..., None] * np.uint16(60_000), (41, 53))[..., 0]
    np.testing.assert_array_equal(resize_mask(mask, (41, 53), 2) == 1, picture > 30_000)


@pytest.mark.parametrize("size", [(12, 10), (7, 5), (24, 3)])
def test_shrinking_a_mask_gives_each_pixel_the_largest_class(size):
    mask = discs((24, 20), 9, classes=4)
    mask[3:6, 4:9] = 255
    shares = np.stack([area_shares(mask == label, size) for label in (0, 1, 2, 3, 255)])
    expected = np.array([0, 1, 2, 3, 255])[np.round(shares, 6).argmax(axis=0)]
    result = resize_mask(mask, size, 4)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


def test_equal_shares_go_to_the_lower_id():
    for first, second in ((0, 1), (1, 0), (2, 1), (1, 255)):
        mask = np.array([[first, second], [second, first]], np.uint8)
        assert resize_mask(mask, (1, 1), 3).item() == min(first, second)
    # A case where float32 rounding alone would give the pixel to a higher id.
    mask = np.random.default_rng(0).integers(0, 3, (3, 5)).astype(np.uint8)
    counts = [area_shares(mask == label, (1, 3)) * 15 for label in range(3)]
    lowest = np.round(counts).argmax(axis=0)
    np.testing.assert_array_equal(resize_mask(mask, (1, 3), 3), lowest)


def test_a_resized_mask_has_no_new_ids_and_its_own_type():
    mask = np.array([[0, 9], [9, 0]], np.uint16)
    result = resize_mask(mask, (33, 17), 10, ignore=65535)
    assert result.dtype == np.uint16
    assert set(np.unique(result)) == {0, 9}
    assert resize_mask(np.full((5, 5), 255, np.uint8), (2, 9), 2).tolist() == [[255] * 9] * 2


def test_a_mask_of_the_right_size_is_copied():
    mask = discs((9, 8), 2)
    result = resize_mask(mask, (9, 8), 2)
    np.testing.assert_array_equal(result, mask)
    assert not np.shares_memory(result, mask)


def test_an_id_beyond_the_classes_is_refused():
    with pytest.raises(DataError, match="id 7, but there are 3 classes"):
        resize_mask(np.array([[0, 2, 7, 255]], np.uint8), (1, 2), 3)


def test_discs_survive_a_smaller_grid_far_better_than_with_nearest_pixels():
    size, small = (360, 360), (128, 128)
    mask = discs(size, 80)
    truth = mask == 1
    there = cv2.resize(mask, small, interpolation=cv2.INTER_NEAREST)
    nearest = cv2.resize(there, size, interpolation=cv2.INTER_NEAREST) == 1
    ids = resize_mask(resize_mask(mask, small, 2), size, 2) == 1
    assert dice(ids, truth) > dice(nearest, truth) + 0.1
    # Shares on the small grid, which is what a model can predict, lose less than whole ids do.
    shares = np.stack([mask == 0, mask == 1], axis=2).astype(np.float32)
    back = resize_probabilities(resize_probabilities(shares, small), size)
    assert dice(back.argmax(axis=2) == 1, truth) > 0.98


def test_probabilities_of_many_classes_still_sum_to_one():
    raw = RNG.random((12, 10, 21)).astype(np.float32)
    probabilities = raw / raw.sum(axis=2, keepdims=True)
    for size in ((5, 4), (37, 40), (24, 3)):
        result = resize_probabilities(probabilities, size)
        assert result.dtype == np.float32
        assert result.shape == (*size, 21)
        np.testing.assert_allclose(result.sum(axis=2), 1, atol=1e-5)


# Padding


@pytest.mark.parametrize("size", [(1, 1), (31, 32), (33, 64), (7, 100), (2, 40)])
@pytest.mark.parametrize("stride", [1, 8, 32])
def test_padding_reaches_the_next_multiple_and_is_undone(size, stride):
    image = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
    padding = pad_to_multiple(size, stride)
    padded = padding.apply(image)
    assert padded.shape == (*padding.padded_size, 3)
    assert all(0 <= new - old < stride for new, old in zip(padding.padded_size, size, strict=True))
    assert [extent % stride for extent in padding.padded_size] == [0, 0]
    np.testing.assert_array_equal(padding.undo(padded), image)
    np.testing.assert_array_equal(padding.apply(image[..., 0]), padded[..., 0])


def test_padding_mirrors_at_the_border_and_repeats_the_edge_of_tiny_images():
    row = np.arange(6, dtype=np.uint8).reshape(1, 6)
    mirrored = pad_to_multiple((6, 6), 8).apply(row.repeat(6, axis=0))
    assert mirrored[0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3]
    assert pad_to_multiple((1, 6), 4).apply(row)[3].tolist() == [0, 1, 2, 3, 4, 5, 5, 5]


def test_padding_refuses_arrays_of_another_size():
    padding = pad_to_multiple((5, 5), 4)
    with pytest.raises(DataError, match=r"\(5, 6\)"):
        padding.apply(np.zeros((5, 6)))
    with pytest.raises(DataError, match=r"\(8, 8\)"):
        padding.undo(np.zeros((5, 5, 2)))
