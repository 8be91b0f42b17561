import cv2
import numpy as np
import pytest
from PIL import Image

from tests.data.checking.rules.making import (
    SIZE,
    findings,
    follow,
    pairs,
    picture,
    say,
    shapes,
    write,
)


def smooth(mask):
    return cv2.GaussianBlur(mask, (3, 3), 0)


def masks_of(count, *values):
    return [shapes(number, values) for number in range(count)]


def named(root, *names):
    say(root, f"[classes]\nnames = {list(names)}\n".replace("'", '"'))
    return root


# --- D200 -----------------------------------------------------------------------------------------


def test_the_mask_with_most_strange_values_is_named_first(tmp_path):
    masks = masks_of(4, 1)
    masks[1][:2] = 240
    masks[3][:20] = 240
    (found,) = findings("D200", pairs(tmp_path, masks))
    assert found.where == ("3", "1")
    assert "masks/3.png" in found.message


def test_ids_beyond_the_names_are_named(tmp_path):
    named(pairs(tmp_path, [*masks_of(3, 1), shapes(3, (1, 2))]), "ground", "cell")
    (found,) = findings("D200", tmp_path)
    assert found.where == ("3",)
    assert "there are 2 classes" in found.message


def test_a_few_brightnesses_are_given_classes_by_the_hint(tmp_path):
    (found,) = findings("D200", pairs(tmp_path, masks_of(4, 76, 149, 226)))
    follow(tmp_path, found.hint)
    assert findings("D200", tmp_path) == findings("D213", tmp_path) == []


# --- D201 -----------------------------------------------------------------------------------------


def test_0_and_255_are_an_error_where_more_than_two_classes_are_named(tmp_path):
    named(pairs(tmp_path, masks_of(4, 255)), "ground", "cell", "wall")
    (found,) = findings("D201", tmp_path)
    assert (found.level, found.where) == ("error", ("0", "1", "2", "3"))
    follow(tmp_path, found.hint)
    assert findings("D201", tmp_path) == findings("D202", tmp_path) == []


def test_masks_with_255_beside_masks_with_1_are_an_error(tmp_path):
    pairs(tmp_path, [*masks_of(3, 1), shapes(3, (255,))])
    (found,) = findings("D201", tmp_path)
    assert (found.level, found.where) == ("error", ("3",))
    assert "1 of 4 masks hold 0 and 255, the others ids up to 1" in found.message


@pytest.mark.parametrize(("white", "levels"), [(1, []), (2, ["warning"])])
def test_many_masks_of_255_beside_more_ids_are_a_warning(tmp_path, white, levels):
    pairs(tmp_path, [*masks_of(16 - white, 1, 2), *masks_of(white, 255)])
    assert [found.level for found in findings("D201", tmp_path)] == levels


def test_255_is_ignore_where_it_stands_beside_ids(tmp_path):
    pairs(tmp_path, [shapes(0, (1, 255)), shapes(1), shapes(2, (255,))])
    assert findings("D201", tmp_path) == []


@pytest.mark.parametrize("said", ["ignore = [255]", 'values = { "255" = 1 }', 'encoding = "ids"'])
def test_what_is_said_about_255_counts(tmp_path, said):
    say(pairs(tmp_path, [*masks_of(3, 1), shapes(3, (255,))]), f"[masks]\n{said}\n")
    assert findings("D201", tmp_path) == []


# --- D205 -----------------------------------------------------------------------------------------


def jpeg(mask, quality=90):
    _, data = cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("change", [smooth, jpeg])
def test_smooth_masks_of_0_and_255_are_found_and_can_be_repaired(tmp_path, change):
    masks = masks_of(5, 255)
    masks[1], masks[4] = change(masks[1]), change(masks[4])
    (found,) = findings("D205", pairs(tmp_path, masks))
    assert sorted(found.where) == ["1", "4"]
    assert found.where[0] in found.message
    assert "--fix" in found.hint
    assert findings("D200", tmp_path) == []
    assert len(findings("D201", tmp_path)) == 1


def test_smooth_masks_of_ids_are_found_although_every_value_is_an_id(tmp_path):
    masks = [shapes(number, (2, 7, 9)) for number in range(5)]
    pairs(tmp_path, [*masks[:3], smooth(masks[3]), smooth(masks[4])])
    (found,) = findings("D205", tmp_path)
    assert sorted(found.where) == ["3", "4"]
    assert "--fix" not in found.hint


def test_a_mask_stored_as_jpeg_is_found(tmp_path):
    pairs(tmp_path, masks_of(4, 255))
    (tmp_path / "masks" / "2.png").unlink()
    write(tmp_path / "masks" / "2.jpg", shapes(2, (255,)), quality=85)
    (found,) = findings("D205", tmp_path)
    assert found.where == ("2",)
    assert "2.jpg" in found.message


def test_a_thin_outline_class_is_no_mixture(tmp_path):
    masks = masks_of(4, 2)
    for mask in masks:
        inside = cv2.erode(mask, np.ones((3, 3), np.uint8))
        mask[(mask > 0) & (inside == 0)] = 1
    assert findings("D205", pairs(tmp_path, masks)) == []


def test_mixtures_of_colours_are_found(tmp_path):
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)
    say(tmp_path, '[classes]\ncolours = ["#000000", "#ff0000", "#0000ff"]\n')
    masks = [colours[shapes(number, (1, 2))] for number in range(4)]
    for number, mask in enumerate([*masks[:3], smooth(masks[3])]):
        write(tmp_path / "images" / f"{number}.png", picture(number))
        write(tmp_path / "masks" / f"{number}.png", mask)
    (found,) = findings("D205", tmp_path)
    assert found.where == ("3",)
    assert "#" in found.message
    assert "--fix" in found.hint
    assert findings("D206", tmp_path) == []


def test_a_mask_of_thousands_of_colours_is_a_mixture_and_not_unreadable(tmp_path):
    rng = np.random.default_rng(0)
    pairs(tmp_path, masks_of(3, 1))
    write(
        tmp_path / "masks" / "1.png", rng.integers(0, 256, (*SIZE, 3), np.uint8).repeat(3, 0)[:48]
    )
    large = rng.integers(0, 256, (96, 96, 3), np.uint8)
    write(tmp_path / "images" / "1.png", picture(1, size=(96, 96)))
    write(tmp_path / "masks" / "1.png", large)
    assert findings("D101", tmp_path) == []
    (found,) = findings("D205", tmp_path)
    assert (found.level, found.where) == ("error", ("1",))


def cells(root, change):
    """One file for each object, as the Data Science Bowl has them."""
    for number in range(3):
        place = root / f"cell{number}"
        mask = shapes(number, (255,))
        write(place / "images" / f"cell{number}.png", picture(number, mask))
        write(place / "masks" / "0.png", change(mask) if number else mask)
        write(place / "masks" / "1.png", np.flipud(mask))
    return root


@pytest.mark.parametrize("change", [smooth, jpeg])
def test_masks_of_single_objects_with_soft_borders_are_found(tmp_path, change):
    (found,) = findings("D205", cells(tmp_path, change))
    assert found.where == ("cell1", "cell2")
    assert "2 of 3 masks of single objects" in found.message


def test_masks_of_single_objects_with_hard_borders_are_fine(tmp_path):
    assert findings("D205", cells(tmp_path, np.array)) == []


# --- D210 -----------------------------------------------------------------------------------------


def indexed(root, *palettes, values=(1,)):
    pairs(root, len(palettes))
    for number, palette in enumerate(palettes):
        mask = Image.fromarray(shapes(number, values))
        mask.putpalette(bytes(palette))
        mask.save(root / "masks" / f"{number}.png")
    return root


@pytest.mark.parametrize(("third", "repaired"), [((0, 0, 255), True), ((0, 255, 0), False)])
def test_the_repair_is_offered_where_the_colours_are_the_same(tmp_path, third, repaired):
    red, blue = (255, 0, 0), (0, 0, 255)
    usual, other = (0, 0, 0, *red, *blue), (0, 0, 0, *third, *red)
    indexed(tmp_path, usual, usual, other, values=(1, 2))
    (found,) = findings("D210", tmp_path)
    assert found.where == ("2",)
    assert ("--fix" in found.hint) == repaired


def test_a_palette_of_greys_says_nothing(tmp_path):
    red, greys = (0, 0, 0, 255, 0, 0), (0, 0, 0, 1, 1, 1)
    assert findings("D210", indexed(tmp_path, red, red, greys)) == []


def test_colours_of_indices_that_no_mask_uses_do_not_matter(tmp_path):
    red = (0, 0, 0, 255, 0, 0)
    assert findings("D210", indexed(tmp_path, (*red, 0, 0, 255), (*red, 0, 255, 0))) == []


# --- D213 -----------------------------------------------------------------------------------------


def test_ids_counted_from_1_are_numbered_by_the_hint(tmp_path):
    masks = [mask + 1 for mask in masks_of(4, 1, 2)]
    (found,) = findings("D213", pairs(tmp_path, masks))
    assert "0 never occurs" in found.message
    follow(tmp_path, found.hint)
    assert findings("D213", tmp_path) == []


def test_brightnesses_that_pass_for_ids_are_a_warning(tmp_path):
    (found,) = findings("D213", pairs(tmp_path, masks_of(4, 10, 20, 30)))
    assert found.level == "warning"
    assert 'values = { "0" = 0, "10" = 1, "20" = 2, "30" = 3 }' in found.hint
    follow(tmp_path, found.hint)
    assert findings("D213", tmp_path) == []


def test_named_classes_have_no_gaps(tmp_path):
    named(pairs(tmp_path, masks_of(4, 2)), "ground", "cell", "wall")
    assert findings("D213", tmp_path) == []


def test_masks_that_cannot_be_read_hold_no_values(tmp_path):
    root = named(pairs(tmp_path, 1), "background", "cell", "dirt")
    (root / "dataset.toml").write_text(
        (root / "dataset.toml").read_text() + '[masks]\nencoding = "binary"\n'
    )
    (root / "images" / "0.png").write_bytes(b"no image")
    assert findings("D200", root) == []


# --- D215 -----------------------------------------------------------------------------------------


def test_numbers_of_many_objects_may_have_gaps(tmp_path):
    grid = np.arange(64, dtype=np.uint8).reshape(8, 8)
    grid[grid % 9 == 5] = 0
    mask = np.kron(grid, np.pad(np.ones((6, 6), np.uint8), 1))
    write(tmp_path / "images" / "a.png", picture(0, mask > 0, mask.shape))
    write(tmp_path / "masks" / "a.png", mask)
    (found,) = findings("D215", tmp_path)
    assert "those of 56 in" in found.message
    follow(tmp_path, found.hint)
    assert findings("D215", tmp_path) == []


def test_organs_of_one_part_each_in_all_images_are_no_numbers_of_objects(tmp_path):
    mask = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4), np.ones((12, 12), np.uint8))
    for number in range(5):
        write(tmp_path / "images" / f"{number}.png", picture(number, mask > 0, mask.shape))
        write(tmp_path / "masks" / f"{number}.png", np.roll(mask, number, axis=1))
    assert findings("D215", tmp_path) == []
