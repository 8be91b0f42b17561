import zipfile
from pathlib import Path

import pytest

from delineate.data.describing.description import NOTHING_SAID, Description
from delineate.data.layouts import dsb2018
from tests.data.layouts.examples import complaints_of, lay, splits_of


def cells(root, *names, masks=2):
    for name in names:
        stem = Path(name).name
        lay(root, [f"{name}/images/{stem}.png"])
        (root / name / "masks").mkdir()
        lay(root, [f"{name}/masks/{number}.png" for number in range(masks)])
    return root


def index(root):
    return dsb2018.index(root, NOTHING_SAID)


def test_a_folder_per_image_has_one_record_with_all_objects(tmp_path):
    found = index(cells(tmp_path, "one", "two"))
    assert splits_of(found) == {"one": None, "two": None}
    assert {record.parts for record in found.records} == {"objects"}
    assert [path.name for path in found.records[0].masks] == ["0.png", "1.png"]
    assert found.description == Description(names=("background", "nucleus"))


def test_folders_per_image_below_splits_have_the_splits(tmp_path):
    cells(tmp_path, "train/a", "validation/b", "test/c")
    assert splits_of(index(tmp_path)) == {
        "train/a": "train",
        "validation/b": "validation",
        "test/c": "test",
    }


def test_an_image_without_objects_is_a_record_and_one_without_a_folder_of_masks_is_not(tmp_path):
    cells(tmp_path, "empty", masks=0)
    found = index(lay(tmp_path, ["lonely/images/lonely.png", "other/masks/0.png"]))
    assert [(record.name, record.masks) for record in found.records] == [("empty", ())]
    assert complaints_of(found) == [
        ("lonely.png", f"folder {tmp_path / 'lonely' / 'masks'}"),
        ("masks", "image images/other.png"),
    ]


def test_hidden_files_and_other_files_are_no_objects(tmp_path):
    lay(cells(tmp_path, "one"), ["one/masks/._0.png", "one/masks/notes.txt", ".git/images/x.png"])
    assert [path.name for path in index(tmp_path).records[0].masks] == ["0.png", "1.png"]


@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".png"])
def test_the_image_of_a_folder_may_be_of_any_kind(tmp_path, suffix):
    lay(tmp_path, [f"one/images/one{suffix}", "one/masks/0.png"])
    assert index(tmp_path).records[0].images[0].suffix == suffix


@pytest.mark.parametrize("place", ["", "test/"])
def test_a_table_of_run_lengths_counts_only_where_no_image_has_a_folder_of_masks(tmp_path, place):
    table = f"{place}solution.csv=ImageId,EncodedPixels\na,1 2\n"
    lay(tmp_path, [f"{place}a/images/a.png", f"{place}b/images/b.png"])
    assert dsb2018.refuse(tmp_path) is None
    lay(tmp_path, [table])
    assert dsb2018.refuse(tmp_path) == (
        "solution.csv holds the objects as run lengths, and there is no <id>/masks/"
    )
    lay(tmp_path, [f"{place}b/masks/0.png"])
    assert dsb2018.refuse(tmp_path) is None


def test_groups_are_those_of_the_description(tmp_path):
    found = dsb2018.index(cells(tmp_path, "p1_a", "b"), Description(groups={"b": "x"}))
    assert {record.name: record.group for record in found.records} == {"p1_a": None, "b": "x"}


def test_the_microscope_data_has_a_record_for_each_picture(real_data, tmp_path):
    with zipfile.ZipFile(real_data / "stage1_train.zip") as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    chosen = set(sorted({name.split("/")[0] for name in names})[:60])
    names = [name for name in names if name.split("/")[0] in chosen]
    found = index(lay(tmp_path, names))
    assert {record.name for record in found.records} == chosen
    assert sum(len(record.masks) for record in found.records) == len(names) - 60
    assert found.unpaired == ()
