import numpy as np
import pytest

from delineate.data.checking.inspection import inspect
from delineate.data.checking.rules.masks import inverted_masks
from delineate.data.dataset import Dataset
from delineate.data.synthetic.nuclei import nucleus_image
from delineate.recipe import Recipe
from tests.data.checking.rules.making import SIZE, findings, pairs, picture, say, shapes, write


def masks_of(count, *values):
    return [shapes(number, values) for number in range(count)]


def resized(*size):
    return Recipe().override({"data.fit": "resize", "data.size": list(size)})


# --- D202 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("empty", "level"), [(2, "note"), (3, "warning")])
def test_empty_masks_are_a_warning_where_they_are_more_than_half(tmp_path, empty, level):
    masks = [np.zeros(SIZE, np.uint8)] * empty + masks_of(4 - empty, 1)
    (found,) = findings("D202", pairs(tmp_path, masks))
    assert found.level == level
    assert found.message.startswith(f"{empty} of 4")


def test_no_more_than_twenty_names_are_listed(tmp_path):
    (found,) = findings("D202", pairs(tmp_path, [np.zeros(SIZE, np.uint8)] * 25))
    assert len(found.where) == 20
    assert found.message.startswith("25 of 25")


def test_a_black_colour_mask_is_empty(tmp_path):
    pairs(tmp_path, [np.array([(0, 0, 0), (255, 0, 0)], np.uint8)[m] for m in masks_of(3, 1)])
    write(tmp_path / "masks" / "1.png", np.zeros((*SIZE, 3), np.uint8))
    (found,) = findings("D202", tmp_path)
    assert found.where == ("1",)


# --- D203 -----------------------------------------------------------------------------------------


def test_a_named_class_that_occurs_nowhere_is_reported_once(tmp_path):
    say(tmp_path, '[classes]\nnames = ["ground", "cell", "wall", "gap"]\n')
    pairs(pairs(tmp_path, masks_of(5, 1, 2), "train"), 5, "test", first=10)
    found = findings("D203", tmp_path)
    assert [(finding.message, finding.where) for finding in found] == [
        ("The class 'gap' does not occur in any mask.", ("gap",)),
        ("The class 'wall' does not occur in the split 'test'.", ("test", "wall")),
    ]


@pytest.mark.parametrize(("first", "count"), [("background", 0), ("sky", 1)])
def test_a_background_that_nobody_marks_is_not_missed(tmp_path, first, count):
    say(tmp_path, f'[classes]\nnames = ["{first}", "cell", "wall"]\n')
    pairs(tmp_path, [mask + 1 for mask in masks_of(5, 1)])
    assert len(findings("D203", tmp_path)) == count


def test_several_absent_classes_are_one_finding(tmp_path):
    pairs(pairs(tmp_path, masks_of(5, 1, 2, 3), "train"), 5, "test", first=10)
    (found,) = findings("D203", tmp_path)
    assert found.message == "The classes 'class 2' and 'class 3' do not occur in the split 'test'."


# --- D204 -----------------------------------------------------------------------------------------


def test_the_image_with_most_overlap_comes_first(tmp_path):
    for name, step in (("a", 4), ("b", 2), ("c", 9)):
        write(tmp_path / name / "images" / f"{name}.png", picture(0))
        for number in range(2):
            one = np.zeros(SIZE, np.uint8)
            one[number * step : number * step + 5, 3:8] = 255
            write(tmp_path / name / "masks" / f"{number}.png", one)
    (found,) = findings("D204", tmp_path)
    assert found.where == ("b", "a")
    assert "overlap in 2 images, most in b: 15 pixels" in found.message


# --- D208 -----------------------------------------------------------------------------------------


def speck(pixels, value=1, size=(100, 100)):
    mask = np.zeros(size, np.uint8)
    mask.ravel()[:pixels] = value
    return mask


@pytest.mark.parametrize(("pixels", "count"), [(49, 1), (50, 0)])
def test_foreground_is_rare_below_half_a_percent(tmp_path, pixels, count):
    write(tmp_path / "images" / "0.png", picture(0, size=(100, 100)))
    write(tmp_path / "masks" / "0.png", speck(pixels))
    assert len(findings("D208", tmp_path)) == count


@pytest.mark.parametrize(("pixels", "count"), [(9, 1), (10, 0)])
def test_one_of_several_classes_is_rare_below_a_thousandth(tmp_path, pixels, count):
    write(tmp_path / "images" / "0.png", picture(0, size=(100, 100)))
    mask = speck(pixels, 2)
    mask[50:] = 1
    write(tmp_path / "masks" / "0.png", mask)
    found = findings("D208", tmp_path)
    assert len(found) == count
    assert not found or "'class 2' 0.09 %" in found[0].message


def test_the_lines_of_the_hint_are_a_recipe(tmp_path):
    write(tmp_path / "images" / "0.png", picture(0, size=(100, 100)))
    write(tmp_path / "masks" / "0.png", speck(9))
    (found,) = findings("D208", tmp_path)
    path = tmp_path / "recipe.toml"
    path.write_text(found.hint.partition("\n")[2])
    assert Recipe.load(path).loss.terms["dice_per_class"] == 1


# --- D209 -----------------------------------------------------------------------------------------


def dots(side):
    mask = np.zeros((64, 64), np.uint8)
    for row in range(8):
        for column in range(8):
            mask[8 * row : 8 * row + side, 8 * column : 8 * column + side] = 1
    return mask


@pytest.mark.parametrize(("side", "count"), [(5, 1), (6, 0)])
def test_objects_are_small_below_nine_pixels_at_the_recipes_size(tmp_path, side, count):
    write(tmp_path / "images" / "0.png", picture(0, size=(64, 64)))
    write(tmp_path / "masks" / "0.png", dots(side))
    found = findings("D209", tmp_path, resized(32, 32))
    assert len(found) == count
    assert not found or "--set data.size=[64,64]" in found[0].hint
    assert findings("D209", tmp_path, Recipe()) == []
    assert findings("D209", tmp_path) == []


def test_a_few_small_objects_are_borne(tmp_path):
    write(tmp_path / "images" / "0.png", picture(0, size=(64, 64)))
    mask = dots(6)
    mask[:6, 1:6] = 0
    for _ in range(2):
        write(tmp_path / "masks" / "0.png", mask)
    assert findings("D209", tmp_path, resized(32, 32)) == []


def test_specks_are_none_of_the_recipes_doing(tmp_path):
    write(tmp_path / "images" / "0.png", picture(0, size=(64, 64)))
    mask = np.zeros((64, 64), np.uint8)
    for row, column in np.ndindex(4, 4):
        mask[16 * row : 16 * row + 8, 16 * column : 16 * column + 8] = 1
        mask[16 * row + 12, 16 * column + 12] = 1
    write(tmp_path / "masks" / "0.png", mask)
    assert findings("D209", tmp_path, resized(32, 32)) == []


# --- D211 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "warnings"), [(4, 0), (5, 1)])
def test_one_mask_for_many_different_images_is_a_warning(tmp_path, count, warnings):
    pairs(tmp_path, [*[shapes(0)] * count, shapes(1)])
    found = findings("D211", tmp_path)
    assert [finding.level for finding in found] == ["warning"] * warnings
    assert not found or found[0].where == tuple(map(str, range(5)))


def test_many_empty_masks_are_not_one_mask(tmp_path):
    assert findings("D211", pairs(tmp_path, [np.zeros(SIZE, np.uint8)] * 8)) == []


def test_a_photograph_as_its_own_mask_is_a_copy_and_no_mixture(tmp_path):
    photograph = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    pairs(tmp_path)
    for side in ("images", "masks"):
        write(tmp_path / side / "1.png", photograph)
    (found,) = findings("D211", tmp_path)
    assert found.where == ("1",)
    assert findings("D205", tmp_path) == findings("D101", tmp_path) == []


# --- D212 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "count"), [(50, 0), (51, 1)])
def test_more_than_half_of_all_pixels_is_mostly_ignored(tmp_path, rows, count):
    for number in range(2):
        write(tmp_path / "images" / f"{number}.png", picture(number, size=(100, 100)))
        mask = shapes(number, size=(100, 100)) * 0
        mask[60:] = 1
        mask[:rows] = 255
        write(tmp_path / "masks" / f"{number}.png", mask)
    found = findings("D212", tmp_path)
    assert len(found) == count
    assert not found or found[0].message.startswith("51 % of the pixels are ignored (value 255)")


@pytest.mark.parametrize(("rows", "count"), [(94, 0), (95, 1)])
def test_nearly_all_of_one_mask_is_mostly_ignored(tmp_path, rows, count):
    for number in range(4):
        write(tmp_path / "images" / f"{number}.png", picture(number, size=(100, 100)))
        mask = shapes(number, size=(100, 100))
        if number == 2:
            mask[:rows], mask[rows:] = 255, 1
        write(tmp_path / "masks" / f"{number}.png", mask)
    found = findings("D212", tmp_path)
    assert [finding.where for finding in found] == [("2",)] * count


# --- D214 -----------------------------------------------------------------------------------------


def nuclei(*counts, inverted=()):
    """Nuclei of two kinds, dark on bright and bright on dark, some of them inverted."""
    kinds = ["large_fluorescence"] * counts[0] + ["bright_field"] * counts[1]
    images, masks = [], []
    for number, kind in enumerate(kinds):
        image, instances = nucleus_image(kind, (64, 64), np.random.default_rng(number))
        images.append(image)
        masks.append(((instances > 0) ^ (number in inverted)).astype(np.uint8))
    return inspect(Dataset.from_arrays(images, masks))


@pytest.mark.parametrize("counts", [(10, 0), (0, 10), (20, 4), (9, 9)])
def test_bright_objects_beside_dark_ones_are_not_inverted(counts):
    assert list(inverted_masks(nuclei(*counts))) == []


@pytest.mark.parametrize("inverted", [(2,), (7, 15)])
def test_up_to_a_few_inverted_masks_are_found(inverted):
    (found,) = inverted_masks(nuclei(10, 10, inverted=inverted))
    assert set(found.where) == set(map(str, inverted))


def test_masks_that_say_nothing_about_the_picture_are_not_inverted():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 32, 32, 3), np.uint8)
    masks = rng.integers(0, 2, (30, 32, 32), np.uint8)
    assert list(inverted_masks(inspect(Dataset.from_arrays(images, masks)))) == []
