from pathlib import Path

import pytest

from delineate.data.dataset import Dataset
from delineate.data.describing.description import NOTHING_SAID, Description
from delineate.data.layouts import folders
from delineate.data.layouts.layout import split_folders
from delineate.errors import DataError
from tests.data.layouts.examples import complaints_of, lay, names_of, splits_of


def pairs(root, *stems):
    for stem in stems:
        folder, _, name = stem.rpartition("/")
        lay(root / folder, [f"images/{name}.png", f"masks/{name}.png"])
    return root


def index(root, **said):
    return folders.index(root, Description(**said))


def test_a_folder_of_images_and_masks_is_paired_without_splits(tmp_path):
    found = index(pairs(tmp_path, "b", "a"))
    assert splits_of(found) == {"a": None, "b": None}
    assert found.records[0].images == (tmp_path / "images" / "a.png",)
    assert found.records[0].masks == (tmp_path / "masks" / "a.png",)
    assert found.records[0].parts == "whole"
    assert (found.unpaired, found.notes, found.description) == ((), (), NOTHING_SAID)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_split_folders_give_their_splits(tmp_path, name):
    found = index(pairs(tmp_path, "train/a", "train/b", f"{name}/a", "test/c"))
    assert splits_of(found) == {
        "train/a": "train",
        "train/b": "train",
        "validation/a": "validation",
        "test/c": "test",
    }


def test_both_names_of_one_split_are_refused(tmp_path):
    pairs(tmp_path, "train/a", "val/b", "validation/c")
    with pytest.raises(DataError, match="both val/ and validation/"):
        split_folders(tmp_path)


def test_pairs_with_and_without_a_split_are_refused(tmp_path):
    pairs(tmp_path, "a", "test/b")
    with pytest.raises(DataError, match="images/ and masks/, and also test/"):
        index(tmp_path)


def test_suffixes_may_differ_in_kind_and_case_and_pairs_may_lie_deeper(tmp_path):
    lay(tmp_path, ["images/x/a.b.JPG", "masks/x/a.b.png", "images/y/a.b.tiff", "masks/y/a.b.PNG"])
    assert splits_of(index(tmp_path)) == {"x/a.b": None, "y/a.b": None}


def test_hidden_files_other_files_and_folders_are_not_images(tmp_path):
    others = ["._a.png", "notes.txt", "folder.png/x.txt", "png", ".ipynb_checkpoints/b.png"]
    lay(tmp_path, [f"images/{path}" for path in others])
    found = index(pairs(tmp_path, "a"))
    assert (splits_of(found), found.unpaired) == ({"a": None}, ())


def test_a_missing_partner_is_named_with_its_nearest_name(tmp_path):
    pairs(tmp_path, "same")
    lay(tmp_path, ["images/cell_01.png", "masks/cell_01_mask.png", "images/deep/lonely.png"])
    unpaired = {item.path.name: item for item in index(tmp_path).unpaired}
    assert set(unpaired) == {"cell_01.png", "cell_01_mask.png", "lonely.png"}
    assert unpaired["cell_01.png"].wanted == "mask"
    assert unpaired["cell_01.png"].near == str(tmp_path / "masks" / "cell_01_mask.png")
    assert unpaired["cell_01_mask.png"].wanted == "image"
    assert unpaired["cell_01_mask.png"].near == str(tmp_path / "images" / "cell_01.png")
    assert unpaired["lonely.png"].near is None


def test_nearest_names_are_found_among_many(tmp_path):
    lay(tmp_path, ["images/other.png"])
    for number in range(150):
        lay(tmp_path, [f"images/cell_{number:03}.png", f"masks/cell_{number:03}_mask.png"])
    unpaired = [item for item in index(tmp_path).unpaired if item.path.stem != "other"]
    assert len(unpaired) == 300
    for item in unpaired:
        assert item.near is not None
        assert item.path.stem.removesuffix("_mask") == Path(item.near).stem.removesuffix("_mask")


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["a1", "a2"], ["a1_mask", "a2_mask"]),
        (["img_7", "img_8"], ["mask_7", "mask_8"]),
        (["deep/a", "b"], ["deep/a-gt", "b-gt"]),
    ],
)
def test_one_ending_of_all_masks_pairs_them_and_is_noted(tmp_path, images, masks):
    lay(tmp_path, [f"images/{name}.png" for name in images])
    found = index(lay(tmp_path, [f"masks/{name}.png" for name in masks]))
    pairs = [
        (record.name, record.masks[0].relative_to(tmp_path / "masks").with_suffix("").as_posix())
        for record in found.records
    ]
    assert sorted(pairs) == sorted(zip(images, masks, strict=True))
    assert found.unpaired == ()
    (note,) = found.notes
    assert "paired by their names" in note


def test_an_ending_that_does_not_pair_all_pairs_none(tmp_path):
    lay(tmp_path, ["images/a.png", "images/b.png", "images/c.png"])
    found = index(lay(tmp_path, ["masks/a_mask.png", "masks/b_mask.png", "masks/d_mask.png"]))
    assert (found.records, len(found.unpaired), found.notes) == ((), 6, ())


def test_a_data_set_with_missing_partners_is_refused_for_training(tmp_path):
    lay(pairs(tmp_path, "a"), ["images/b.png", "masks/c.png"])
    with pytest.raises(DataError, match=r"b\.png has no mask.*\(and 1 more\)"):
        Dataset.open(tmp_path).require_pairs()


@pytest.mark.parametrize("where", ["images", "masks"])
def test_of_two_names_that_differ_in_their_suffix_alone_the_second_is_named(tmp_path, where):
    found = index(lay(pairs(tmp_path, "a"), [f"{where}/a.jpg"]))
    assert complaints_of(found) == [("a.png", "name of its own")]
    assert found.unpaired[0].near == str(tmp_path / where / "a.jpg")
    assert len(found.records) == 1


def test_a_split_without_masks_is_left_out_and_noted(tmp_path):
    root = lay(pairs(tmp_path, "train/a", "val/b"), ["test/images/c.png", "test/images/d.png"])
    found = index(root)
    assert (splits_of(found).keys(), found.unpaired) == ({"train/a", "validation/b"}, ())
    assert found.notes == (f"{tmp_path / 'test'} holds 2 images without masks: they are left out.",)
    assert Dataset.open(root).notes == found.notes


def test_the_files_of_channels_are_one_image_in_the_order_that_is_said(tmp_path):
    stems = [f"{stem}_{end}" for stem in ("a", "b") for end in ("red", "far_red")]
    lay(tmp_path, [f"images/{stem}.tif" for stem in stems] + ["masks/a.png", "masks/b.png"])
    found = index(tmp_path, channels=("_red", "_far_red"))
    assert names_of(found) == {
        "a": ("a_red.tif", "a_far_red.tif", "a.png"),
        "b": ("b_red.tif", "b_far_red.tif", "b.png"),
    }


def test_a_missing_channel_and_a_file_of_no_channel_are_named(tmp_path):
    lay(tmp_path, ["images/a_0.tif", "images/a_1.tif", "images/b_0.tif", "images/c.tif"])
    found = index(lay(tmp_path, ["masks/a.png", "masks/b.png"]), channels=("_0", "_1"))
    assert list(names_of(found)) == ["a"]
    assert complaints_of(found) == [
        ("c.tif", "ending of a channel: _0, _1"),
        ("b_0.tif", "channel '_1' beside it"),
        ("b.png", "image"),
    ]


def test_groups_and_the_encoding_of_the_description_come_with_the_records(tmp_path):
    root = pairs(tmp_path, "train/p1_a", "train/p2_a")
    found = index(root, group_pattern="(p[0-9])_", encoding="one-hot")
    assert [record.group for record in found.records] == ["p1", "p2"]
    assert {record.parts for record in found.records} == {"one-hot"}


def test_a_table_of_classes_beside_the_data_is_read(tmp_path):
    root = lay(pairs(tmp_path, "a"), ["class_dict.csv=name,r,g,b\nland,0,0,0\nsea,0,0,255\n"])
    found = index(root)
    assert found.description == Description(names=("land", "sea"), colours=((0, 0, 0), (0, 0, 255)))
    assert found.notes == (f"{tmp_path / 'class_dict.csv'} names 2 classes.",)


def test_images_without_a_folder_of_masks_are_named_as_the_reason(tmp_path):
    lay(tmp_path, ["images/a.png"])
    assert folders.refuse(tmp_path) == "there is images/ but no masks/ beside it"


def test_the_street_data_has_its_splits(real_data):
    splits = Dataset.open(real_data / "camvid").splits
    assert {name: len(part) for name, part in splits.items()} == {"train": 367, "validation": 101}
