from pathlib import Path

import pytest

from delineate.data.checking.rules.partners import find_near_miss
from delineate.data.records import Unpaired


def unpaired(images, masks):
    return [Unpaired(Path("images") / f"{name}.png", "mask") for name in images] + [
        Unpaired(Path("masks") / f"{name}.png", "image") for name in masks
    ]


def matched(found):
    return [(image.path.stem, mask.path.stem) for image, mask in found.pairs]


def test_a_suffix_of_the_masks_is_found_in_spite_of_strays():
    images = ["a_1", "a_2", "a_10", "stray"]
    masks = ["a_1_mask", "a_2_mask", "a_10_mask", "lost"]
    found = find_near_miss(unpaired(images, masks))
    assert matched(found) == [("a_1", "a_1_mask"), ("a_2", "a_2_mask"), ("a_10", "a_10_mask")]
    assert (found.change.image, found.change.mask) == (("", ""), ("", "_mask"))


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["scan1_7", "scan1_8"], ["scan2_7", "scan2_8"]),
        (["0001", "0002", "0003"], ["0004", "0005", "0006"]),
        (["a"], ["a_mask"]),
        (["a", "b"], []),
        (["a", "b", "c", "d", "e", "f"], ["a_mask", "b_mask"]),
        ([], []),
    ],
)
def test_what_differs_in_digits_or_explains_too_little_is_no_near_miss(images, masks):
    assert find_near_miss(unpaired(images, masks)) is None


def test_masks_of_the_same_name_in_two_splits_go_to_the_image_of_their_split():
    sides = [
        Unpaired(Path(f"{split}/{part}/{name}.png"), wanted)
        for split in ("val", "train")
        for part, name, wanted in (("images", "A1", "mask"), ("masks", "a1", "image"))
    ]
    found = find_near_miss(sides)
    assert [image.path.parts[0] for image, _ in found.pairs] == ["val", "train"]
    assert [mask.path.parts[0] for _, mask in found.pairs] == ["val", "train"]


def test_a_mask_has_one_image():
    found = find_near_miss(unpaired(["1", "01", "2"], ["001", "002"]))
    assert matched(found) == [("1", "001"), ("2", "002")]


def test_words_that_begin_alike_are_kept_whole():
    found = find_near_miss(unpaired(["a_mri", "b_mri"], ["a_mask", "b_mask"]))
    assert (found.change.image, found.change.mask) == (("", "_mri"), ("", "_mask"))


def test_thousands_of_files_take_no_minute():
    names = [f"case{number:05}" for number in range(3000)]
    found = find_near_miss(unpaired(names, [f"{name}_seg" for name in names]))
    assert len(found.pairs) == 3000
