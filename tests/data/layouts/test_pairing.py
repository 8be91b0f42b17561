import pytest

from delineate.data.layouts.pairing import Change, one_change


@pytest.mark.parametrize(
    ("images", "masks", "change"),
    [
        (["a", "b"], ["a_mask", "b_mask"], Change(mask=("", "_mask"))),
        (["a", "b"], ["gt_a", "gt_b"], Change(mask=("gt_", ""))),
        (["a_sat", "b_sat"], ["a_mask", "b_mask"], Change(("", "sat"), ("", "mask"))),
        (["img_1", "img_2"], ["mask_1", "mask_2"], Change(("img", ""), ("mask", ""))),
        (["10", "20"], ["10_m", "20_m"], Change(mask=("", "_m"))),
        (["1", "12"], ["m1", "m12"], Change(mask=("m", ""))),
        (["x/a", "y/a"], ["x/a.gt", "y/a.gt"], Change(mask=("", ".gt"))),
        (["cell"], ["cell_mask"], Change(mask=("", "_mask"))),
        (["cell-im"], ["cell"], Change(image=("", "-im"))),
    ],
)
def test_one_change_leads_from_every_image_to_its_mask(images, masks, change):
    assert one_change(images, masks) == change
    assert [change.mask_of(image) for image in images] == masks


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ([], []),
        (["a", "b"], ["a_mask"]),
        (["a", "b"], ["a_mask", "c_mask"]),
        (["a", "b"], ["a_mask", "b_label"]),
        (["scan1_7", "scan1_8"], ["scan2_7", "scan2_8"]),
        (["001", "002"], ["1", "2"]),
        (["cell"], ["banana"]),
        (["a"], ["banana"]),
        (["1"], ["12"]),
        (["1"], ["31"]),
    ],
)
def test_where_names_differ_in_other_ways_there_is_no_change(images, masks):
    assert one_change(images, masks) is None


def test_a_name_of_another_form_has_no_mask():
    change = Change(("im_", "_sat"), ("", "_mask"))
    assert change.mask_of("im_3_sat") == "3_mask"
    assert [change.mask_of(name) for name in ("3_sat", "im_3", "im_sat")] == [None] * 3
    assert str(change) == "'im_*_sat' and '*_mask'"
