from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from delineate.data.checking.inspection import inspect
from delineate.data.checking.rules.files import turned_mask
from delineate.data.dataset import Dataset
from delineate.data.looks.alignment import TURNS
from delineate.data.synthetic.nuclei import nucleus_image
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


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


@pytest.mark.parametrize("side", ["images", "masks"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 7, 8])
def test_an_exif_orientation_of_one_of_the_two_is_told_from_a_turn(tmp_path, orientation, side):
    pairs(tmp_path)
    mask = shapes(1, size=SIZE[::-1])
    write(tmp_path / "images" / "1.png", picture(1, mask, size=SIZE[::-1]))
    write(tmp_path / "masks" / "1.png", mask)
    path = tmp_path / side / "1.png"
    Image.open(path).save(path, exif=exif(orientation))
    codes = [code for code in ("D102", "D105", "D106") for _ in findings(code, tmp_path)]
    # Half a turn leaves the size as it is: the borders of the mask tell it.
    assert codes == (["D106"] if orientation >= 5 else ["D105"] * (orientation == 3))


def test_image_and_mask_of_the_same_orientation_are_a_pair(tmp_path):
    pairs(tmp_path)
    for side, array in (("images", picture(1, shapes(1))), ("masks", shapes(1))):
        write(tmp_path / side / "1.png", array, exif=exif(6))
    assert not [code for code in ("D102", "D105", "D106") for _ in findings(code, tmp_path)]


def test_the_repair_is_named_with_the_folder(tmp_path):
    mask = shapes(1, size=SIZE[::-1])
    write(tmp_path / "images" / "1.png", picture(1, mask, size=SIZE[::-1]), exif=exif(6))
    write(tmp_path / "masks" / "1.png", mask)
    (found,) = findings("D106", tmp_path)
    assert f"'delineate check {tmp_path} --fix FOLDER'" in found.hint


def test_a_web_page_in_place_of_an_image_is_named_as_such(tmp_path):
    (pairs(tmp_path) / "images" / "1.png").write_text("\n<!DOCTYPE html><html>404</html>")
    (found,) = findings("D101", tmp_path)
    assert found.where == ("1",)
    assert found.hint.startswith("Download the file again")


@pytest.mark.parametrize(("side", "repaired"), [("images", True), ("masks", False)])
def test_floating_point_numbers_are_repaired_in_images_alone(tmp_path, side, repaired):
    pairs(tmp_path)
    (tmp_path / side / "1.png").unlink()
    write(tmp_path / side / "1.tif", shapes(1).astype(np.float32))
    (found,) = findings("D101", tmp_path)
    assert ("--fix" in found.hint) == repaired
    assert "whole numbers" in found.hint


def test_each_file_without_partner_is_named_with_the_nearest_name(tmp_path):
    write(pairs(tmp_path) / "images" / "cell7.png", picture(7))
    write(tmp_path / "masks" / "cell7_mask.png", shapes(7))
    found = findings("D103", tmp_path)
    assert [finding.where for finding in found] == [
        (str(tmp_path / "images" / "cell7.png"),),
        (str(tmp_path / "masks" / "cell7_mask.png"),),
    ]
    near = tmp_path / "masks" / "cell7_mask.png"
    assert found[0].message.endswith(f"The nearest name is {near}.")


def test_what_one_change_of_names_explains_is_not_reported_file_by_file(tmp_path):
    pairs(tmp_path, 1)
    for number in (10, 11, 12):
        write(tmp_path / "images" / f"{number}.png", picture(number))
        write(tmp_path / "masks" / f"{number}_mask.png", shapes(number))
    write(tmp_path / "images" / "holiday.png", picture(9))
    (found,) = findings("D103", tmp_path)
    assert found.where == (str(tmp_path / "images" / "holiday.png"),)
    (found,) = findings("D104", tmp_path)
    assert len(found.where) == 6
    assert found.hint == "Rename the masks like their images."


@pytest.mark.parametrize(
    ("image", "mask", "difference"),
    [
        ("cell{:02}", "Cell{:02}", "in upper and lower case"),
        ("cell{:03}", "cell{}", "in the zeros before their numbers"),
        ("cell{:03}_raw", "cell{:03}_seg", "at their ends: '*_raw' and '*_seg'"),
        ("img_{}", "mask_{}", "at their ends: 'img_*' and 'mask_*'"),
    ],
)
def test_the_change_is_named(tmp_path, image, mask, difference):
    pairs(tmp_path, 1, first=90)
    for number in range(4):
        write(tmp_path / "images" / f"{image.format(number)}.png", picture(number))
        write(tmp_path / "masks" / f"{mask.format(number)}.png", shapes(number))
    (found,) = findings("D104", tmp_path)
    assert f"The names of 4 images and their masks differ {difference}" in found.message
    assert findings("D103", tmp_path) == []


def test_the_lines_for_dataset_toml_make_pairs_of_them(tmp_path):
    for number in range(3):
        write(tmp_path / "images" / f"{number}.png", picture(number))
        write(tmp_path / "masks" / f"{number}_mask.png", shapes(number))
    write(tmp_path / "images" / "holiday.png", picture(9))
    (found,) = findings("D104", tmp_path)
    follow(tmp_path, found.hint)
    assert [record.name for record in Dataset.open(tmp_path, cache=False).records] == [
        "0",
        "1",
        "2",
    ]


def test_channels_that_differ_are_told_from_masks_that_do_not_fit(tmp_path):
    say(tmp_path, '[pairing]\nchannels = ["_c1", "_c2"]\n')
    for number in range(3):
        for channel in (0, 1):
            grey = picture(number)[..., channel]
            write(tmp_path / "images" / f"{number}_c{channel + 1}.png", grey)
        write(tmp_path / "masks" / f"{number}.png", shapes(number))
    write(tmp_path / "images" / "1_c2.png", picture(1)[:-8, :, 0])
    write(tmp_path / "masks" / "2.png", shapes(2)[:-8])
    (found,) = findings("D107", tmp_path)
    assert found.where == ("1",)
    assert "1_c2.png" in found.message
    (found,) = findings("D102", tmp_path)
    assert found.where == ("2",)


def test_a_channel_that_is_gone_since_the_files_were_listed_is_named(tmp_path):
    say(tmp_path, '[pairing]\nchannels = ["_c1", "_c2"]\n')
    for channel in (0, 1):
        write(tmp_path / "images" / f"0_c{channel + 1}.png", picture(0)[..., channel])
    write(tmp_path / "masks" / "0.png", shapes(0))
    dataset = Dataset.open(tmp_path, cache=False)
    (tmp_path / "images" / "0_c2.png").unlink()
    from delineate.data.checking.rules.files import channel_files, unreadable_file

    inspection = inspect(dataset)
    (found,) = channel_files(inspection)
    assert found.message == f"The image 0 lacks {tmp_path / 'images' / '0_c2.png'}."
    assert list(unreadable_file(inspection)) == []


@pytest.mark.parametrize(
    ("turn", "cure"),
    [
        (np.rot90, "turned by 90 degrees clockwise"),
        (lambda mask: np.rot90(mask, -1), "turned by 90 degrees counter-clockwise"),
        (np.transpose, "transposed (rows and columns swapped)"),
    ],
)
def test_the_turn_that_puts_right_a_mask_of_swapped_sides_is_named(tmp_path, turn, cure):
    write(pairs(tmp_path) / "masks" / "1.png", np.ascontiguousarray(turn(shapes(1))))
    (found,) = findings("D105", tmp_path)
    assert found.level == "error"
    assert found.hint.startswith(f"Save the mask {cure}")


# --- masks that are turned, but of the right size -------------------------------------------------


def nuclei(count, turn, *, only=None, size=(96, 96), kind="small_fluorescence"):
    """A data set whose masks, or only some of them, are turned."""
    images, masks = [], []
    for number in range(count):
        image, instances = nucleus_image(kind, size, np.random.default_rng(number))
        mask = (instances > 0).astype(np.uint8)
        images.append(image)
        masks.append(turn(mask) if only is None or number in only else mask)
    splits = ["train" if number < count / 2 else "test" for number in range(count)]
    return inspect(Dataset.from_arrays(images, masks, splits=splits))


@pytest.mark.parametrize(
    ("turn", "cure"),
    [
        (np.flipud, "mirrored top to bottom"),
        (np.fliplr, "mirrored left to right"),
        (np.transpose, "transposed (rows and columns swapped)"),
        (np.rot90, "turned by 90 degrees clockwise"),
    ],
)
@pytest.mark.parametrize("kind", ["small_fluorescence", "purple_tissue"])
def test_masks_that_are_all_turned_are_one_warning_that_says_how(turn, cure, kind):
    (found,) = turned_mask(nuclei(10, turn, kind=kind))
    assert (found.code, found.level) == ("D105", "warning")
    assert cure in found.message
    assert cure in found.hint
    assert cure in TURNS
    assert len(found.where) >= 8


def test_the_masks_of_one_split_are_enough():
    (found,) = turned_mask(nuclei(16, np.flipud, only=range(8)))
    assert len(found.where) >= 7
    assert set(found.where) <= {str(number) for number in range(8)}


def test_a_single_turned_mask_is_found():
    (found,) = turned_mask(nuclei(6, np.fliplr, only=[2]))
    assert found.where == ("2",)
    assert "mirrored left to right" in found.message


@pytest.mark.parametrize("size", [(96, 96), (64, 128)])
@pytest.mark.parametrize("kind", ["small_fluorescence", "purple_tissue", "bright_field"])
def test_masks_that_lie_right_are_not_suspected(size, kind):
    assert list(turned_mask(nuclei(12, lambda mask: mask, size=size, kind=kind))) == []


def test_masks_that_avoid_all_edges_are_not_suspected():
    images, masks = [], []
    for number in range(8):
        image, instances = nucleus_image(
            "large_fluorescence", (96, 96), np.random.default_rng(number)
        )
        images.append(image)
        masks.append(cv2.erode((instances > 0).astype(np.uint8), np.ones((9, 9), np.uint8)))
    assert list(turned_mask(inspect(Dataset.from_arrays(images, masks)))) == []


def test_pictures_that_have_nothing_to_do_with_their_masks_are_not_suspected():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 48, 48, 3), np.uint8)
    masks = [shapes(number, size=(48, 48)) for number in range(30)]
    assert list(turned_mask(inspect(Dataset.from_arrays(images, masks)))) == []


def aligned(*fits):
    """An inspection of masks that lie on the edges so and so well in each orientation."""
    inspection = nuclei(len(fits), lambda mask: mask, size=(32, 64))
    looks = [
        replace(look, traits=replace(look.traits, alignment=fit))
        for look, fit in zip(inspection.looks, fits, strict=True)
    ]
    return replace(inspection, looks=tuple(looks))


@pytest.mark.parametrize(
    ("fits", "found"),
    [
        ([(0.0, 0.2, 0.0, 0.0)] * 5, 1),
        ([(0.0, 0.2, 0.0, 0.0)] * 4, 0),
        ([(-0.2, 0.09, 0.0, 0.0)] * 9, 0),
        ([(0.17, 0.2, 0.0, 0.0)] * 9, 0),
        ([(0.0, 0.2, 0.0, 0.0), (0.3, 0.2, 0.0, 0.0)] * 9, 0),
        ([(0.1, 0.45, 0.0, 0.0), *[(0.6, 0.0, 0.0, 0.0)] * 9], 1),
        ([(0.1, 0.35, 0.0, 0.0), *[(0.6, 0.0, 0.0, 0.0)] * 9], 0),
        ([(0.25, 0.75, 0.0, 0.0), *[(0.6, 0.0, 0.0, 0.0)] * 9], 0),
    ],
)
def test_only_what_is_clear_is_suspected(fits, found):
    assert len(list(turned_mask(aligned(*fits)))) == found


@pytest.mark.slow
def test_no_real_mask_is_taken_for_turned(real_data):
    inspection = inspect(Dataset.open(real_data / "camvid", cache=False))
    assert list(turned_mask(inspection)) == []


def test_files_beside_the_description_get_patterns_too(tmp_path):
    for number in range(3):
        write(tmp_path / f"img_{number}.png", picture(number))
        write(tmp_path / f"img_{number}_mask.png", shapes(number))
    say(tmp_path, '[pairing]\nimages = "img_{stem}.png"\nmasks = "{stem}_mask.png"\n')
    (found,) = findings("D104", tmp_path)
    assert found.hint.startswith(f"Write this instead into {tmp_path / 'dataset.toml'}:\n")
    say(tmp_path, "")
    follow(tmp_path, found.hint)
    assert len(Dataset.open(tmp_path, cache=False)) == 3


def test_no_pattern_is_hinted_at_where_a_folder_has_braces(tmp_path):
    for number in range(3):
        write(tmp_path / "images" / "{x}" / f"{number}.png", picture(number))
        write(tmp_path / "masks" / "{x}" / f"{number}_mask.png", shapes(number))
    write(tmp_path / "images" / "{x}" / "holiday.png", picture(9))
    (found,) = findings("D104", tmp_path)
    assert found.hint == "Rename the masks like their images."
