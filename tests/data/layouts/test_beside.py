import pytest

from delineate.data.describing.description import Description
from delineate.data.layouts import beside
from tests.data.layouts.examples import complaints_of, lay, names_of, splits_of


def index(root, **said):
    return beside.index(root, Description(**said))


@pytest.mark.parametrize("ending", beside.ENDINGS)
def test_each_ending_is_recognised(tmp_path, ending):
    root = lay(tmp_path, ["a.jpg", f"a{ending}.png", "deep/b.c.jpg", f"deep/b.c{ending}.png"])
    assert beside.refuse(root) is None
    found = index(root)
    assert names_of(found) == {
        "a": ("a.jpg", f"a{ending}.png"),
        "deep/b.c": ("b.c.jpg", f"b.c{ending}.png"),
    }
    assert (found.unpaired, {record.parts for record in found.records}) == ((), {"whole"})


def test_an_ending_that_images_have_too_is_not_taken_for_that_of_masks(tmp_path):
    stems = ["knee_L", "knee_R", "hip_L"]
    lay(tmp_path, [f"{stem}.png" for stem in stems])
    found = index(lay(tmp_path, [f"{stem}_mask.png" for stem in stems]))
    assert names_of(found) == {stem: (f"{stem}.png", f"{stem}_mask.png") for stem in stems}


def test_images_may_have_an_ending_of_their_own(tmp_path):
    found = index(lay(tmp_path, ["7_sat.jpg", "7_mask.png", "train/9_sat.jpg", "train/9_mask.png"]))
    assert names_of(found) == {
        "7_sat": ("7_sat.jpg", "7_mask.png"),
        "train/9_sat": ("9_sat.jpg", "9_mask.png"),
    }


def test_numbered_masks_are_objects_in_all_records(tmp_path):
    found = index(
        lay(tmp_path, ["a.png", "a_mask.png", "a_mask_1.png", "b.png", "b_mask2.png", "c_3.png"])
    )
    assert names_of(found) == {
        "a": ("a.png", "a_mask.png", "a_mask_1.png"),
        "b": ("b.png", "b_mask2.png"),
    }
    assert {record.parts for record in found.records} == {"objects"}
    assert found.description.names == ("background", "object")
    assert complaints_of(found) == [("c_3.png", "mask")]


def test_folders_of_splits_give_the_splits_and_one_without_masks_is_noted(tmp_path):
    lay(tmp_path, ["train/a.png", "train/a_mask.png", "valid/a.png", "valid/a_mask.png"])
    found = index(lay(tmp_path, ["test/x.png", "test/y.png"]))
    assert splits_of(found) == {"train/a": "train", "validation/a": "validation"}
    assert found.unpaired == ()
    assert found.notes == (f"{tmp_path / 'test'} holds 2 images without masks: they are left out.",)


def test_what_has_no_partner_is_named_with_the_nearest_name(tmp_path):
    lay(tmp_path, ["a.png", "a_mask.png", "cell_1.png", "cel_1_mask.png", "a.jpg"])
    found = index(tmp_path)
    assert complaints_of(found) == [
        ("a.png", "name of its own"),
        ("cell_1.png", "mask"),
        ("cel_1_mask.png", "image"),
    ]
    assert found.unpaired[1].near == str(tmp_path / "cel_1_mask.png")


def test_the_files_of_channels_are_one_image(tmp_path):
    lay(tmp_path, ["a.png", "a_mask.png", "b_0.png", "b_1.png", "b_mask.png"])
    found = index(tmp_path, channels=("_0", "_1"))
    assert names_of(found) == {"b": ("b_0.png", "b_1.png", "b_mask.png")}
    assert [item.path.name for item in found.unpaired] == ["a.png", "a_mask.png"]


def test_the_table_of_numbers_below_a_split_is_read(tmp_path):
    lay(tmp_path, ["train/a.jpg", "train/a_mask.png"])
    found = index(lay(tmp_path, ["train/_classes.csv=Pixel Value, Class\n0, background\n1, cat\n"]))
    assert found.description.names == ("background", "cat")


def test_a_stray_pair_among_many_files_makes_no_data_set(tmp_path):
    lay(tmp_path, ["logo.png", "logo_mask.png", *(f"{number}.png" for number in range(20))])
    assert beside.refuse(tmp_path)
