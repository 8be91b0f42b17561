import io

import numpy as np
from PIL import Image

from delineate.data.checking.evidence import Scene, evidence
from delineate.data.checking.gallery import Room
from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.recipe import Recipe
from delineate.report import Finding


def write(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path, **options)


def noise(number, size=(40, 60)):
    return np.random.default_rng(number).integers(0, 255, (*size, 3), np.uint8)


def box(size=(40, 60), value=1):
    mask = np.zeros(size, np.uint8)
    mask[4:18, 8:40] = value
    return mask


def fill(root, count=4, split=None):
    part = root / split if split else root
    for number in range(count):
        write(part / "images" / f"{number}.png", noise(number))
        write(part / "masks" / f"{number}.png", box())
    return root


def scene_of(root, **options):
    return Scene(inspect(Dataset.open(root, cache=False), **options))


def drawn(scene, code, *where):
    """The pictures of a finding that such a rule would have made."""
    shown = evidence(scene, Finding(code, "error", "m", "h", where))
    return Room().draw(shown.drawings)


def pixels(tile):
    return np.asarray(Image.open(io.BytesIO(tile.picture)).convert("RGB"), int)


def test_a_named_record_is_shown_with_its_mask_and_its_split(tmp_path):
    fill(tmp_path, split="train")
    (tile,) = drawn(scene_of(tmp_path), "D202", "train/2")
    assert (tile.name, tile.remark) == ("train/2", "train")
    assert max(pixels(tile).shape[:2]) == 256


def test_a_record_may_be_named_by_its_file(tmp_path):
    scene = scene_of(fill(tmp_path))
    (tile,) = drawn(scene, "D202", str(tmp_path / "masks" / "1.png"))
    assert tile.name == "1"


def test_of_an_unreadable_image_the_mask_is_shown_and_of_an_unreadable_mask_the_image(tmp_path):
    fill(tmp_path)
    (tmp_path / "images" / "0.png").write_bytes(b"no picture")
    (tmp_path / "masks" / "1.png").write_bytes(b"")
    scene = scene_of(tmp_path)
    assert [tile.remark for tile in drawn(scene, "D101", "0")] == ["its mask, 0.png"]
    assert [tile.remark for tile in drawn(scene, "D101", "1")] == ["the image"]


def test_of_sizes_that_differ_image_and_mask_are_shown(tmp_path):
    fill(tmp_path)
    write(tmp_path / "masks" / "0.png", box((30, 30)))
    tiles = drawn(scene_of(tmp_path), "D102", "0")
    assert [tile.remark for tile in tiles] == ["the image", "its mask, 0.png"]


def test_a_transposed_mask_is_also_shown_as_it_would_fit(tmp_path):
    fill(tmp_path)
    bright = noise(0) // 4 + box()[..., None] * np.uint8(150)
    write(tmp_path / "images" / "0.png", bright)
    write(tmp_path / "masks" / "0.png", np.rot90(box()))
    _, _, fitting = drawn(scene_of(tmp_path), "D105", "0")
    assert fitting.remark == "the mask turned by 90 degrees clockwise"
    # Tinted in orange where the box is, and nowhere else.
    tinted = pixels(fitting)[..., 0] - pixels(fitting)[..., 2] > 60
    assert tinted[30:70, 50:150].mean() > 0.9
    assert tinted[90:, :].mean() < 0.2


def test_a_mirrored_mask_is_shown_as_it_is_and_as_it_would_fit(tmp_path):
    fill(tmp_path)
    bright = noise(0) // 4 + box()[..., None] * np.uint8(150)
    write(tmp_path / "images" / "0.png", bright)
    write(tmp_path / "masks" / "0.png", box()[::-1])
    tiles = drawn(scene_of(tmp_path), "D105", "0")
    assert [tile.remark for tile in tiles] == ["as it is", "the mask mirrored top to bottom"]


def test_blended_masks_are_enlarged_eight_times_where_they_blend(tmp_path):
    fill(tmp_path)
    mask = box(value=255)
    mask[3, 8:40], mask[18, 8:40] = 90, 170
    write(tmp_path / "masks" / "0.png", mask)
    _, detail = drawn(scene_of(tmp_path), "D205", "0")
    shown = pixels(detail)[..., 0]
    assert shown.shape == (256, 256)
    assert set(np.unique(shown)) == {0, 90, 170, 255}
    np.testing.assert_array_equal(shown[::8, ::8].repeat(8, 0).repeat(8, 1), shown)


def test_values_without_a_class_point_to_the_masks_that_hold_most_values(tmp_path):
    fill(tmp_path)
    write(tmp_path / "masks" / "2.png", noise(5)[..., 0])
    tiles = drawn(scene_of(tmp_path), "D200")
    assert tiles[0].name == "2"
    assert len(tiles) == 6


def test_duplicates_of_several_splits_stand_beside_each_other(tmp_path):
    fill(tmp_path, split="train")
    fill(tmp_path, count=2, split="test")
    scene = scene_of(tmp_path)
    tiles = drawn(scene, "D301", "train/0", "train/1", "test/0")
    assert [tile.remark for tile in tiles[:2]] == ["train", "test"]


def test_a_class_that_is_named_is_shown_where_it_is_most(tmp_path):
    fill(tmp_path)
    mask = box()
    mask[30:, 50:] = 2
    write(tmp_path / "masks" / "3.png", mask)
    assert [tile.name for tile in drawn(scene_of(tmp_path), "D208", "class 2")] == ["3"]


def test_small_objects_are_shown_at_the_recipe_s_size(tmp_path):
    recipe = Recipe.load("unet").override({"data.size": [32, 32], "data.fit": "resize"})
    tiles = drawn(scene_of(fill(tmp_path), recipe=recipe), "D209", "1")
    assert [tile.remark for tile in tiles] == ["as it is", "at 32×32"]


def test_a_file_without_partner_is_shown(tmp_path):
    fill(tmp_path)
    (tmp_path / "masks" / "0.png").unlink()
    (tile,) = drawn(scene_of(tmp_path), "D103", str(tmp_path / "images" / "0.png"))
    assert (tile.name, tile.remark) == ("0.png", "has no mask")
