import pytest

from delineate.data.dataset import Dataset
from delineate.data.describing.description import Description
from delineate.data.layouts import pairs
from delineate.errors import DataError
from tests.data.layouts.examples import complaints_of, lay, names_of, splits_of


def index(root, images=None, masks=None, **said):
    return pairs.index(root, Description(images=images, masks=masks, **said))


@pytest.mark.parametrize(
    ("images", "masks", "files"),
    [
        (None, "*_mask.png", ["a.jpg", "a_mask.png"]),
        (None, "masks/{stem}_m.png", ["images/a.jpg", "masks/a_m.png", "other/a.jpg"]),
        (
            "images/*.jpg",
            "annotations/trimaps/{stem}.png",
            ["images/a.jpg", "annotations/trimaps/a.png"],
        ),
        ("{stem}/scan.tif", "{stem}/truth-*.tif", ["a/scan.tif", "a/truth-1.tif"]),
        ("scans/{stem}.*", "truth/{stem}.*", ["scans/a.jpg", "truth/a.png"]),
        ("in/{stem}.png", "{stem}.png", ["in/a.png", "a.png"]),
        ("pic_*.png", "seg_*.png", ["pic_a.png", "seg_a.png"]),
        ("img (*).png", "gt+(*).png", ["img (a).png", "gt+(a).png"]),
    ],
)
def test_patterns_find_the_pairs(tmp_path, images, masks, files):
    found = index(lay(tmp_path, files), images, masks)
    assert [record.name for record in found.records] == ["a"]
    assert [path.relative_to(tmp_path).as_posix() for path in found.records[0].files] == files[:2]
    assert found.unpaired == ()


def test_a_stem_may_span_folders_and_a_star_may_not(tmp_path):
    root = lay(tmp_path, ["in/x/a.png", "in/b.png", "out/x/a.png", "out/b.png"])
    assert list(names_of(index(root, "in/{stem}.png", "out/{stem}.png"))) == ["b", "x/a"]
    assert list(names_of(index(root, "in/*.png", "out/*.png"))) == ["b"]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("{split}/images/*.png", "{split}/masks/*.png"),
        ("{split}/images/*.png", "all/*_m.png"),
        ("flat/*.png", "{split}/masks/*.png"),
    ],
)
def test_a_split_in_either_pattern_is_that_of_the_pair(tmp_path, images, masks):
    for folder, stem in (("train", "a"), ("valid", "b"), ("test", "c")):
        lay(tmp_path, [f"{folder}/images/{stem}.png", f"{folder}/masks/{stem}.png"])
        lay(tmp_path, [f"flat/{stem}.png", f"all/{stem}_m.png"])
    found = index(tmp_path, images, masks)
    expected = {"train/a": "train", "validation/b": "validation", "test/c": "test"}
    assert splits_of(found) == expected
    assert found.unpaired == ()


def test_a_star_beside_the_stem_makes_each_file_an_object(tmp_path):
    lay(tmp_path, ["a.png", "a_1.png", "m/a_x.png", "m/a_y.png", "m/a_1_x.png", "m/b_x.png"])
    found = index(tmp_path, "{stem}.png", "m/{stem}_*.png")
    assert names_of(found) == {
        "a": ("a.png", "a_x.png", "a_y.png"),
        "a_1": ("a_1.png", "a_1_x.png"),
    }
    assert {record.parts for record in found.records} == {"objects"}
    assert found.description.names == ("background", "object")
    assert complaints_of(found) == [("b_x.png", "image")]


@pytest.mark.parametrize("pattern", ["m/{class}/*.png", "m/{stem}_{class}.png"])
def test_a_class_in_the_pattern_makes_each_file_a_class(tmp_path, pattern):
    lay(tmp_path, ["i/a.png", "i/a_b.png"])
    for stem in ("a", "a_b"):
        for label in ("traffic_light", "car"):
            lay(tmp_path, [pattern.replace("*", stem).format_map({"class": label, "stem": stem})])
    found = index(tmp_path, "i/*.png", pattern)
    assert found.description.names == ("background", "car", "traffic_light")
    assert {record.name: record.ids for record in found.records} == {"a": (1, 2), "a_b": (1, 2)}
    assert found.unpaired == ()


@pytest.mark.parametrize(
    ("images", "channels"),
    [
        ("{channel}/*.tif", ("red", "nir")),
        ("{stem}_{channel}.tif", ("red", "nir")),
        ("*.tif", ("_red", "_nir")),
    ],
)
def test_channels_are_joined_in_the_order_that_is_said(tmp_path, images, channels):
    lay(tmp_path, ["red/a.tif", "nir/a.tif", "b_red.tif", "b_nir.tif"])
    found = index(lay(tmp_path, ["m/a.png", "m/b.png"]), images, "m/*.png", channels=channels)
    (record,) = found.records
    assert [path.relative_to(tmp_path).as_posix() for path in record.images] in (
        ["red/a.tif", "nir/a.tif"],
        ["b_red.tif", "b_nir.tif"],
    )
    assert [item.wanted for item in found.unpaired] == ["image"]


def test_what_has_no_partner_or_no_name_of_its_own_is_named(tmp_path):
    lay(tmp_path, ["i/a.png", "i/a.jpg", "i/cell.png", "m/a.png", "m/cel.png", "i/x.txt"])
    found = index(tmp_path, "i/{stem}.*", "m/{stem}.*")
    assert complaints_of(found) == [
        ("a.png", "name of its own"),
        ("cell.png", "mask"),
        ("cel.png", "image"),
    ]
    assert found.unpaired[1].near == str(tmp_path / "m" / "cel.png")


def test_a_split_without_masks_is_left_out_and_noted(tmp_path):
    lay(tmp_path, ["train/i/a.png", "train/m/a.png", "test/i/b.png"])
    found = index(tmp_path, "{split}/i/*.png", "{split}/m/*.png")
    assert list(splits_of(found)) == ["train/a"]
    assert found.notes == ("The split 'test' has 1 images without masks: left out.",)


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        (None, None, "no pattern of masks"),
        ("i/*.png", None, "no pattern of masks"),
        ("i/a.png", "m/*.png", "'i/a.png' leaves open which part"),
        ("i/*.png", "m/*_*.png", r"'m/\*_\*.png' leaves open which part"),
        ("{channel}/*.png", "m/*.png", "no channels are named"),
    ],
)
def test_a_pattern_that_says_too_little_is_refused(tmp_path, images, masks, message):
    with pytest.raises(DataError, match=message) as caught:
        index(tmp_path, images, masks)
    assert caught.value.hint


def test_patterns_in_the_file_ask_for_the_layout(tmp_path):
    lay(tmp_path, ["images/a.png", "masks/a.png", "truth/a.png"])
    lay(tmp_path, ['dataset.toml=[pairing]\nimages = "images/*.png"\nmasks = "truth/*.png"\n'])
    dataset = Dataset.open(tmp_path)
    assert (dataset.layout, dataset.records[0].masks) == ("pairs", (tmp_path / "truth" / "a.png",))
    with pytest.raises(DataError, match="the layout 'folders' does not use"):
        Dataset.open(tmp_path, layout="folders")
