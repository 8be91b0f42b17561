from delineate.data.describing.description import Description
from delineate.data.layouts import objects
from tests.data.layouts.examples import complaints_of, lay, names_of, splits_of


def index(root, **said):
    return objects.index(root, Description(**said))


def test_each_file_in_the_folder_of_an_image_is_an_object(tmp_path):
    lay(tmp_path, ["images/a.jpg", "images/deep/b.jpg", "masks/a/2.png", "masks/a/10.png"])
    found = index(lay(tmp_path, ["masks/deep/b/x.png", "masks/a/notes.txt"]))
    assert names_of(found) == {"a": ("a.jpg", "10.png", "2.png"), "deep/b": ("b.jpg", "x.png")}
    assert {record.parts for record in found.records} == {"objects"}
    assert found.description.names == ("background", "object")
    assert found.unpaired == ()


def test_an_empty_folder_is_an_image_without_objects(tmp_path):
    lay(tmp_path, ["images/a.png", "images/b.png"])
    for name in "ab":
        (tmp_path / "masks" / name).mkdir(parents=True)
    assert objects.refuse(tmp_path) is None
    assert names_of(index(tmp_path)) == {"a": ("a.png",), "b": ("b.png",)}


def test_what_has_no_partner_is_named(tmp_path):
    lay(tmp_path, ["images/a.png", "images/cell1.png", "masks/a/1.png", "masks/cell2/1.png"])
    found = index(lay(tmp_path, ["masks/loose.png"]))
    assert list(names_of(found)) == ["a"]
    assert complaints_of(found) == [
        ("loose.png", "image: it lies in no folder that is named after one"),
        ("cell1.png", "folder of masks"),
        ("1.png", "image"),
    ]
    assert found.unpaired[1].near == str(tmp_path / "masks" / "cell2" / "1.png")


def test_splits_groups_and_channels_are_as_in_other_layouts(tmp_path):
    lay(tmp_path, ["train/images/p1_a_0.tif", "train/images/p1_a_1.tif", "train/masks/p1_a/1.png"])
    found = index(tmp_path, channels=("_0", "_1"), group_pattern="(p[0-9])_")
    assert splits_of(found) == {"train/p1_a": "train"}
    assert len(found.records[0].images) == 2
    assert found.records[0].group == "p1"
