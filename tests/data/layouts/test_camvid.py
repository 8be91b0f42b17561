import pytest

from delineate.data.describing.description import NOTHING_SAID, Description, colour_value
from delineate.data.layouts import camvid
from tests.data.layouts.examples import complaints_of, lay, names_of, splits_of

COLOURS = "128 128 128\t\tSky\n128 0 0\t\tBuilding\n0 0 0\t\tVoid\n"


def index(root):
    return camvid.index(root, NOTHING_SAID)


def test_folders_of_masks_beside_those_of_images_give_the_splits(tmp_path):
    files = [f"{name}/a.png" for name in ("train", "trainannot", "val", "valannot")]
    found = index(lay(tmp_path, [*files, "test/b.png", "testannot/b.png", "train.txt=x y"]))
    assert splits_of(found) == {
        "train/a": "train",
        "validation/a": "validation",
        "test/b": "test",
    }
    assert found.records[0].masks == (tmp_path / "trainannot" / "a.png",)
    assert (found.unpaired, found.notes, found.description) == ((), (), NOTHING_SAID)


def test_the_frames_of_camvid_have_the_names_of_segnets_version(tmp_path):
    stems = ["0001TP_006690", "0016E5_07959"]
    lay(tmp_path, [f"train/{stem}.png" for stem in stems])
    found = index(lay(tmp_path, [f"trainannot/{stem}.png" for stem in stems]))
    assert found.description.names is not None
    assert len(found.description.names) == 11
    assert found.description.names[:3] == ("sky", "building", "pole")
    assert found.description.ignore == (11,)


def test_labels_with_an_ending_belong_to_the_images_without(tmp_path):
    lay(tmp_path, ["train/a.png", "train/b.png", "train_labels/a_L.png", "train_labels/c_L.png"])
    found = index(lay(tmp_path, [f"class_dict.csv=name,r,g,b\n{_rows(COLOURS)}"]))
    assert names_of(found) == {"train/a": ("a.png", "a_L.png")}
    assert complaints_of(found) == [("b.png", "mask"), ("c_L.png", "image")]
    assert found.description == Description(
        names=("Sky", "Building"),
        colours=((128, 128, 128), (128, 0, 0)),
        ignore=(2, colour_value((0, 0, 0))),
    )


def _rows(text):
    rows = (line.split() for line in text.splitlines())
    return "".join(f"{name}, {red}, {green}, {blue}\n" for red, green, blue, name in rows)


def test_an_ending_that_images_have_too_is_part_of_the_name(tmp_path):
    lay(tmp_path, ["train/a.png", "train/a_L.png"])
    found = index(lay(tmp_path, ["trainannot/a.png", "trainannot/a_L.png"]))
    assert names_of(found) == {"train/a": ("a.png", "a.png"), "train/a_L": ("a_L.png", "a_L.png")}


def test_images_beside_labels_have_the_classes_of_the_table(tmp_path):
    lay(tmp_path, ["images/a.png", "images/b.png", "labels/a_L.png", "labels/b_L.png"])
    found = index(lay(tmp_path, [f"label_colors.txt={COLOURS}"]))
    assert names_of(found) == {"a": ("a.png", "a_L.png"), "b": ("b.png", "b_L.png")}
    assert found.description.names == ("Sky", "Building")


def test_numbers_are_preferred_to_colours_and_the_list_gives_the_splits(tmp_path):
    lay(tmp_path, [f"images/{stem}.png" for stem in "abc"] + ["valid.txt=a.png\nc.png\n"])
    for ending in ("_L", "_P"):
        lay(tmp_path, [f"labels/{stem}{ending}.png" for stem in "abc"])
    found = index(lay(tmp_path, ["codes.txt=Animal\nVoid\nCar\n"]))
    assert splits_of(found) == {
        "validation/a": "validation",
        "train/b": "train",
        "validation/c": "validation",
    }
    assert {record.masks[0].stem[-2:] for record in found.records} == {"_P"}
    assert found.description == Description(
        names=("Animal", "Car"), values={0: 0, 2: 1}, ignore=(1,)
    )


def test_a_split_without_masks_is_left_out_and_noted(tmp_path):
    found = index(lay(tmp_path, ["train/a.png", "trainannot/a.png", "test/b.png"]))
    assert list(splits_of(found)) == ["train/a"]
    assert found.notes == (f"{tmp_path / 'test'} holds 1 images without masks: they are left out.",)


@pytest.mark.parametrize("files", [["images/a.png", "labels/a.png"], ["train/a.png"], []])
def test_other_folders_are_refused(tmp_path, files):
    assert "trainannot" in str(camvid.refuse(lay(tmp_path, files)))


@pytest.mark.parametrize(
    ("name", "ours"),
    [("train/0001TP_006690", True), ("Seq05VD_f00000", True), ("0016E5", False), ("IMG_1", False)],
)
def test_the_names_of_the_four_drives_are_known(name, ours):
    assert camvid.is_camvid(name) == ours


@pytest.mark.parametrize(
    ("line", "held_out"),
    [
        ("b 2.png", "b 2"),
        ("b 2", "b 2"),
        ("day.1", "day.1"),
        ("day.1.png", "day.1"),
        ("night/c.png", "night/c"),
        ("images/night/c.png", "night/c"),
        ("images\\night\\c", "night/c"),
    ],
)
def test_the_list_names_files_with_spaces_dots_and_folders(tmp_path, line, held_out):
    stems = ["a", "b 2", "day.1", "night/c"]
    lay(tmp_path, [f"images/{stem}.png" for stem in stems])
    lay(tmp_path, [f"labels/{stem}_L.png" for stem in stems])
    found = index(lay(tmp_path, [f"valid.txt={line}\n"]))
    assert [name for name, split in splits_of(found).items() if split == "validation"] == [
        f"validation/{held_out}"
    ]
    assert found.notes == ()


def test_lines_of_the_list_that_name_no_image_are_noted(tmp_path):
    files = ["images/a.png", "labels/a_L.png", "valid.txt=a.png\n.\nlost.png\n"]
    found = index(lay(tmp_path, files))
    assert splits_of(found) == {"validation/a": "validation"}
    assert found.notes == (
        f"{tmp_path / 'valid.txt'} names 2 files that are no images with masks: ['.'].",
    )
