import numpy as np
import pytest

from delineate.recipe import Recipe
from tests.data.checking.rules.making import SIZE, findings, pairs, picture, shapes, write


def test_two_channels_beside_three_are_an_error(tmp_path):
    pairs(tmp_path)
    from tifffile import imwrite

    (tmp_path / "images" / "1.png").unlink()
    five = np.concatenate([picture(1, shapes(1)), picture(2)[..., :2]], axis=2)
    imwrite(tmp_path / "images" / "1.tif", five, photometric="minisblack", planarconfig="contig")
    found = findings("D401", tmp_path)
    assert [(finding.level, finding.where) for finding in found] == [("error", ("1",))]
    assert "There are 3 images of 3 channels and 1 image of 5 channels, such as" in found[0].message


def test_grey_beside_two_channels_is_an_error(tmp_path):
    from tifffile import imwrite

    pairs(tmp_path)
    for number in range(4):
        (tmp_path / "images" / f"{number}.png").unlink()
        dyes = picture(number)[..., 0] if number == 2 else picture(number)[..., :2]
        layout = None if number == 2 else "contig"
        file = tmp_path / "images" / f"{number}.tif"
        imwrite(file, dyes, photometric="minisblack", planarconfig=layout)
    (found,) = findings("D401", tmp_path)
    assert (found.level, found.where) == ("error", ("2",))


def test_the_rarer_kind_of_images_is_named(tmp_path):
    pairs(tmp_path)
    for number in (0, 1, 3):
        write(tmp_path / "images" / f"{number}.png", picture(number)[..., 0])
    (found,) = findings("D401", tmp_path)
    assert found.where == ("2",)


@pytest.mark.parametrize("value", [0, 255])
def test_blank_images_are_counted(tmp_path, value):
    pairs(tmp_path)
    for number in (1, 2):
        write(tmp_path / "images" / f"{number}.png", np.full((*SIZE, 3), value, np.uint8))
    (found,) = findings("D403", tmp_path)
    assert found.message.startswith("2 images hold one value only, such as ")
    assert found.where == ("1", "2")


def deep(root, highest):
    for number in range(3):
        grey = picture(number)[..., 0].astype(float)
        write(root / "images" / f"{number}.png", (grey / grey.max() * highest).astype(np.uint16))
        write(root / "masks" / f"{number}.png", shapes(number))
    return root


@pytest.mark.parametrize(("highest", "notes"), [(4095, 1), (16383, 1), (16384, 0), (65535, 0)])
def test_a_range_is_unused_up_to_fourteen_bits(tmp_path, highest, notes):
    assert len(findings("D404", deep(tmp_path, highest))) == notes


def test_a_recipe_that_normalises_needs_no_note(tmp_path):
    (found,) = findings("D404", deep(tmp_path, 4095), Recipe())
    assert "(12 bits)" in found.message
    recipe = Recipe().override({"data.normalise": "percentile"})
    assert findings("D404", tmp_path, recipe) == []


def test_a_third_image_of_its_kind_is_no_stranger(tmp_path):
    pairs(tmp_path, 12)
    for number in range(3):
        pink = np.full((*SIZE, 3), (250, 120, 200), np.uint8)
        pink[shapes(number) > 0] = (10, 60, 250)
        write(tmp_path / "images" / f"{number}.png", pink)
        found = findings("D405", tmp_path)
        assert len(found) == (number < 2)
        assert not found or set(found[0].where) == set("01"[: number + 1])
