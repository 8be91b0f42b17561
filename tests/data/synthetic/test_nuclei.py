"""The made nuclei are frozen, well formed, visible, and not to be had by a threshold."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.color import rgb2gray
from skimage.filters import threshold_otsu
from skimage.measure import label

from delineate.data.synthetic.nuclei import KINDS, content_hash, make_nuclei, nucleus_image
from delineate.errors import DataError, UsageError

DEFAULT_HASH = "ebfbb91ed3e65f39f9616b7844cc7f0aba2258a986b2c6a42d3b6ce206c43458"
GREY_KINDS = ("small_fluorescence", "large_fluorescence", "bright_field")


@pytest.fixture(scope="module")
def nuclei(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "nuclei"
    make_nuclei(folder)
    return folder


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def samples(folder: Path, split: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return image (H, W, 3) and masks (objects, H, W) bool of each picture of a split."""
    return [
        (
            read(sample / "images" / f"{sample.name}.png"),
            np.array([read(path) for path in sorted((sample / "masks").iterdir())]) == 255,
        )
        for sample in sorted((folder / split).iterdir())
    ]


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    return 2 * np.count_nonzero(predicted & truth) / (predicted.sum() + truth.sum())


def otsu_dice(folder: Path, split: str) -> float:
    """Return the mean Dice of Otsu's threshold on grey, given the right polarity of each image."""
    scores = []
    for image, masks in samples(folder, split):
        grey, truth = rgb2gray(image), masks.any(axis=0)
        bright = grey > threshold_otsu(grey)
        scores.append(max(dice(bright, truth), dice(~bright, truth)))
    return float(np.mean(scores))


def test_the_default_data_set_is_frozen(nuclei):
    assert content_hash(nuclei) == DEFAULT_HASH


def test_a_threshold_does_not_solve_the_test_split(nuclei):
    assert 0.5 < otsu_dice(nuclei, "test") <= 0.80


def test_the_splits_have_the_layout_and_the_number_of_pictures_asked_for(nuclei):
    assert sorted(path.name for path in nuclei.iterdir()) == ["test", "train", "validation"]
    for split, count in {"train": 48, "validation": 8, "test": 12}.items():
        folders = list((nuclei / split).iterdir())
        assert len(folders) == count
        for folder in folders:
            assert sorted(path.name for path in folder.iterdir()) == ["images", "masks"]
            assert [path.name for path in (folder / "images").iterdir()] == [f"{folder.name}.png"]


def test_every_split_has_every_kind_and_the_test_split_every_size(nuclei):
    for split in ("train", "validation", "test"):
        names = [folder.name for folder in (nuclei / split).iterdir()]
        assert all(any(name.endswith(kind) for name in names) for kind in KINDS)
    sizes = {image.shape for image, _ in samples(nuclei, "test")}
    assert sizes == {(128, 128, 3), (128, 160, 3), (160, 160, 3)}


def test_masks_are_0_and_255_and_no_two_share_a_pixel(nuclei):
    for folder in (nuclei / "validation").iterdir():
        masks = np.array([read(path) for path in (folder / "masks").iterdir()])
        assert masks.dtype == np.uint8
        assert set(np.unique(masks)) == {0, 255}
        assert (masks == 255).sum(axis=0).max() == 1


def test_a_mask_holds_one_connected_nucleus(nuclei):
    for _, masks in samples(nuclei, "validation"):
        assert len(masks) >= 3
        assert all(label(mask, connectivity=1).max() == 1 for mask in masks)


def test_every_nucleus_can_be_told_from_the_ground_around_it(nuclei):
    for image, masks in samples(nuclei, "test"):
        ground = ~masks.any(axis=0)
        for mask in masks:
            core = ndimage.binary_erosion(mask, border_value=1)
            near = ndimage.binary_dilation(mask, iterations=2)
            ring = ndimage.binary_dilation(mask, iterations=6) & ~near & ground
            if min(np.count_nonzero(core), np.count_nonzero(ring)) >= 20:
                step = np.median(image[core], axis=0) - np.median(image[ring], axis=0)
                assert np.abs(step).max() > 8


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_made_again_from_its_generator(kind):
    image, instances = nucleus_image(kind, (64, 80), np.random.default_rng(5))
    again, same = nucleus_image(kind, (64, 80), np.random.default_rng(5))
    other, _ = nucleus_image(kind, (64, 80), np.random.default_rng(6))
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(instances, same)
    assert (image != other).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_has_its_size_its_types_and_its_colours(kind):
    image, instances = nucleus_image(kind, (64, 80), np.random.default_rng(1))
    assert (image.shape, image.dtype) == ((64, 80, 3), np.uint8)
    assert (instances.shape, instances.dtype) == ((64, 80), np.int32)
    grey = bool((image == image[:, :, :1]).all())
    assert grey == (kind in GREY_KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_nuclei_are_brighter_than_the_ground_in_fluorescence_only(kind):
    differences = []
    for seed in range(4):
        image, instances = nucleus_image(kind, (128, 128), np.random.default_rng(seed))
        differences.append(image[instances > 0].mean() - image[instances == 0].mean())
    assert (np.array(differences) > 0).all() == ("fluorescence" in kind)


def test_large_fluorescence_has_larger_nuclei_than_small_fluorescence():
    def area(kind: str) -> float:
        _, instances = nucleus_image(kind, (160, 160), np.random.default_rng(0))
        return np.count_nonzero(instances) / instances.max()

    assert area("large_fluorescence") > 4 * area("small_fluorescence")


def test_a_split_that_grows_keeps_the_pictures_it_had(tmp_path):
    make_nuclei(tmp_path / "few", train=1, validation=0, test=1, sizes=[(48, 64)], seed=3)
    make_nuclei(tmp_path / "more", train=2, validation=1, test=1, sizes=[(48, 64)], seed=3)
    for path in sorted((tmp_path / "few").rglob("*.png")):
        same = tmp_path / "more" / path.relative_to(tmp_path / "few")
        np.testing.assert_array_equal(read(path), read(same))


def test_another_seed_makes_other_pictures(tmp_path):
    for seed in (1, 2):
        make_nuclei(
            tmp_path / str(seed), train=1, validation=0, test=0, sizes=[(32, 32)], seed=seed
        )
    assert content_hash(tmp_path / "1") != content_hash(tmp_path / "2")


def test_an_empty_folder_is_taken_and_a_full_one_is_refused_untouched(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    make_nuclei(empty, train=1, validation=0, test=0, sizes=[(32, 32)])
    before = sorted(empty.rglob("*"))
    with pytest.raises(DataError, match=f"{empty}: it exists and is not an empty folder") as caught:
        make_nuclei(empty, train=1, validation=1, test=0, sizes=[(32, 32)])
    assert caught.value.hint
    assert sorted(empty.rglob("*")) == before


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "nuclei").write_text("mine")
    with pytest.raises(DataError, match="not an empty folder"):
        make_nuclei(tmp_path / "nuclei")
    assert (tmp_path / "nuclei").read_text() == "mine"


def test_an_unknown_kind_is_answered_with_the_nearest_one():
    with pytest.raises(UsageError, match="Did you mean 'bright_field'") as caught:
        nucleus_image("brightfield", (64, 64), np.random.default_rng(0))
    assert "purple_tissue" in caught.value.hint


def test_a_picture_smaller_than_a_nucleus_is_refused():
    with pytest.raises(UsageError, match="31 x 64"):
        nucleus_image("bright_field", (31, 64), np.random.default_rng(0))


def test_the_hash_counts_names_and_pixels_and_not_the_compression(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for folder in ("first", "tight", "renamed", "changed"):
        (tmp_path / folder).mkdir()
    Image.fromarray(pixels).save(tmp_path / "first" / "a.png", compress_level=0)
    Image.fromarray(pixels).save(tmp_path / "tight" / "a.png", compress_level=9)
    Image.fromarray(pixels).save(tmp_path / "renamed" / "b.png")
    Image.fromarray(pixels ^ np.uint8(1)).save(tmp_path / "changed" / "a.png")
    first = content_hash(tmp_path / "first")
    assert first == hashlib.sha256(b"a.png (4, 4, 3) uint8\n" + pixels.tobytes()).hexdigest()
    assert content_hash(tmp_path / "tight") == first
    assert content_hash(tmp_path / "renamed") != first
    assert content_hash(tmp_path / "changed") != first


def test_a_folder_without_pictures_has_no_hash(tmp_path):
    with pytest.raises(DataError, match="holds no PNG file"):
        content_hash(tmp_path)
