import zipfile
from pathlib import Path

import pytest

from delineate.catalog import LAYOUTS, find
from delineate.data.dataset import Dataset
from delineate.data.layouts import dsb2018, folders
from delineate.data.layouts.layout import split_folders
from delineate.errors import DataError, UsageError


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def pairs(root, *stems):
    for stem in stems:
        folder, _, name = stem.rpartition("/")
        touch(root / folder, f"images/{name}.png", f"masks/{name}.png")
    return root


def cells(root, *names, masks=2):
    for name in names:
        stem = Path(name).name
        touch(root, f"{name}/images/{stem}.png")
        (root / name / "masks").mkdir()
        touch(root, *(f"{name}/masks/{number}.png" for number in range(masks)))
    return root


def splits_of(index):
    return {record.name: record.split for record in index.records}


def test_a_folder_of_images_and_masks_is_paired_without_splits(tmp_path):
    index = folders.index(pairs(tmp_path, "b", "a"))
    assert splits_of(index) == {"a": None, "b": None}
    assert index.records[0].image == tmp_path / "images" / "a.png"
    assert index.records[0].masks == (tmp_path / "masks" / "a.png",)
    assert not index.records[0].objects
    assert index.unpaired == ()


@pytest.mark.parametrize("name", ["val", "validation"])
def test_split_folders_give_their_splits(tmp_path, name):
    index = folders.index(pairs(tmp_path, "train/a", "train/b", f"{name}/a", "test/c"))
    assert splits_of(index) == {
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
        folders.index(tmp_path)


def test_suffixes_may_differ_in_kind_and_case_and_pairs_may_lie_deeper(tmp_path):
    touch(tmp_path, "images/x/a.b.JPG", "masks/x/a.b.png", "images/y/a.b.tiff", "masks/y/a.b.PNG")
    assert splits_of(folders.index(tmp_path)) == {"x/a.b": None, "y/a.b": None}


def test_hidden_files_other_files_and_folders_are_not_images(tmp_path):
    touch(tmp_path, "images/._a.png", "images/notes.txt", "images/folder.png/x.txt")
    assert splits_of(folders.index(pairs(tmp_path, "a"))) == {"a": None}


def test_a_missing_partner_is_named_with_its_nearest_name(tmp_path):
    pairs(tmp_path, "same")
    touch(tmp_path, "images/cell_01.png", "masks/cell_01_mask.png", "images/deep/lonely.png")
    unpaired = {item.path.name: item for item in folders.index(tmp_path).unpaired}
    assert set(unpaired) == {"cell_01.png", "cell_01_mask.png", "lonely.png"}
    assert unpaired["cell_01.png"].wanted == "mask"
    assert unpaired["cell_01.png"].near == str(tmp_path / "masks" / "cell_01_mask.png")
    assert unpaired["cell_01_mask.png"].wanted == "image"
    assert unpaired["cell_01_mask.png"].near == str(tmp_path / "images" / "cell_01.png")
    assert unpaired["lonely.png"].near is None


def test_nearest_names_are_found_among_many(tmp_path):
    for number in range(150):
        touch(tmp_path, f"images/cell_{number:03}.png", f"masks/cell_{number:03}_mask.png")
    unpaired = folders.index(tmp_path).unpaired
    assert len(unpaired) == 300
    for item in unpaired:
        assert item.near is not None
        assert item.path.stem.removesuffix("_mask") == Path(item.near).stem.removesuffix("_mask")


def test_a_data_set_with_missing_partners_is_refused_for_training(tmp_path):
    touch(pairs(tmp_path, "a"), "images/b.png", "masks/c.png")
    with pytest.raises(DataError, match=r"b\.png has no mask.*\(and 1 more\)"):
        Dataset.open(tmp_path).require_pairs()


@pytest.mark.parametrize("where", ["images", "masks"])
def test_names_that_differ_in_their_suffix_alone_are_refused(tmp_path, where):
    touch(pairs(tmp_path, "a"), f"{where}/a.jpg")
    with pytest.raises(DataError, match=f"{where} holds several files named 'a'"):
        folders.index(tmp_path)


def test_a_folder_per_image_has_one_record_with_all_objects(tmp_path):
    index = dsb2018.index(cells(tmp_path, "one", "two"))
    assert splits_of(index) == {"one": None, "two": None}
    assert all(record.objects for record in index.records)
    assert [path.name for path in index.records[0].masks] == ["0.png", "1.png"]
    assert dsb2018.LAYOUT.classes == ("background", "nucleus")


def test_folders_per_image_below_splits_have_the_splits(tmp_path):
    cells(tmp_path, "train/a", "validation/b", "test/c")
    assert splits_of(dsb2018.index(tmp_path)) == {
        "train/a": "train",
        "validation/b": "validation",
        "test/c": "test",
    }


def test_an_image_without_objects_is_a_record_and_one_without_a_folder_of_masks_is_not(tmp_path):
    cells(tmp_path, "empty", masks=0)
    touch(tmp_path, "lonely/images/lonely.png", "other/masks/0.png")
    index = dsb2018.index(tmp_path)
    assert [(record.name, record.masks) for record in index.records] == [("empty", ())]
    assert [(item.path.name, item.wanted) for item in index.unpaired] == [
        ("lonely.png", f"folder {tmp_path / 'lonely' / 'masks'}"),
        ("masks", "image images/other.png"),
    ]


def test_hidden_files_and_other_files_are_no_objects(tmp_path):
    touch(cells(tmp_path, "one"), "one/masks/._0.png", "one/masks/notes.txt", ".git/images/x.png")
    assert [path.name for path in dsb2018.index(tmp_path).records[0].masks] == ["0.png", "1.png"]


@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".png"])
def test_the_image_of_a_folder_may_be_of_any_kind(tmp_path, suffix):
    touch(tmp_path, f"one/images/one{suffix}", "one/masks/0.png")
    assert dsb2018.index(tmp_path).records[0].image.suffix == suffix


EXAMPLES = {
    "folders": [("a",), ("train/a",), ("val/a", "test/b")],
    "dsb2018": [("a",), ("train/a",), ("test/b",)],
}
MAKERS = {"folders": pairs, "dsb2018": cells}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_recognises_its_own_and_refuses_the_others(tmp_path, name):
    layout = find("layouts", name)
    assert layout.name == name
    assert layout.summary
    for other, examples in EXAMPLES.items():
        for number, stems in enumerate(examples):
            root = MAKERS[other](tmp_path / f"{other}{number}", *stems)
            refusal = layout.refuse(root)
            assert (refusal is None) == (other == name)
            assert refusal is None or refusal.islower() or "<id>" in refusal


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_data_set_is_opened_by_the_layout_that_recognises_it(tmp_path, name):
    opened = Dataset.open(MAKERS[name](tmp_path, "a"))
    assert (opened.layout, len(opened)) == (name, 1)
    assert Dataset.open(tmp_path, layout=name).records == opened.records


def test_a_folder_that_no_layout_knows_is_refused_with_each_reason(tmp_path):
    touch(tmp_path, "pictures/a.png")
    with pytest.raises(DataError) as caught:
        Dataset.open(tmp_path)
    for name in LAYOUTS:
        assert f"{name}: {find('layouts', name).refuse(tmp_path)}" in caught.value.message
    assert "images/" in caught.value.hint


def test_images_without_a_folder_of_masks_are_named_as_the_reason(tmp_path):
    touch(tmp_path, "images/a.png")
    assert folders.refuse(tmp_path) == "there is images/ but no masks/ beside it"


def test_a_folder_that_two_layouts_know_is_refused(tmp_path):
    cells(pairs(tmp_path, "a"), "one")
    with pytest.raises(DataError, match="could be of the layouts dsb2018 and folders"):
        Dataset.open(tmp_path)
    assert len(Dataset.open(tmp_path, layout="dsb2018")) == 1


def test_empty_folders_are_no_data_set(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="holds no images") as caught:
        Dataset.open(tmp_path)
    assert "folders" in caught.value.hint


def test_a_folder_that_is_not_there_and_a_layout_that_is_not_known_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*missing"):
        Dataset.open(tmp_path / "missing")
    with pytest.raises(UsageError, match="no 'cityscape' among the layouts"):
        Dataset.open(tmp_path, layout="cityscape")


def test_the_microscope_data_has_a_record_for_each_picture(real_data, tmp_path):
    with zipfile.ZipFile(real_data / "stage1_train.zip") as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    chosen = set(sorted({name.split("/")[0] for name in names})[:60])
    names = [name for name in names if name.split("/")[0] in chosen]
    index = dsb2018.index(touch(tmp_path, *names))
    assert {record.name for record in index.records} == chosen
    assert sum(len(record.masks) for record in index.records) == len(names) - 60
    assert index.unpaired == ()


def test_the_street_data_has_its_splits(real_data):
    splits = Dataset.open(real_data / "camvid").splits
    assert {name: len(part) for name, part in splits.items()} == {"train": 367, "validation": 101}
